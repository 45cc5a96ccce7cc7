"""For each of many texts the nearest of some targets by cosine, where it is near enough; exact, mostly not computed.

Words that many targets have cost most and say least. They are left out of the product at first; how much they could add
is bounded by the lengths of what is left out (Cauchy and Schwarz). Texts that could still be near a target are
multiplied with the common words too, as a dense matrix; what is near by that sum is computed once more in full, so that
a decision does not depend on the order in which a product adds.
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
        self._column = np.cumsum(self._common, dtype=np.int32) - 1
        self._left_out = self._lengths(targets)
        rare = targets.copy()
        rare.data = np.where(self._common[rare.indices], 0, rare.data)
        rare.eliminate_zeros()
        self._rare, self._dense = rare.T.tocsr(), np.ascontiguousarray(self._columns(targets).toarray().T)

    def best(self, rows: Any) -> tuple[Any, Any]:
        """For unit rows, CSR: the number of the nearest target, or -1 where none is near enough, and the cosine."""
        found, cosines = np.full(rows.shape[0], -1), np.zeros(rows.shape[0], np.float32)
        if not self._targets.shape[0]:
            return found, cosines
        enough = self._least - SLACK
        left_out = self._lengths(rows)
        product = rows @ self._rare  # which holds nothing in the columns of common words
        owners = np.repeat(np.arange(rows.shape[0]), np.diff(product.indptr))
        most = product.data + left_out[owners] * self._left_out[product.indices]
        maybe = left_out * self._left_out.max() >= enough
        maybe[owners[most >= enough]] = True
        here = np.flatnonzero(maybe)
        if not len(here):
            return found, cosines
        at, of = np.nonzero(product[here].toarray() + self._columns(rows[here]) @ self._dense >= enough)
        at = here[at]
        near = np.asarray(rows[at].multiply(self._targets[of]).sum(axis=1), np.float32).ravel()
        order = np.lexsort((of, -near, at))
        first = order[np.unique(at[order], return_index=True)[1]]
        first = first[near[first] >= self._least]
        found[at[first]], cosines[at[first]] = of[first], near[first]
        return found, cosines

    def _lengths(self, rows: Any) -> Any:
        """The length of each row's part in common words, float64."""
        return lengths(rows.data * self._common[rows.indices], rows.indptr)

    def _columns(self, rows: Any) -> Any:
        """The common words of the rows alone, as columns of their own."""
        common = self._common[rows.indices]
        starts = np.concatenate([[0], np.cumsum(common)])[rows.indptr]
        return sparse.csr_matrix(
            (rows.data[common], self._column[rows.indices[common]], starts),
            (rows.shape[0], np.count_nonzero(self._common)),
        )
