"""The reduce: one copy of each answer, one answer of each question. Pure; the order of the splits plays no part."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice

import numpy as np

from limakit.sources.stackexchange.scan import Answer, Reason, Scanned

_AT_ONCE = 4096
"""Answers that are Python objects at a time."""
SAME_POST: Reason = ("same_post", "")
NOT_BEST: Reason = ("not_best", "")


@dataclass(frozen=True, slots=True)
class Compared:
    """Some answers, as parallel arrays of int64, with the reason against each: None for one to keep, or UNJUDGED for
    one to keep unless the rules are against it."""

    dumps: np.ndarray
    ids: np.ndarray
    parents: np.ndarray
    scores: np.ndarray
    offsets: np.ndarray
    asked: np.ndarray
    reasons: list[Reason | None]

    def answer(self, at: int) -> Answer:
        """The answer with index `at`."""
        columns = (self.dumps, self.ids, self.parents, self.scores, self.offsets, self.asked)
        return Answer(*(int(column[at]) for column in columns))


def best_answers(scanned: Mapping[int, Sequence[Scanned]], labels: Sequence[str]) -> Iterator[Compared]:
    """Answers of one site's dumps, by dump and offset, some at a time.

    The same post may lie in several dumps of a site: its identity is site and Id. The copy with the higher score is
    kept, at equal scores that of the newer dump, which is the one with the higher question Id. Of a question's
    answers the one with the highest score is kept, at equal scores the lowest Id.
    """
    newest = sorted(
        scanned, key=lambda number: (-max((s.highest_question for s in scanned[number]), default=-1), labels[number])
    )
    age = {number: rank for rank, number in enumerate(newest)}
    found = [(number, part) for number in sorted(scanned) for part in scanned[number] if part.ids]
    if not found:
        return
    dumps = np.concatenate([np.full(len(part.ids), number, np.int64) for number, part in found])
    ages = np.concatenate([np.full(len(part.ids), age[number], np.int64) for number, part in found])
    columns = [
        np.concatenate([np.frombuffer(getattr(part, name), np.int64) for _, part in found])
        for name in ("ids", "parents", "scores", "offsets", "asked")
    ]
    ids, parents, scores, offsets, asked = columns
    judgements = chain.from_iterable(part.judgements() for _, part in found)
    copies = _later_of(np.lexsort((offsets, ages, -scores, ids)), ids)
    rivals = np.flatnonzero(~copies)
    beaten = np.zeros(len(ids), bool)
    beaten[rivals] = _later_of(np.lexsort((ids[rivals], -scores[rivals], parents[rivals])), parents[rivals])
    for begin in range(0, len(ids), _AT_ONCE):
        some = slice(begin, begin + _AT_ONCE)
        told = zip(copies[some].tolist(), beaten[some].tolist(), islice(judgements, _AT_ONCE), strict=True)
        reasons = [SAME_POST if copy else NOT_BEST if worse else reason for copy, worse, reason in told]
        yield Compared(dumps[some], ids[some], parents[some], scores[some], offsets[some], asked[some], reasons)


def _later_of(order: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Mask of the items that are not the first of their key when taken in `order`, which sorts by key first."""
    later = np.zeros(len(keys), bool)
    later[order[1:]] = keys[order[1:]] == keys[order[:-1]]
    return later
