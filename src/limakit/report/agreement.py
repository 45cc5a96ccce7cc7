"""Tie-discounted agreement of two judges on the same items, the paper's measure (section 4.1), and its chance level.

One point where two labels agree, half a point where exactly one of them is a tie, none where they oppose. The paper
gives 78 to 82 %; chance alone gives 52 to 56 % at its tie rates, so the corrected figure always stands beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from limakit.report.rates import share_interval
from limakit.report.reliability import beyond_chance, cohen_kappa
from limakit.report.resample import resampled_rates

POINTS = np.array([[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])
"""Points for (first judge, second judge), each 0 where one system won, 1 for a tie, 2 where the other won."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """What two judges agree on."""

    items: int
    rate: float
    """Tie-discounted agreement, 0 to 1."""
    low: float
    high: float
    """Interval of `rate` over prompts, as of a win rate."""
    chance: float
    """What judges with these shares of labels would reach without looking."""
    corrected: float
    """(rate - chance) / (1 - chance); this is Cohen's kappa with the points as weights."""
    cohen: float
    """Cohen's plain kappa, where a tie against a win counts as nothing."""


def agreement(
    first: Sequence[int], second: Sequence[int], prompts: Sequence[str], *, resamples: int, seed: int, confidence: float
) -> Agreement:
    """Compare two judges' labels (0, 1 = tie, 2) item by item; `prompts` says which items hang together."""
    one, two = np.asarray(first), np.asarray(second)
    points = POINTS[one, two]
    table = np.zeros((3, 3))
    np.add.at(table, (one, two), 1)
    _, cluster = np.unique(np.asarray(prompts), return_inverse=True)
    sums = np.bincount(cluster, weights=points)[None, :].astype(float)
    counts = np.bincount(cluster)[None, :].astype(float)
    rates = resampled_rates(sums, counts, resamples=resamples, seed=seed)[:, 0]
    low, high, _ = share_interval(sums[0], counts[0], rates, confidence)
    share = table / table.sum()
    rate, chance = float(points.mean()), float(share.sum(1) @ POINTS @ share.sum(0))
    return Agreement(
        items=len(points),
        rate=rate,
        low=low,
        high=high,
        chance=chance,
        corrected=beyond_chance(rate, chance),
        cohen=cohen_kappa(table),
    )
