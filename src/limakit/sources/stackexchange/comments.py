"""Comments.xml: what asker and author of an answer said to each other beneath it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from limakit.engine import Executor, Progress
from limakit.sources.harvest import MOST_QUARANTINED, SiteCount
from limakit.sources.stackexchange import rows
from limakit.sources.stackexchange.find import Dump
from limakit.sources.stackexchange.split import Split, splits, units

SPLIT_BYTES = 32 << 20
Speakers = dict[str, dict[int, tuple[int, int]]]
"""By site and Id of an answer: the accounts of its author and of the question's."""
_HEADER = re.compile(rb'<row Id="\d{1,18}" PostId="(\d{1,18})" ')


@dataclass(frozen=True, slots=True, order=True)
class Comment:
    """One comment; sorted, they stand as they were written."""

    created: str
    id: int
    post: int
    user: int
    """0 for an account that is gone."""
    text: str
    """Markdown, as typed."""
    licence: str | None


@dataclass(frozen=True, slots=True)
class Thread:
    """The comments on one answer in order, and the accounts of its author and of the question's."""

    site: str
    answer: int
    answerer: int
    asker: int
    comments: tuple[Comment, ...]


@dataclass(slots=True)
class _Found:
    """Comments on the wanted posts in one split, how many rows there were, and what could not be read."""

    rows: int = 0
    comments: list[Comment] = field(default_factory=list)
    quarantine: list[tuple[int, str]] = field(default_factory=list)


def find_threads(
    dumps: Sequence[Dump],
    speakers: Speakers,
    counts: Mapping[str, SiteCount],
    quarantine: list[dict[str, str | int]],
    *,
    executor: Executor,
    progress: Progress,
) -> Iterator[Thread]:
    """Threads beneath answers to which both speakers contributed, by site and Id.

    All rows are counted as others of their site, and what could not be read as quarantined.
    """
    work = [
        (split, dump)
        for dump in dumps
        if dump.comments
        for split in splits(0, str(dump.comments), dump.comments.stat().st_size, SPLIT_BYTES)
    ]
    tasks = [(split, frozenset(speakers.get(dump.site, ()))) for split, dump in work]
    threads: dict[str, dict[int, dict[int, Comment]]] = {}
    for done, ((_, dump), found) in enumerate(zip(work, executor.map(find_comments, tasks), strict=True), 1):
        counts[dump.site].others += found.rows
        counts[dump.site].quarantined += len(found.quarantine)
        for offset, reason in found.quarantine[: MOST_QUARANTINED - len(quarantine)]:
            quarantine.append(
                {"site": dump.site, "file": f"{dump.label} (comments)", "offset": offset, "reason": reason}
            )
        for comment in found.comments:
            threads.setdefault(dump.site, {}).setdefault(comment.post, {})[comment.id] = comment
        progress("reading comments", done, len(work), "parts")
    for site in sorted(threads):
        for number in sorted(threads[site]):
            thread = sorted(threads[site][number].values())
            if {comment.user for comment in thread} >= set(speakers[site][number]):
                yield Thread(site, number, *speakers[site][number], tuple(thread))


def find_comments(task: tuple[Split, frozenset[int]]) -> _Found:
    """Comments on the wanted posts in one split. Does not raise for anything that a file may hold."""
    split, wanted = task
    found = _Found()
    for offset, data, start, end, single in units(split):
        match = _HEADER.match(data, start, end) if single else None
        if match is not None and int(match[1]) not in wanted:
            found.rows += 1
            continue
        unit = data[start:end]
        if rows.is_row(unit):
            try:
                comment = _comment(unit)
            except rows.Refused as refusal:
                found.quarantine.append((offset, str(refusal)))
                continue
            found.rows += 1
            if comment.post in wanted:
                found.comments.append(comment)
        stray = rows.leftover(unit)
        if stray:
            found.quarantine.append((offset + unit.index(stray), "text between rows"))
    return found


def _comment(unit: bytes) -> Comment:
    """Decode a row. Raises Refused."""
    found = rows.attributes(unit)
    user = found.get("UserId", "")
    return Comment(
        created=found.get("CreationDate", ""),
        id=rows.integer(found, "Id"),
        post=rows.integer(found, "PostId"),
        user=max(0, int(user)) if re.fullmatch(r"-?[0-9]{1,18}", user) else 0,
        text=rows.text(found, "Text"),
        licence=found.get("ContentLicense"),
    )
