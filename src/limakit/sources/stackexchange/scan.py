"""The first map: read a split once, judge every answer as cheaply as can be, keep offsets instead of texts."""

import os
import zlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import numpy as np
import orjson

from limakit.sources.stackexchange import rows
from limakit.sources.stackexchange.heads import Heads, heads
from limakit.sources.stackexchange.split import BLOCK, Split, units

FABRICATED = (1000000001, 1000000010)
"""Ids of two invented posts in the dumps of 2025-06-30, owner -1 (https://meta.stackexchange.com/q/412018)."""

Reason = tuple[str, str]
"""A rule's name and a detail."""
_MORE = 4096
"""Bytes read beyond a gap at once: they hold the beginning of the row that follows it."""
UNJUDGED: Reason = ("", "")
"""Stands for the judgement of an answer that another answer to its question, in the same split, outshines."""


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

    def spoilt(self, html: str, reply: str) -> Reason | None:
        """Why the response that a body became must not be taken for it. None to keep it."""
        ...

    def prompts(self, title: str, html: str) -> tuple[str, ...]:
        """Prompts that a question may become; none where it is not fit to be one."""
        ...

    def remark(self, text: str) -> str:
        """The turn of a dialogue that a comment becomes; empty where nothing is left of it."""
        ...

    def exchange(self, asked: str, said: str) -> str | None:
        """Why a remark and the reply to it do not go on with a dialogue. None to keep both."""
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
    """Answers at or above the score, with the four arrays that follow and a judgement each."""
    parents: array = field(default_factory=partial(array, "q"))
    scores: array = field(default_factory=partial(array, "q"))
    offsets: array = field(default_factory=partial(array, "q"))
    asked: array = field(default_factory=partial(array, "q"))
    """Offset of the answer's question, of the first with its Id, where this split holds it, else -1."""
    packed: bytes = b""
    """The judgements, see `judgements`."""
    lowest_question: int = 1 << 62
    highest_question: int = -1
    places: bytes = b""
    """Ids of the questions, then their offsets, as 64-bit integers."""

    def judgements(self) -> Iterator[Reason | None]:
        """The reason against each answer at or above the score, None to keep it, or UNJUDGED."""
        for reason in orjson.loads(zlib.decompress(self.packed)):
            yield (reason[0], reason[1]) if reason else None


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
    found, rivals, asked = Scanned(split.dump), _Rivals(), _Asked()
    with open(split.path, "rb", buffering=0) as file:

        def between(start: int, stop: int) -> None:
            """The slow path for what is between two usual rows."""
            some = Split(split.dump, split.path, start, stop)
            for offset, data, begin, end, _ in units(some, min(BLOCK, stop - start + _MORE)):
                _exactly(found, rivals, asked, editor.min_score, offset, data[begin:end])

        done = split.start
        for usual in heads(split):
            begins, first = np.append(done, usual.stops[:-1]), 0
            for gap in np.flatnonzero(begins != usual.starts).tolist():
                _usually(found, rivals, asked, editor.min_score, file.fileno(), usual.part(first, gap))
                between(int(begins[gap]), int(usual.starts[gap]))
                first = gap
            _usually(found, rivals, asked, editor.min_score, file.fileno(), usual.part(first, len(usual.ids)))
            done = int(usual.stops[-1]) if len(usual.stops) else done
        if done < split.stop:
            between(done, split.stop)
    found.answers = len(found.low_ids) + len(found.fabricated) + len(found.ids)
    found.questions = len(asked.ids)
    if asked.ids:
        found.lowest_question, found.highest_question = min(asked.ids), max(asked.ids)
        found.places = asked.ids.tobytes() + asked.offsets.tobytes()
    first = dict(zip(reversed(asked.ids), reversed(asked.offsets), strict=True))
    found.asked.extend(first.get(parent, -1) for parent in found.parents)
    found.packed = zlib.compress(orjson.dumps([rivals.judged(at, editor) for at in range(len(found.ids))]), 1)
    return found


@dataclass(slots=True)
class _Asked:
    """Ids and offsets of the questions of a split; an Id may recur."""

    ids: array = field(default_factory=partial(array, "q"))
    offsets: array = field(default_factory=partial(array, "q"))


class _Rivals:
    """The bodies of the best answer that each question has in this split: only these are worth judging now."""

    def __init__(self) -> None:
        self._best: dict[int, int] = {}
        self._bodies: dict[int, bytes | str] = {}

    def add(self, found: Scanned, number: int, parent: int, points: int, offset: int, body: bytes | str) -> None:
        """An answer at or above the score. Its body is escaped where it is bytes."""
        at, rival = len(found.ids), self._best.get(parent, -1)
        found.ids.append(number)
        found.parents.append(parent)
        found.scores.append(points)
        found.offsets.append(offset)
        if rival < 0 or (points, -number) > (found.scores[rival], -found.ids[rival]):
            self._bodies.pop(rival, None)
            self._best[parent], self._bodies[at] = at, body

    def judged(self, at: int, editor: Editor) -> Reason | None:
        """The judgement of the answer with index `at`."""
        body = self._bodies.get(at)
        if body is None:
            return UNJUDGED
        if isinstance(body, str):
            return editor.judge(body)
        return editor.quick(body) or editor.judge(rows.unescape_plain(body))


def _usually(found: Scanned, rivals: _Rivals, asked: _Asked, least: int, file: int, usual: Heads) -> None:
    """The fast path: rows whose heads are known. Only answers at or above the score are looked at any further."""
    answers, questions = usual.kinds == 2, usual.kinds == 1
    low = answers & (usual.scores < least)
    found.low_ids.frombytes(usual.ids[low].tobytes())
    found.low_scores.frombytes(usual.scores[low].tobytes())
    found.others += int(np.count_nonzero(usual.kinds > 2))
    asked.ids.frombytes(usual.ids[questions].tobytes())
    asked.offsets.frombytes(usual.starts[questions].tobytes())
    high = np.flatnonzero(answers & ~low)
    columns = (usual.starts, usual.stops, usual.ids, usual.parents, usual.scores)
    for start, stop, number, parent, score in zip(*(column[high].tolist() for column in columns), strict=True):
        row = os.pread(file, stop - start, start).rstrip()
        body = rows.vouched(row)
        if body is None:
            _exactly(found, rivals, asked, least, start, row)
        else:
            rivals.add(found, number, parent, score, start, body)


def _exactly(found: Scanned, rivals: _Rivals, asked: _Asked, least: int, offset: int, unit: bytes) -> None:
    """The slow path: parse the row in full, quarantine what is damaged."""
    if rows.is_row(unit):
        try:
            post = rows.post(unit)
        except rows.Refused as refusal:
            found.quarantine.append((offset, str(refusal)))
            return
        if post.kind == 1:
            asked.ids.append(post.id)
            asked.offsets.append(offset)
        elif post.kind != 2:
            found.others += 1
        elif post.id in FABRICATED and post.owner == -1:
            found.fabricated.append((post.id, post.score))
        elif post.score < least:
            found.low_ids.append(post.id)
            found.low_scores.append(post.score)
        else:
            rivals.add(found, post.id, post.parent or 0, post.score, offset, post.body)
    stray = rows.leftover(unit)
    if stray:
        found.quarantine.append((offset + unit.index(stray), "text between rows"))
