"""The first map: read a split once, judge every answer as cheaply as can be, keep offsets instead of texts."""

import os
import zlib
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
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
KEEP, UNJUDGED = -1, -2
"""Stand for the reason against an answer where there is none, and where another answer to its question, in the same
split, outshines it."""


class Editor(Protocol):
    """What the caller knows about good answers; pickled to the workers."""

    @property
    def min_score(self) -> int:
        """Lowest score of an answer that is looked at more closely."""
        ...

    def judge(self, html: str) -> Reason | None:
        """Judge a body. None to keep it."""
        ...

    def judge_escaped(self, bodies: Sequence[bytes]) -> list[Reason | None]:
        """Judge many bodies of vouched rows, as the file holds them."""
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
    against: array = field(default_factory=partial(array, "i"))
    """Place in `reasons` of the reason against each, KEEP or UNJUDGED."""
    packed: bytes = b""
    """The reasons, see `reasons`."""
    lowest_question: int = 1 << 62
    highest_question: int = -1
    places: bytes = b""
    """Ids of the questions, then their offsets, as 64-bit integers."""

    def reasons(self) -> list[Reason]:
        """The reasons against answers at or above the score, each once."""
        return [(rule, detail) for rule, detail in orjson.loads(zlib.decompress(self.packed))]


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
        numbers = np.frombuffer(asked.ids, np.int64)
        found.lowest_question, found.highest_question = int(numbers.min()), int(numbers.max())
        found.places = asked.ids.tobytes() + asked.offsets.tobytes()
    found.asked.frombytes(_first_places(asked, found.parents).tobytes())
    found.packed = zlib.compress(orjson.dumps(rivals.judge(found, editor)), 1)
    return found


@dataclass(slots=True)
class _Asked:
    """Ids and offsets of the questions of a split; an Id may recur."""

    ids: array = field(default_factory=partial(array, "q"))
    offsets: array = field(default_factory=partial(array, "q"))


class _Rivals:
    """The bodies of the answers at or above the score."""

    def __init__(self) -> None:
        self._bodies: list[bytes | str] = []

    def add(self, found: Scanned, number: int, parent: int, points: int, offset: int, body: bytes | str) -> None:
        """An answer at or above the score. Its body is escaped where it is bytes."""
        found.ids.append(number)
        found.parents.append(parent)
        found.scores.append(points)
        found.offsets.append(offset)
        self._bodies.append(body)

    def add_all(self, found: Scanned, usual: Heads, bodies: Iterable[bytes | None]) -> None:
        """Answers at or above the score, all of them vouched for."""
        found.ids.frombytes(usual.ids.tobytes())
        found.parents.frombytes(usual.parents.tobytes())
        found.scores.frombytes(usual.scores.tobytes())
        found.offsets.frombytes(usual.starts.tobytes())
        self._bodies += [body for body in bodies if body is not None]

    def judge(self, found: Scanned, editor: Editor) -> list[Reason]:
        """Judge the best answer that each question has in this split, as only these are worth it now. Returns the
        reasons, each once, and enters whom they are against."""
        ids, parents, scores = (np.frombuffer(some, np.int64) for some in (found.ids, found.parents, found.scores))
        order = np.lexsort((ids, -scores, parents))
        first = np.append(True, np.diff(parents[order]) != 0)[: len(order)]
        best = order[first].tolist()
        escaped = [(at, body) for at in best if isinstance(body := self._bodies[at], bytes)]
        reasons: dict[Reason | None, int] = {None: KEEP}
        found.against = array("i", [UNJUDGED]) * len(ids)
        for (at, _), reason in zip(escaped, editor.judge_escaped([body for _, body in escaped]), strict=True):
            found.against[at] = reasons.setdefault(reason, len(reasons) - 1)
        for at in best:
            if isinstance(body := self._bodies[at], str):
                found.against[at] = reasons.setdefault(editor.judge(body), len(reasons) - 1)
        return [reason for reason in reasons if reason]


def _first_places(asked: _Asked, parents: array) -> np.ndarray:
    """Offset of the first question with each Id, -1 where there is none."""
    ids, offsets = np.frombuffer(asked.ids, np.int64), np.frombuffer(asked.offsets, np.int64)
    wanted = np.frombuffer(parents, np.int64)
    if not len(ids):
        return np.full(len(wanted), -1)
    order = np.argsort(ids, kind="stable")
    at = order[np.minimum(ids.searchsorted(wanted, sorter=order), len(ids) - 1)]
    return np.where(ids[at] == wanted, offsets[at], -1)


def _usually(found: Scanned, rivals: _Rivals, asked: _Asked, least: int, file: int, usual: Heads) -> None:
    """The fast path: rows whose heads are known. Only answers at or above the score are looked at any further."""
    answers, questions = (usual.kinds == 2).nonzero()[0], (usual.kinds == 1).nonzero()[0]
    found.others += len(usual.kinds) - len(answers) - len(questions)
    asked.ids.frombytes(usual.ids[questions].tobytes())
    asked.offsets.frombytes(usual.starts[questions].tobytes())
    scores = usual.scores[answers]
    low = scores < least
    found.low_ids.frombytes(usual.ids[answers[low]].tobytes())
    found.low_scores.frombytes(scores[low].tobytes())
    high = usual.where(answers[~low])
    starts = high.starts.tolist()
    some = [
        os.pread(file, size, start).rstrip()
        for size, start in zip((high.stops - high.starts).tolist(), starts, strict=True)
    ]
    bodies = rows.vouched(some)
    unsure = [at for at, body in enumerate(bodies) if body is None]
    for before, at in pairwise([-1, *unsure, len(bodies)]):
        rivals.add_all(found, high.part(before + 1, at), bodies[before + 1 : at])
        if at < len(bodies):
            _exactly(found, rivals, asked, least, starts[at], some[at])


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
