"""The paired bootstrap, drawn over prompts.

Verdicts on one prompt (several samples, several judges) hang together, so whole prompts are drawn with replacement
(cluster bootstrap; Efron and Tibshirani 1993, chapter 13). Every row is resampled with the same draws, so that
differences between rows keep their pairing. One matrix product takes the place of the loop over resamples.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

Floats = NDArray[np.float64]

BLOCK = 500
"""Resamples drawn at once; part of the result, because the draws follow each other in blocks."""


def draws(prompts: int, resamples: int, seed: int) -> Iterator[Floats]:
    """Blocks of weights, (block, prompts): how often each resample holds each prompt. Rows add up to `prompts`."""
    random = np.random.default_rng([seed, prompts])
    for start in range(0, resamples, BLOCK):
        size = min(BLOCK, resamples - start)
        picked = random.integers(0, prompts, size=(size, prompts), dtype=np.int64)
        picked += prompts * np.arange(size)[:, None]
        counts = np.bincount(picked.ravel(), minlength=size * prompts)
        yield counts.reshape(size, prompts).astype(np.float64)


def resampled_rates(sums_RP: Floats, counts_RP: Floats, *, resamples: int, seed: int) -> Floats:
    """Rates of every row in every resample, (resamples, rows): sum of the scores over number of verdicts.

    `sums_RP` and `counts_RP` hold, for each row and prompt, the sum of its scores and how many there are.
    A resample in which a row has no verdict at all gives nan there.
    """
    rows, prompts = sums_RP.shape
    stacked = np.concatenate([sums_RP, counts_RP]).T
    parts = [weights @ stacked for weights in draws(prompts, resamples, seed)]
    totals = np.concatenate(parts)
    with np.errstate(invalid="ignore"):
        return totals[:, :rows] / totals[:, rows:]


def percentile_interval(samples: Floats, confidence: float) -> tuple[float, float]:
    """Both ends of the central `confidence` share of resampled values; resamples without a value are left out."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(samples, [tail, 1 - tail])
    return float(low), float(high)


def bootstrap_interval(samples: Floats, confidence: float, prompts: int) -> tuple[float, float]:
    """`percentile_interval`, as much wider as few prompts demand: see `expansion`. With hundreds of prompts it is the
    plain one."""
    if prompts < 2:
        return percentile_interval(samples, confidence)
    far = ndtri((1 - confidence) / 2) * expansion(confidence, prompts)
    return percentile_interval(samples, float(1 - 2 * ndtr(far)))


def expansion(confidence: float, prompts: int) -> float:
    """How many times wider: resamples of n prompts vary by a factor of sqrt((n - 1) / n) too little, and the normal
    tail is Student's (the expanded percentile of Hesterberg 2015, https://doi.org/10.1080/00031305.2015.1089789). 1
    with a single prompt, of which nothing is known."""
    if prompts < 2:
        return 1.0
    tail = (1 - confidence) / 2
    return float(np.sqrt(prompts / (prompts - 1)) * stdtrit(prompts - 1, tail) / ndtri(tail))
