"""The heads that are read all at once are those that a pattern reads one after the other."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.sources.stackexchange.heads import REACH, heads
from tests.sources.dumps import answer, question, row

USUAL = re.compile(
    rb'<row Id="(\d{1,8})" PostTypeId="([1-9])" (?:AcceptedAnswerId="\d{1,8}" )?(?:ParentId="(\d{1,8})" )?'
    rb'CreationDate="[^<]{23}" Score="(-?\d{1,8})" [^<]*/>(?=\r?\n  <row )'
)
END = "  " + "<row " + "x" * REACH
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


def got(data: bytes) -> list[tuple[int, ...]]:
    """The same by `heads`."""
    h = heads(data, data.rindex(b"<row "))
    columns = (h.starts, h.stops, h.ids, h.kinds, h.parents, h.scores)
    assert all(column.dtype == np.int64 for column in columns)
    return list(zip(*(column.tolist() for column in columns), strict=True))


@given(st.lists(ROWS, max_size=12), st.sampled_from(["\n", "\r\n"]))
def test_the_same_heads_as_by_a_pattern(lines: list[str], end: str) -> None:
    data = end.join([*lines, END]).encode()
    assert got(data) == wanted(data)


@given(st.data())
def test_the_same_heads_in_damaged_blocks(data: st.DataObject) -> None:
    whole = bytearray("\n".join([question(1), answer(2, 1), answer(33, 1, -4), END]).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(whole) - REACH - 1))
        whole[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"", b'"', b"<", b"7", b" ", b"\xff"])
        )
    assert got(bytes(whole)) == wanted(bytes(whole))


@pytest.mark.parametrize("size", [0, 1, 7, 8, 100])
def test_short_blocks_have_no_heads(size: int) -> None:
    data = answer(2, 1).strip().encode()[:size]
    assert len(heads(data, len(data)).ids) == 0
