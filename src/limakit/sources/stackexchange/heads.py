"""The heads of all usual rows of a split as array code: Id, type, parent and score.

A usual row is written as every dump so far writes it: `<row Id="…" PostTypeId="…" `, for questions perhaps
`AcceptedAnswerId="…" `, for answers `ParentId="…" `, then `CreationDate="…" Score="…" `, numbers of at most eight
digits, a date of 23 characters, and at the end `/>` and the line break before the next row. Whatever else there is in a
split, rows in another order or layout, damage, the frame of the file, is left to those who parse it row by row.

Each byte is read once, to find `<`; the heads behind them are copied side by side and read thousands at a time. Eight
bytes are compared, or eight digits read, in one step, as a 64-bit little-endian word.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
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
_COPIED = 20
"""Words copied for each `<`: one before that in which it stands, and as many as the longest head may reach into."""
_DATE = 23
_BYTES = U64(0x0101010101010101)


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
    waiting: list[tuple[Any, Any]] = []
    count = 0
    for marks in _marks(split, chunk):
        waiting.append(marks)
        count += len(marks[0])
        if count > rows:
            places, copies = _joined(waiting)
            yield _read(places, copies, split.stop)
            waiting, count = [(places[-1:], copies[-1:])], 1
    if count > 1:
        yield _read(*_joined(waiting), split.stop)


def _joined(parts: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    return np.concatenate([places for places, _ in parts]), np.concatenate([copies for _, copies in parts])


def _marks(split: Split, chunk: int) -> Iterator[tuple[Any, Any]]:
    """The words that hold a `<`, of a split and as far beyond it as the first one there: offsets in the file of the
    word before each, and copies of `_COPIED` words from there. If there are two in a word the second is passed over;
    then neither begins a usual row."""
    buffer = bytearray(8 + chunk + 8 * _COPIED)
    words = np.frombuffer(buffer, "<u8")
    pieces = np.ndarray((chunk // 8, _COPIED), "<u8", buffer, strides=(8, 8))
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
            found = np.flatnonzero(some)
            yield found * 8 + (at - 8), pieces[found]
            if size < len(buffer) or (len(found) and at + found[-1] * 8 >= split.stop):
                return


def _read(places: Any, copies: Any, limit: int) -> Heads:
    """Heads of the rows that begin with each `<` but the last, before offset `limit`."""
    words = np.ndarray((copies.nbytes - 7,), "<u8", copies, strides=(1,))
    marked = copies[:, 1] ^ (U64(ord("<")) * _BYTES)
    at = 8 + _first((marked - _BYTES) & ~marked & (_BYTES << U64(7)))
    starts = places + at
    at += np.arange(0, copies.nbytes, _COPIED * 8)
    parted = _parted(words, at)[1:]
    starts, stops, at = starts[:-1], starts[1:], at[:-1]
    row = at

    good = _says(words, at, b'<row Id="') & parted & (starts < limit)
    digits, good, at = _number(words, at + 9, good)
    ids = _value(digits)
    good &= _says(words, at, b'" PostTypeId="')
    kinds = (words[at + 14] & U64(0xFF)).view(np.int64) - 48
    good &= (kinds >= 1) & (kinds <= 9)
    at += 15
    _pass(words, at, good, b'" AcceptedAnswerId="')
    parents = _pass(words, at, good, b'" ParentId="')
    good &= _says(words, at, b'" CreationDate="')
    at += 16 + _DATE
    good &= _says(words, at, b'" Score="')
    at += 9
    negative = (words[at] & U64(0xFF)) == U64(ord("-"))
    digits, good, at = _number(words, at + negative, good)
    scores = _value(digits)
    good &= (kinds != 2) | (parents >= 0)
    good &= ((words[at] & U64(0xFFFF)) == U64(0x2022)) & (stops - starts >= at + 2 - row)
    scores = np.where(negative, -scores, scores)
    found = (starts, stops, ids, kinds, parents, scores)
    return Heads(*found) if good.all() else Heads(*(part[good] for part in found))


def _parted(words: Any, at: Any) -> Any:
    """Whether a row begins at each place, on a line of its own, and another ends before it."""
    before = words[at - 8]
    plain = (before >> U64(24)) == _word(b"/>\n  \0\0\0")
    good = plain if plain.all() else plain | ((before >> U64(16)) == _word(b"/>\r\n  \0\0"))
    return good & ((words[at] & U64(0xFFFFFFFFFF)) == _word(b"<row \0\0\0"))


def _pass(words: Any, at: Any, good: Any, name: bytes) -> Any:
    """The number behind `name` at each place, -1 where there is no such name; moves the places behind the number.

    Makes `good` false where the name is followed by no number.
    """
    there = np.flatnonzero(words[at] == _word(name[:8]))
    there = there[_says(words, at[there], name)]
    digits, good[there], at[there] = _number(words, at[there] + len(name), good[there])
    values = np.full(len(at), -1)
    values[there] = _value(digits)
    return values


def _says(words: Any, at: Any, text: bytes) -> Any:
    """Whether the text, of eight bytes or more, stands at each place."""
    good = words[at] == _word(text[:8])
    for place in (*range(8, len(text) - 8, 8), len(text) - 8):
        good &= words[at + place] == _word(text[place : place + 8])
    return good


def _number(words: Any, at: Any, good: Any) -> tuple[Any, Any, Any]:
    """The one to eight digits at each place, as a word that they fill from its end; whether it was good and there are
    any; and where they end. The other digits mean nothing."""
    digits = words[at] ^ U64(0x3030303030303030)
    other = ((digits + U64(0x7676767676767676)) | digits) & U64(0x8080808080808080)
    size = _first(other)
    return digits << (U64(64) - size.view(U64) * U64(8) & U64(63)), good & (size > 0), at + size


def _first(marked: Any) -> Any:
    """Number of the first byte with its highest bit set, of words with no other bits set; 8 where there is none."""
    least = marked & (~marked + U64(1))
    sizes = (((least - U64(1)) & _BYTES) * _BYTES) >> U64(56)
    return sizes.view(np.int64) - (marked != 0)


def _value(digits: Any) -> Any:
    """The numbers that words of eight digits stand for, int64."""
    value = (digits * U64(2561) >> U64(8)) & U64(0x00FF00FF00FF00FF)
    value = (value * U64(6553601) >> U64(16)) & U64(0x0000FFFF0000FFFF)
    return (value * U64(42949672960001) >> U64(32)).view(np.int64)


def _word(text: bytes) -> Any:
    """Eight bytes as a word."""
    return U64(int.from_bytes(text, "little"))
