"""The third map: rows that passed, parsed in full, joined with their questions and written as candidates."""

import os
from dataclasses import dataclass, field
from functools import lru_cache
from io import FileIO

import orjson

from limakit.records import Candidate, Provenance, Turn
from limakit.sources.stackexchange import rows
from limakit.sources.stackexchange.find import Dump
from limakit.sources.stackexchange.names import host_of, licence_of
from limakit.sources.stackexchange.scan import Answer, Editor, Reason
from limakit.sources.stackexchange.sites import is_known
from limakit.sources.stackexchange.split import Split, unit_end, units

_BLOCK = 16 << 10


@dataclass(frozen=True, slots=True)
class Batch:
    """Answers of one dump to be rendered together."""

    dump: Dump
    answers: tuple[Answer, ...]


@dataclass(slots=True)
class Rendered:
    """JSON lines of `count` candidates, and (Id, reason, score) of what was found unfit."""

    lines: bytes = b""
    count: int = 0
    speakers: list[tuple[int, int, int]] = field(default_factory=list)
    """(Id of the answer, its author, the question's author) where both have an account, and not the same one."""
    rejected: list[tuple[int, Reason, int]] = field(default_factory=list)


def render(batch: Batch, editor: Editor) -> Rendered:
    """Render a batch."""
    result, lines = Rendered(), []
    with open(batch.dump.posts, "rb", buffering=0) as file:
        for answer in batch.answers:
            made = _candidate(batch.dump, file, answer, editor, result.speakers)
            if isinstance(made, Candidate):
                lines.append(orjson.dumps(made) + b"\n")
            else:
                result.rejected.append((answer.id, made, answer.score))
    result.lines, result.count = b"".join(lines), len(lines)
    return result


def _candidate(
    dump: Dump, file: FileIO, answer: Answer, editor: Editor, speakers: list[tuple[int, int, int]]
) -> Candidate | Reason:
    if answer.asked < 0:
        return "no_question", f"question {answer.parent} is not in the dump"
    try:
        asked = post_at(file, answer.asked)
    except rows.Refused as refusal:
        return "no_question", f"question {answer.parent}: {refusal}"
    prompts = editor.prompts(asked.title, asked.body)
    if not prompts:
        return "no_prompt", ""
    given = post_at(file, answer.offset)
    reply = editor.reply(given.body)
    if spoilt := editor.spoilt(given.body, reply):
        return spoilt
    answerer, asker = given.owner or 0, asked.owner or 0
    if min(answerer, asker) > 0 and answerer != asker:
        speakers.append((given.id, answerer, asker))
    return Candidate(
        id=f"stackexchange/{dump.site}/{given.id}",
        source="stackexchange",
        group=dump.group,
        site=dump.site,
        prompts=prompts,
        replies=(Turn(role="assistant", content=reply),),
        score=given.score,
        provenance=(_provenance(dump.site, given, asked.title), _provenance(dump.site, asked, asked.title)),
    )


def post_at(file: FileIO, offset: int) -> rows.Post:
    """The post whose row begins at `offset` of a file of posts. Raises Refused."""
    data = os.pread(file.fileno(), _BLOCK, offset)
    end, _ = unit_end(data, 0, len(data))
    if end == len(data):  # too long a row for one block, or the last of the file
        _, data, _, end, _ = next(units(Split(0, str(file.name), offset, offset + 1), _BLOCK))
    return rows.post(data[:end])


@lru_cache
def _host(site: str) -> str | None:
    return host_of(site, is_known(site))


def _provenance(site: str, post: rows.Post, title: str) -> Provenance:
    """Origin of a post. `author` is the name that the row itself gives; `users.name_authors` adds the others."""
    host = _host(site)
    person = post.owner is not None and post.owner > 0
    return Provenance(
        source="stackexchange",
        site=site,
        id=str(post.id),
        url=f"https://{host}/{'a' if post.kind == 2 else 'q'}/{post.id}" if host else None,
        title=title or None,
        author=post.owner_name,
        author_url=f"https://{host}/users/{post.owner}" if host and person else None,
        licence=post.licence or licence_of(post.created, post.edited),
        created=post.created or None,
        edited=post.edited,
    )
