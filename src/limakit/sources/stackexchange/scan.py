"""The first map: read a split once, judge every answer as cheaply as can be, keep offsets instead of texts."""

from array import array
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from limakit.sources.stackexchange import rows
from limakit.sources.stackexchange.split import Split, units

FABRICATED = (1000000001, 1000000010)
"""Ids of two invented posts in the dumps of 2025-06-30, owner -1 (https://meta.stackexchange.com/q/412018)."""

Reason = tuple[str, str]
"""A rule's name and a detail."""


class Editor(Protocol):
    """What the caller knows about good answers; pickled to the workers."""

    @property
    def min_score(self) -> int:
        """Lowest score of an answer that is looked at more closely."""
        ...

    def quick(self, raw: bytes) -> Reason | None:
        """Judge the escaped bytes of a body; it may let pass what `judge` will refuse, never the reverse."""
        ...

    def judge(self, html: str) -> Reason | None:
        """Judge a body. None to keep it."""
        ...

    def reply(self, html: str) -> str:
        """The response that a body becomes."""
        ...

    def prompts(self, title: str, html: str) -> tuple[str, ...]:
        """Prompts that a question may become; none where it is not fit to be one."""
        ...


@dataclass(slots=True)
class Scanned:
    """What one split holds. Parallel arrays, because there may be tens of millions of answers."""

    dump: int
    questions: int = 0
    answers: int = 0
    others: int = 0
    quarantine: list[tuple[int, str]] = field(default_factory=list)
    """(Byte offset, reason) of what could not be read."""
    low_ids: array = field(default_factory=partial(array, "q"))
    """Answers below the score, with `low_scores`."""
    low_scores: array = field(default_factory=partial(array, "q"))
    fabricated: list[tuple[int, int]] = field(default_factory=list)
    """(Id, score) of invented answers."""
    ids: array = field(default_factory=partial(array, "q"))
    """Answers at or above the score, with the four arrays that follow and a reason or None in `reasons`."""
    parents: array = field(default_factory=partial(array, "q"))
    scores: array = field(default_factory=partial(array, "q"))
    offsets: array = field(default_factory=partial(array, "q"))
    asked: array = field(default_factory=partial(array, "q"))
    """Offset of the answer's question where this split holds it, else -1."""
    reasons: list[Reason | None] = field(default_factory=list)
    lowest_question: int = 1 << 62
    highest_question: int = -1


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that is still in the running: `dump` is its file's number, `offset` its row's first byte there,
    `asked` that of its question, -1 where not yet known."""

    dump: int
    id: int
    parent: int
    score: int
    offset: int
    asked: int


def scan(split: Split, editor: Editor) -> Scanned:
    """Read one split. Does not raise for anything that a file may hold."""
    found = Scanned(split.dump)
    places: dict[int, int] = {}
    header, least = rows.HEADER.match, editor.min_score
    low_id, low_score = found.low_ids.append, found.low_scores.append
    for offset, data, start, end, single in units(split):
        match = header(data, start, end) if single else None
        if match is None or not (data.startswith(b"/>\n  ", end - 5) or data.startswith(b"/>\r\n  ", end - 6)):
            _exactly(found, editor, places, offset, data[start:end])
            continue
        number, kind, parent, score = match.groups()
        if kind == b"2" and parent:
            points = int(score)
            if points < least and len(number) < 10:
                found.answers += 1
                low_id(int(number))
                low_score(points)
                continue
            row = data[start:end].rstrip()
            if len(number) < 10 and rows.vouched(row):
                raw = rows.raw_body(row)
                reason = editor.quick(raw) or editor.judge(rows.unescape_plain(raw))
                _keep(found, int(number), int(parent), points, offset, reason)
            else:
                _exactly(found, editor, places, offset, row)
        elif kind == b"1":
            found.questions += 1
            places[int(number)] = offset
        elif kind == b"2":
            _exactly(found, editor, places, offset, data[start:end])
        else:
            found.others += 1
    if places:
        found.lowest_question, found.highest_question = min(places), max(places)
    found.asked.extend(places.get(parent, -1) for parent in found.parents)
    return found


def _exactly(found: Scanned, editor: Editor, places: dict[int, int], offset: int, unit: bytes) -> None:
    """The slow path: parse the row in full, quarantine what is damaged."""
    if rows.is_row(unit):
        try:
            post = rows.post(unit)
        except rows.Refused as refusal:
            found.quarantine.append((offset, str(refusal)))
            return
        if post.kind == 1:
            found.questions += 1
            places[post.id] = offset
        elif post.kind != 2:
            found.others += 1
        elif post.id in FABRICATED and post.owner == -1:
            found.answers += 1
            found.fabricated.append((post.id, post.score))
        elif post.score < editor.min_score:
            found.answers += 1
            found.low_ids.append(post.id)
            found.low_scores.append(post.score)
        else:
            _keep(found, post.id, post.parent or 0, post.score, offset, editor.judge(post.body))
    stray = rows.leftover(unit)
    if stray:
        found.quarantine.append((offset + unit.index(stray), "text between rows"))


def _keep(found: Scanned, number: int, parent: int, points: int, offset: int, reason: Reason | None) -> None:
    found.answers += 1
    found.ids.append(number)
    found.parents.append(parent)
    found.scores.append(points)
    found.offsets.append(offset)
    found.reasons.append(reason)


def find_questions(task: tuple[Split, frozenset[int]]) -> dict[int, int]:
    """Offsets of the questions of a split whose Ids are wanted: the second map, for those far from their answers."""
    split, wanted = task
    places: dict[int, int] = {}
    for offset, data, start, end, single in units(split):
        match = rows.HEADER.match(data, start, end) if single else None
        if match is not None:
            number, kind = int(match[1]), match[2]
            if kind == b"1" and number in wanted:
                places[number] = offset
            continue
        try:
            post = rows.post(data[start:end])
        except rows.Refused:
            continue
        if post.kind == 1 and post.id in wanted:
            places[post.id] = offset
    return places
