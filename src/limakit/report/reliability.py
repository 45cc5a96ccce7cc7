"""Agreement of any number of raters beyond chance: Cohen, Fleiss, Krippendorff.

Zero is what chance gives, one is perfect. With few categories in use the same raw agreement gives a lower value; that
is meant. Each returns nan where it is not defined, for example where only one category was ever used.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def cohen_kappa(table_CC: Floats) -> float:
    """Cohen's kappa (1960) of two raters from their table of counts (first rater's category, second's)."""
    share = table_CC / table_CC.sum()
    return beyond_chance(float(np.trace(share)), float(share.sum(1) @ share.sum(0)))


def fleiss_kappa(counts_IC: Floats) -> float:
    """Fleiss' kappa (1971) from counts per item and category; every item has the same number of raters."""
    raters = counts_IC.sum(1)
    if np.any(raters != raters[0]) or raters[0] < 2:
        return float("nan")
    observed = np.mean((counts_IC**2).sum(1) - raters[0]) / (raters[0] * (raters[0] - 1))
    share = counts_IC.sum(0) / counts_IC.sum()
    return beyond_chance(float(observed), float(share @ share))


def krippendorff_alpha(ratings_RI: Floats, level: Literal["nominal", "ordinal", "interval"] = "nominal") -> float:
    """Krippendorff's alpha (2011, "Computing Krippendorff's Alpha-Reliability"); ratings may be missing (nan).

    `ratings_RI` is raters x items. Items with fewer than two ratings do not count.
    """
    values = np.unique(ratings_RI[~np.isnan(ratings_RI)])
    counts_IV = (ratings_RI.T[:, :, None] == values).sum(1).astype(float)
    counts_IV = counts_IV[counts_IV.sum(1) >= 2]
    if len(values) < 2 or not len(counts_IV):
        return float("nan")
    paired = counts_IV / (counts_IV.sum(1) - 1)[:, None]
    together = counts_IV.T @ paired - np.diag(paired.sum(0))
    totals = together.sum(0)
    distance = _distances(values, totals, level)
    expected = totals @ distance @ totals / (totals.sum() - 1)
    return float(1 - (together * distance).sum() / expected) if expected else float("nan")


def _distances(values: Floats, totals: Floats, level: str) -> Floats:
    """Squared distance between any two values."""
    if level == "nominal":
        return (values[:, None] != values).astype(float)
    if level == "ordinal":
        values = np.cumsum(totals) - totals / 2
    return (values[:, None] - values) ** 2


def beyond_chance(observed: float, chance: float) -> float:
    """The share of what chance leaves open that was agreed on."""
    return (observed - chance) / (1 - chance) if chance < 1 else float("nan")
