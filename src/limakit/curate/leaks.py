"""Contamination: what a training candidate has in common with dev and test prompts and their references.

Five rules, the plainest first: the same post or thread; the same text; the same run of words (Brown et al. 2020,
appendix C: 13 words; a text of 8 to 12 words counts as one run); the same words by TF-IDF cosine, prompt against prompt
and response against reference; the same author. A sixth, by meaning, is in `meaning`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from limakit.curate.survey import reply_of
from limakit.curate.tfidf import Weights
from limakit.curate.words import U64, Hashes, Words, fingerprints, hashed, shingles, words_of
from limakit.recipe import Curate
from limakit.records import Candidate, Prompt, Provenance

LEAST_WORDS = 8
"""A text of fewer words is too short for its words in a row to say anything."""
_SIEVE = 22
"""Bits of a run by which most runs are seen at once to be none of the targets'."""
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


def posts_of(item: Prompt | Candidate) -> frozenset[str]:
    """Names of the posts that an item was made of, its own among them."""
    return frozenset({item.id, *(f"{origin.source}/{origin.site}/{origin.id}" for origin in item.provenance)})


def authors_of(origins: Sequence[Provenance]) -> frozenset[str]:
    """Who wrote any of the posts: their page, or their name within the site."""
    found = {o.author_url or (f"{o.source}/{o.site}/{o.author}" if o.author else "") for o in origins}
    return frozenset(found - {""})


class Gate:
    """Checks candidates against all targets, a batch at a time."""

    def __init__(self, targets: Sequence[Target], settings: Curate, weights: Weights):
        from limakit.curate.nearest import Nearest  # here, because SciPy takes a third of a second

        self._targets, self._settings, self._weights = targets, settings, weights
        self._posts = _first((post, at) for at, target in enumerate(targets) for post in sorted(target.posts))
        self._authors = _first((who, at) for at, target in enumerate(targets) for who in sorted(target.authors))
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
        self._runs = self._run_index(prompts + references) if settings.contamination_run else {}
        self._seen = np.zeros(1 << _SIEVE, bool)
        for runs, _ in self._runs.values():
            self._seen[runs >> U64(64 - _SIEVE)] = True

    def check(self, batch: Sequence[Candidate]) -> list[Leak | None]:
        """For each candidate the first rule against it, or None."""
        prompts = [(text, number) for number, candidate in enumerate(batch) for text in candidate.prompts]
        replies = [(reply_of(candidate), number) for number, candidate in enumerate(batch)]
        texts = [
            (kind, [number for _, number in pairs], hashed([text for text, _ in pairs]), [text for text, _ in pairs])
            for kind, pairs in (("prompt", prompts), ("reference", replies))
        ]
        found: list[Leak | None] = [self._same_post(candidate) for candidate in batch]
        for rule in (self._same_text, self._same_run, self._same_words):
            for kind, owners, words, whole in texts:
                for at, leak in rule(kind, words, whole).items():
                    found[owners[at]] = found[owners[at]] or leak
        if self._settings.same_author == "reject":
            found = [leak or self.same_author(candidate) for leak, candidate in zip(found, batch, strict=True)]
        return found

    def same_author(self, candidate: Candidate) -> Leak | None:
        """Whether somebody wrote both."""
        for who in sorted(authors_of(candidate.provenance)):
            if who in self._authors:
                return self._leak("same_author", self._authors[who], who)
        return None

    def _same_post(self, candidate: Candidate) -> Leak | None:
        for post in sorted(posts_of(candidate)):
            if post in self._posts:
                return self._leak("same_thread", self._posts[post], post)
        return None

    def _same_text(self, kind: str, words: Words, _: Sequence[str]) -> dict[int, Leak]:
        """By number of the text: all its words are those of a target, in their order."""
        known = self._texts[kind]
        marks = fingerprints(words).tolist()
        return {n: self._leak("same_text", known[mark], kind) for n, mark in enumerate(marks) if mark in known}

    def _same_run(self, _: str, words: Words, texts: Sequence[str]) -> dict[int, Leak]:
        """By number of the text: a run of words in common, quoted without punctuation."""
        leaks: dict[int, Leak] = {}
        for size, (runs, owners) in sorted(self._runs.items(), reverse=True):
            cut = shingles(words, size)
            maybe = np.flatnonzero(self._seen[cut.hashes >> U64(64 - _SIEVE)])
            places = np.minimum(np.searchsorted(runs, cut.hashes[maybe]), len(runs) - 1)
            sure = runs[places] == cut.hashes[maybe]
            for hit, place in zip(maybe[sure].tolist(), places[sure].tolist(), strict=True):
                number = int(np.searchsorted(cut.starts, hit, side="right")) - 1
                if number not in leaks:
                    begin = hit - int(cut.starts[number])
                    quoted = " ".join(words_of(texts[number])[begin : begin + size])
                    leaks[number] = self._leak("same_run", int(owners[place]), quoted)
        return leaks

    def _same_words(self, kind: str, words: Words, _: Sequence[str]) -> dict[int, Leak]:
        """By number of the text: nearly the same words as a target's."""
        if kind not in self._near:
            return {}
        nearest, owners = self._near[kind]
        found, cosines = nearest.best(self._weights.rows(words))
        return {
            number: self._leak("same_words", owners[found[number]], f"{kind} {cosines[number]:.2f}")
            for number in np.flatnonzero(found >= 0).tolist()
        }

    def _run_index(self, texts: Sequence[tuple[str, int]]) -> dict[int, tuple[Hashes, Any]]:
        """For each length of run: the targets' runs, sorted, and whose they are."""
        most = self._settings.contamination_run
        sizes = [min(most, len(words_of(text))) for text, _ in texts]
        found = {}
        for size in sorted({size for size in sizes if size >= min(most, LEAST_WORDS)}):
            mine = [item for item, its in zip(texts, sizes, strict=True) if its == size]
            cut = shingles(hashed([text for text, _ in mine]), size)
            runs, first = np.unique(cut.hashes, return_index=True)
            found[size] = (runs, np.array([at for _, at in mine])[cut.owners()[first]])
        return found

    def _leak(self, rule: str, at: int, detail: str) -> Leak:
        return Leak(rule=rule, target=self._targets[at], detail=detail)


def _first(pairs: Any) -> dict[Any, int]:
    """Each key with the first number that comes with it."""
    found: dict[Any, int] = {}
    for key, at in pairs:
        found.setdefault(key, at)
    return found
