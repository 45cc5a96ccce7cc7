"""Prompts and answers in files that other tools write: the layout is told from the rows themselves.

| layout | what a row looks like |
|---|---|
| messages | `messages`, a list of `role` and `content`; the assistant's last turn is the answer |
| ShareGPT | `conversations`, a list of `from` and `value` |
| AlpacaEval, Alpaca | `instruction`, `output`, optionally `input`, `generator` (github.com/tatsu-lab/alpaca_eval) |
| plain | one of `prompt`, `instruction`, `question` and one of `response`, `output`, `answer`, `completion`, `text` |
| by id | `prompt_id` or `question_id` and an answer: limakit's `responses.jsonl`, FastChat's answers |

A file is a JSON list, JSON lines, CSV (comma, semicolon or tab, with a header) or Parquet. A row that is not what its
file claims to be stops the reading, since half a file would be a wrong comparison. Capitals in names do not matter.
"""

import csv
import hashlib
import io
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from limakit.errors import InputError
from limakit.records import Turn

EXPECTED = "Expected JSON, JSON lines, CSV or Parquet in a layout of docs/compare.md."
ASKED = ("prompt", "instruction", "question")
ANSWERED = ("response", "output", "answer", "completion", "text")
NAMED = ("prompt_id", "question_id", "id")
SPOKEN = {"messages": ("role", "content"), "conversations": ("from", "value")}
ROLES = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant", "model": "assistant"}
LONGEST_FIELD = 16 << 20
"""Bytes of one CSV field; the csv module's own limit is below what models answer."""
_MISREAD = re.compile(r"[ÂÃ][\u0080-\u00bf]|â€[\u0080-\u009f™œžš“”˜¦¢\u00a0]|\ufffd")
"""UTF-8 that somebody once read as Latin-1 or Windows-1252, and what is left where reading failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of a file."""

    place: str
    """Where it stands, for messages: `row 3`."""
    name: str | None
    """The prompt's id, where the row has one."""
    asked: tuple[Turn, ...]
    """The prompt; empty where the row names it by its id alone."""
    answer: str | None
    """None where the row has none."""
    by: str | None = None
    """Who answered, where the row says so."""
    reference: str | None = None
    category: str = ""


def read(path: Path) -> list[Row]:
    """All rows, in their order. Raises InputError, in one line, for a file that cannot be read or has no known layout,
    and for the first row that is wrong."""
    found: list[Row] = []
    for place, written in _rows(path):
        where = f"{path}, {place}"
        if isinstance(written, ValueError) or not isinstance(written, dict):
            raise _bad(str(written) if isinstance(written, ValueError) else "is no object with fields", where)
        row = {str(field).strip().lower(): value for field, value in written.items()}
        if not found and not _known(row):
            listed = ", ".join(map(repr, list(written)[:8])) or "nothing"
            raise InputError(f"not a layout that is known: its first row has {listed}", where=path, fix=EXPECTED)
        found.append(_row(row, place, where))
    if not found:
        raise InputError("holds no rows", where=path, fix=EXPECTED)
    return found


def key(asked: Sequence[Turn]) -> str:
    """The same for prompts that differ in white space or in how accents are encoded, and for no others."""
    said = ((turn.role, " ".join(unicodedata.normalize("NFC", turn.content).split())) for turn in asked)
    return hashlib.sha256(orjson.dumps(list(said))).hexdigest()


def misread(text: str) -> bool:
    """Whether a text looks as if its encoding had been mistaken somewhere, `cafÃ©` for `café`."""
    return _MISREAD.search(text) is not None


def _known(row: Mapping[str, Any]) -> bool:
    """Whether rows like this one hold a prompt, or an answer to one that is named."""
    asked = any(row.get(field) is not None for field in (*SPOKEN, *ASKED))
    return asked or (_first(row, NAMED) is not None and _first(row, ANSWERED) is not None)


def _row(row: Mapping[str, Any], place: str, where: str) -> Row:
    spoken = next((field for field in SPOKEN if row.get(field) is not None), None)
    if spoken:
        asked, answer = _parted(_turns(row[spoken], *SPOKEN[spoken], field=spoken, where=where))
    else:
        asked, answer = _asked(row, where), _answer(row, where)
    if asked and (not asked[-1].content.strip() or [t.role for t in asked] != _alternating(len(asked))):
        raise _bad("its prompt is empty" if len(asked) == 1 else "its turns do not alternate from the user on", where)
    name = _first(row, NAMED)
    if not asked and name is None:
        raise _bad("has neither a prompt nor a prompt's id", where)
    reference, category = row.get("reference"), row.get("category")
    return Row(
        place=place,
        name=None if name is None else str(row[name]),
        asked=asked,
        answer=answer,
        by=next((row[field] for field in ("generator", "system", "model") if isinstance(row.get(field), str)), None),
        reference=reference if isinstance(reference, str) and reference.strip() else None,
        category=category if isinstance(category, str) else "",
    )


