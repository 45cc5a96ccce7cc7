"""Choosing few points that stand for many: facility location and k-centre, greedily, under a limit for each site.

Both weigh how much a point adds against its own worth and are deterministic to the last tie: products of
`vectors.whole` vectors are whole numbers, and of equals the first is taken.
"""

import heapq
from collections.abc import Sequence
from typing import Any

import numpy as np

from limakit.curate.vectors import SCALE

REFERENCES = 4096
"""Points whose coverage is counted: all up to this number, beyond it so many, evenly spread."""
BLOCK = 1024
_ONE = float(SCALE * SCALE)
"""The product of a vector with itself, that is a cosine of 1."""


class _Limits:
    """How many points of each site may still be taken."""

    def __init__(self, sites: Sequence[str], limits: dict[str, int]):
        self._sites, self._left = sites, dict(limits)

    def take(self, at: int) -> bool:
        """Take a point of this site. Whether it was the last one of it."""
        self._left[self._sites[at]] -= 1
        return self._left[self._sites[at]] == 0

    def open(self, at: int) -> bool:
        return self._left.get(self._sites[at], 0) > 0


def facility_location(
    vectors: Any, worth: Any, sites: Sequence[str], limits: dict[str, int], share: float
) -> list[int]:
    """Numbers of the chosen points: greedily the most of `share` × coverage + (1 − share) × mean worth.

    Coverage is the mean, over all points, of the cosine with the nearest chosen one, negatives counted as 0
    (Lin and Bilmes 2011; lazy evaluation: Minoux 1978). `vectors` int16 (points, dimensions) of `whole`, `worth` in
    0…1 (points,), `sites` the site of each point, `limits` how many may be taken of each.
    """
    count = len(vectors)
    wanted = sum(limits.values())
    spread = np.unique(np.linspace(0, count - 1, min(count, REFERENCES)).round().astype(int))
    references = vectors[spread].astype(np.float32).T
    scale = share / (_ONE * max(1, len(spread)))
    own = (1 - share) / max(1, wanted) * np.asarray(worth, np.float64)
    best = np.zeros(len(spread), np.float32)
    first = [
        np.maximum(vectors[begin : begin + BLOCK].astype(np.float32) @ references, 0).sum(axis=1, dtype=np.float64)
        for begin in range(0, count, BLOCK)
    ]
    queue = [(-gain, at, 0) for at, gain in enumerate((np.concatenate(first) * scale + own).tolist())] if count else []
    heapq.heapify(queue)
    left, chosen = _Limits(sites, limits), []
    while queue and len(chosen) < wanted:
        _, at, seen = heapq.heappop(queue)
        if not left.open(at):
            continue
        near = np.maximum(vectors[at].astype(np.float32) @ references, 0)
        if seen < len(chosen):
            gain = float(np.maximum(near - best, 0).sum(dtype=np.float64)) * scale + float(own[at])
            heapq.heappush(queue, (-gain, at, len(chosen)))
            continue
        left.take(at)
        chosen.append(at)
        best = np.maximum(best, near)
    return chosen


def k_centre(vectors: Any, worth: Any, sites: Sequence[str], limits: dict[str, int], share: float) -> list[int]:
    """Numbers of the chosen points: each time the most of `share` × distance + (1 − share) × worth.

    Distance is half of 1 − cosine to the nearest chosen point (farthest first: Gonzalez 1985); otherwise as
    `facility_location`, whose outliers it takes and whose typical points it passes over.
    """
    count = len(vectors)
    rows = vectors.astype(np.float32)
    nearest = np.full(count, -_ONE, np.float32)
    own = (1 - share) * np.asarray(worth, np.float64)
    left, chosen = _Limits(sites, limits), []
    out = np.array([not left.open(at) for at in range(count)], bool)
    names = np.array(sites)
    for _ in range(sum(limits.values())):
        if out.all():
            break
        score = share * (_ONE - nearest.astype(np.float64)) / (2 * _ONE) + own
        score[out] = -np.inf
        at = int(np.argmax(score))
        out[at] = True
        if left.take(at):
            out |= names == sites[at]
        chosen.append(at)
        nearest = np.maximum(nearest, rows @ rows[at])
    return chosen
