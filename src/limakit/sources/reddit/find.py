"""Rows of a few communities among those of all: looked for by their bytes, so that few lines are parsed."""

import csv
import re
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from limakit.sources.given import LONGEST_LINE, Given, blocks, text_file

LARGEST_FIELD = 1 << 20
Row = tuple[str, dict[str, Any] | str]
"""Where a row lies, and its fields or what is wrong with it."""


class Rows:
    """The rows of one ndjson file that may be of the wanted communities; `passed` counts all others when it ends."""

    def __init__(self, file: Given, communities: Sequence[str], *, large_windows: bool):
        self.passed = 0
        self._file, self._large_windows = file, large_windows
        self._needles = [re.compile(b'"' + re.escape(name.encode()) + b'"') for name in communities]

    def __iter__(self) -> Iterator[Row]:
        base, rest, skipping = 0, b"", False
        for block in blocks(self._file.path, large_windows=self._large_windows):
            end = block.rfind(b"\n") + 1
            if not end:
                rest += block
                if len(rest) > LONGEST_LINE:
                    base, rest, skipping = base + len(rest), b"", True
                continue
            data = rest + block[:end]
            if skipping:
                yield f"byte {base}", "the line is too long"
                start = data.find(b"\n") + 1
                base, data, skipping = base + start, data[start:], False
            yield from self._found(data, base)
            base, rest = base + len(data), block[end:]
        if skipping:
            yield f"byte {base}", "the line is too long"
        elif rest.strip():
            yield from self._found(rest + b"\n", base)

    def _found(self, data: bytes, base: int) -> Iterator[Row]:
        """Rows in whole lines of which one begins at byte `base` of the file."""
        starts: dict[int, int] = {}
        for needle in self._needles:
            stop = 0
            while match := needle.search(data, stop):  # faster than bytes.find on long blocks
                start, stop = data.rfind(b"\n", 0, match.start()) + 1, data.find(b"\n", match.end())
                starts[start] = stop
        self.passed += data.count(b"\n") - len(starts)
        for start in sorted(starts):
            yield f"byte {base + start}", parsed(data[start : starts[start]])


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
