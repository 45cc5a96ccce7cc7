"""Texts as vectors whose products are exact, so that a selection does not depend on how a machine adds.

The light default is TF-IDF of hashed words reduced by truncated SVD (latent semantic analysis, Deerwester et al. 1990),
learnt from the pool itself; any function from texts to vectors does as well.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from limakit.curate.tfidf import BITS, Weights
from limakit.curate.words import hashed

Embed = Callable[[Sequence[str]], Any]
"""Texts → array (texts, dimensions) of floats."""
DIMENSIONS = 128
FIT = 10_000
"""Texts from which the light vectors are learnt: at most so many, evenly spread."""
SCALE = 4000
"""Length of a whole-numbered vector. The partial sums of a product stay below 2^24, where float32 is still exact."""
_FOLD = 2
"""Bits of the hashed features given up for a smaller SVD."""


class Latent:
    """TF-IDF and SVD, learnt from a sample; called with texts it gives their vectors, float32 (texts, ≤ DIMENSIONS)."""

    def __init__(self, sample: Sequence[str]):
        # Here, because scikit-learn takes a second and 100 MB, and the paper's selection needs it not.
        from sklearn.decomposition import TruncatedSVD
        from threadpoolctl import threadpool_limits

        self._weights = Weights(sample)
        rows = self._rows(sample)
        used = np.union1d(rows.indices, [0, 1])  # the SVD wants two features even where there is one word
        narrow = type(rows)((rows.data, np.searchsorted(used, rows.indices), rows.indptr), (len(sample), len(used)))
        with threadpool_limits(1), np.errstate(invalid="ignore"):  # of a single text the explained share is 0/0
            svd = TruncatedSVD(min(DIMENSIONS, len(sample), len(used)), n_iter=3, random_state=0).fit(narrow)
        found: Any = svd.components_
        self._directions = np.zeros((rows.shape[1], len(found)), np.float32)
        self._directions[used] = found.T

    def __call__(self, texts: Sequence[str]) -> Any:
        return self._rows(texts) @ self._directions

    def _rows(self, texts: Sequence[str]) -> Any:
        rows = self._weights.rows(hashed(texts))
        return type(rows)((rows.data, rows.indices >> _FOLD, rows.indptr), shape=(rows.shape[0], 1 << (BITS - _FOLD)))


def whole(vectors: Any) -> Any:
    """Vectors of length SCALE with whole numbers, int16, same shape; a vector of zeros stays one."""
    vectors = np.asarray(vectors, np.float64)
    sizes = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.rint(vectors * (SCALE / np.where(sizes > 0, sizes, 1))).astype(np.int16)
