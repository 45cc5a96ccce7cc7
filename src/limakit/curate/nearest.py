"""For each of many texts the nearest of some targets by cosine, where it is near enough; exact, mostly not computed.

Words that many targets have cost most and say least. They are left out of the product at first; how much they could add
is bounded by the lengths of what is left out (Cauchy and Schwarz), and only pairs that could still be near are computed
in full.
"""

from typing import Any

import numpy as np
from scipy import sparse

from limakit.curate.tfidf import FEATURES, lengths

COMMON = 0.02
"""Share of the targets from which a word counts as one that many have."""
SLACK = 1e-4
"""More than rounding in float32 can take from a bound."""


class Nearest:
    """Targets as unit rows, CSR (targets, FEATURES), to be searched for cosines of `least` and above."""

    def __init__(self, targets: Any, least: float):
        self._targets, self._least = targets, least
        held = np.bincount(targets.indices, minlength=FEATURES)
        self._common = held > max(1, COMMON * targets.shape[0])
        rare, self._left_out = self._parts(targets)
        self._rare = rare.T.tocsr()

    def best(self, rows: Any) -> tuple[Any, Any]:
        """For unit rows, CSR: the number of the nearest target, or -1 where none is near enough, and the cosine."""
        found, cosines = np.full(rows.shape[0], -1), np.zeros(rows.shape[0], np.float32)
        if not self._targets.shape[0]:
            return found, cosines
        rare, left_out = self._parts(rows)
        product = (rare @ self._rare).tocoo()
        most = product.data + left_out[product.row] * self._left_out[product.col]
        keep = most >= self._least - SLACK
        whole = np.flatnonzero(left_out * self._left_out.max() >= self._least - SLACK)
        count = self._targets.shape[0]
        pairs = np.unique(
            np.concatenate(
                [
                    product.row[keep].astype(np.int64) * count + product.col[keep],
                    (whole[:, None] * count + np.arange(count)).ravel(),
                ]
            )
        )
        at, of = pairs // count, pairs % count
        near = np.asarray(rows[at].multiply(self._targets[of]).sum(axis=1), np.float32).ravel()
        order = np.lexsort((of, -near, at))
        first = order[np.unique(at[order], return_index=True)[1]]
        first = first[near[first] >= self._least]
        found[at[first]], cosines[at[first]] = of[first], near[first]
        return found, cosines

    def _parts(self, rows: Any) -> tuple[Any, Any]:
        """The rows without common words, and the lengths of what that takes out of them."""
        rare = ~self._common[rows.indices]
        starts = np.concatenate([[0], np.cumsum(rare)])[rows.indptr]
        kept = sparse.csr_matrix((rows.data[rare], rows.indices[rare], starts), rows.shape)
        return kept, np.sqrt(np.maximum(lengths(rows) ** 2 - lengths(kept) ** 2, 0))
