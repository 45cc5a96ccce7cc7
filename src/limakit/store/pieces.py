"""JSONL files cut into pieces, for several processes to read, and single records fetched by where they lie."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from limakit.errors import InputError
from limakit.store.files import parsed

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Piece:
    """The lines of a file that begin at a byte in [begin, stop)."""

    path: Path
    begin: int
    stop: int


def pieces(paths: Iterable[Path], size: int) -> list[Piece]:
    """Files in pieces of about `size` bytes, in order. Raises InputError where there is no such file."""
    return [
        Piece(path, begin, stop)
        for path, end in [(path, _size(path)) for path in paths]
        for begin, stop in pairwise([*range(0, end, size), end])
    ]


def records(piece: Piece, kind: type[R]) -> Iterator[tuple[int, R]]:
    """The records of a piece, each with the byte at which its line begins. Raises InputError naming file, line and
    field of the first bad one."""
    adapter = _adapter(kind)
    with open(piece.path, "rb") as lines:
        at = piece.begin
        if at:  # what is left of a line that begins before
            lines.seek(at - 1)
            at += len(lines.readline()) - 1
        for line in lines:
            if at >= piece.stop:
                return
            if line.strip():
                yield at, _parsed(adapter, line, piece.path, at)
            at += len(line)


def fetched(path: Path, places: Sequence[int], kind: type[R]) -> Iterator[R]:
    """The records whose lines begin at these bytes of a file."""
    adapter = _adapter(kind)
    with open(path, "rb") as lines:
        for at in places:
            lines.seek(at)
            yield _parsed(adapter, lines.readline(), path, at)


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _parsed(adapter: TypeAdapter[R], line: bytes, path: Path, at: int) -> R:
    try:
        return parsed(adapter, line, str(path))
    except InputError:
        with open(path, "rb") as file:  # only now does anybody want to know which line it is
            number = 1
            while at > 0 and (block := file.read(min(at, 1 << 20))):
                number, at = number + block.count(b"\n"), at - len(block)
        return parsed(adapter, line, f"{path}, line {number}")


def _size(path: Path) -> int:
    if path.is_dir():
        raise InputError("is a folder, a JSONL file was expected", where=path)
    try:
        return path.stat().st_size
    except FileNotFoundError:
        raise InputError("no such file", where=path) from None
