"""A grid in numbers: the mean score of every cell, its difference from the grid's first, and what follows for sizes.

Scores of one prompt hang together over its samples, so prompts are what is drawn in the bootstrap, the same ones for
every cell (`report/resample.py`); differences keep their pairing. Tests are Wilcoxon's on the prompts' means, adjusted
by Holm for all comparisons of the experiment under one judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, log2, sqrt
from typing import Any

import numpy as np
from scipy.special import ndtri

from limakit.report.resample import bootstrap_interval, resampled_rates
from limakit.report.significance import holm, wilcoxon

POWER = 0.8
"""Share of experiments that are to find a difference that is there."""

Values = Mapping[str, Mapping[str, Sequence[float | None]]]
"""Cell → prompt → a score a sample, None where there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A cell as the statistics see it."""

    name: str
    grid: str
    examples: int | None
    """It learned from; None where nothing was trained."""


def reckon(
    values: Values, places: Sequence[Place], curves: Sequence[str], *, resamples: int, seed: int, confidence: float
) -> dict[str, Any]:
    """Cells, comparisons and curves of one judge, ready for JSON; what cannot be known is None."""
    names = [place.name for place in places]
    prompts = sorted({prompt for own in values.values() for prompt in own})
    sums, counts = np.zeros((2, len(names), len(prompts)))
    missing = np.zeros(len(names), int)
    for row, name in enumerate(names):
        for column, prompt in enumerate(prompts):
            scores = values.get(name, {}).get(prompt, ())
            known = [score for score in scores if score is not None]
            sums[row, column], counts[row, column] = sum(known), len(known)
            missing[row] += len(scores) - len(known)
    known = counts.any(0)
    sums, counts = sums[:, known], counts[:, known]
    samples = resampled_rates(sums, counts, resamples=resamples, seed=seed) if known.any() else None
    cells = []
    for row, place in enumerate(places):
        scored = int(counts[row].sum())
        cell: dict[str, Any] = {"cell": place.name, "grid": place.grid, "examples": place.examples}
        cell |= {"scored": scored, "missing": int(missing[row]), "prompts": int((counts[row] > 0).sum())}
        cell |= {"mean": None, "low": None, "high": None}
        if scored and samples is not None:
            low, high = bootstrap_interval(samples[:, row], confidence, cell["prompts"])
            cell |= {"mean": float(sums[row].sum() / scored), "low": low, "high": high}
        cells.append(cell)
    result: dict[str, Any] = {"cells": cells, "comparisons": [], "curves": []}
    if samples is not None:
        with np.errstate(invalid="ignore"):
            means = sums / counts  # nan where a cell has no score on a prompt
        result["comparisons"] = _compare(cells, means, samples, confidence)
        drawn = [_curve(grid, cells, means, samples, confidence) for grid in curves]
        result["curves"] = [curve for curve in drawn if curve is not None]
    return result


def _compare(cells: list[dict[str, Any]], means: Any, samples: Any, confidence: float) -> list[dict[str, Any]]:
    """Every cell with the first of its grid, on the prompts that both have scores for."""
    rows = []
    first: dict[str, int] = {}
    for number, cell in enumerate(cells):
        one = first.setdefault(cell["grid"], number)
        both = ~np.isnan(means[one]) & ~np.isnan(means[number])
        if one == number or not both.any():
            continue
        low, high = bootstrap_interval(samples[:, number] - samples[:, one], confidence, int(both.sum()))
        apart = means[number, both] - means[one, both]
        rows.append(
            {
                "grid": cell["grid"],
                "cell": cell["cell"],
                "against": cells[one]["cell"],
                "prompts": int(both.sum()),
                "difference": cell["mean"] - cells[one]["mean"],
                "low": low,
                "high": high,
                "p": wilcoxon(means[number, both].tolist(), means[one, both].tolist()),
                "detectable": detectable(apart, confidence),
            }
        )
    for row, adjusted in zip(rows, holm([row["p"] for row in rows]), strict=True):
        row["holm"] = adjusted
    return rows


def _curve(
    grid: str, cells: list[dict[str, Any]], means: Any, samples: Any, confidence: float
) -> dict[str, Any] | None:
    """Scores over the number of examples, and the gain of a doubling by least squares; None with fewer than two
    different numbers."""
    rows = [n for n, cell in enumerate(cells) if cell["grid"] == grid and cell["examples"] and cell["mean"] is not None]
    rows.sort(key=lambda n: (cells[n]["examples"], n))
    sizes = np.array([log2(cells[n]["examples"]) for n in rows])
    if len(set(sizes.tolist())) < 2:
        return None
    centred = sizes - sizes.mean()
    weights = centred / (centred @ centred)
    gains = samples[:, rows] @ weights
    prompts = min(cells[n]["prompts"] for n in rows)
    low, high = bootstrap_interval(gains, confidence, prompts)
    both = ~np.isnan(means[rows[0]]) & ~np.isnan(means[rows[-1]])
    apart = means[rows[-1], both] - means[rows[0], both]
    return {
        "grid": grid,
        "points": [{key: cells[n][key] for key in ("cell", "examples", "mean", "low", "high")} for n in rows],
        "doubling": {"gain": float(np.array([cells[n]["mean"] for n in rows]) @ weights), "low": low, "high": high},
        "prompts": int(both.sum()),
        "spread": float(np.std(apart, ddof=1)) if both.sum() > 1 else None,
        "detectable": detectable(apart, confidence),
    }


def detectable(apart: Any, confidence: float) -> float | None:
    """Smallest mean difference that so many prompts find in four of five experiments, given how the differences of
    the prompts spread; None with fewer than two."""
    if len(apart) < 2:
        return None
    return float(_reach(confidence) * np.std(apart, ddof=1) / sqrt(len(apart)))


def prompts_needed(difference: float, spread: float, confidence: float) -> int:
    """Prompts with which a mean difference is found in four of five experiments, if prompts differ by `spread`."""
    return max(2, ceil((_reach(confidence) * spread / difference) ** 2))


def _reach(confidence: float) -> float:
    return float(-ndtri((1 - confidence) / 2) - ndtri(1 - POWER))
