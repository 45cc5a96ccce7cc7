"""A dump cut into byte ranges, and the posts of a range one after the other, in memory that does not grow."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

BLOCK = 1 << 20
LARGEST_ROW = 64 << 20
_CUT = b"<row\0"

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


def units(split: Split, block_bytes: int = BLOCK) -> Iterator[Unit]:
    """Posts of a split in file order. What precedes the first `<row` of the file comes as a unit of its own.

    Of a post longer than LARGEST_ROW nothing is kept but its place, in a form that no parser accepts.
    """
    with open(split.path, "rb", buffering=0) as file:
        file.seek(split.start)
        data = file.read(block_bytes)
        base, start, probe, origin = split.start, 0, 0, split.start
        inside, single = split.start == 0, False
        while True:
            at = data.find(b"<", probe)
            if at < 0 or at + 5 > len(data):
                block = file.read(block_bytes)
                if not block:
                    break
                if not inside:
                    start = len(data) if at < 0 else at
                elif len(data) - start > LARGEST_ROW:
                    tail = data[at:] if at >= 0 else b""
                    data, base, start, single = _CUT + tail, base + len(data) - len(tail) - len(_CUT), 0, False
                    at = len(_CUT) if tail else -1
                probe = (len(data) if at < 0 else at) - start
                data, base, start = data[start:] + block, base + start, 0
            elif data.startswith(b"<row", at) and data[at + 4] in b" \t\r\n/>":
                if inside and (at > start or origin):
                    yield origin, data, start, at, single
                origin = base + at
                if origin >= split.stop:
                    return
                start, probe, inside, single = at, at + 1, True, True
            else:
                probe, single = at + 1, False
        if inside:
            yield origin, data, start, len(data), single and b"<" not in data[probe:]
