"""Examples as people write them by hand, one JSON object a line → candidates.

A line needs `messages` alone. It may be a whole `records.Example`, such as the `train.jsonl` of another study, whose
source, site and provenance are kept; `author`, `licence` and `category` say in short what a provenance would.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from limakit.recipe_sources import Authored
from limakit.records import Candidate, Provenance, Reject, record
from limakit.sources.dialogue import dialogue
from limakit.sources.given import Given, lines
from limakit.sources.harvest import Damaged, Item, Passed

ENDINGS = (".jsonl", ".ndjson")
EXPECTED = "a .jsonl file of examples, or a folder of them"


@record
class Message:
    """One utterance; the role is checked by `dialogue`, so that a wrong one is a reject and not damage."""

    role: str
    content: str


@record
class Written:
    """One line."""

    messages: tuple[Message, ...]
    id: str | None = None
    source: str = "authored"
    group: str | None = None
    site: str | None = None
    provenance: tuple[Provenance, ...] = ()
    score: Annotated[int, Field(ge=-(1 << 31), le=1 << 31)] | None = None
    category: str = ""
    """What kind of task it is; for the writer's own use."""
    author: str | None = None
    licence: str | None = None


_LINE = TypeAdapter(Written)


def read(files: Iterable[Given], settings: Authored) -> Iterator[Item]:
    """Items of all files in order."""
    for file in files:
        site = file.label.rpartition("/")[2].rpartition(".")[0]
        for number, line in lines(file.path):
            if line is not None and not line.strip():
                yield Passed(site=site, kind="other")
                continue
            try:
                if line is None:
                    raise ValueError("the line is too long")
                written = _LINE.validate_json(line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line)
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(map(str, first["loc"]))
                reason = f"field {place}: {first['msg']}" if place else first["msg"]
                yield Damaged(site=site, file=file.label, place=f"line {number}", reason=reason)
            except ValueError as error:
                yield Damaged(site=site, file=file.label, place=f"line {number}", reason=str(error))
            else:
                yield _candidate(written, site, settings)


def _candidate(written: Written, site: str, settings: Authored) -> Candidate | Reject:
    site, source = written.site or site, written.source
    number = written.id or hashlib.blake2b(repr(written.messages).encode(), digest_size=8).hexdigest()
    number = number.removeprefix(f"{source}/{site}/")
    name = f"{source}/{site}/{number}"
    author = written.author or settings.author
    turns = dialogue([(message.role, message.content) for message in written.messages])
    if isinstance(turns, str):
        return Reject(
            id=name, source=source, site=site, rule="no_dialogue", detail=turns, score=written.score, author=author
        )
    origins = written.provenance or (Provenance(source=source, site=site, id=number),)
    licence = written.licence or settings.licence
    return Candidate(
        id=name,
        source=source,
        group=settings.group or written.group or "authored",
        site=site,
        prompts=(turns[0].content,),
        replies=turns[1:],
        score=written.score or 0,
        provenance=tuple(replace(o, licence=o.licence or licence, author=o.author or author) for o in origins),
    )
