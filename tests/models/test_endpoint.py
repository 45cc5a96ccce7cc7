"""One request, one end of a known kind; and the key goes nowhere but into its header."""

import logging
from pathlib import Path
from typing import Any

import pytest

from limakit.engine import silent
from limakit.errors import ModelError
from limakit.models.buyer import Bought, buy
from limakit.models.endpoint import Client, Fault
from limakit.models.retry import Retry
from limakit.models.wire import Call, Failure, Reply
from limakit.records import Turn
from limakit.store.ledger import UNIT, Ledger
from tests.models.provider import Provider, serve

FAST = Retry(attempts=4, first=0.001)
KEY = "sk-SECRET/with+signs"


def call(text: str = "Which?") -> Call:
    return Call(system="Judge.", turns=(Turn(role="user", content=text),))


def bought(provider: Provider, folder: Path, calls: list[Call], **settings: Any) -> list[Bought]:
    with Ledger(folder / "ledger.db") as ledger:
        return buy(calls, provider.judge(**settings), ledger, "fake", silent, FAST)


@pytest.mark.parametrize("api", ["openai", "anthropic"])
def test_an_answer_and_its_price(tmp_path: Path, api: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_KEY", KEY)
    with serve(lambda text, before: "Fine.") as provider:
        end = bought(provider, tmp_path, [call("x" * 40)], api=api, key_env="THE_KEY")[0]
        assert end.outcome == Reply("Fine.")
        assert end.cost == round(provider.billed * UNIT) == (10 * 1000 + 100 * 2000) * UNIT // 10**6
        sent = provider.headers[0]
        assert (sent.get("authorization"), sent.get("x-api-key")) == (
            (f"Bearer {KEY}", None) if api == "openai" else (None, KEY)
        )
        assert bought(provider, tmp_path, [call("x" * 40)], api=api, key_env="NOT_SET") == [end]
        assert provider.requests == 1


@pytest.mark.parametrize(
    ("act", "kind", "requests"),
    [
        ("429-seconds", "rate_limited", 4),
        ("429-date", "rate_limited", 4),
        ("500", "server_error", 4),
        ("503", "server_error", 4),
        ("slow", "timeout", 4),
        ("torn", "unreachable", 4),
        ("cut-json", "bad_json", 1),
        ("refusal", "refusal", 1),
        ("length", "truncated", 1),
        ("400", "rejected", 1),
        (" ", "empty", 1),
    ],
)
def test_every_fault_has_its_kind(tmp_path: Path, act: str, kind: str, requests: int) -> None:
    with serve(lambda text, before: act if "bad" in text else "Fine.") as provider:
        bought(provider, tmp_path, [call("good")])
        ends = bought(provider, tmp_path, [call("good"), call("bad")], timeout=0.2 if act == "slow" else 5.0)
        assert ends[0].outcome == Reply("Fine.")
        assert isinstance(ends[1].outcome, Failure)
        assert (ends[1].outcome.kind, provider.requests) == (kind, 1 + requests)
        with Ledger(tmp_path / "ledger.db") as ledger:
            assert provider.billed <= ledger.used("fake") / UNIT + 1e-9
            if act.startswith(("4", "5")):
                assert provider.billed == pytest.approx(ledger.used("fake") / UNIT), "what was not billed is free"


def test_faults_that_pass_are_tried_again(tmp_path: Path) -> None:
    acts = ["429-seconds", "503", "429-date", "Fine."]
    with serve(lambda text, before: acts[before]) as provider:
        assert bought(provider, tmp_path, [call()])[0].outcome == Reply("Fine.")
        assert provider.requests == 4


def test_equal_calls_are_one(tmp_path: Path) -> None:
    with serve(lambda text, before: "Fine.") as provider:
        ends = bought(provider, tmp_path, [call("a"), call("b"), call("a")])
        assert [end.outcome for end in ends] == [Reply("Fine.")] * 3
        assert provider.requests == 2


def test_every_setting_that_is_sent_makes_another_call(tmp_path: Path) -> None:
    with serve(lambda text, before: "Fine.") as provider:
        for settings in ({}, {"model": "n"}, {"temperature": 0.5}, {"temperature": "default"}, {"max_tokens": 7}):
            bought(provider, tmp_path, [call()], **settings)
        bought(provider, tmp_path, [call()], concurrency=1, timeout=9.0)
        assert [body.get("temperature") for body in provider.bodies] == [0.0, 0.0, 0.5, None, 0.0]
        assert [body["model"] for body in provider.bodies] == ["m", "n", "m", "m", "m"]
        assert [body["max_tokens"] for body in provider.bodies] == [1024, 1024, 1024, 1024, 7]


def test_concurrency_is_bounded_and_used(tmp_path: Path) -> None:
    import threading
    import time

    under_way, most, lock = 0, 0, threading.Lock()

    def slowly(text: str, before: int) -> str:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.02)
        with lock:
            under_way -= 1
        return "Fine."

    with serve(slowly) as provider:
        bought(provider, tmp_path, [call(str(n)) for n in range(40)], concurrency=5)
    assert 3 <= most <= 5


