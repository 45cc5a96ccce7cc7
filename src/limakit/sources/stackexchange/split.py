"""A dump cut into byte ranges, and the posts of a range one after the other, in memory that does not grow."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

BLOCK = 2 << 20
"""Rows enough that work on all of them at once is worth its beginning."""
LARGEST_ROW = 64 << 20
_START = re.compile(rb"<row[ \t\r\n/>]")
_MARK = 5
"""Bytes of a match of _START."""
_CUT = b"<row\0"

Block = tuple[int, bytes, int]
"""Whole posts: (offset of the data in the file, data, end), the posts being `data[:end]`, the next one following."""

Unit = tuple[int, bytes, int, int, bool]
"""One post where it lies: (offset in the file, data, start, end, single), the bytes being `data[start:end]`, from its
`<row` to the next one's. `single` says that there is only one `<` in them; otherwise something foreign follows the row
and the fast path must not be taken."""


@dataclass(frozen=True, slots=True)
class Split:
    """The posts of file `path` whose `<row` begins at a byte offset in [start, stop). `dump` is the file's number."""

    dump: int
    path: str
    start: int
    stop: int


def splits(dump: int, path: str, size: int, split_bytes: int) -> list[Split]:
    """Cut a file of `size` bytes. The cuts decide who does the work, never what comes out."""
    edges = [*range(0, max(size, 1), split_bytes), size]
    return [Split(dump, path, start, stop) for start, stop in pairwise(edges)]


def blocks(split: Split, block_bytes: int = BLOCK) -> Iterator[Block]:
    """Posts of a split in file order, many at a time; what precedes the first `<row` of the file comes with them.

    Each block is read anew from where the last whole post ended, which copies less than keeping its tail would. Of a
    post longer than LARGEST_ROW nothing is kept but its place, in a form that no parser accepts.
    """
    least = max(block_bytes, 2 * _MARK)
    with open(split.path, "rb", buffering=0) as file:
        base, size, inside = split.start, least, split.start == 0
        while base < split.stop:
            data = os.pread(file.fileno(), size, base)
            at_end = len(data) < size
            if not inside:
                first = _START.search(data)
                if first is None and at_end:
                    return
                base, inside = base + (first.start() if first else len(data) - _MARK + 1), first is not None
                continue
            beyond = _START.search(data, split.stop - base) if base + len(data) > split.stop else None
            if beyond or at_end:
                yield base, data, beyond.start() if beyond else len(data)
                return
            end = _last_start(data)
            if end > 0:
                yield base, data, end
                base, size = base + end, least
            elif len(data) > LARGEST_ROW:
                yield base, _CUT, len(_CUT)
                base, size, inside = base + len(data) - _MARK + 1, least, False
            else:
                size = min(2 * size, LARGEST_ROW + least)


def _last_start(data: bytes) -> int:
    """Where the last post begins, 0 or less where no post begins behind the first byte."""
    at = data.rfind(b"<row ")
    return at if at > 0 else max((match.start() for match in _START.finditer(data)), default=-1)


def unit_end(data: bytes, start: int, end: int) -> tuple[int, bool]:
    """End of the post that begins at `start`, and whether it is single; see `Unit`."""
    single, at = _START.match(data, start) is not None, start
    while (at := data.find(b"<", at + 1, end)) >= 0:
        if _START.match(data, at):
            return at, single
        single = False
    return end, single


def units(split: Split, block_bytes: int = BLOCK) -> Iterator[Unit]:
    """Posts of a split in file order. What precedes the first `<row` of the file comes as a unit of its own."""
    for base, data, end in blocks(split, block_bytes):
        start = 0
        while start < end:
            stop, single = unit_end(data, start, end)
            yield base + start, data, start, stop, single
            start = stop
