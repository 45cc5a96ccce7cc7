"""Contamination: what a training candidate has in common with dev and test prompts and their references.

Five rules, the plainest first: the same post or thread; the same text; the same run of words (Brown et al. 2020,
appendix C: 13 words; a text of 8 to 12 words counts as one run); the same words by TF-IDF cosine, prompt against prompt
and response against reference; the same author. A sixth, by meaning, is in `meaning`.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from typing import Any, Literal, NamedTuple

import numpy as np

from limakit.curate.features import Features, authors_of, named, names, posts_of, reply_of
from limakit.curate.tfidf import Weights
from limakit.curate.words import U64, Hashes, Words, fingerprints, hashed, joined, runs, within
from limakit.recipe import Curate
from limakit.records import Candidate, Prompt

LEAST_WORDS = 8
"""A text of fewer words is too short for its words in a row to say anything."""
_SIEVE = 22
"""Most bits of a run by which most runs are seen at once to be none of the targets'."""
RULES = ("same_thread", "same_text", "same_run", "same_words", "same_meaning", "same_author")
Name = Literal["dev", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What training must not have seen: one prompt in all its forms, and its reference."""

    id: str
    split: Name
    prompts: tuple[str, ...]
    reference: str
    """Empty where there is none."""
    posts: frozenset[str]
    authors: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """Why a candidate is contaminated."""

    rule: str
    target: Target
    detail: str

    def told(self) -> str:
        """One line for the reject log."""
        return f"{self.target.split} {self.target.id}" + (f": {self.detail}" if self.detail else "")


def target_of(item: Prompt | Candidate, split: Name) -> Target:
    """A given prompt, or a candidate that is held out."""
    if isinstance(item, Candidate):
        prompts, reference = item.prompts, reply_of(item)
    else:
        prompts = tuple(turn.content for turn in item.messages if turn.role == "user")
        reference = item.reference or ""
    return Target(
        id=item.id,
        split=split,
        prompts=prompts,
        reference=reference,
        posts=posts_of(item),
        authors=authors_of(item.provenance),
    )


class Hit(NamedTuple):
    """What a gate has against a candidate."""

    candidate: int
    """Its number among those checked."""
    rule: str
    target: int
    detail: str
    run: tuple[int, int, int] | None = None
    """For a run of words: the number of the prompt, -1 for the response, the first word and how many."""


class Gate:
    """Checks candidates against all targets. It holds numbers alone, so it is small enough to be sent to workers."""

    def __init__(self, targets: Sequence[Target], settings: Curate, weights: Weights):
        from limakit.curate.nearest import Nearest  # here, because SciPy takes a third of a second

        self._weights, self._strict = weights, settings.same_author == "reject"
        self._posts = _Names((post, at) for at, target in enumerate(targets) for post in sorted(target.posts))
        self._authors = _Names((who, at) for at, target in enumerate(targets) for who in sorted(target.authors))
        prompts = [(text, at) for at, target in enumerate(targets) for text in target.prompts]
        references = [(target.reference, at) for at, target in enumerate(targets)]
        self._texts: dict[str, dict[int, int]] = {}
        self._near: dict[str, tuple[Nearest, list[int]]] = {}
        for kind, texts in (("prompt", prompts), ("reference", references)):
            owners = [at for text, at in texts if text.strip()]
            words = hashed([text for text, _ in texts if text.strip()])
            self._texts[kind] = _first(zip(fingerprints(words).tolist(), owners, strict=True))
            if settings.contamination_cosine:
                self._near[kind] = (Nearest(weights.rows(words), settings.contamination_cosine), owners)
        self._runs = _Runs(prompts + references, settings.contamination_run)

    def check(self, some: Features) -> list[Hit]:
        """The first rule against each candidate that has any, in the candidates' order."""
        at = np.arange(len(some.replies.starts) - 1)
        texts = (
            ("prompt", some.owners, some.prompts, some.prompt_prints),
            ("reference", at, some.replies, some.reply_prints),
        )
        found: dict[int, Hit] = {}
        for hit in chain(
            self._posts.hits("same_thread", some.posts),
            *(self._same_text(kind, owners, prints) for kind, owners, _, prints in texts),
            *(self._same_run(kind, owners, words) for kind, owners, words, _ in texts),
            *(self._same_words(kind, owners, words) for kind, owners, words, _ in texts),
            self._authors.hits("same_author", some.authors) if self._strict else (),
        ):
            found.setdefault(hit.candidate, hit)
        return [found[number] for number in sorted(found)]

    def same_author(self, candidate: Candidate) -> Hit | None:
        """Whether somebody wrote both."""
        return next(self._authors.hits("same_author", names([authors_of(candidate.provenance)])), None)

    def _same_text(self, kind: str, owners: Any, prints: Hashes) -> Iterator[Hit]:
        """All the words of a text are those of a target, in their order."""
        known = self._texts[kind]
        for number in np.flatnonzero(np.isin(prints, np.array([*known], U64))).tolist():
            yield Hit(int(owners[number]), "same_text", known[int(prints[number])], kind)

    def _same_run(self, kind: str, owners: Any, words: Words) -> Iterator[Hit]:
        """A run of words in common, the longest that is looked for first."""
        for number, begin, size, target in self._runs.hits(words):
            owner = int(owners[number])
            within = number - int(np.searchsorted(owners, owner)) if kind == "prompt" else -1
            yield Hit(owner, "same_run", target, "", (within, begin, size))

    def _same_words(self, kind: str, owners: Any, words: Words) -> Iterator[Hit]:
        """Nearly the same words as a target's."""
        if kind not in self._near:
            return
        nearest, whose = self._near[kind]
        found, cosines = nearest.best(self._weights.rows(words))
        for number in np.flatnonzero(found >= 0).tolist():
            yield Hit(int(owners[number]), "same_words", whose[found[number]], f"{kind} {cosines[number]:.2f}")


class _Names:
    """Names of posts or people, and the first target that has each."""

    def __init__(self, pairs: Iterable[tuple[str, int]]):
        self._owners = {named(name): (name, at) for name, at in reversed([*pairs])}
        self._known = np.sort(np.array([*self._owners], U64))

    def hits(self, rule: str, some: Words) -> Iterator[Hit]:
        """For each candidate that has one of the names, the first in their order."""
        owners = some.owners()
        for at in np.flatnonzero(np.isin(some.hashes, self._known)).tolist():
            name, target = self._owners[int(some.hashes[at])]
            yield Hit(int(owners[at]), rule, target, name)


class _Runs:
    """The runs of words that training must not have."""

    def __init__(self, texts: Sequence[tuple[str, int]], most: int):
        words = hashed([text for text, _ in texts])
        sizes = np.minimum(np.diff(words.starts), most)
        self._known: dict[int, tuple[Hashes, Any, Any]] = {}
        for size in sorted({size for size in sizes.tolist() if size >= max(1, min(most, LEAST_WORDS))}):
            mine = np.flatnonzero(sizes == size).tolist()
            some = joined([words.part(number, number + 1) for number in mine])
            (row,) = runs(some, [size])
            begins = within(some, size)
            known, first = np.unique(row[begins], return_index=True)
            owners = np.array([texts[number][1] for number in mine], np.int32)[some.owners()[begins[first]]]
            self._known[size] = known, owners, _sieve(known)

    def hits(self, words: Words) -> Iterator[tuple[int, int, int, int]]:
        """(number of the text, first word, length, number of the target): of each text the first run of each length,
        the longest first."""
        found = []
        for size, row in zip(self._known, runs(words, [*self._known]), strict=True):
            known, owners, seen = self._known[size]
            maybe = _maybe(seen, row)
            places = np.minimum(np.searchsorted(known, row[maybe]), len(known) - 1)
            sure = known[places] == row[maybe]
            found.append((size, maybe[sure], owners[places[sure]]))
        for size, begins, targets in reversed(found):
            numbers = np.searchsorted(words.starts, begins, side="right") - 1
            inside = np.flatnonzero(begins + size <= words.starts[numbers + 1])
            numbers, at = np.unique(numbers[inside], return_index=True)
            firsts = begins[inside[at]] - words.starts[numbers]
            yield from zip(numbers.tolist(), firsts.tolist(), repeat(size), targets[inside[at]].tolist())


def _sieve(known: Hashes) -> Any:
    """A bit for each of the first bits of a known number, 8 to a byte."""
    bits = min(_SIEVE, len(known).bit_length() + 6)
    seen = np.zeros(1 << bits, bool)
    seen[known >> U64(64 - bits)] = True
    return np.packbits(seen, bitorder="little")


def _maybe(seen: Any, row: Hashes) -> Any:
    """Where numbers are that pass the sieve."""
    bits = len(seen).bit_length() + 2
    at = row >> U64(64 - bits)
    return np.flatnonzero(seen[at >> U64(3)] >> (at & U64(7)).astype(np.uint8) & np.uint8(1))


def _first(pairs: Any) -> dict[Any, int]:
    """Each key with the first number that comes with it."""
    found: dict[Any, int] = {}
    for key, at in pairs:
        found.setdefault(key, at)
    return found
