"""Blocks of bytes put aside in a nameless file while a stage works, so that memory does not grow with the input."""

import tempfile
from pathlib import Path
from types import TracebackType

Place = tuple[int, int]
"""Offset and length of a block."""


class Spill:
    """A scratch file on the disk of `folder`; it has no name, so nothing is left of it whatever happens."""

    def __init__(self, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 (closed by __exit__)
        self._size = 0

    def put(self, block: bytes) -> Place:
        """Keep a block; its place."""
        self._file.seek(self._size)
        self._file.write(block)
        place = (self._size, len(block))
        self._size += len(block)
        return place

    def get(self, place: Place) -> bytes:
        """The block at a place."""
        self._file.seek(place[0])
        return self._file.read(place[1])

    def __enter__(self) -> "Spill":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
