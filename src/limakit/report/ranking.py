"""Davidson's model (1970): Bradley-Terry worths for every system, with ties modelled rather than split.

    P(i wins) = w_i / D,   P(tie) = nu sqrt(w_i w_j) / D,   D = w_i + w_j + nu sqrt(w_i w_j)

In log worths this is an exponential family with a concave likelihood, so Newton's method finds the one maximum. Errors
are those of the maximum when whole prompts are drawn (the clustered sandwich; Liang and Zeger 1986).
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from limakit.errors import LimakitError

Floats = NDArray[np.float64]


def davidson(pairs_M2: NDArray[np.int64], counts_BM3: Floats, *, systems: int, prior: float = 0.0) -> Floats:
    """Log worths (sum 0) and log nu of every batch, (B, systems + 1).

    `pairs_M2` names the two systems of each match-up; `counts_BM3` its wins of the first, ties, wins of the second.
    `prior` is the precision of a normal prior around equal worths and nu = 1: with 0 it is maximum likelihood, which
    does not exist where a system never wins or never loses, or where there is no tie; LimakitError is raised then.
    """
    batch, size = counts_BM3.shape[0], systems + 1
    features, level = _features(pairs_M2, systems), _level(systems)
    theta = np.zeros((batch, size))
    matches = counts_BM3.sum(2)
    for _ in range(100):
        share = _shares(features, theta)
        gradient = np.einsum("bmk,mkp->bp", counts_BM3 - matches[:, :, None] * share, features) - prior * theta
        curvature = _curvature(features, matches, share)
        # The likelihood does not feel a common shift of all log worths; `level` pins their sum at 0.
        step = _solve(curvature + level + prior * np.eye(size), gradient)
        longest = np.abs(step).max(1, keepdims=True)
        theta = theta + step / np.maximum(1, longest / 2)
        if longest.max() < 1e-10:
            theta[:, :-1] -= theta[:, :-1].mean(1, keepdims=True)
            return theta
    raise LimakitError(
        "the ranking has no maximum: a system never wins or never loses, or there is no tie", fix="Use a prior above 0."
    )


OPEN = 4
"""Where the variance over prompts is so many times smaller than that of the likelihood and the prior, the verdicts
leave a worth open (a system that never wins), and that of the likelihood is told."""


def worths(
    pairs_M2: NDArray[np.int64], counts_PM3: Floats, *, systems: int, prior: float, confidence: float
) -> tuple[Floats, Floats, Floats, float]:
    """Log worths (sum 0), the lower and the upper ends of their intervals, and nu, from the counts of P prompts.

    An interval is Student's quantile with P - 1 degrees of freedom times the clustered error, either way; with fewer
    than two prompts its ends are infinite. Raises LimakitError as `davidson` does.
    """
    prompts = len(counts_PM3)
    theta = davidson(pairs_M2, counts_PM3.sum(0)[None], systems=systems, prior=prior)
    found, nu = theta[0, :-1], float(np.exp(theta[0, -1]))
    if prompts < 2:
        return found, np.full(systems, -np.inf), np.full(systems, np.inf), nu
    features = _features(pairs_M2, systems)
    share, matches_PM = _shares(features, theta), counts_PM3.sum(2)
    curvature = _curvature(features, matches_PM.sum(0)[None], share)[0]
    inverse = np.linalg.inv(curvature + _level(systems) + prior * np.eye(systems + 1))
    pulls = np.einsum("pmk,mkq->pq", counts_PM3 - matches_PM[:, :, None] * share, features)
    clustered = prompts / (prompts - 1) * np.diag(inverse @ (pulls.T @ pulls) @ inverse)[:-1]
    # What the pinned sum adds to the inverse is nothing that a worth can vary by.
    fitted = np.diag(inverse)[:-1] - 1 / (systems * (1 + prior))
    variance = np.where(clustered < fitted / OPEN, fitted, clustered)
    half = -stdtrit(prompts - 1, (1 - confidence) / 2) * np.sqrt(variance)
    return found, found - half, found + half, nu


def _features(pairs_M2: NDArray[np.int64], systems: int) -> Floats:
    """(M, 3, systems + 1): what log worths and log nu add to the score of each of a match-up's three results."""
    features, rows = np.zeros((len(pairs_M2), 3, systems + 1)), np.arange(len(pairs_M2))
    features[rows, 0, pairs_M2[:, 0]] = 1
    features[rows, 2, pairs_M2[:, 1]] = 1
    features[:, 1, :] = (features[:, 0] + features[:, 2]) / 2
    features[:, 1, -1] = 1
    return features


def _level(systems: int) -> Floats:
    """What pins the sum of log worths, and leaves nu alone."""
    level = np.zeros((systems + 1, systems + 1))
    level[:-1, :-1] = 1 / systems
    return level


def _shares(features: Floats, theta_BP: Floats) -> Floats:
    """(B, M, 3): the probability of each result."""
    score = (theta_BP @ features.reshape(-1, features.shape[2]).T).reshape(len(theta_BP), -1, 3)
    share = np.exp(score - score.max(2, keepdims=True))
    return share / share.sum(2, keepdims=True)


def _curvature(features: Floats, matches_BM: Floats, share_BM3: Floats) -> Floats:
    """(B, P, P): minus the second derivative of the log likelihood."""
    mean = np.einsum("bmk,mkp->bmp", share_BM3, features)
    expected = matches_BM[:, :, None] * share_BM3
    flat = features.reshape(-1, features.shape[2])
    curvature = (flat.T * expected.reshape(len(expected), 1, -1)) @ flat
    return curvature - (mean.swapaxes(1, 2) * matches_BM[:, None, :]) @ mean


def _solve(matrices: Floats, vectors: Floats) -> Floats:
    try:
        return np.linalg.solve(matrices, vectors[:, :, None])[:, :, 0].astype(np.float64)
    except np.linalg.LinAlgError:
        raise LimakitError(
            "the ranking is not determined: some systems are not connected by verdicts", fix="Use a prior above 0."
        ) from None
