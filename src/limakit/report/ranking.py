"""Davidson's model (1970): Bradley-Terry worths for every system, with ties modelled rather than split.

    P(i wins) = w_i / D,   P(tie) = nu sqrt(w_i w_j) / D,   D = w_i + w_j + nu sqrt(w_i w_j)

In log worths this is an exponential family with a concave likelihood, so Newton's method finds the one maximum. All
resamples are fitted at once.
"""

import numpy as np
from numpy.typing import NDArray

from limakit.errors import LimakitError

Floats = NDArray[np.float64]


def davidson(pairs_M2: NDArray[np.int64], counts_BM3: Floats, *, systems: int, prior: float = 0.0) -> Floats:
    """Log worths (sum 0) and log nu of every batch, (B, systems + 1).

    `pairs_M2` names the two systems of each match-up; `counts_BM3` its wins of the first, ties, wins of the second.
    `prior` is the precision of a normal prior around equal worths and nu = 1: with 0 it is maximum likelihood, which
    does not exist where a system never wins or never loses, or where there is no tie; LimakitError is raised then.
    """
    batch, size = counts_BM3.shape[0], systems + 1
    features = np.zeros((len(pairs_M2), 3, size))
    rows = np.arange(len(pairs_M2))
    features[rows, 0, pairs_M2[:, 0]] = 1
    features[rows, 2, pairs_M2[:, 1]] = 1
    features[:, 1, :] = (features[:, 0] + features[:, 2]) / 2
    features[:, 1, -1] = 1
    level = np.zeros((size, size))
    level[:-1, :-1] = 1 / systems
    theta = np.zeros((batch, size))
    matches = counts_BM3.sum(2)
    for _ in range(100):
        score = theta @ features.reshape(-1, size).T
        score = score.reshape(batch, -1, 3)
        share = np.exp(score - score.max(2, keepdims=True))
        share /= share.sum(2, keepdims=True)
        expected = matches[:, :, None] * share
        gradient = np.einsum("bmk,mkp->bp", counts_BM3 - expected, features) - prior * theta
        mean = np.einsum("bmk,mkp->bmp", share, features)
        curvature = np.einsum("bmk,mkp,mkq->bpq", expected, features, features, optimize=True)
        curvature -= np.einsum("bm,bmp,bmq->bpq", matches, mean, mean, optimize=True)
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


def _solve(matrices: Floats, vectors: Floats) -> Floats:
    try:
        return np.linalg.solve(matrices, vectors[:, :, None])[:, :, 0].astype(np.float64)
    except np.linalg.LinAlgError:
        raise LimakitError(
            "the ranking is not determined: some systems are not connected by verdicts", fix="Use a prior above 0."
        ) from None
