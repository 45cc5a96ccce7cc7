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
        words = (hashed(sample[begin : begin + 512]) for begin in range(0, len(sample), 512))
        self._weigh(len(sample), sum((occurring(some) for some in words), np.zeros(FEATURES, np.int64)))

    @classmethod
    def counted(cls, texts: int, found: Any) -> "Weights":
        """Of so many texts, `found` in how many each feature `occurring`; 0 where there are no texts at all."""
        weights = cls.__new__(cls)
        weights._weigh(texts, found + np.zeros(FEATURES, np.int64))
        return weights

    def _weigh(self, texts: int, found: Any) -> None:
        self._of_word = (np.log((1 + texts) / (1 + found)) + 1).astype(np.float32)

    def rows(self, words: Words) -> Any:
        """CSR matrix (texts, FEATURES) of unit rows, (1 + ln count) times the word's weight; of no words, zeros.

        The product of two rows is the cosine of the texts.
        """
        from scipy import sparse  # here, because it takes a third of a second, which the paper's selection can save

        texts = len(words.starts) - 1
        features, starts, counts = _counted(words.hashes, words.owners(), texts)
        data = (1 + np.log(counts.astype(np.float32))) * self._of_word[features]
        sizes = lengths(data, starts)
        data /= np.repeat(np.where(sizes > 0, sizes, 1).astype(np.float32), np.diff(starts))
        return sparse.csr_matrix((data, features, starts), shape=(texts, FEATURES))


def occurring(words: Words, *more: tuple[Words, Any]) -> Any:
    """In how many texts each feature occurs, int64 (FEATURES,); `more` words count as those of the texts that are
    named beside them."""
    texts = len(words.starts) - 1
    hashes = np.concatenate([words.hashes, *(other.hashes for other, _ in more)])
    owners = np.concatenate([words.owners(), *(owners[other.owners()] for other, owners in more)])
    return np.bincount(_counted(hashes, owners, texts)[0], minlength=FEATURES)


def lengths(data: Any, starts: Any) -> Any:
    """The length of each row, float64; `starts` says where each begins in `data`, and where the last one ends."""
    squares = np.concatenate([[0], np.cumsum(data.astype(np.float64) ** 2)])
    return np.sqrt(squares[starts[1:]] - squares[starts[:-1]])


def _counted(hashes: Any, owners: Any, texts: int) -> tuple[Any, Any, Any]:
    """The features of each text, int32, where each text's begin, one more than there are texts, and how often each
    occurs."""
    kind = np.uint32 if texts << BITS <= 1 << 32 else np.uint64  # the former sorts twice as fast
    places = owners.astype(kind)
    places <<= kind(BITS)
    places |= (hashes >> U64(64 - BITS)).astype(kind)
    places.sort()
    new = np.flatnonzero(np.concatenate([[True] * bool(len(places)), places[1:] != places[:-1]]))
    counts = np.diff(new, append=len(places))
    places = places[new]
    starts = np.searchsorted(places, np.arange(texts + 1, dtype=np.uint64) << U64(BITS))
    return (places & kind(FEATURES - 1)).astype(np.int32), starts.astype(np.int32), counts
