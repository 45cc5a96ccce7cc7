"""Contamination by meaning: a prompt or a response that says what a held-out one says, in other words.

Sentence vectors are dear, so only what would be taken is looked at; the caller chooses anew without what is refused.
"""

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from limakit.curate.features import reply_of
from limakit.curate.leaks import Leak, Target
from limakit.curate.survey import Pool
from limakit.curate.vectors import SCALE, Embed, whole
from limakit.curate.watch import Watch
from limakit.records import Candidate

RULE = "same_meaning"


class Meaning:
    """Compares candidates with the targets that `watch` knows, each once."""

    def __init__(self, pool: Pool, watch: Watch, least: float, embed: Embed):
        self._pool, self._watch, self._least, self._embed = pool, watch, least, embed
        self._checked: set[str] = set()
        self._targets: dict[str, tuple[list[Target], Any]] | None = None

    def refuse(self, taken: Collection[str], reasons: dict[str, tuple[str, str]]) -> bool:
        """Add to `reasons` those taken that come too close to a target; whether there were any."""
        new = [number for number in taken if number not in self._checked]
        if not self._least or not self._watch.known or not new:
            return False
        self._checked.update(new)
        found = False
        for candidate in self._pool.fetch(new):
            if leak := self._leak(candidate):
                reasons[candidate.id] = (RULE, leak.told())
                self._watch.note(candidate.id, leak)
                found = True
        return found

    def _leak(self, candidate: Candidate) -> Leak | None:
        """The nearest target, prompt against prompt and response against reference, where it is near enough."""
        if self._targets is None:
            known = self._watch.known
            self._targets = {
                "prompt": self._vectors([(target, text) for target in known for text in target.prompts]),
                "reference": self._vectors([(target, target.reference) for target in known]),
            }
        best: tuple[int, str, Target] | None = None
        for kind, texts in (("prompt", candidate.prompts), ("reference", (reply_of(candidate),))):
            owners, vectors = self._targets[kind]
            if owners:
                near = whole(self._embed(list(texts))).astype(np.int64) @ vectors.T
                at = np.unravel_index(int(near.argmax()), near.shape)
                if best is None or near[at] > best[0]:
                    best = int(near[at]), kind, owners[int(at[1])]
        if best is None or best[0] < self._least * SCALE * SCALE:
            return None
        return Leak(rule=RULE, target=best[2], detail=f"{best[1]} {best[0] / SCALE / SCALE:.2f}")

    def _vectors(self, texts: Sequence[tuple[Target, str]]) -> tuple[list[Target], Any]:
        """The targets of the texts that are not empty, and their vectors, int64."""
        said = [(target, text) for target, text in texts if text.strip()]
        vectors = whole(self._embed([text for _, text in said])).astype(np.int64) if said else None
        return [target for target, _ in said], vectors
