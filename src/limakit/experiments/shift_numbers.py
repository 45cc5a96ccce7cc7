"""Shares of unshifted, marginal and shifted tokens: in all, by place in the answer, and which tokens they are."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limakit.report.resample import bootstrap_interval, resampled_rates

KINDS = ("unshifted", "marginal", "shifted")
LISTED = 30
"""Tokens in the table of the most shifted ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One answer, token by token; all lists have its number of tokens."""

    prompt_id: str
    pieces: list[str]
    """What each token says; together the answer."""
    ids: list[int]
    ranks: list[int]
    """Of the written token, for the base model."""
    chances: list[float]
    """Its probability for the base model, at temperature 1."""
    own_ranks: list[int]
    """Of the written token, for the tuned model."""
    first: list[int]
    """The tuned model's first choice: ids."""
    first_ranks: list[int]
    """Its rank for the base model."""


def kind(rank: int) -> str:
    """Of a token with that rank for the base model (Lin et al. 2023, section 2)."""
    return "unshifted" if rank == 1 else "marginal" if rank <= 3 else "shifted"


def reckon(
    traced: Sequence[Traced], names: Mapping[int, str], *, resamples: int, seed: int, confidence: float
) -> dict[str, Any]:
    """All numbers, ready for JSON. Intervals are over prompts."""
    options = {"resamples": resamples, "seed": seed, "confidence": confidence}
    # A rank of 0 marks the places where the tuned model would have ended its turn.
    first = [[rank for rank in one.first_ranks if rank] for one in traced]
    return {
        "answers": len(traced),
        "tokens": sum(len(one.ids) for one in traced),
        "written": _shares([one.ranks for one in traced], **options),
        "first_choices": _shares(first, **options),
        "ends": sum(one.first_ranks.count(0) for one in traced),
        "own_first": float(np.mean([rank == 1 for one in traced for rank in one.own_ranks])),
        "by_place": _by_place(traced),
        "most_shifted": _most_shifted(traced, names),
    }


def _shares(ranks: Sequence[Sequence[int]], *, resamples: int, seed: int, confidence: float) -> dict[str, Any]:
    """Counts, shares and their bootstrap intervals of the three kinds."""
    counts_KP = np.array([[sum(kind(rank) == name for rank in one) for one in ranks] for name in KINDS], float)
    totals_KP = np.repeat(counts_KP.sum(0)[None], len(KINDS), axis=0)
    samples = resampled_rates(counts_KP, totals_KP, resamples=resamples, seed=seed)
    total = float(counts_KP.sum())
    return {
        "counts": {name: int(counts_KP[row].sum()) for row, name in enumerate(KINDS)},
        "shares": {name: float(counts_KP[row].sum() / total) if total else None for row, name in enumerate(KINDS)},
        "intervals": {
            name: bootstrap_interval(samples[:, row], confidence, len(ranks)) if total else None
            for row, name in enumerate(KINDS)
        },
    }


def _by_place(traced: Sequence[Traced]) -> list[dict[str, Any]]:
    """The tuned model's first choices at the first token of the answers, the next three, the next four, and so on by
    doublings."""
    rows, begin = [], 0
    longest = max(len(one.ids) for one in traced)
    while begin < longest:
        end = max(1, 2 * begin) if begin != 1 else 4
        ranks = [rank for one in traced for rank in one.first_ranks[begin:end] if rank]
        tally = Counter(kind(rank) for rank in ranks)
        rows.append(
            {
                "from": begin + 1,
                "to": min(end, longest),
                "tokens": len(ranks),
                **{name: tally[name] for name in KINDS},
            }
        )
        begin = end
    return rows


def _most_shifted(traced: Sequence[Traced], names: Mapping[int, str]) -> list[dict[str, Any]]:
    """First choices of the tuned model by how often they were shifted: where tuning shows most."""
    shifted, total = Counter[int](), Counter[int]()
    for one in traced:
        own = [(token, rank) for token, rank in zip(one.first, one.first_ranks, strict=True) if rank]
        total.update(token for token, _ in own)
        shifted.update(token for token, rank in own if kind(rank) == "shifted")
    ordered = sorted(shifted.items(), key=lambda item: (-item[1], item[0]))[:LISTED]
    return [{"token": names[token], "shifted": count, "of": total[token]} for token, count in ordered]
