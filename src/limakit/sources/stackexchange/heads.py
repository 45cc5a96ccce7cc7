"""The heads of all usual rows of a split as array code: Id, type, parent and score.

A usual row is written as every dump so far writes it: `<row Id="…" PostTypeId="…" `, for questions perhaps
`AcceptedAnswerId="…" `, for answers `ParentId="…" `, then `CreationDate="…" Score="…" `, a date of 23 characters, a
score of at most six digits, other numbers of at most eight, and at the end `/>` and the line break before the next row.
Whatever else there is in a split, rows in another order or layout, damage, the frame of the file, is left to those who
parse it row by row.

Each byte is read once, to find `<`; the heads behind them are copied side by side and read thousands at a time. Eight
bytes are compared, or eight digits read, in one step, as a 64-bit little-endian word.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from limakit.sources.stackexchange.split import Split

U64 = np.uint64
_CHUNK = 1 << 19
"""Bytes read at a time, a multiple of eight; with the mask of the same size they fit a core's second-level cache."""
_BEYOND = 1 << 16
"""Bytes read beyond a split at most, to find where its last row ends."""
_ROWS = 8192
"""Rows read at a time: enough to hide what each step of array code costs by itself."""
_COPIED = 18
"""Words copied for each `<`: one before that in which it stands, and as many as may be looked at for a head."""


@dataclass(slots=True)
class Heads:
    """Usual rows in the order of the file; all arrays are int64, of the same length."""

    starts: Any
    """Offset in the file of the row's `<`."""
    stops: Any
    """Offset of the next row's `<`."""
    ids: Any
    kinds: Any
    parents: Any
    """-1 where the row has none."""
    scores: Any

    def part(self, first: int, last: int) -> "Heads":
        """The rows from one number to before another."""
        return self.where(slice(first, last))

    def where(self, which: Any) -> "Heads":
        """The rows with some numbers."""
        found = (self.starts, self.stops, self.ids, self.kinds, self.parents, self.scores)
        return Heads(*(column[which] for column in found))


