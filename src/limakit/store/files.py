"""Atomic publish, and records to and from JSONL and Parquet. Only `store` writes to disk."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import TypeAdapter, ValidationError

from limakit.errors import InputError

R = TypeVar("R")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def publish(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Write a file so that it is either the old one or the whole new one at any moment.

    Temporary file beside it, write, fsync, rename, fsync of the folder. A failed fsync is never retried.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(temporary, "wb") as out:
            for block in (data,) if isinstance(data, bytes) else data:
                out.write(block)
            out.flush()
            os.fsync(out.fileno())
    except BaseException:  # half a file helps nobody, and may be what filled the disk
        temporary.unlink(missing_ok=True)
        raise
    temporary.replace(path)
    sync_folder(path.parent)


def publish_text(path: Path, text: str) -> None:
    """`publish` for text, as UTF-8."""
    publish(path, text.encode())


def copy(source: Path, target: Path, *, link: bool) -> None:
    """`publish` for the bytes of another file; with `link` as a second name of it where the disk has hard links."""
    if link:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            os.link(source, target)
        except OSError:
            pass  # another disk, or one without links
        else:
            sync_folder(target.parent)
            return
    with open(source, "rb") as blocks:
        publish(target, iter(lambda: blocks.read(1 << 20), b""))


def publish_json(path: Path, value: Any) -> None:
    """`publish` for JSON: sorted keys, indented, so that equal values are equal bytes."""
    publish(path, orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS) + b"\n")


def write_jsonl(path: Path, records: Iterable[Any]) -> None:
    """Publish records as JSON lines, one a line, in the order given."""
    publish(path, (orjson.dumps(record) + b"\n" for record in records))


def read_json(path: Path) -> Any:
    """A JSON file. Raises InputError where it is not JSON."""
    try:
        return orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as error:
        raise InputError(f"not valid JSON: {error}", where=path) from None


def iter_jsonl(path: Path, kind: type[R]) -> Iterator[R]:
    """Records of a JSON-lines file. Raises InputError naming file, line and field of the first bad one."""
    adapter = TypeAdapter(kind)
    try:
        with open(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    yield parsed(adapter, line, f"{path}, line {number}")
    except FileNotFoundError:
        raise InputError("no such file", where=path) from None
    except IsADirectoryError:
        raise InputError("is a folder, a JSONL file was expected", where=path) from None


def read_jsonl(path: Path, kind: type[R]) -> list[R]:
    """All records of a JSON-lines file; see `iter_jsonl`."""
    return list(iter_jsonl(path, kind))


def parsed(adapter: TypeAdapter[R], line: bytes, where: str) -> R:
    """One line as a record. Raises InputError naming its first bad field."""
    try:
        return adapter.validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        what = f"field {field!r}: {first['msg']}" if field else first["msg"]
        raise InputError(what, where=where, fix="Mend that line and run again.") from None


def write_parquet(path: Path, records: Sequence[Any], schema: pa.Schema) -> None:
    """Publish dataclass records as one Parquet file (zstd), columns as in `schema`."""
    table = pa.Table.from_pylist([asdict(record) for record in records], schema=schema)
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    publish(path, sink.getvalue().to_pybytes())


def write_table(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Publish rows as one Parquet file (zstd), with the columns and types of the rows themselves."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink, compression="zstd")
    publish(path, sink.getvalue().to_pybytes())


def sha256(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
