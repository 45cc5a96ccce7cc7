"""Contamination: what a training candidate has in common with dev and test prompts and their references.

Five rules, the plainest first: the same post or thread; the same text; the same run of words (Brown et al. 2020,
appendix C: 13 words; a text of 8 to 12 words counts as one run); the same words by TF-IDF cosine, prompt against prompt
and response against reference; the same author.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from limakit.curate.survey import reply_of, whole_text
from limakit.curate.tfidf import Weights
from limakit.curate.words import Hashes, hashed, shingles, words_of
from limakit.recipe import Curate
from limakit.records import Candidate, Prompt, Provenance

LEAST_WORDS = 8
"""A text of fewer words is too short for its words in a row to say anything."""
RULES = ("same_thread", "same_text", "same_run", "same_words", "same_author")
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
        self._targets, self._settings, self._weights = targets, settings, weights
        self._posts = _first((post, at) for at, target in enumerate(targets) for post in sorted(target.posts))
        self._authors = _first((who, at) for at, target in enumerate(targets) for who in sorted(target.authors))
        texts = [
            (text, kind, at)
            for at, target in enumerate(targets)
            for kind, text in [*(("prompt", text) for text in target.prompts), ("reference", target.reference)]
            if text.strip()
        ]
        self._texts = _first(((kind, _plain(text)), at) for text, kind, at in texts)
        self._runs = self._run_index([(text, at) for text, _, at in texts]) if settings.contamination_run else {}
        self._rows = {
            kind: (weights.rows([t for t, k, _ in texts if k == kind]).T, [at for _, k, at in texts if k == kind])
            for kind in ("prompt", "reference")
        }

    def check(self, batch: Sequence[Candidate]) -> list[Leak | None]:
        """For each candidate the first rule against it, or None."""
        found: list[Leak | None] = [self._same_source(candidate) for candidate in batch]
        open_ = [number for number, leak in enumerate(found) if leak is None]
        for rule in (self._same_run, self._same_words):
            leaks = rule([batch[number] for number in open_])
            for at, leak in leaks.items():
                found[open_[at]] = leak
            open_ = [number for number in open_ if found[number] is None]
        if self._settings.same_author == "reject":
            for number in open_:
                found[number] = self.same_author(batch[number])
        return found

    def same_author(self, candidate: Candidate) -> Leak | None:
        """Whether somebody wrote both."""
        for who in sorted(authors_of(candidate.provenance)):
            if who in self._authors:
                return self._leak("same_author", self._authors[who], who)
        return None

    def _same_source(self, candidate: Candidate) -> Leak | None:
        """The same post, question or text."""
        for post in sorted(posts_of(candidate)):
            if post in self._posts:
                return self._leak("same_thread", self._posts[post], post)
        for kind, text in [*(("prompt", text) for text in candidate.prompts), ("reference", reply_of(candidate))]:
            at = self._texts.get((kind, _plain(text)))
            if at is not None:
                return self._leak("same_text", at, kind)
        return None

    def _same_run(self, batch: Sequence[Candidate]) -> dict[int, Leak]:
        """A run of words in common, quoted without punctuation."""
        texts = [whole_text(candidate) for candidate in batch]
        words = hashed(texts)
        leaks: dict[int, Leak] = {}
        for size, (runs, owners) in sorted(self._runs.items(), reverse=True):
            cut = shingles(words, size)
            places = np.minimum(np.searchsorted(runs, cut.hashes), len(runs) - 1)
            of_text = cut.owners()
            for hit in np.flatnonzero(runs[places] == cut.hashes):
                number = int(of_text[hit])
                if number not in leaks:
                    begin = int(hit - cut.starts[number])
                    quoted = " ".join(words_of(texts[number])[begin : begin + size])
                    leaks[number] = self._leak("same_run", int(owners[places[hit]]), quoted)
        return leaks

    def _same_words(self, batch: Sequence[Candidate]) -> dict[int, Leak]:
        """Prompts alike, or responses alike."""
        leaks: dict[int, Leak] = {}
        least = self._settings.contamination_cosine
        if not least or not batch:
            return leaks
        prompts = [(text, number) for number, candidate in enumerate(batch) for text in candidate.prompts]
        for kind, texts in (
            ("prompt", prompts),
            ("reference", [(reply_of(candidate), number) for number, candidate in enumerate(batch)]),
        ):
            columns, owners = self._rows[kind]
            if owners and texts:
                near: Any = (self._weights.rows([text for text, _ in texts]) @ columns).toarray()
                for row, column in enumerate(near.argmax(axis=1)):
                    number, cosine = texts[row][1], float(near[row, column])
                    if cosine >= least and number not in leaks:
                        leaks[number] = self._leak("same_words", owners[int(column)], f"{kind} {cosine:.2f}")
        return leaks

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


def _plain(text: str) -> str:
    return " ".join(words_of(text))


def _first(pairs: Any) -> dict[Any, int]:
    """Each key with the first number that comes with it."""
    found: dict[Any, int] = {}
    for key, at in pairs:
        found.setdefault(key, at)
    return found