def _asked(row: Mapping[str, Any], where: str) -> tuple[Turn, ...]:
    field = _first(row, ASKED)
    if field is None:
        return ()
    if isinstance(row[field], list):
        return tuple(_turns(row[field], *SPOKEN["messages"], field=field, where=where))
    text, more = _text(row, field, where), row.get("input")
    if field == "instruction" and isinstance(more, str) and more.strip():
        text = f"{text}\n\n{more}"
    return (Turn(role="user", content=text),)


def _answer(row: Mapping[str, Any], where: str) -> str | None:
    field = _first(row, ANSWERED)
    if field is None:
        return None
    if isinstance(row[field], list):
        turns = _turns(row[field], *SPOKEN["messages"], field=field, where=where)
        return turns[-1].content if turns else None
    return _text(row, field, where)


def _turns(said: Any, role: str, content: str, *, field: str, where: str) -> list[Turn]:
    """Turns of the two speakers. A system message tells how an answer was made and is no part of what was asked."""
    turns = []
    for one in said if isinstance(said, list) else [None]:
        if not isinstance(one, dict) or not isinstance(one.get(role), str) or not isinstance(one.get(content), str):
            raise _bad(f"{field} is no list of turns with text in {role} and {content}", where)
        if one[role] == "system":
            continue
        if one[role] not in ROLES:
            raise _bad(f"{field} has a speaker {one[role][:40]!r}, who is neither user nor assistant", where)
        turns.append(Turn(role=ROLES[one[role]], content=one[content]))  # type: ignore[arg-type]
    return turns


def _parted(turns: Sequence[Turn]) -> tuple[tuple[Turn, ...], str | None]:
    """What was asked, and the assistant's last turn where it has the last word."""
    if turns and turns[-1].role == "assistant":
        return tuple(turns[:-1]), turns[-1].content
    return tuple(turns), None


def _alternating(length: int) -> list[str]:
    return [("user", "assistant")[place % 2] for place in range(length)] if length % 2 else []


def _first(row: Mapping[str, Any], fields: Sequence[str]) -> str | None:
    return next((field for field in fields if row.get(field) is not None), None)


def _text(row: Mapping[str, Any], field: str, where: str) -> str:
    if not isinstance(row[field], str):
        raise _bad(f"{field} is no text", where)
    return row[field]


def _bad(what: str, where: str) -> InputError:
    return InputError(what, where=where, fix="Mend or remove that row and run again.")


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    """(where it stands, the row, or a ValueError that says why there is none)."""
    try:
        if path.suffix.lower() == ".parquet":
            with pq.ParquetFile(path) as table:
                rows = table.read().to_pylist()
            yield from ((f"row {number}", row) for number, row in enumerate(rows, 1))
            return
        data = path.read_bytes()
    except OSError as error:
        reason = "no such file" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise InputError(reason, where=path, fix="Put it there, or change the path in recipe.toml.") from None
    except pa.ArrowException as error:
        raise InputError(f"is no readable Parquet file: {error}", where=path, fix="Fetch it again.") from None
    text = _decoded(data, path)
    start = text.lstrip()[:1]
    if start == "[":
        rows = _parsed(text)
        if isinstance(rows, ValueError):
            raise InputError(str(rows), where=path, fix="Mend it, or name a file of JSON lines.")
        yield from ((f"row {number}", row) for number, row in enumerate(rows, 1))
    elif start == "{":
        lines = ((number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
        yield from ((f"line {number}", _parsed(line)) for number, line in lines)
    elif start:
        yield from _table(text, path)


def _decoded(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"is not UTF-8 text: byte {data[error.start]:#x}", where=f"{path}, line {line}",
            fix="Save it as UTF-8; a file of Windows with: iconv -f cp1252 -t utf-8.",
        ) from None  # fmt: skip


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        return ValueError(f"not valid JSON: {error}")


def _table(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    header = text.lstrip().partition("\n")[0]
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count))
    try:
        for row in reader:
            whole = None not in row and None not in row.values()
            yield f"line {reader.line_num}", row if whole else ValueError("has not as many fields as the header")
    except csv.Error as error:
        raise InputError(f"is not CSV: {error}", where=f"{path}, line {reader.line_num}", fix=EXPECTED) from None
