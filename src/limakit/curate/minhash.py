"""Near-duplicates: MinHash signatures of word shingles, and banded look-up (Broder 1997; Leskovec et al., ch. 3).

The share of equal places in two signatures estimates the Jaccard similarity of the texts' sets of shingles; with 256
places its standard error is at most 0.032. A text's shingles are first parted into four by two bits of their hash, and
each of 64 functions gives the least of every part: a quarter of the work of 256 functions over all of them, and as good
an estimate (after one permutation hashing: Li, Owen and Zhang 2012). Of each place 16 bits are kept (Li and König
2010), 512 bytes a text.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limakit.curate.words import BLOCK, U64, Hashes, Words, filled, hashed, mixed, shingles

PLACES = 256
PARTS = 4
"""Parts of a text's shingles; those of a block of texts together are counted in a byte."""
TURNS = PLACES // PARTS
SHINGLE = 5
"""Words in a shingle."""
MOST_MISSED = 1e-3
"""Share of pairs just at the threshold that the look-up may miss."""

Signatures = np.ndarray[tuple[int, int], np.dtype[np.uint16]]


def _drawn(stream: int) -> np.ndarray[tuple[int], np.dtype[np.uint32]]:
    """`TURNS` fixed pseudo-random numbers."""
    return (mixed(np.arange(TURNS, dtype=U64) + U64(stream << 32)) >> U64(32)).astype(np.uint32)


_FACTORS, _SHIFTS = _drawn(1) | np.uint32(1), _drawn(2)
_SPREAD = np.uint32(0x9E3779B1)
_TURN = U64(0x9E3779B97F4A7C15)
_NOTHING = np.uint32(0xFFFFFFFF)


@dataclass(frozen=True, slots=True)
class Repeat:
    """A text that another one says already."""

    of: int
    """Number of the text that stays."""
    similarity: float
    """Estimated Jaccard similarity of their shingles."""


def signatures(texts: Sequence[str]) -> Signatures:
    """MinHash signatures, shape (texts, PLACES)."""
    return marked(hashed(texts))


def marked(words: Words) -> Signatures:
    """`signatures` of texts whose words are hashed."""
    texts = len(words.starts) - 1
    blocks = [words.part(begin, min(begin + BLOCK, texts)) for begin in range(0, texts, BLOCK)]
    return np.concatenate([np.empty((0, PLACES), np.uint16), *map(_marked, blocks)])


def _marked(words: Words) -> Signatures:
    """Those of a block: its shingles stay in the cache."""
    texts = len(words.starts) - 1
    cut = shingles(filled(words, SHINGLE), SHINGLE)
    parts = (cut.owners() * PARTS).astype(np.uint8) | (cut.hashes % U64(PARTS)).astype(np.uint8)
    sizes = np.bincount(parts, minlength=texts * PARTS)
    some = np.flatnonzero(sizes)
    starts = (np.cumsum(sizes) - sizes)[some]
    high = (cut.hashes >> U64(32)).astype(np.uint32)[np.argsort(parts, kind="stable")]
    least, values = np.full((TURNS, texts * PARTS), _NOTHING), np.empty_like(high)
    for turn in range(TURNS):
        np.multiply(high, _FACTORS[turn], out=values)
        np.add(values, _SHIFTS[turn], out=values)
        least[turn, some] = np.minimum.reduceat(values, starts)
    if len(some) < texts * PARTS:  # an empty part has the least of the whole text, as it has in a text with the same
        whole = np.repeat(least.reshape(TURNS, texts, PARTS).min(axis=2), PARTS, axis=1)
        least = np.where(sizes > 0, least, whole)
    places = ((least * _SPREAD) >> np.uint32(16)).astype(np.uint16)
    return places.reshape(TURNS, texts, PARTS).transpose(1, 0, 2).reshape(texts, PLACES)


def near_duplicates(marks: Signatures, order: Sequence[int], least: float) -> dict[int, Repeat]:
    """Texts at least `least` similar to one that stays, by number; `order` lists the numbers that count, the best text
    first.

    A text goes where one that comes before it in `order` and stays itself is similar enough; of several, the most
    similar one is named, of equals the first by number. So a chain of small changes does not carry a text away whose
    ends have little in common.
    """
    owners, buckets = _shared_buckets(marks, rows_for(least))
    ranked, turns = np.array(order, np.int64), np.full(len(marks), -1)
    turns[ranked] = np.arange(len(ranked))
    sharing = ranked[np.bincount(owners, minlength=len(marks))[ranked] > 0].tolist()
    buckets_of, texts_in = _grouped(owners, buckets), _grouped(buckets, owners)
    of, similarity = np.full(len(marks), -1), np.zeros(len(marks))
    for number in sharing:
        if of[number] >= 0:
            continue
        near = _distinct(np.sort(np.concatenate([texts_in(bucket) for bucket in buckets_of(number).tolist()])))
        near = near[turns[near] > turns[number]]
        equal = np.mean(marks[near] == marks[number], axis=1)
        before = similarity[near]
        closer = (equal >= least) & ((equal > before) | ((equal == before) & (number < of[near])))
        of[near[closer]], similarity[near[closer]] = number, equal[closer]
    return {number: Repeat(int(of[number]), float(similarity[number])) for number in sharing if of[number] >= 0}


def rows_for(least: float) -> int:
    """Places in a band: as many as leave at most `MOST_MISSED` of the pairs at the threshold without a common band."""
    fit = [r for r in range(1, 33) if (1 - least**r) ** (PLACES // r) <= MOST_MISSED]
    return max(fit, default=1)


def _shared_buckets(marks: Signatures, rows: int) -> tuple[Any, Any]:
    """Numbers of texts that share a band with another, once for each such band, and beside them that of the bucket
    which they share."""
    owners, numbers, count = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for band in range(PLACES // rows):
        keys = _joined(marks[:, band * rows : (band + 1) * rows])
        ordered = np.sort(keys)
        shared = _distinct(ordered[1:][ordered[1:] == ordered[:-1]])
        seen = np.zeros(1 << 16, bool)  # most keys are seen at once to be nobody else's
        seen[shared >> U64(48)] = True
        maybe = np.flatnonzero(seen[keys >> U64(48)])
        buckets = np.searchsorted(shared, keys[maybe])
        sure = shared[np.minimum(buckets, len(shared) - 1)] == keys[maybe]
        owners.append(maybe[sure])
        numbers.append(buckets[sure] + count)
        count += len(shared)
    return np.concatenate(owners), np.concatenate(numbers)


def _distinct(ordered: Any) -> Any:
    """The numbers of an ascending row, each once; `np.unique` would import all of numpy.ma."""
    return ordered[np.append(ordered[1:] != ordered[:-1], True)[: len(ordered)]]


def _grouped(keys: Any, values: Any) -> Callable[[int], Any]:
    """Which of the values stand beside a key, in their order."""
    ordered = values[np.argsort(keys, kind="stable")]
    starts = np.concatenate([[0], np.cumsum(np.bincount(keys))])
    return lambda key: ordered[starts[key] : starts[key + 1]]


def _joined(columns: Signatures) -> Hashes:
    """One number for the places of a band."""
    total = np.zeros(len(columns), U64)
    for column in columns.T:
        total += column
        total *= _TURN
    return total
