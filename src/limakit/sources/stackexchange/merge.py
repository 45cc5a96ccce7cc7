"""The reduce: one copy of each answer, one answer of each question. Pure; the order of the splits plays no part."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from limakit.sources.stackexchange.scan import Answer, Reason, Scanned

SAME_POST: Reason = ("same_post", "")
NOT_BEST: Reason = ("not_best", "")


@dataclass(frozen=True, slots=True)
class Compared:
    """The answers of one split, as parallel arrays of int64, with the reason against each: its place in `reasons`,
    KEEP, or UNJUDGED for one to keep unless the rules are against it."""

    dumps: np.ndarray
    ids: np.ndarray
    parents: np.ndarray
    scores: np.ndarray
    offsets: np.ndarray
    asked: np.ndarray
    against: np.ndarray
    reasons: list[Reason]

    def answer(self, at: int) -> Answer:
        """The answer with index `at`."""
        columns = (self.dumps, self.ids, self.parents, self.scores, self.offsets, self.asked)
        return Answer(*(int(column[at]) for column in columns))


def best_answers(scanned: Mapping[int, Sequence[Scanned]], labels: Sequence[str]) -> Iterator[Compared]:
    """Answers of one site's dumps, by dump and offset, a split at a time.

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
    copies = _later_of(np.lexsort((offsets, ages, -scores, ids)), ids)
    rivals = np.flatnonzero(~copies)
    beaten = np.zeros(len(ids), bool)
    beaten[rivals] = _later_of(np.lexsort((ids[rivals], -scores[rivals], parents[rivals])), parents[rivals])
    ours, begin = [SAME_POST, NOT_BEST], 0
    for _, part in found:
        some = slice(begin, begin := begin + len(part.ids))
        theirs = np.frombuffer(part.against, np.int32)
        theirs = np.where(theirs < 0, theirs, theirs + len(ours))
        against = np.where(copies[some], 0, np.where(beaten[some], 1, theirs))
        columns = (dumps[some], ids[some], parents[some], scores[some], offsets[some], asked[some])
        yield Compared(*columns, against, ours + part.reasons())


def _later_of(order: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Mask of the items that are not the first of their key when taken in `order`, which sorts by key first."""
    later = np.zeros(len(keys), bool)
    later[order[1:]] = keys[order[1:]] == keys[order[:-1]]
    return later
