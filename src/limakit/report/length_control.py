"""What the win rate would be if both answers had been equally long (after Dubois et al. 2024, arXiv 2404.04475).

A logistic regression explains each score of the candidate by how much longer its answer is, squashed by tanh, and,
where given, by columns that are kept, such as how hard the prompt is:

    logit P(win) = a + b tanh(longer / spread) + kept . c        and then        rate = mean P(win | longer = 0)

The interval comes from drawing prompts anew and fitting *again* each time. AlpacaEval prints the spread of the fitted
probabilities instead, which holds nothing of the uncertainty of the fit: without kept columns it is exactly 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from limakit.errors import LimakitError
from limakit.report.resample import bootstrap_interval, draws

Floats = NDArray[np.float64]

REFITS = 1000
WEAK = 0.01
"""Precision of the normal prior around 0 on every coefficient: keeps a fit finite where all scores are alike."""


@dataclass(frozen=True, slots=True)
class LengthControlled:
    """The length-controlled win rate of one candidate against one baseline, and the raw one it must be read with."""

    prompts: int
    raw: float
    """Mean score as it was judged, 0 to 1."""
    value: float
    """Mean score predicted for answers of equal length."""
    low: float
    high: float
    """Interval of `value`: percentiles of the refits."""
    error: float
    """Standard deviation of the refits."""
    error_without_refit: float
    """What AlpacaEval prints: standard deviation of the fitted probabilities over the square root of their number."""
    slope: float
    """b above: positive where the judge favours the longer answer, all else equal."""
    spread: float
    """Standard deviation of the differences in length, in characters: the unit of the squashing."""


def length_controlled(
    scores_V: Floats,
    longer_V: Floats,
    prompts: Sequence[str],
    *,
    seed: int,
    confidence: float,
    resamples: int = REFITS,
    kept_VK: Floats | None = None,
    prior: tuple[Floats, Floats] | None = None,
) -> LengthControlled:
    """Fit scores (0 to 1) on how many characters longer the candidate's answer is; `prompts` says what hangs together.

    `kept_VK` are further columns, held as they are when lengths are made equal. `prior` is mean and precision of a
    normal prior on the coefficients (intercept, kept columns, length), in place of a weak one around 0.
    """
    spread = float(np.std(longer_V, ddof=1)) if len(longer_V) > 1 else 0.0
    length = np.tanh(longer_V / spread) if spread > 0 else np.zeros(len(longer_V))
    kept = np.empty((len(scores_V), 0)) if kept_VK is None else kept_VK
    columns_VC = np.column_stack([np.ones(len(scores_V)), kept, length])
    mean, precision = prior or (np.zeros(columns_VC.shape[1]), np.full(columns_VC.shape[1], WEAK))
    _, cluster = np.unique(np.asarray(prompts), return_inverse=True)
    size = int(cluster.max()) + 1
    alone = bool((cluster == np.arange(len(cluster))).all())
    fitted = _fit(columns_VC, scores_V, np.ones((1, len(scores_V))), mean, mean, precision)[0]
    rates = []
    for block in draws(size, resamples, seed):
        weights = block if alone else block[:, cluster]
        coefficients = _fit(columns_VC, scores_V, weights, fitted, mean, precision)
        rates.append(_rates(columns_VC, coefficients, weights))
    refits = np.concatenate(rates)
    low, high = bootstrap_interval(refits, confidence, size)
    predicted = _logistic(columns_VC[:, :-1] @ fitted[:-1])
    return LengthControlled(
        prompts=size,
        raw=float(scores_V.mean()),
        value=float(predicted.mean()),
        low=low,
        high=high,
        error=float(refits.std(ddof=1)),
        error_without_refit=float(predicted.std(ddof=1) / np.sqrt(len(predicted))) if len(predicted) > 1 else 0.0,
        slope=float(fitted[-1]),
        spread=spread,
    )


def _fit(columns_VC: Floats, scores_V: Floats, weights_BV: Floats, start: Floats, mean: Floats, pull: Floats) -> Floats:
    """Coefficients of every resample, (B, C), by Newton's method on all of them at once; `pull` is the precision."""
    count = columns_VC.shape[1]
    products_VH = (columns_VC[:, :, None] * columns_VC[:, None, :]).reshape(len(columns_VC), count * count)
    target = (weights_BV * scores_V) @ columns_VC
    beta = np.repeat(start[None], len(weights_BV), axis=0)
    for _ in range(60):
        expected = _logistic(beta @ columns_VC.T)
        variance = 1 - expected
        expected *= weights_BV
        gradient = target - expected @ columns_VC - pull * (beta - mean)
        variance *= expected
        curvature = (variance @ products_VH).reshape(-1, count, count) + np.diag(pull)
        step = np.linalg.solve(curvature, gradient[:, :, None])[:, :, 0]
        longest = np.abs(step).max(1, keepdims=True)
        beta += step / np.maximum(1, longest / 2)
        # Newton squares the error, so what is left after a step of this size is below 1e-8.
        if longest.max() < 1e-4:
            return beta
    raise LimakitError("the length-controlled fit did not settle", fix="Give it a stronger prior.")


def _rates(columns_VC: Floats, beta_BC: Floats, weights_BV: Floats) -> Floats:
    """Mean predicted score of every resample when no answer is longer."""
    if columns_VC.shape[1] == 2:
        return _logistic(beta_BC[:, 0].copy())
    predicted = _logistic(beta_BC[:, :-1] @ columns_VC[:, :-1].T)
    return (predicted * weights_BV).sum(1) / weights_BV.sum(1)


def _logistic(values: Floats) -> Floats:
    """1 / (1 + exp(-values)), in the place of `values` where that is an array of its own."""
    with np.errstate(over="ignore"):
        np.negative(values, out=values)
        np.exp(values, out=values)
    values += 1
    return np.reciprocal(values, out=values)
