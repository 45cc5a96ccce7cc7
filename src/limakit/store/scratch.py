"""Arrays that one process puts aside for another, as long as a stage works; nothing here survives it."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np


def put(path: Path, rows: Iterable[Sequence[Any]]) -> None:
    """Write rows of arrays. The file is there as a whole or not at all, also where two do the same work twice; it is
    not forced to the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}.tmp")  # a name of its own, on a shared disk too
    with open(temporary, "wb") as out:
        for row in rows:
            for array in row:
                np.lib.format.write_array(out, np.ascontiguousarray(array), allow_pickle=False)
    temporary.replace(path)


def get(path: Path, width: int) -> Iterator[list[Any]]:
    """The rows of a file that `put` wrote, each of `width` arrays."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        while file.tell() < size:
            yield [np.lib.format.read_array(file, allow_pickle=False) for _ in range(width)]
