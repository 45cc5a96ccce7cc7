"""Files that a user names as a source, and the lines in them: bounded in memory, whatever they hold."""

import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from limakit.errors import InputError

LONGEST_LINE = 16 << 20
BLOCK = 4 << 20
PIECE = 4 << 10
USUAL_WINDOW = 1 << 27
LARGE_WINDOW = 1 << 31


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One file. `label` is its path as the recipe's path leads to it, the same on every machine."""

    path: Path
    label: str


def find(path: Path, endings: Sequence[str], what: str) -> list[Given]:
    """The file at `path`, or all files of a folder with one of the `endings`, by name.

    Raises InputError where there is none; `what` says what was expected.
    """
    fix = f"Name {what}."
    if path.is_file():
        if not path.name.lower().endswith(tuple(endings)):
            raise InputError(f"is not a file of this kind (its name ends in none of {', '.join(endings)})", where=path,
                             fix=fix)  # fmt: skip
        return [Given(path=path, label=path.name)]
    if not path.is_dir():
        raise InputError("no such file or folder", where=path, fix=fix)
    found = [p for p in files_in(path) if p.name.lower().endswith(tuple(endings))]
    if not found:
        raise InputError(f"no {' or '.join(endings)} file in this folder", where=path, fix=fix)
    return [Given(path=p, label=p.relative_to(path).as_posix()) for p in found]


def files_in(folder: Path) -> list[Path]:
    """All files in a folder and those below it, by name. Links to folders are followed, each folder once, by the way
    that needs fewest links; links that lead nowhere are passed over.

    Raises InputError where a folder must not be read.
    """
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    waiting = [folder]
    while waiting:
        links: list[Path] = []
        for start in waiting:
            for base, below, names in os.walk(start, onerror=_unreadable):
                known = Path(base).stat()
                mark = known.st_dev, known.st_ino
                if mark in seen:
                    below.clear()
                    continue
                seen.add(mark)
                below.sort()
                links += (path for path in (Path(base, name) for name in below) if path.is_symlink())
                found += (path for path in (Path(base, name) for name in names) if path.is_file())
        waiting = links
    return sorted(found)


def _unreadable(error: OSError) -> None:
    raise InputError(f"cannot be read: {error.strerror}", where=error.filename, fix="Allow reading, or move it away.")


def blocks(path: Path, *, large_windows: bool = False) -> Iterator[bytes]:
    """The bytes of a file, unpacked where its name ends in `.zst`.

    Memory is bounded by the window, 128 MiB or 2 GiB with `large_windows`, and by what one small piece can unpack to.
    Raises InputError where the stream is damaged, breaks off or needs a larger window.
    """
    with open(path, "rb") as file:
        if path.suffix.lower() == ".zst":
            yield from _unpacked(path, file, LARGE_WINDOW if large_windows else USUAL_WINDOW)
            return
        while block := file.read(BLOCK):
            yield block


def _unpacked(path: Path, file: BinaryIO, window: int) -> Iterator[bytes]:
    """Frame after frame. Small pieces go in, because a block of four bytes may unpack to 128 KiB."""
    import zstandard

    unpacker = zstandard.ZstdDecompressor(max_window_size=window)
    frame = unpacker.decompressobj()
    begun, waiting = False, b""
    try:
        while piece := waiting or file.read(PIECE):
            if frame.eof:
                frame = unpacker.decompressobj()
            begun, waiting = True, b""
            if block := frame.decompress(piece):
                yield block
            waiting = frame.unused_data if frame.eof else b""
    except zstandard.ZstdError as error:
        if "too much memory" in str(error):
            raise InputError(
                "its zstd window is larger than 128 MiB",
                where=path,
                fix="Allow it with: large_windows = true (takes up to 2 GiB of memory).",
            ) from None
        raise InputError(f"is damaged: {error}", where=path, fix="Fetch the file again.") from None
    if not begun or not frame.eof:
        raise InputError("breaks off: the zstd stream has no end", where=path, fix="Fetch the file again.")


def lines(path: Path, *, large_windows: bool = False) -> Iterator[tuple[int, bytes | None]]:
    """Lines of a file with their numbers from 1; None for one longer than LONGEST_LINE, of which nothing is kept."""
    number, waiting, skipping = 0, b"", False
    for block in blocks(path, large_windows=large_windows):
        parts = block.split(b"\n")
        parts[0] = waiting + parts[0]
        waiting = parts.pop()
        for part in parts:
            number += 1
            yield number, None if skipping or len(part) > LONGEST_LINE else part
            skipping = False
        if len(waiting) > LONGEST_LINE:
            waiting, skipping = b"", True
    if waiting or skipping:
        yield number + 1, None if skipping else waiting


def text_file(path: Path) -> io.TextIOWrapper:
    """A text file for the csv module: UTF-8 with or without BOM, damage shown as replacement characters."""
    raw: BinaryIO = open(path, "rb")  # noqa: SIM115 (the caller closes the wrapper)
    return io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace", newline="")