@pytest.mark.parametrize("act", ["401", "404"])
def test_a_wrong_key_or_address_stops_the_run(tmp_path: Path, act: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server repeats the key it was sent; it is seen nowhere."""
    monkeypatch.setenv("THE_KEY", KEY)
    with serve(lambda text, before: act) as provider:
        with pytest.raises(ModelError, match=f"gives no answers: HTTP {act}") as caught:
            bought(provider, tmp_path, [call(str(n)) for n in range(50)], key_env="THE_KEY", concurrency=2)
        assert provider.requests <= 4
        assert KEY in str(provider.headers)
    assert "SECRET" not in str(caught.value)
    assert b"SECRET" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


@pytest.mark.parametrize("value", [None, "", "  ", "two words", "line\nbreak", "ключ"])
def test_a_key_that_is_none_is_said_before_anything_is_sent(
    tmp_path: Path, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is not None:
        monkeypatch.setenv("THE_KEY", value)
    with serve(lambda text, before: "Fine.") as provider:
        with pytest.raises(ModelError, match="THE_KEY") as caught:
            bought(provider, tmp_path, [call()], key_env="THE_KEY")
        assert provider.requests == 0
    assert not value or not value.strip() or value not in str(caught.value)


def test_a_key_is_never_logged_nor_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("THE_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    with serve(lambda text, before: f"Your key is {KEY}.") as provider:
        end = bought(provider, tmp_path, [call()], key_env="THE_KEY")[0]
    assert end.outcome == Reply("Your key is (key).")
    assert caplog.records
    assert "SECRET" not in caplog.text
    assert b"SECRET" not in b"".join(path.read_bytes() for path in tmp_path.iterdir())


def test_a_server_that_is_not_there_is_given_up(tmp_path: Path) -> None:
    with serve(lambda text, before: "Fine.") as provider:
        pass
    with pytest.raises(ModelError, match="the server gives no answers"):
        bought(provider, tmp_path, [call(str(n)) for n in range(3)])
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.used("fake") == 0


def test_redirects_are_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import http.server
    import threading

    class Lure(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.send_response(307)
            self.send_header("location", target.url)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    monkeypatch.setenv("THE_KEY", KEY)
    lure = http.server.HTTPServer(("127.0.0.1", 0), Lure)
    threading.Thread(target=lure.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    with serve(lambda text, before: "Fine.") as target:
        settings = target.judge(base_url=f"http://127.0.0.1:{lure.server_port}", key_env="THE_KEY")
        with Client(settings) as client:
            came = client.send(b"{}")
        assert isinstance(came, Fault)
        assert came.fatal
        assert target.requests == 0
    lure.shutdown()
    lure.server_close()


def test_an_endless_answer_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limakit.models.endpoint.LARGEST", 1000)
    with serve(lambda text, before: "x" * 5000) as provider, Client(provider.judge()) as client:
        came = client.send(b'{"messages": [{"content": "?"}]}')
    assert isinstance(came, Fault)
    assert (came.failure.kind, came.charged, came.again) == ("bad_json", True, False)


def test_the_cap_is_never_passed(tmp_path: Path) -> None:
    """Calls are sent while the most they can cost fits, wait for others to settle, and then end over budget."""
    calls = [call(f"{n:03d} " + "x" * 300) for n in range(60)]
    with serve(lambda text, before: "Fine.") as provider:
        provider.output = 399
        settings: dict[str, Any] = {"max_tokens": 400, "concurrency": 8, "budget": 42.0}
        ends = bought(provider, tmp_path, calls, **settings)
        kinds = [end.outcome.kind if isinstance(end.outcome, Failure) else "answer" for end in ends]
        assert set(kinds) == {"answer", "over_budget"}
        assert 42.0 - 1.4 < provider.billed <= 42.0  # as close as the most that one call can cost
        again = bought(provider, tmp_path, calls, **settings | {"budget": 60.0})
        assert all(isinstance(end.outcome, Reply) for end in again)
        assert provider.requests == 60


def test_the_estimate_is_made_before_anything_is_sent(tmp_path: Path) -> None:
    with serve(lambda text, before: "Fine.") as provider:
        with pytest.raises(ModelError, match=r"60 calls would cost about 35\.\d\d, and 3\.00 .* Nothing was sent"):
            bought(provider, tmp_path, [call(str(n)) for n in range(60)], budget=3.0)
        assert provider.requests == 0
        said: list[str] = []
        with Ledger(tmp_path / "ledger.db") as ledger:
            buy(
                [call()],
                provider.judge(),
                ledger,
                "fake",
                lambda what, done, total, unit, note="": said.append(note),
                FAST,
            )
        assert said[0].startswith("about 0.6, at most 2.")
