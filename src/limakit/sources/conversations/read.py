"""Ready-made instruction data → candidates. The layout is that of a file's first record that has one."""

import csv
from collections.abc import Iterable, Iterator
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from limakit.errors import InputError
from limakit.recipe_sources import Conversations
from limakit.records import Candidate, Provenance, Reject
from limakit.sources.conversations.layouts import LAYOUTS, Layout, layout_of, spoken
from limakit.sources.dialogue import dialogue
from limakit.sources.given import Given, lines, text_file
from limakit.sources.harvest import Damaged, Item, Passed

ENDINGS = (".jsonl", ".ndjson", ".jsonl.zst", ".json", ".parquet", ".csv")
EXPECTED = "a .jsonl, .json, .parquet or .csv file of conversations, or a folder of them"
LARGEST_FIELD = 16 << 20
LARGEST_JSON = 1 << 30
ROWS = 1024
_FIX = f"Expected one of the layouts {', '.join(layout.name for layout in LAYOUTS)}: docs/sources.md shows them."

Row = tuple[str, Any]
"""Where a record lies, and what it is: a mapping, or a ValueError that says why it could not be read."""


def read(files: Iterable[Given], settings: Conversations) -> Iterator[Item]:
    """Items of all files in order. Raises InputError where no record of a file has a known layout."""
    for file in files:
        layout: Layout | None = None
        keys: list[str] = []
        number = 0
        for place, row in _rows(file):
            number += 1
            if row is None:
                yield Passed(site=file.label, kind="other")
                continue
            if layout is None and isinstance(row, dict):
                layout = layout_of(row)
                keys = keys or list(row)
            try:
                if isinstance(row, ValueError):
                    raise row
                if layout is None or not isinstance(row, dict) or not layout.fields <= row.keys():
                    raise ValueError(f"no record of the layout {layout.name}" if layout else "no known layout")
                yield _candidate(number, row, layout, file, settings)
            except ValueError as error:
                yield Damaged(site=file.label, file=file.label, place=place, reason=str(error))
        if layout is None:
            found = f"its first record has the fields {', '.join(keys)[:200]}" if keys else "it holds no records"
            raise InputError(f"no conversations of a known layout: {found}", where=file.path, fix=_FIX)


def _candidate(
    number: int, row: dict[str, Any], layout: Layout, file: Given, settings: Conversations
) -> Candidate | Reject:
    name = f"conversations/{file.label}/{number}"
    turns, author = dialogue(spoken(row, layout)), _text(row, "author") or _text(row, "attribution")
    if isinstance(turns, str):
        return Reject(id=name, source="conversations", site=file.label, rule="no_dialogue", detail=turns, author=author)
    origin = Provenance(
        source="conversations",
        site=file.label,
        id=str(number),
        author=author,
        licence=_text(row, "licence") or _text(row, "license") or settings.licence,
    )
    return Candidate(
        id=name,
        source="conversations",
        group=settings.group,
        site=file.label,
        prompts=(turns[0].content,),
        replies=turns[1:],
        score=0,
        provenance=(origin,),
    )


def _text(row: dict[str, Any], key: str) -> str | None:
    value = row.get(key)
    return value if isinstance(value, str) and value.strip() else None


def _rows(file: Given) -> Iterator[Row]:
    """Records of one file; None is a blank line."""
    name = file.path.name.lower()
    if name.endswith(".parquet"):
        yield from _parquet(file)
    elif name.endswith(".json"):
        yield from ((f"record {number}", row) for number, row in enumerate(_array(file), 1))
    elif name.endswith(".csv"):
        yield from _table(file)
    else:
        for number, line in lines(file.path):
            yield f"line {number}", _parsed(line, number)


def _parsed(line: bytes | None, number: int) -> Any:
    if line is None:
        return ValueError("the line is too long")
    line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
    if not line.strip():
        return None
    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return ValueError(f"not valid JSON: {error}")


def _array(file: Given) -> list[Any]:
    if file.path.stat().st_size > LARGEST_JSON:
        raise InputError("is too large to be read whole", where=file.path, fix="Convert it to JSONL, a record a line.")
    try:
        found = orjson.loads(file.path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise InputError(f"not valid JSON: {error}", where=file.path, fix="If it is JSONL, name it .jsonl.") from None
    if not isinstance(found, list):
        raise InputError("holds no list of records", where=file.path, fix=_FIX)
    return [ValueError("an empty record") if row is None else row for row in found]


def _table(file: Given) -> Iterator[Row]:
    """Rows of a table; comma, semicolon or tab between the fields, whichever its header has most of."""
    csv.field_size_limit(LARGEST_FIELD)
    with text_file(file.path) as text:
        header = text.readline()
        text.seek(0)
        reader = csv.DictReader(text, delimiter=max(",;\t", key=header.count))
        number = 0
        try:
            reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
            for number, row in enumerate(reader, 1):
                whole = None not in row and None not in row.values()
                yield f"row {number}", row if whole else ValueError("has not as many fields as the header")
        except csv.Error as error:
            raise InputError(f"is not CSV: {error}", where=f"{file.path}, row {number + 1}", fix=_FIX) from None


def _parquet(file: Given) -> Iterator[Row]:
    number = 0
    try:
        with pq.ParquetFile(file.path) as table:
            for batch in table.iter_batches(batch_size=ROWS):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", row
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"is no readable Parquet file: {error}", where=file.path, fix="Fetch it again.") from None
