"""Texts → words → 64-bit hashes, a batch at once in numpy: what duplicates, contamination and vectors are made of.

The hash is a fixed polynomial over the word's UTF-8 bytes modulo 2^64 with splitmix64's finaliser (Steele, Lea and
Flood 2014) on top: the same on every machine and in every run, which Python's `hash` is not.
"""

import codecs
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

U64 = np.uint64
Hashes = np.ndarray[tuple[int], np.dtype[np.uint64]]

_WORD = re.compile(r"(?=\w)[\u2e80-\u9fff\uac00-\ud7a3]|[^\W\u2e80-\u9fff\uac00-\ud7a3]+")
"""Runs of letters, digits and underscores; each character for itself in scripts that put no space between words."""
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)
_STEP = U64(0xD6E8FEB86659FD93)
_SPACE = ord(" ")
_PLAIN = bytes(ord(chr(code).lower()) if chr(code).isalnum() or chr(code) == "_" else _SPACE for code in range(128))
_PLAIN += bytes(range(128, 256))
"""What becomes of each byte of a text in UTF-8; those of characters beyond ASCII stay."""
_ALONE = re.compile(r"[\u2e80-\u9fff\uac00-\ud7a3]")
_SIGNS = re.compile(r"[^\w ]+")
BLOCK = 64
"""Texts hashed together: few enough to stay in the cache."""


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

    def part(self, begin: int, end: int) -> "Words":
        """Those of some texts."""
        starts = self.starts[begin : end + 1]
        return Words(self.hashes[starts[0] : starts[-1]], starts - starts[0])

    def owners(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """For each hash the number of its text."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))


def words_of(text: str) -> list[str]:
    """The words of a text in small letters, without punctuation; compatibility characters as their plain forms.

    A text of signs alone is one word.
    """
    words = _WORD.findall((text if text.isascii() else unicodedata.normalize("NFKC", text)).lower())
    return words or ["".join(text.split())] * bool(text.strip())


def _spaced(text: str) -> bytes:
    """`words_of` a text as UTF-8 with spaces between them, five times as fast."""
    text = text if text.isascii() else unicodedata.normalize("NFKC", text)
    found = text.encode("ascii", _BEYOND).translate(_PLAIN)
    return found if found.strip() else " ".join(words_of(text)).encode("utf-8", "surrogatepass")


def _beyond(error: UnicodeError) -> tuple[bytes, int]:
    """What becomes of a run of characters beyond ASCII, as the encoder asks: nothing else finds them as fast."""
    assert isinstance(error, UnicodeEncodeError)
    return _wide(error.object[error.start : error.end]), error.end


_BEYOND = "limakit.words"
codecs.register_error(_BEYOND, _beyond)


@lru_cache(maxsize=1 << 14)
def _wide(run: str) -> bytes:
    """Signs become spaces, and spaces part what is a word of its own. A lone surrogate, which JSON can smuggle in, has
    no UTF-8; it counts as its three-byte form."""
    return _SIGNS.sub(" ", _ALONE.sub(r" \g<0> ", run.lower())).encode("utf-8", "surrogatepass")


def hashed(texts: Sequence[str]) -> Words:
    """The words of each text as hashes."""
    blocks = [_hashed(texts[begin : begin + BLOCK]) for begin in range(0, len(texts), BLOCK)]
    return blocks[0] if len(blocks) == 1 else joined(blocks)


def joined(rows: Sequence[Words]) -> Words:
    """Several rows of texts as one."""
    counts = [np.diff(row.starts) for row in rows]
    starts = np.concatenate([[0], *counts]).astype(np.int64).cumsum()
    return Words(np.concatenate([np.zeros(0, U64), *(row.hashes for row in rows)]), starts)


def _hashed(texts: Sequence[str]) -> Words:
    data, begins, starts = _found([_spaced(text) for text in texts])
    if not len(begins):
        return Words(np.zeros(0, U64), starts)
    ends = np.flatnonzero((data[:-1] != _SPACE) & (data[1:] == _SPACE)) + 1
    powers, inverses = _powers(len(data).bit_length())
    sums = np.zeros(len(data) + 1, U64)
    np.cumsum((data + U64(1)) * powers[: len(data)], out=sums[1:])
    return Words(mixed((sums[ends] - sums[begins]) * inverses[begins]), starts)


def _found(parts: Sequence[bytes]) -> tuple[Any, Any, Any]:
    """All texts as one row of bytes that begins and ends with a space; where words begin; each text's first word."""
    data = np.frombuffer(b"".join((b" ", *(part + b" " for part in parts))), np.uint8)
    begins = np.flatnonzero((data[:-1] == _SPACE) & (data[1:] != _SPACE)) + 1
    offsets = np.concatenate([[1], 1 + np.cumsum([len(part) + 1 for part in parts], dtype=np.int64)])
    return data, begins, np.searchsorted(begins, offsets).astype(np.int64)


def filled(words: Words, least: int) -> Words:
    """The same texts, those of fewer than `least` words with so many blanks at their end; no word hashes like a
    blank."""
    lack = np.maximum(least - np.diff(words.starts), 0)
    if not lack.any():
        return words
    hashes = np.insert(words.hashes, np.repeat(words.starts[1:], lack), _BLANK)
    return Words(hashes, words.starts + np.concatenate([[0], np.cumsum(lack)]))


def runs(words: Words, sizes: Sequence[int]) -> Iterator[Hashes]:
    """For each size, in ascending order, a number for every run of so many words, the next text's included.

    What is yielded is changed by the next step.
    """
    count, long = len(words.hashes), 1
    row = words.hashes.copy()
    for size in sizes:
        for at in range(long, size):
            row[: max(0, count - at)] *= _STEP
            row[: max(0, count - at)] += words.hashes[at:]
        long = size
        yield row[: max(0, count - size + 1)]


def shingles(words: Words, size: int) -> Words:
    """Hashes of every run of `size` consecutive words; a text with fewer words has none."""
    if len(words.hashes) < size:
        return Words(np.zeros(0, U64), np.zeros_like(words.starts))
    (found,) = runs(words, [size])
    starts = np.concatenate([[0], np.cumsum(np.maximum(np.diff(words.starts) - size + 1, 0))])
    return Words(mixed(found[within(words, size)]), starts)


def within(words: Words, size: int) -> Any:
    """Where the runs of `size` words begin that end in their own text, of `size` words or more together."""
    whole = np.ones(len(words.hashes), bool)
    whole[(words.starts[1:, None] - np.arange(1, size)).ravel()] = False
    return np.flatnonzero(whole)


def fingerprints(words: Words) -> Hashes:
    """One number for the words of each text in their order; 0 for a text without any."""
    places = np.arange(len(words.hashes), dtype=U64) - np.repeat(words.starts[:-1].astype(U64), np.diff(words.starts))
    sums = np.zeros(len(words.hashes) + 1, U64)
    np.cumsum(mixed(words.hashes + places * _STEP), out=sums[1:])
    return sums[words.starts[1:]] - sums[words.starts[:-1]]


def mixed(values: Hashes) -> Hashes:
    """Each number with its bits spread evenly, one to one; the array itself is changed."""
    values ^= values >> U64(30)
    values *= U64(0xBF58476D1CE4E5B9)
    values ^= values >> U64(27)
    values *= U64(0x94D049BB133111EB)
    values ^= values >> U64(31)
    return values


_BLANK = mixed(np.ones(1, U64))[0]
"""The hash of a zero byte, which parts words and so is in none."""


@lru_cache(maxsize=32)
def _powers(bits: int) -> tuple[Hashes, Hashes]:
    """2^bits powers of the base, 0, 1, …, and their inverses, modulo 2^64."""
    found = []
    for base in (_BASE, _INVERSE):
        row = np.full(1 << bits, base, U64)
        row[0] = 1
        found.append(np.cumprod(row))
    return found[0], found[1]
