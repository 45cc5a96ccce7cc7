"""Texts → words → 64-bit hashes, a batch at once in numpy: what duplicates, contamination and vectors are made of.

The hash is a fixed polynomial over the word's UTF-8 bytes modulo 2^64 with splitmix64's finaliser (Steele, Lea and
Flood 2014) on top: the same on every machine and in every run, which Python's `hash` is not.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain

import numpy as np

U64 = np.uint64
Hashes = np.ndarray[tuple[int], np.dtype[np.uint64]]

_WORD = re.compile(r"[\u2e80-\u9fff\uac00-\ud7a3]|[^\W\u2e80-\u9fff\uac00-\ud7a3]+")
"""Runs of letters, digits and underscores; each character for itself in scripts that put no space between words."""
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_STEP = U64(0xD6E8FEB86659FD93)
_BLANK = "\x00"
"""Stands for a word in texts that have too few; no word contains it."""


@dataclass(frozen=True, slots=True)
class Words:
    """The words of several texts in one row."""

    hashes: Hashes
    """One number a word or shingle."""
    starts: np.ndarray[tuple[int], np.dtype[np.int64]]
    """Where each text begins, and the end of the last: one more than there are texts."""

    def of(self, number: int) -> Hashes:
        """The hashes of one text."""
        return self.hashes[self.starts[number] : self.starts[number + 1]]

    def owners(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """For each hash the number of its text."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, without punctuation; compatibility characters as their plain forms.

    A text of signs alone is one word.
    """
    words = _WORD.findall((text if text.isascii() else unicodedata.normalize("NFKC", text)).lower())
    return words or ["".join(text.split())] * bool(text.strip())


def hashed(texts: Sequence[str], least: int = 0) -> Words:
    """The words of each text as hashes; a text with fewer than `least` words is filled up with blanks."""
    rows = [words_of(text) for text in texts]
    rows = [row if len(row) >= least else row + [_BLANK] * (least - len(row)) for row in rows]
    starts = np.zeros(len(rows) + 1, np.int64)
    np.cumsum([len(row) for row in rows], out=starts[1:])
    # A lone surrogate, which JSON can smuggle in, has no UTF-8; it counts as its three-byte form.
    data = np.frombuffer((" ".join(chain.from_iterable(rows)) + " ").encode("utf-8", "surrogatepass"), np.uint8)
    if not starts[-1]:
        return Words(np.zeros(0, U64), starts)
    ends = np.flatnonzero(data == ord(" "))
    begins = np.concatenate([[0], ends[:-1] + 1])
    powers, inverses = _powers(1 << len(data).bit_length())
    sums = np.zeros(len(data) + 1, U64)
    np.cumsum((data + U64(1)) * powers[: len(data)], out=sums[1:])
    return Words(mixed((sums[ends] - sums[begins]) * inverses[begins]), starts)


def shingles(words: Words, size: int) -> Words:
    """Hashes of every run of `size` consecutive words; a text with fewer words has none."""
    count = len(words.hashes) - size + 1
    if count <= 0:
        return Words(np.zeros(0, U64), np.zeros_like(words.starts))
    joined = words.hashes[:count].copy()
    for at in range(1, size):
        joined *= _STEP
        joined += words.hashes[at : at + count]
    owners = words.owners()
    whole = owners[:count] == owners[size - 1 :]
    starts = np.concatenate([[0], np.cumsum(np.maximum(np.diff(words.starts) - size + 1, 0))])
    return Words(mixed(joined[whole]), starts)


def mixed(values: Hashes) -> Hashes:
    """Each number with its bits spread evenly, one to one; the array itself is changed."""
    values ^= values >> U64(30)
    values *= U64(0xBF58476D1CE4E5B9)
    values ^= values >> U64(27)
    values *= U64(0x94D049BB133111EB)
    values ^= values >> U64(31)
    return values


@lru_cache(maxsize=2)
def _powers(size: int) -> tuple[Hashes, Hashes]:
    """The base's powers 0, 1, … and their inverses, modulo 2^64."""
    found = []
    for base in (_BASE, _INVERSE):
        row = np.full(size, base, U64)
        row[0] = 1
        found.append(np.cumprod(row))
    return found[0], found[1]
