"""Tests of one hypothesis, and what to do when there are several. All p-values are two-sided."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import bdtr


def sign_test(win: int, lose: int) -> float:
    """Exact binomial test that wins and losses are equally likely; ties carry no information (Dixon and Mood 1946)."""
    return min(1.0, 2 * float(bdtr(min(win, lose), win + lose, 0.5)))


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Exact McNemar test (1947) that two yes/no outcomes of the same prompts are yes equally often.

    Only prompts on which the two differ count, so this is the sign test on those.
    """
    one, two = np.asarray(first, bool), np.asarray(second, bool)
    return sign_test(int(np.sum(one & ~two)), int(np.sum(~one & two)))


def wilcoxon(first: Sequence[float], second: Sequence[float]) -> float:
    """Wilcoxon's signed-rank test (1945) that paired scores do not differ; equal pairs are ranked and left out of the
    sum (Pratt 1959), as scipy does it."""
    difference = np.asarray(first, float) - np.asarray(second, float)
    if not difference.any():
        return 1.0
    from scipy import stats  # a second, which a report without comparisons by rank can save

    found: Any = stats.wilcoxon(difference, zero_method="pratt", method="approx")
    return float(found.pvalue)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that the chance of any false claim among them stays at the level (Holm 1979)."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return adjusted.tolist()


def false_discovery(p_values: Sequence[float]) -> list[float]:
    """p-values adjusted so that the expected share of false claims stays at the level (Benjamini and Hochberg 1995)."""
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")[::-1]
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum.accumulate(np.minimum(1, p[order] * len(p) / np.arange(len(p), 0, -1)))
    return adjusted.tolist()
