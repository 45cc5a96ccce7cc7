"""The ledger: a cap that holds, answers that stay, money that is never forgotten."""

import sqlite3
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limakit.errors import StudyError
from limakit.store.ledger import Ledger


def test_an_answer_is_found_again_with_its_bill(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        ticket = ledger.reserve("judge", "key", 100, 1000)
        assert ticket is not None
        assert ledger.used("judge") == 100
        ledger.keep(ticket, b"raw")
        assert ledger.stored(["key", "other"])["key"].cost is None
        assert ledger.used("judge") == 100
        ledger.settle(ticket, 30)
        ledger.settle(ticket, 30)
        assert ledger.used("judge") == 30
    with Ledger(tmp_path / "ledger.db") as ledger:
        found = ledger.stored(["key", "other"])
        assert list(found) == ["key"]
        assert (found["key"].body, found["key"].cost) == (b"raw", 30)
        assert (ledger.used("judge"), ledger.used("nobody")) == (30, 0)


def test_what_may_have_been_spent_stays_counted(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        free, charged, lost, silent = (ledger.reserve("j", key, 100, 1000) for key in "abcd")
        assert None not in (free, charged, lost, silent)
        ledger.fail(free or 0, "rate_limited", charged=False)
        ledger.fail(charged or 0, "timeout", charged=True)
        ledger.keep(silent or 0, b"no bill")
        ledger.settle(silent or 0, None)
        assert ledger.used("j") == 300
    with Ledger(tmp_path / "ledger.db") as ledger:  # `lost` never came back
        assert ledger.used("j") == 300
        assert ledger.reserve("j", "e", 701, 1000) is None
        assert ledger.reserve("j", "e", 700, 1000) is not None
        assert ledger.reserve("j", "f", 0, 1000) is not None
        assert ledger.reserve("other", "g", 1000, 1000) is not None


def test_a_lower_budget_binds_at_once(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.reserve("j", "a", 100, 1000)
        assert ledger.reserve("j", "b", 1, 100) is None
        assert ledger.reserve("j", "b", 0, 50) is None


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.sampled_from(["paid", "charged", "free", "open"])), max_size=20))
def test_the_books_always_balance(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str]]) -> None:
    path, expected = tmp_path_factory.mktemp("books") / "ledger.db", 0
    with Ledger(path) as ledger:
        for number, (most, end) in enumerate(steps):
            ticket = ledger.reserve("j", str(number), most, 200)
            assert (ticket is None) == (expected + most > 200)
            if ticket is None:
                continue
            if end == "paid":
                ledger.keep(ticket, b"")
                ledger.settle(ticket, most // 2)
            elif end != "open":
                ledger.fail(ticket, "timeout", charged=end == "charged")
            expected += {"paid": most // 2, "free": 0}.get(end, most)
            assert ledger.used("j") == expected <= 200


def test_many_threads_never_pass_the_cap(tmp_path: Path) -> None:
    tickets: list[int] = []
    with Ledger(tmp_path / "ledger.db") as ledger:

        def spend(worker: int) -> None:
            for number in range(20):
                ticket = ledger.reserve("j", f"{worker}/{number}", 7, 1000)
                if ticket is not None:
                    tickets.append(ticket)

        threads = [threading.Thread(target=spend, args=(worker,)) for worker in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledger.used("j") == 7 * len(tickets) == 994
    assert len(set(tickets)) == 142


def test_it_is_synced_at_every_commit(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.reserve("j", "a", 1, 1)
        modes = ledger._do(
            lambda db: [db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
        ).result()
        assert modes == ["wal", 2]
        with sqlite3.connect(f"file:{tmp_path / 'ledger.db'}?mode=ro", uri=True) as other:
            assert other.execute("SELECT key, state, held FROM attempt").fetchall() == [("a", "sent", 1)]


def test_a_damaged_ledger_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    with (
        pytest.raises(StudyError, match=r"ledger\.db: the ledger of paid calls cannot be used"),
        Ledger(tmp_path / "ledger.db"),
    ):
        pass
