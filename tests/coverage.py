"""Simulated coverage: of many studies whose truth is known by construction, 93 to 97 in 100 must hold it in a 95 %
interval.

Each may miss that by three standard errors: 5.3 points with 150 studies, one with `LIMAKIT_COVERAGE_RUNS=4000`, and
`LIMAKIT_COVERAGE_TABLE=FILE` writes down what every interval did.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

RUNS, DRAWS = int(os.environ.get("LIMAKIT_COVERAGE_RUNS", "150")), 1000
TABLE = os.environ.get("LIMAKIT_COVERAGE_TABLE")
Random = np.random.Generator
Ends = tuple[float, float]
Study = Callable[[Random, int], Ends]
"""(random numbers, number of the study) to both ends of its interval."""


def options(run: int) -> dict[str, Any]:
    """What every statistic is asked with: resamples of its own for each study."""
    return {"resamples": DRAWS, "seed": run, "confidence": 0.95}


def chance(run: int) -> Random:
    """The random numbers of a study."""
    return np.random.default_rng([3, run])


def hold(name: str, study: Study, truth: float) -> None:
    """Asks `study` again and again and counts how often its interval holds the truth."""
    hits = 0
    for run in range(RUNS):
        low, high = study(chance(run), run)
        hits += low - 1e-9 <= truth <= high + 1e-9
    if TABLE:
        with Path(TABLE).open("a") as table:
            table.write(f"| {name} | {100 * hits / RUNS:.1f} |\n")
    noise = 3 * np.sqrt(0.95 * 0.05 / RUNS)  # forty cases are asked: two standard errors would be one too few
    assert 0.93 - noise <= hits / RUNS <= 0.97 + noise, f"{hits} of {RUNS}"
