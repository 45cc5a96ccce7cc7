"""What besides quality may have moved a judge: the side an answer stood on, its length, and who wrote it."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from limakit.records import Verdict
from limakit.report.rates import difference_interval, share_interval, wilson
from limakit.report.resample import resampled_rates
from limakit.report.significance import sign_test

Lengths = Mapping[str, Mapping[str, int]]
"""Pair id to the characters of each system's answer."""


def position_bias(verdicts: Sequence[Verdict], *, resamples: int, seed: int, confidence: float) -> dict[str, Any]:
    """How often the answer shown first won, among verdicts with a winner.

    Where sides are drawn at random one half is fair. Where every match-up has the same side first throughout, as in
    files that tell no sides, the share is that system's and `sides_vary` is False.
    """
    decided = [(verdict.prompt_id, verdict.label == "a") for verdict in verdicts if verdict.winner is not None]
    orders = {(verdict.a, verdict.b) for verdict in verdicts}
    found = _share("first_won", decided, resamples=resamples, seed=seed, confidence=confidence)
    return found | {"sides_vary": any((b, a) in orders for a, b in orders)}


def length_bias(
    verdicts: Sequence[Verdict], lengths: Lengths, *, resamples: int, seed: int, confidence: float
) -> dict[str, Any]:
    """How often the longer answer (in characters) won, among verdicts with a winner on answers of unequal length.

    A share above one half is no proof of bias: a longer answer may be the better one.
    """
    decided = []
    for verdict in verdicts:
        known = lengths.get(verdict.pair_id)
        if known is None or verdict.winner is None or known[verdict.a] == known[verdict.b]:
            continue
        longest = max((verdict.a, verdict.b), key=known.__getitem__)
        decided.append((verdict.prompt_id, verdict.winner == longest))
    return _share("longer_won", decided, resamples=resamples, seed=seed, confidence=confidence)


def self_preference(
    verdicts: Sequence[Verdict], judge: str, system: str, *, resamples: int, seed: int, confidence: float
) -> dict[str, Any] | None:
    """How much better `system` fares with `judge`, which is that system, than with all other judges on the same pairs.

    The difference of the two win rates (ties half), with its bootstrap interval over prompts; None where no pair of
    that system was judged by both. It takes the other judges for the truth, and they may share its taste.
    """
    prompts: dict[str, str] = {}
    scores: tuple[dict[str, list[float]], dict[str, list[float]]] = ({}, {})
    for verdict in verdicts:
        if verdict.label is not None and system in (verdict.a, verdict.b):
            score = 0.5 if verdict.winner is None else float(verdict.winner == system)
            scores[verdict.judge != judge].setdefault(verdict.pair_id, []).append(score)
            prompts[verdict.pair_id] = verdict.prompt_id
    both = sorted(scores[0].keys() & scores[1].keys())
    if not both:
        return None
    _, cluster = np.unique([prompts[item] for item in both], return_inverse=True)
    sides = [[float(np.mean(side[item])) for item in both] for side in scores]
    sums = np.array([np.bincount(cluster, weights=side) for side in sides], float)
    counts = np.repeat(np.bincount(cluster)[None].astype(float), 2, axis=0)
    rates = resampled_rates(sums, counts, resamples=resamples, seed=seed)
    low, high = difference_interval(sums, counts, rates[:, 0] - rates[:, 1], confidence)
    own, others = (float(np.mean(side)) for side in sides)
    return {
        "judge": judge,
        "system": system,
        "items": len(both),
        "own": own,
        "others": others,
        "difference": own - others,
        "low": low,
        "high": high,
    }


def _share(
    name: str, decided: Sequence[tuple[str, bool]], *, resamples: int, seed: int, confidence: float
) -> dict[str, Any]:
    """Share of yes among (prompt, yes or no): by Wilson where every prompt is there once, else as a win rate over
    prompts."""
    if not decided:
        return {name: 0, "decided": 0, "share": None, "low": None, "high": None, "p": None}
    yes, number = sum(won for _, won in decided), len(decided)
    _, cluster = np.unique([prompt for prompt, _ in decided], return_inverse=True)
    counts = np.bincount(cluster).astype(float)
    if len(counts) == number:
        low, high = wilson(yes / number * len(counts), len(counts), confidence)
    else:
        sums = np.bincount(cluster, weights=[float(won) for _, won in decided]).astype(float)
        rates = resampled_rates(sums[None], counts[None], resamples=resamples, seed=seed)
        low, high, _ = share_interval(sums, counts, rates[:, 0], confidence)
    p = sign_test(yes, number - yes)
    return {name: yes, "decided": number, "share": yes / number, "low": low, "high": high, "p": p}
