"""Texts as weighted words (TF-IDF): hashed features, so that no vocabulary grows with the pool."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from limakit.curate.words import U64, Words, hashed

BITS = 18
FEATURES = 1 << BITS


class Weights:
    """How telling each word is: ln((1 + texts) / (1 + texts with it)) + 1, counted on a sample of texts."""

    def __init__(self, sample: Sequence[str]):
        found = np.zeros(FEATURES, np.int64)
        for begin in range(0, len(sample), 512):
            found += np.bincount(_counted(hashed(sample[begin : begin + 512])).indices, minlength=FEATURES)
        self._of_word = (np.log((1 + len(sample)) / (1 + found)) + 1).astype(np.float32)

    def rows(self, words: Words) -> Any:
        """CSR matrix (texts, FEATURES) of unit rows, (1 + ln count) times the word's weight; of no words, zeros.

        The product of two rows is the cosine of the texts.
        """
        matrix = _counted(words)
        matrix.data = (1 + np.log(matrix.data)) * self._of_word[matrix.indices]
        sizes = lengths(matrix)
        matrix.data /= np.repeat(np.where(sizes > 0, sizes, 1).astype(np.float32), np.diff(matrix.indptr))
        return matrix


def lengths(matrix: Any) -> Any:
    """The length of each row, float64."""
    squares = np.concatenate([[0], np.cumsum(matrix.data.astype(np.float64) ** 2)])
    return np.sqrt(squares[matrix.indptr[1:]] - squares[matrix.indptr[:-1]])


def _counted(words: Words) -> Any:
    """How often each feature occurs in each text."""
    from scipy import sparse  # here, because it takes a third of a second, which the paper's selection can save

    places, counts = np.unique(
        words.owners() << BITS | (words.hashes >> U64(64 - BITS)).astype(np.int64), return_counts=True
    )
    starts = np.searchsorted(places, np.arange(len(words.starts)) << BITS)
    return sparse.csr_matrix(
        (counts.astype(np.float32), places & (FEATURES - 1), starts), shape=(len(words.starts) - 1, FEATURES)
    )
