"""Looking at the verdicts before all are in, declared beforehand so that a false claim stays as unlikely as it was.

With K equally spaced looks the estimate over its standard error is nearly a normal walk. A boundary c_k for each look
is set so that a walk without any drift crosses one of them with chance 1 - confidence in all (Pocock 1977: the same
boundary at every look; O'Brien and Fleming 1979: c_k falls as sqrt(K / k), so that early looks cost next to nothing).
At look k the interval of half-width c_k standard errors is a repeated confidence interval (Jennison and Turnbull 1989):
all K of them cover together with the stated confidence.
"""

from math import pi, sqrt
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri

from limakit.errors import LimakitError

Floats = NDArray[np.float64]
Shape = Literal["obrien-fleming", "pocock"]
SHAPES: tuple[str, ...] = get_args(Shape)
MOST_LOOKS = 20
POINTS = 301
"""Points of the grid on which the walk's density is carried from look to look; errors are below 1e-4."""


def boundaries(looks: int, *, confidence: float = 0.95, shape: Shape = "obrien-fleming") -> list[float]:
    """Boundaries, in standard errors, at each of `looks` equally spaced looks. Raises LimakitError beyond 20."""
    if not 1 <= looks <= MOST_LOOKS:
        raise LimakitError(f"{looks} looks", fix=f"Declare 1 to {MOST_LOOKS} looks.")
    return (_root(looks, 1 - confidence, shape) * _form(looks, shape)).tolist()


def nominal_confidence(look: int, looks: int, *, confidence: float = 0.95, shape: Shape = "obrien-fleming") -> float:
    """The level of an ordinary interval at this look, so that all looks together keep `confidence`."""
    if not 1 <= look <= looks:
        raise LimakitError(f"look {look} of {looks}", fix="Say which of the declared looks this is, such as 2/3.")
    return float(1 - 2 * ndtr(-boundaries(looks, confidence=confidence, shape=shape)[look - 1]))


def inflation(looks: int, *, confidence: float = 0.95, power: float = 0.8, shape: Shape = "obrien-fleming") -> float:
    """How many times the prompts of a single look are needed in all, to keep the power when nothing stops it early."""
    bounds = np.array(boundaries(looks, confidence=confidence, shape=shape))
    single = -ndtri((1 - confidence) / 2) - ndtri(1 - power)
    drift: float = brentq(lambda drift: _crossing(bounds, drift) - power, 0.5 * single, 3 * single, xtol=1e-6)  # type: ignore[assignment]
    return max(1.0, (drift / float(single)) ** 2)


def _form(looks: int, shape: Shape) -> Floats:
    return np.ones(looks) if shape == "pocock" else np.sqrt(looks / np.arange(1, looks + 1))


def _root(looks: int, level: float, shape: Shape) -> float:
    form = _form(looks, shape)
    one = -float(ndtri(level / 2))
    if looks == 1:
        return one
    return brentq(lambda scale: _crossing(scale * form, 0.0) - level, one, one + 3, xtol=1e-7)  # type: ignore[return-value]


def _crossing(bounds_K: Floats, drift: float) -> float:
    """Chance that the walk leaves its bounds at some look; `drift` is its expected value at the last look.

    The density of the score process, of those still inside, is carried from look to look on a grid (Armitage,
    McPherson and Rowe 1969), with Simpson's rule.
    """
    looks = len(bounds_K)
    each = drift / sqrt(looks)
    inside = 0.0
    points, density = np.zeros(1), np.ones(1)
    for look in range(1, looks + 1):
        edge = bounds_K[look - 1] * sqrt(look)
        grid = np.linspace(-edge, edge, POINTS)
        density = np.exp(-((grid[:, None] - points[None, :] - each) ** 2) / 2) @ density / sqrt(2 * pi)
        weights = np.ones(POINTS)
        weights[1:-1:2], weights[2:-1:2] = 4, 2
        weights *= (grid[1] - grid[0]) / 3
        density *= weights
        points, inside = grid, float(density.sum())
    return 1 - inside
