"""The heads that are read all at once are those that a pattern reads one after the other."""

import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.sources.stackexchange.heads import heads
from limakit.sources.stackexchange.split import Split
from tests.sources.dumps import answer, question, row

USUAL = re.compile(
    rb'<row Id="(\d{1,8})" PostTypeId="([1-9])" (?:AcceptedAnswerId="\d{1,8}" |ParentId="(\d{1,8})" )?'
    rb'CreationDate="[^<]{23}" Score="(-?\d{1,6})" [^<]*/>(?=\r?\n  <row )'
)
END = "  " + "<row " + "x" * 200
NUMBERS = st.integers(0, 10**10)
ROWS = st.one_of(
    st.builds(lambda n, p, s: answer(n, p, s), NUMBERS, NUMBERS, st.integers(-(10**9), 10**9)),
    st.builds(lambda n, a: question(n, ViewCount=a, OwnerUserId=None), NUMBERS, NUMBERS),
    st.builds(
        lambda n, a, s: row({"Id": n, "PostTypeId": 1, "AcceptedAnswerId": a, "CreationDate": "2015-01-27T20:09:32.720",
                             "Score": s, "Body": "b"}), NUMBERS, NUMBERS, NUMBERS),
    st.builds(lambda n, k: row({"Id": n, "PostTypeId": k, "CreationDate": "2015-01-27T20:09:32.720", "Score": 0,
                                "Body": ""}), NUMBERS, st.integers(0, 11)),
    st.sampled_from(["stray", "<row />", "  <!-- c -->", '  <row Id="1" ', '  <row Id="" PostTypeId="1" />']),
)  # fmt: skip


def wanted(data: bytes) -> list[tuple[int, ...]]:
    """Start, stop, Id, type, parent and score by the pattern."""
    found = [m for m in USUAL.finditer(data) if m[2] != b"2" or m[3]]
    return [
        (m.start(), data.index(b"<", m.end()), int(m[1]), int(m[2]), int(m[3] or -1), int(m[4]))
        for m in found
    ]  # fmt: skip


def got(path: Path, data: bytes, chunk: int = 1 << 19, rows: int = 8192, cut: int | None = None) -> list[tuple]:
    """The same by `heads`, of the file cut at an offset."""
    path.write_bytes(data)
    end = data.rindex(b"<row ")
    cuts = [0, *([cut] if cut and cut < end else []), end]
    found = [h for a, b in pairwise(cuts) for h in heads(Split(0, str(path), a, b), chunk, rows)]
    columns = [(h.starts, h.stops, h.ids, h.kinds, h.parents, h.scores) for h in found]
    assert all(column.dtype == np.int64 for part in columns for column in part)
    return [row for part in columns for row in zip(*(column.tolist() for column in part), strict=True)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heads") / "Posts.xml"


@given(st.lists(ROWS, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_the_same_heads_as_by_a_pattern(path: Path, lines: list[str], end: str) -> None:
    data = end.join([*lines, END]).encode()
    assert got(path, data) == wanted(data)


@given(st.lists(ROWS, max_size=8), st.integers(20, 90), st.integers(1, 9), st.integers(1, 3000))
def test_heads_do_not_depend_on_how_much_is_read_at_a_time(
    path: Path, lines: list[str], chunk: int, rows: int, cut: int
) -> None:
    data = "\n".join([*lines, END]).encode()
    assert got(path, data, 8 * chunk, rows, cut) == wanted(data)


SIZES = ["", *(10**size - 1 for size in range(1, 10))]
PARENTS = [{}, *({name: n} for name in ("ParentId", "AcceptedAnswerId") for n in SIZES)]
REST = {"CreationDate": "2015-01-27T20:09:32.720", "Score": -3, "Body": "b"}


def test_numbers_of_every_size_between_which_names_move(path: Path) -> None:
    lines = [
        row({"Id": n, "PostTypeId": 2 if "ParentId" in parent else 1, **parent, **REST, "Score": score})
        for n in SIZES for parent in PARENTS for score in (*SIZES[:8], *(f"-{n}" for n in SIZES[:8]))
    ]  # fmt: skip
    data = "\n".join([*lines, END]).encode()
    found = got(path, data)
    assert found == wanted(data)
    assert len(found) == 8 * 17 * 12


def test_each_byte_of_a_head_counts(path: Path) -> None:
    lines = []
    for parent in PARENTS[0], {"ParentId": 1234}, {"AcceptedAnswerId": 567}, {"AcceptedAnswerId": 5, "ParentId": 6}:
        whole = row({"Id": 89, "PostTypeId": 2 if "ParentId" in parent else 1, **parent, **REST})
        lines += [whole, whole.replace("-01-27T20:", "/>\n  <row ")]
        for at in range(whole.index(" Body") + 1):
            lines += [
                whole,
                *(whole[:at] + other + whole[at + 1 :] for other in ("0", "9", '"', " ", "x", "-", ">", "")),
            ]
    data = "\n".join([*lines, END]).encode()
    assert got(path, data) == wanted(data)


@given(st.data())
def test_the_same_heads_in_damaged_splits(path: Path, data: st.DataObject) -> None:
    whole = bytearray("\n".join([question(1), answer(2, 1), answer(33, 1, -4), END]).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - 201))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"", b'"', b"<", b"7", b" ", b"\xff"])
        )
    found, usual = got(path, bytes(whole)), wanted(bytes(whole))
    if re.search(rb"<.{0,6}<", bytes(whole), re.DOTALL):
        assert set(found) <= set(usual)  # a row with another `<` within eight bytes of its own is left to the parser
    else:
        assert found == usual


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100])
def test_short_files_have_no_heads(path: Path, size: int) -> None:
    path.write_bytes(answer(2, 1).strip().encode()[:size])
    assert list(heads(Split(0, str(path), 0, size))) == []
