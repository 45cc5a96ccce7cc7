"""The log of answers that were read and not kept: a Parquet file written as a stream, in memory that does not grow."""

import os
from array import array
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from limakit.store.files import sync_folder

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("site", pa.string()),
        ("rule", pa.string()),
        ("detail", pa.string()),
        ("score", pa.int64()),
    ]
)
"""Columns as in `records.Reject`."""
DICTIONARY: Any = ["source", "site", "rule", "detail"]
ROW_GROUP = 1 << 16
_FORM: Any = {"compression": "zstd", "use_dictionary": DICTIONARY, "write_statistics": False}
HIDDEN = "forgotten"
"""Stands for the Id of a post by somebody forgotten."""


class RejectLog:
    """Write rejects to `path`, which appears whole when the `with` block ends well and not at all otherwise.

    The bytes depend on the rows and their order alone, not on how many are added at a time.
    """

    def __init__(self, path: Path):
        self.count = 0
        self._path, self._temporary = path, path.with_name(f".{path.name}.tmp")
        self._blocks: list[pa.Table] = []
        self._waiting = 0
        self._single: list[tuple[str, str, str, str, str, int]] = []

    def __enter__(self) -> "RejectLog":
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open(self._temporary, "wb")
        pa.set_memory_pool(pa.system_memory_pool())  # Arrow's own pool keeps 30 MB that it once had
        self._writer = pq.ParquetWriter(self._file, SCHEMA, **_FORM)
        return self

    def add(self, source: str, site: str, number: int | str, reason: tuple[str, str], score: int) -> None:
        """One answer; `number` is its Id within the site, `reason` a rule's name and a detail."""
        self._single.append((f"{source}/{site}/{number}", source, site, *reason, score))
        if len(self._single) >= ROW_GROUP:
            self._gather()

    def add_many(self, source: str, site: str, rule: str, numbers: array, scores: array) -> None:
        """Answers of one site that fell to one rule; Ids and scores as parallel arrays of 64-bit integers."""
        self._gather()
        size = len(numbers)
        if size:
            columns = [pa.repeat(text, size) for text in _strings([source, site, rule, ""])]
            names = _numbered(f"{source}/{site}/", numbers)
            self._append(pa.Table.from_arrays([names, *columns, _integers(scores)], schema=SCHEMA))

    def add_each(
        self,
        source: str,
        site: str,
        numbers: array,
        reasons: Sequence[tuple[str, str]],
        against: np.ndarray,
        scores: array,
    ) -> None:
        """Answers of one site, `against` each the reason with that index; Ids and scores as in `add_many`."""
        self._gather()
        size = len(numbers)
        if size:
            told = [pa.repeat(text, size) for text in _strings([source, site])]
            told += [_strings([reason[part] for reason in reasons], against) for part in (0, 1)]
            names = _numbered(f"{source}/{site}/", numbers)
            self._append(pa.Table.from_arrays([names, *told, _integers(scores)], schema=SCHEMA))

    def _gather(self) -> None:
        """Turn what was added one by one into a block."""
        if self._single:
            *texts, scores = zip(*self._single, strict=True)
            arrays = [*map(_strings, texts), _integers(array("q", scores))]
            self._append(pa.Table.from_arrays(arrays, schema=SCHEMA))
            self._single = []

    def _append(self, block: pa.Table) -> None:
        self.count += block.num_rows
        self._waiting += block.num_rows
        self._blocks.append(block)
        if self._waiting >= ROW_GROUP:
            whole = pa.concat_tables(self._blocks).combine_chunks()
            full = whole.num_rows - whole.num_rows % ROW_GROUP
            self._writer.write_table(whole.slice(0, full), row_group_size=ROW_GROUP)
            self._blocks, self._waiting = [whole.slice(full)], whole.num_rows - full
            pa.default_memory_pool().release_unused()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._gather()
            if self._waiting:
                self._writer.write_table(pa.concat_tables(self._blocks).combine_chunks(), row_group_size=ROW_GROUP)
        self._writer.close()
        with self._file:
            self._file.flush()
            os.fsync(self._file.fileno())
        if kind is None:
            self._temporary.replace(self._path)
            sync_folder(self._path.parent)
        else:
            self._temporary.unlink()


def hide(path: Path, names: Collection[str]) -> None:
    """Take Ids and details of these rejects out of a finished log: which rule took them, and how many, stays."""
    if not names:
        return
    temporary = path.with_name(f".{path.name}.tmp")
    with open(temporary, "wb") as file:
        with pq.ParquetFile(path) as log, pq.ParquetWriter(file, SCHEMA, **_FORM) as writer:
            for number in range(log.num_row_groups):
                group = log.read_row_group(number)
                columns = {name: group[name].to_pylist() for name in SCHEMA.names}
                for at, name in enumerate(columns["id"]):
                    if name in names:
                        columns["id"][at] = f"{columns['source'][at]}/{columns['site'][at]}/{HIDDEN}"
                        columns["detail"][at] = ""
                texts = [_strings(columns[name]) for name in SCHEMA.names[:-1]]
                whole = pa.Table.from_arrays([*texts, _integers(array("q", columns["score"]))], schema=SCHEMA)
                writer.write_table(whole, row_group_size=ROW_GROUP)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def find_rejects(path: Path, column: str, wanted: Collection[str]) -> pa.Table:
    """The rows whose `column` holds one of `wanted`, in the order of the log, read a row group at a time.

    Not by `read_table`, which imports pandas where it finds it: half a second for every curation.
    """
    import pyarrow.compute as pc

    values, found = pc.SetLookupOptions(_strings(list(wanted))), []
    with pq.ParquetFile(path) as log:
        for number in range(log.num_row_groups):
            which = pc.call_function("is_in", [log.read_row_group(number, columns=[column])[column]], values)
            if any(chunk.true_count for chunk in which.chunks):  # else the other columns need not be read
                found.append(log.read_row_group(number).filter(which))
        return pa.concat_tables(found) if found else log.read_row_groups([])


def _strings(texts: Sequence[str], which: np.ndarray | None = None) -> pa.Array:
    """A column of text, or of the texts with these indices. Built from its bytes, because `pa.array` and `pa.scalar`
    import pandas where they find it: 45 MB."""
    parts = [text.encode() for text in texts]
    if which is not None:
        parts = [parts[at] for at in which.tolist()]
    ends = np.zeros(len(parts) + 1, np.int32)
    np.cumsum([len(part) for part in parts], out=ends[1:])
    return pa.StringArray.from_buffers(len(parts), pa.py_buffer(ends), pa.py_buffer(b"".join(parts)))


def _numbered(before: str, numbers: array) -> pa.Array:
    """A column of the same text with a number behind it each. orjson writes the numbers, because importing
    `pyarrow.compute` takes as long as reading 30 MB of a dump."""
    listed = orjson.dumps(np.frombuffer(numbers, np.int64), option=orjson.OPT_SERIALIZE_NUMPY)[:-1]
    start = before.encode()
    commas = np.flatnonzero(np.frombuffer(listed, np.uint8) == ord(","))
    ends = np.concatenate([[0], commas, [len(listed)]]) + np.arange(len(numbers) + 1) * (len(start) - 1)
    data = listed.replace(b"[", start).replace(b",", start)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(data))


def _integers(numbers: array) -> pa.Array:
    """A column of 64-bit integers."""
    return pa.Array.from_buffers(pa.int64(), len(numbers), [None, pa.py_buffer(numbers)])
