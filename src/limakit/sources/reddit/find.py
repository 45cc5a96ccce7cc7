"""Rows of a few communities among those of all: looked for by their bytes, so that few lines are parsed."""

import csv
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson

from limakit.sources.given import LONGEST_LINE, Given, blocks, text_file

LARGEST_FIELD = 1 << 20
PIECE = 256 << 10
"""Bytes read at once; fewer than LONGEST_LINE, so that only the first line in hand can be too long."""
_NEWLINE = ord("\n")
Row = tuple[str, dict[str, Any] | str]
"""Where a row lies, and its fields or what is wrong with it."""


class Rows:
    """The rows of one ndjson file that may be of the wanted communities; `passed` counts all others when it ends.

    Of a file that is not packed, `begin` and `stop` choose the lines that begin between these bytes.
    """

    def __init__(
        self,
        file: Given,
        communities: Sequence[str],
        *,
        large_windows: bool,
        begin: int = 0,
        stop: int | None = None,
    ):
        self.passed = 0
        self._file, self._large_windows = file, large_windows
        self._begin, self._stop = begin, stop
        self._needles = [b'"' + name.encode() + b'"' for name in communities]

    def __iter__(self) -> Iterator[Row]:
        base, rest = max(0, self._begin - 1), b""
        skipping = self._begin > 0  # what is left of a line that begins before
        stop = sys.maxsize if self._stop is None else self._stop
        for block in self._blocks(base):
            data = rest + block
            if skipping:
                data, base, skipping = _next_line(data, base)
            if base < stop and not skipping and (data.find(b"\n") + 1 or len(data)) > LONGEST_LINE + 1:
                yield f"byte {base}", "the line is too long"
                data, base, skipping = _next_line(data, base)
            if base >= stop:
                return
            end = data.rfind(b"\n") + 1
            if base + end > stop:
                end = data.find(b"\n", stop - 1 - base) + 1
            yield from self._found(data[:end], base)
            base, rest = base + end, data[end:]
        if rest.strip() and base < stop:
            if len(rest) > LONGEST_LINE:
                yield f"byte {base}", "the line is too long"
            else:
                yield from self._found(rest + b"\n", base)

    def _blocks(self, base: int) -> Iterator[bytes]:
        """Bytes of the file from `base` on, few enough at a time to stay in the processor's cache."""
        if self._file.path.suffix.lower() == ".zst":
            yield from blocks(self._file.path, large_windows=self._large_windows)
            return
        with open(self._file.path, "rb", buffering=0) as file:
            file.seek(base)
            while block := file.read(PIECE):
                yield block

    def _found(self, data: bytes, base: int) -> Iterator[Row]:
        """Rows in whole lines of which one begins at byte `base` of the file."""
        starts: dict[int, int] = {}
        for needle in self._needles:
            at = data.find(needle)
            while at >= 0:
                start, stop = data.rfind(b"\n", 0, at) + 1, data.find(b"\n", at)
                starts[start] = stop
                at = data.find(needle, stop)
        # as arrays half as dear as bytes.count
        self.passed += int(np.count_nonzero(np.frombuffer(data, np.uint8) == _NEWLINE)) - len(starts)
        for start in sorted(starts):
            yield f"byte {base + start}", parsed(data[start : starts[start]])


def _next_line(data: bytes, base: int) -> tuple[bytes, int, bool]:
    """What follows the first line, where it lies, and whether the line goes on beyond the data."""
    start = data.find(b"\n") + 1
    return (data[start:], base + start, False) if start else (b"", base + len(data), True)


def parsed(line: bytes) -> dict[str, Any] | str:
    """The object on a line, or what is wrong."""
    if len(line) > LONGEST_LINE:
        return "the line is too long"
    try:
        row = orjson.loads(line.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        return f"not valid JSON: {error}"
    return row if isinstance(row, dict) else "no JSON object"


def table(file: Given) -> Iterator[Row]:
    """Rows of a table of submissions."""
    csv.field_size_limit(LARGEST_FIELD)
    with text_file(file.path) as text:
        reader = csv.reader(text, strict=True)
        head: list[str] | None = None
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield f"line {reader.line_num}", str(error)
                continue
            if head is None:
                head = row
            elif len(row) == len(head):
                yield f"line {reader.line_num}", dict(zip(head, row, strict=True))
            else:
                yield f"line {reader.line_num}", f"{len(row)} fields, not {len(head)}"


def holds_comments(file: Given, *, large_windows: bool) -> bool:
    """Whether an ndjson file's first line is a comment's."""
    for block in blocks(file.path, large_windows=large_windows):
        line = parsed(block.lstrip().split(b"\n", 1)[0])
        return "body" in line if isinstance(line, dict) else b'"body"' in block[: 1 << 16]
    return False