def heads(split: Split, chunk: int = _CHUNK, rows: int = _ROWS) -> Iterator[Heads]:
    """Heads of the usual rows that begin in a split, about `rows` at a time."""
    places = np.empty(rows + 1 + chunk // 8, np.int64)
    copies = np.empty(len(places), f"V{8 * _COPIED}")
    count = 0
    for found, pieces in _marks(split, chunk):
        last, count = count, count + len(found)
        places[last:count], copies[last:count] = found, pieces
        if count > rows:
            yield _read(places[:count], copies[:count], split.stop)
            places[0], copies[0], count = places[count - 1], copies[count - 1], 1
    if count > 1:
        yield _read(places[:count], copies[:count], split.stop)


def _marks(split: Split, chunk: int) -> Iterator[tuple[Any, Any]]:
    """The words that hold a `<`, of a split and as far beyond it as the first one there: offsets in the file of the
    word before each, and copies of `_COPIED` words from there. If there are two in a word the second is passed over;
    then neither begins a usual row."""
    buffer = bytearray(8 + chunk + 8 * _COPIED)
    words = np.frombuffer(buffer, "<u8")
    pieces = np.ndarray((chunk // 8,), f"V{8 * _COPIED}", buffer, strides=(8,))
    mask = np.empty(chunk, bool)
    masks, some = mask.view(U64), np.empty(chunk // 8, bool)
    area = np.frombuffer(buffer, np.uint8)[8 : 8 + chunk]
    with open(split.path, "rb", buffering=0) as file:
        for at in range(split.start, split.stop + max(chunk, _BEYOND), chunk):
            before = min(8, at)
            words[0] = 0
            room = memoryview(buffer)[8 - before : None if at < split.stop else _BEYOND]
            size = os.preadv(file.fileno(), [room], at - before) + 8 - before
            buffer[size:] = bytes(len(buffer) - size)
            np.equal(area, ord("<"), out=mask)
            np.not_equal(masks, 0, out=some)
            found = some.nonzero()[0]
            yield found * 8 + (at - 8), pieces[found]
            if size < len(buffer) or (len(found) and at + found[-1] * 8 >= split.stop):
                return


def _read(places: Any, copies: Any, limit: int) -> Heads:
    """Heads of the rows that begin with each `<` but the last, before offset `limit`.

    Behind each number words are taken anew, from where the next number but the parent's begins in a word of its own.
    """
    marked = copies.view(U64)[1::_COPIED] ^ _word(b"<<<<<<<<")
    at = 8 + _first((marked - _word(b"\1\1\1\1\1\1\1\1")) & ~marked & _word(b"\x80\x80\x80\x80\x80\x80\x80\x80"))
    starts = places + at
    at = at + np.arange(0, copies.nbytes, 8 * _COPIED)

    before, begin, digits = _words(copies, at - 7, 3)
    parted = before >> 16 == _word(b"/>\n  <\0\0")
    if not parted.all():
        parted |= before >> 8 == _word(b"/>\r\n  <\0")
    parted &= begin << 32 == _word(b"\0\0\0\0row ")
    starts, stops, at = starts[:-1], starts[1:], at[:-1]
    ids, size = _number(digits[:-1])
    good = (begin[:-1] == _word(b'row Id="')) & (size > 0) & parted[1:] & (starts < limit)

    row, at = at, at + 9 + size
    first, second, third, *others = _words(copies, at, 6)
    kinds = second ^ _word(b'peId="0"')
    good &= (first == _word(b'" PostTy')) & (kinds << 16 == 0)
    kinds >>= 48
    good &= kinds - 1 < 9
    accepted = (third == _word(b" Accepte")) & (others[0] == _word(b"dAnswerI"))
    low, high = np.where(accepted, others[1], others[0]), np.where(accepted, others[2], others[1])
    child = third == _word(b" ParentI")
    named = (accepted | child) & (low << 40 == _word(b'\0\0\0\0\0d="'))
    parents, size = _number(low >> 24 | high << 40)
    parents[~child] = -1
    good &= (named <= (size > 0)) & ((kinds == 2) <= child)

    at += 15 + named * (12 + size + 8 * accepted.view(np.uint8))
    first, second, _, _, quoted, third, *others = _words(copies, at, 8)
    good &= (first == _word(b'" Creati')) & (second == _word(b'onDate="'))
    good &= (quoted >> 56 == ord('"')) & (third == _word(b' Score="'))
    negative = np.flatnonzero(others[0] & 0xFF == ord("-"))
    digits = others[0].copy()
    digits[negative] = digits[negative] >> 8 | others[1][negative] << 56
    scores, size = _number(digits)
    scores[negative] *= -1
    good &= (size > 0) & (digits >> (8 * size) & 0xFFFF == _word(b'" \0\0\0\0\0\0'))
    good &= stops - starts >= at + 40 - row
    found = (starts, stops, ids, kinds.view(np.int64), parents, scores)
    return Heads(*found) if good.all() else Heads(*(part[good] for part in found))


def _words(copies: Any, at: Any, count: int) -> Any:
    """So many words from each place on: an array of the first ones, one of the second ones, and so on."""
    some = np.ndarray((copies.nbytes - 8 * count + 1,), f"V{8 * count}", copies, strides=(1,))[at]
    return some.view(U64).reshape(-1, count).T


def _number(word: Any) -> tuple[Any, Any]:
    """The number that each word begins with, int64, and of how many digits, 0 to 8, uint8."""
    digits = word ^ _word(b"00000000")
    size = _first(((digits + _word(b"vvvvvvvv")) | digits) & _word(b"\x80\x80\x80\x80\x80\x80\x80\x80"))
    value = digits << (64 - 8 * size & 63)
    value = (value * 2561 >> 8) & 0x00FF00FF00FF00FF
    value = (value * 6553601 >> 16) & 0x0000FFFF0000FFFF
    return (value * 42949672960001 >> 32).view(np.int64), size


def _first(marked: Any) -> Any:
    """Number of the first byte with its highest bit set, of words with no other bits set; 8 where there is none."""
    return np.bitwise_count((marked - 1) & ~marked) >> 3


@cache
def _word(text: bytes) -> Any:
    """Eight bytes as a word; an array, which numpy takes in half the time that it takes for a number."""
    return np.array(int.from_bytes(text, "little"), U64)
