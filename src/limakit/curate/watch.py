"""The contamination gate at work: candidates stream past it, and it keeps the account for contamination.json."""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from pathlib import Path
from typing import Any

from limakit.curate.leaks import RULES, Gate, Leak, Name, Target, target_of
from limakit.curate.sample import Entry
from limakit.curate.survey import batches, whole_text
from limakit.curate.tfidf import Weights
from limakit.recipe import Curate
from limakit.records import Candidate

SAMPLE = 20_000
"""Candidates on which the weights of words are counted: at most so many, evenly spread over the pool."""
MOST_CASES = 10_000
"""Cases that the report lists; further ones are counted."""


class Watch:
    """Checks the candidates that are still in, and remembers against what, and what it found."""

    def __init__(self, paths: Sequence[Path], settings: Curate, entries: Sequence[Entry]):
        self._paths, self._settings, self._count = paths, settings, len(entries)
        self._gates: list[Gate] = []
        self._targets: list[Target] = []
        self._found: list[tuple[str, Leak]] = []
        self._known: Weights | None = None

    def targets(self, held: Mapping[str, Name]) -> list[Target]:
        """Held-out candidates as targets, in the order of `held`."""
        if not held:
            return []
        found = {c.id: c for batch in batches(self._paths) for c in batch if c.id in held}
        return [target_of(found[number], name) for number, name in held.items()]

    def gate(
        self, targets: Sequence[Target], reasons: dict[str, tuple[str, str]], *, spare: Container[str] = ()
    ) -> None:
        """Add to `reasons` the candidates that have something in common with a target and no reason yet."""
        if not targets:
            return
        gate = Gate(targets, self._settings, self._weights())
        for batch in batches(self._paths):
            batch = [c for c in batch if c.id not in reasons and c.id not in spare]
            for candidate, leak in zip(batch, gate.check(batch), strict=True):
                if leak:
                    reasons[candidate.id] = (leak.rule, leak.told())
                    self._found.append((candidate.id, leak))
        self._gates.append(gate)
        self._targets += targets

    @property
    def known(self) -> Sequence[Target]:
        """All targets so far."""
        return self._targets

    def note(self, number: str, leak: Leak) -> None:
        """Take down what another than the gate has found."""
        self._found.append((number, leak))

    def report(self, training: Sequence[Candidate]) -> dict[str, Any]:
        """What was checked against what and found, as plain JSON values.

        Where authors are not a reason to reject, it names the training examples that share one with a target.
        """
        counts = Counter(leak.rule for _, leak in self._found)
        shared = [
            (candidate.id, leak)
            for candidate in training
            for leak in [next(filter(None, (gate.same_author(candidate) for gate in self._gates)), None)]
            if leak
        ]
        return {
            "candidates": self._count,
            "targets": dict(sorted(Counter(target.split for target in self._targets).items())),
            "rejected": {rule: counts[rule] for rule in RULES},
            "cases": [_case(number, leak) for number, leak in self._found[:MOST_CASES]],
            "kept_with_an_author_in_common": len(shared),
            "authors_in_common": [_case(number, leak) for number, leak in shared[:MOST_CASES]],
        }

    def _weights(self) -> Weights:
        """Weights of words, counted once and only where they are needed."""
        if self._known is None:
            step = -(-self._count // SAMPLE)
            stream = (candidate for batch in batches(self._paths) for candidate in batch)
            texts = [whole_text(candidate) for at, candidate in enumerate(stream) if at % step == 0]
            self._known = Weights(texts)
        return self._known


def _case(number: str, leak: Leak) -> dict[str, str]:
    return {
        "candidate": number,
        "rule": leak.rule,
        "split": leak.target.split,
        "target": leak.target.id,
        "detail": leak.detail,
    }
