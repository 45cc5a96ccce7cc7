"""`limakit style`: the voice of the answers in a file, checked example by example and all together."""

from pathlib import Path
from typing import Any

from pydantic import Field, TypeAdapter, ValidationError

from limakit.author.sameness import sameness
from limakit.author.style import check
from limakit.errors import InputError
from limakit.records import Turn, record
from limakit.store.files import read_jsonl


@record
class Line:
    """What is read of a line; it may say more."""

    __pydantic_config__ = {"extra": "ignore"}

    messages: tuple[Turn, ...] = Field(min_length=2)
    id: str = ""


def read(path: Path) -> list[tuple[str, tuple[Turn, ...]]]:
    """Ids, or numbers of lines, and dialogues of a file with `messages`, such as train.jsonl. Raises InputError."""
    found = []
    adapter = TypeAdapter(Line)
    for number, row in enumerate(read_jsonl(path, dict[str, Any]), 1):
        try:
            line = adapter.validate_python({name: row[name] for name in ("id", "messages") if name in row})
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "messages"
            raise InputError(
                f"field {place!r}: {first['msg']}",
                where=f"{path}, example {number}",
                fix="A line needs messages of user and assistant.",
            ) from None
        found.append((line.id or f"line {number}", line.messages))
    if not found:
        raise InputError("holds no examples", where=path, fix="Name a file of examples such as curate/train.jsonl.")
    return found


def report(path: Path) -> tuple[str, dict[str, Any]]:
    """What the checks say, as text and as data."""
    examples = read(path)
    singles = [(name, finding) for name, turns in examples for finding in check(turns)]
    together = sameness(examples)
    lines = [f"{name}: {finding.says} [{finding.check}]" for name, finding in singles]
    lines += [f"{alike.says} [{alike.check}]: {_names(alike.ids)}" for alike in together]
    touched = len({name for name, _ in singles})
    lines.append(
        f"{len(examples):,} examples, {len(examples) - touched:,} without a finding; "
        f"{len(singles):,} findings on single answers, {len(together):,} on all together."
    )
    data = {
        "examples": len(examples),
        "findings": [
            {"id": name, "check": finding.check, "turn": finding.turn, "says": finding.says}
            for name, finding in singles
        ],
        "alike": [{"check": alike.check, "says": alike.says, "ids": list(alike.ids)} for alike in together],
    }
    return "\n".join(lines), data


def _names(ids: tuple[str, ...]) -> str:
    more = f" and {len(ids) - 5} more" if len(ids) > 5 else ""
    return ", ".join(ids[:5]) + more
