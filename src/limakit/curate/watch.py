"""The contamination gate at work: the pieces of the pool pass it, and it keeps the account for contamination.json."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from limakit.curate.features import WIDTH, of_arrays, reply_of
from limakit.curate.leaks import RULES, Gate, Hit, Leak, Name, Target, target_of
from limakit.curate.survey import Pool
from limakit.curate.words import words_of
from limakit.engine import Executor, Progress, silent
from limakit.recipe import Curate
from limakit.records import Candidate
from limakit.store import scratch

MOST_CASES = 10_000
"""Cases that the report lists; further ones are counted."""


class Watch:
    """Checks the candidates that are still in, and remembers against what, and what it found."""

    def __init__(self, pool: Pool, settings: Curate, executor: Executor, progress: Progress = silent):
        self._pool, self._settings, self._executor, self._progress = pool, settings, executor, progress
        self._gates: list[tuple[Gate, Sequence[Target]]] = []
        self._targets: list[Target] = []
        self._found: list[tuple[str, Leak]] = []

    def targets(self, held: Mapping[str, Name]) -> list[Target]:
        """Held-out candidates as targets, in the order of `held`."""
        found = {candidate.id: candidate for candidate in self._pool.fetch(held)} if held else {}
        return [target_of(found[number], name) for number, name in held.items()]

    def gate(
        self, targets: Sequence[Target], reasons: dict[str, tuple[str, str]], *, spare: Collection[str] = ()
    ) -> None:
        """Add to `reasons` the candidates that have something in common with a target and no reason yet."""
        if not targets:
            return
        assert self._pool.weights is not None, "the survey was not told that candidates will be compared"
        gate, pool = Gate(targets, self._settings, self._pool.weights), self._pool
        hits: dict[str, Hit] = {}
        found = self._executor.map(partial(_checked, gate=gate), pool.words)
        for piece, some in enumerate(found):
            for hit in some:
                number = pool.entries[pool.starts[piece] + hit.candidate].id
                if number not in reasons and number not in spare:
                    hits[number] = hit
            self._progress("comparing with dev and test", piece + 1, len(pool.words), "pieces")
        runs = {number: hit.run for number, hit in hits.items() if hit.run}
        quoted = {candidate.id: _quote(candidate, runs[candidate.id]) for candidate in pool.fetch(runs)}
        for number, hit in hits.items():
            leak = Leak(rule=hit.rule, target=targets[hit.target], detail=quoted.get(number, hit.detail))
            reasons[number] = (leak.rule, leak.told())
            self._found.append((number, leak))
        self._gates.append((gate, targets))
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
        shared = [(candidate.id, leak) for candidate in training if (leak := self._same_author(candidate))]
        return {
            "candidates": len(self._pool.entries),
            "targets": dict(sorted(Counter(target.split for target in self._targets).items())),
            "rejected": {rule: counts[rule] for rule in RULES},
            "cases": [_case(number, leak) for number, leak in self._found[:MOST_CASES]],
            "kept_with_an_author_in_common": len(shared),
            "authors_in_common": [_case(number, leak) for number, leak in shared[:MOST_CASES]],
        }

    def _same_author(self, candidate: Candidate) -> Leak | None:
        for gate, targets in self._gates:
            if hit := gate.same_author(candidate):
                return Leak(rule=hit.rule, target=targets[hit.target], detail=hit.detail)
        return None


def _checked(words: Path, *, gate: Gate) -> list[Hit]:
    """What the gate has against the candidates of one piece."""
    found, count = [], 0
    for arrays in scratch.get(words, WIDTH):
        some = of_arrays(arrays)
        found += [hit._replace(candidate=hit.candidate + count) for hit in gate.check(some)]
        count += len(some.replies.starts) - 1
    return found


def _quote(candidate: Candidate, run: tuple[int, int, int]) -> str:
    """The words in common, without punctuation."""
    prompt, begin, size = run
    text = reply_of(candidate) if prompt < 0 else candidate.prompts[prompt]
    return " ".join(words_of(text)[begin : begin + size])


def _case(number: str, leak: Leak) -> dict[str, str]:
    return {
        "candidate": number,
        "rule": leak.rule,
        "split": leak.target.split,
        "target": leak.target.id,
        "detail": leak.detail,
    }
