"""Instruction data that others made, as examples: Alpaca's layout (Taori et al. 2023) or ours.

An object with `instruction`, `input` and `output` becomes one question, instruction and input with a blank line
between them, and one answer. An object with `messages` is a dialogue.
"""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from limakit.errors import InputError
from limakit.records import Example, Turn

_TURNS = TypeAdapter(tuple[Turn, ...])
_FIX = "Mend it, or take it out, and run again."


def read(path: Path) -> list[Example]:
    """The examples of a JSON list or a file of JSON lines, in their order; rows with an empty turn, of which Alpaca has
    some, are left out, and how many is told. Raises InputError naming the first row that is none: fields missing, turns
    that do not alternate."""
    examples = [_example(path, number, row) for number, row in _rows(path)]
    kept = [one for one in examples if all(turn.content.strip() for turn in one.messages)]
    if len(kept) < len(examples):
        left = len(examples) - len(kept)
        logging.getLogger("limakit").warning(
            f"{path}: {left:,} of {len(examples):,} rows are left out: a turn is empty"
        )
    return kept


def _rows(path: Path) -> Iterator[tuple[int, Any]]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=path, fix="Mend the system's data.") from None
    if data.lstrip()[:1] == b"[":
        yield from enumerate(_parse(data, path), 1)
        return
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            yield number, _parse(line, f"{path}, line {number}")


def _parse(data: bytes, where: object) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError(f"not valid JSON: {error}", where=where, fix=_FIX) from None


def _example(path: Path, number: int, row: Any) -> Example:
    where = f"{path}, row {number}"
    turns = _turns(row, where)
    roles = [turn.role for turn in turns]
    if not turns or roles != [("user", "assistant")[place % 2] for place in range(len(roles))] or len(roles) % 2:
        raise InputError("the turns do not alternate from user to assistant", where=where, fix=_FIX)
    return Example(
        id=f"instructions/{number}", messages=turns, source="instructions", group="instructions", site=path.name
    )


def _turns(row: Any, where: str) -> tuple[Turn, ...]:
    if isinstance(row, dict) and "messages" in row:
        try:
            return _TURNS.validate_python(row["messages"])
        except ValidationError as error:
            raise InputError(f"messages: {error.errors()[0]['msg']}", where=where, fix=_FIX) from None
    found = [row.get(key, "") for key in ("instruction", "input", "output")] if isinstance(row, dict) else []
    texts = [text for text in found if isinstance(text, str)]
    if len(texts) < 3 or "instruction" not in row:
        raise InputError("has neither messages nor instruction, input and output as text", where=where, fix=_FIX)
    instruction, given, output = texts
    asked = f"{instruction}\n\n{given}" if given.strip() else instruction
    return Turn(role="user", content=asked), Turn(role="assistant", content=output)
