"""The heads of all usual rows of a block at once, as array code: Id, type, parent and score.

A usual row is written as every dump so far writes it: `<row Id="…" PostTypeId="…" `, for questions perhaps
`AcceptedAnswerId="…" `, for answers `ParentId="…" `, then `CreationDate="…" Score="…" `, numbers of at most eight
digits, a date of 23 characters, and at the end `/>` and the line break before the next row. Whatever else there is in a
block, rows in another order or layout, damage, the frame of the file, is left to those who parse it row by row.

Eight bytes are compared, or eight digits read, in one step, as a 64-bit little-endian word at any offset.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

U64 = np.uint64
REACH = 192
"""More bytes than the head of a usual row has."""
_DATE = 23
_STRETCH = 1 << 18
"""Bytes in which `<` is looked for at a time; they fit a core's second-level cache."""


@dataclass(slots=True)
class Heads:
    """The usual rows in the order of the block; all arrays are int64, of the same length."""

    starts: Any
    """Of the row's `<`."""
    stops: Any
    """Of the next row's `<`."""
    ids: Any
    kinds: Any
    parents: Any
    """-1 where the row has none."""
    scores: Any

    def part(self, first: int, last: int) -> "Heads":
        """The rows from one number to before another."""
        found = (self.starts, self.stops, self.ids, self.kinds, self.parents, self.scores)
        return Heads(*(column[first:last] for column in found))


def heads(data: bytes, end: int) -> Heads:
    """Heads of the usual rows that end at `end` or before."""
    whole = np.frombuffer(data, np.uint8)
    words = np.ndarray((max(0, len(data) - 7),), "<u8", data, strides=(1,))
    marks = _marks(whole, min(end, len(data)))
    starts, stops = marks, np.append(marks[1:], end)
    room = (stops >= 8) & (stops + 8 <= len(data)) & (starts + REACH <= len(data))
    starts, stops = starts[room], stops[room]
    good = (words[starts] == _word(b"<row Id=")) & (whole[starts + 8] == ord('"')) & _parted(words, stops)
    starts, stops = starts[good], stops[good]

    at = starts + 9
    ids, good, at = _number(words, at)
    good &= _says(words, at, b'" PostTypeId="')
    kinds = whole[at + 14].astype(np.int64) - 48
    good &= (kinds >= 1) & (kinds <= 9)
    at = at + 15
    at = _passed(words, at, good, b'" AcceptedAnswerId="')[1]
    parents, at = _passed(words, at, good, b'" ParentId="')
    good &= _says(words, at, b'" CreationDate="')
    at = at + 16 + _DATE
    good &= _says(words, at, b'" Score="')
    at = at + 9
    negative = whole[at] == ord("-")
    scores, is_number, at = _number(words, at + negative)
    good &= (kinds != 2) | (parents >= 0)
    good &= is_number & ((words[at] & U64(0xFFFF)) == U64(0x2022)) & (at + 2 <= stops)
    scores = np.where(negative, -scores, scores)
    return Heads(*(part[good] for part in (starts, stops, ids, kinds, parents, scores)))


def _marks(whole: Any, end: int) -> Any:
    """Where `<` stands before `end`, int64."""
    found = [
        np.flatnonzero(whole[begin : min(begin + _STRETCH, end)] == ord("<")) + begin
        for begin in range(0, end, _STRETCH)
    ]
    return np.concatenate(found) if found else np.zeros(0, np.int64)


def _parted(words: Any, stops: Any) -> Any:
    """Whether a row ends before each of `stops`, and the next one begins there, on a line of its own."""
    follows = (words[stops] & U64(0xFFFFFFFFFF)) == _word(b"<row \0\0\0")
    plain = (words[stops - 5] & U64(0xFFFFFFFFFF)) == _word(b"/>\n  \0\0\0")
    returned = (words[stops - 6] & U64(0xFFFFFFFFFFFF)) == _word(b"/>\r\n  \0\0")
    return follows & (plain | returned)


def _passed(words: Any, at: Any, good: Any, name: bytes) -> tuple[Any, Any]:
    """The number behind `name` at each place, -1 where there is no such name, and the place behind the number.

    Makes `good` false where the name is followed by no number.
    """
    there = np.flatnonzero(words[at] == _word(name[:8]))
    there = there[_says(words, at[there], name)]
    values, at = np.full(len(at), -1), at.copy()
    values[there], is_number, at[there] = _number(words, at[there] + len(name))
    good[there] &= is_number
    return values, at


def _says(words: Any, at: Any, text: bytes) -> Any:
    """Whether the text, of eight bytes or more, stands at each place."""
    places = [*range(0, len(text) - 8, 8), len(text) - 8]
    good = np.ones(len(at), bool)
    for place in places:
        good &= words[at + place] == _word(text[place : place + 8])
    return good


def _number(words: Any, at: Any) -> tuple[Any, Any, Any]:
    """The number of one to eight digits at each place, whether there is one with a quotation mark behind, and where it
    ends; the other values mean nothing."""
    digits = words[at] ^ U64(0x3030303030303030)
    other = (digits + U64(0x7676767676767676) | digits) & U64(0x8080808080808080)
    least = other & (~other + U64(1))
    size = ((((least - U64(1)) & U64(0x0101010101010101)) * U64(0x0101010101010101)) >> U64(56)).astype(np.int64) - 1
    size = np.where(other == 0, 8, size)
    value = np.where(size > 0, digits << ((8 - size) * 8 & 63).astype(U64), U64(0))
    value = (value * U64(2561) >> U64(8)) & U64(0x00FF00FF00FF00FF)
    value = (value * U64(6553601) >> U64(16)) & U64(0x0000FFFF0000FFFF)
    value = value * U64(42949672960001) >> U64(32)
    ends = at + size
    return value.astype(np.int64), (size > 0) & ((words[ends] & U64(0xFF)) == U64(0x22)), ends


def _word(text: bytes) -> Any:
    """Eight bytes as a word."""
    return U64(int.from_bytes(text, "little"))
