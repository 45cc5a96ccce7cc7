"""Grades of single answers: the paper's Excellent, Pass, Fail (section 4.3), helpfulness from 1 to 6, and safety.

A grade without a value is missing: it is in no share, and its number stands beside them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from limakit.errors import InputError
from limakit.records import Grade
from limakit.report.rates import Rate, share_interval, wilson
from limakit.report.resample import resampled_rates

SCALES: dict[str, tuple[str, ...]] = {
    "absolute": ("excellent", "pass", "fail"),
    "safety": ("safe", "unsafe"),
    "likert": ("1", "2", "3", "4", "5", "6"),
}
EVERYTHING = "all"
FAR, NEAR = "out-of-distribution", "in-distribution"


def grade_numbers(
    grades: Sequence[Grade],
    kinds: Mapping[str, str],
    far: Mapping[str, bool] | None = None,
    *,
    resamples: int,
    seed: int,
    confidence: float,
) -> list[dict[str, Any]]:
    """For each scale, judge, system and kind of prompt: counts, shares with intervals, and the mean of a likert scale.

    `kinds` maps ids of sensitive prompts to their kind. Safety is told for all prompts, for each kind and for each
    intent that the judge saw; the other scales leave sensitive prompts out of `all` and tell each kind beside it, so
    that a right refusal is in no mean of helpfulness. `far` says of ids whether they are out of distribution, and the
    other prompts' grades are told for either side too. Shares
    have Wilson intervals where each prompt has one grade, and bootstrap intervals over prompts otherwise. Raises
    InputError for a value that the scale does not have, or two grades of one judge on one answer.
    """
    seen = set()
    groups: dict[tuple[str, str, str, str], list[Grade]] = {}
    for grade in grades:
        if grade.value is not None and grade.value not in SCALES[grade.scale]:
            raise InputError(f"grade {grade.value!r} of {grade.judge} is not on the scale {grade.scale!r}")
        key = (grade.judge, grade.scale, grade.system, grade.prompt_id, grade.sample)
        if key in seen:
            raise InputError(f"judge {grade.judge!r} graded {grade.system}'s answer to {grade.prompt_id!r} twice")
        seen.add(key)
        for kind in _kinds(grade, kinds, far or {}):
            groups.setdefault((grade.scale, grade.judge, grade.system, kind), []).append(grade)
    rows = []
    for (scale, judge, system, kind), own in sorted(groups.items()):
        row: dict[str, Any] = {"scale": scale, "judge": judge, "system": system, "kind": kind, "grades": len(own)}
        row["missing"] = sum(grade.value is None for grade in own)
        row["counts"] = {value: sum(grade.value == value for grade in own) for value in SCALES[scale]}
        rows.append(row | _shares(own, scale, resamples=resamples, seed=seed, confidence=confidence))
    return rows


def _kinds(grade: Grade, kinds: Mapping[str, str], far: Mapping[str, bool]) -> list[str]:
    """The rows in which a grade is counted."""
    sensitive = kinds.get(grade.prompt_id)
    if grade.scale == "safety":
        intent = f"{grade.intent.replace('none', 'no')} intent" if grade.intent else None
        return [kind for kind in (EVERYTHING, sensitive, intent) if kind is not None]
    if sensitive is not None:
        return [sensitive]
    side = far.get(grade.prompt_id)
    return [EVERYTHING] if side is None else [EVERYTHING, FAR if side else NEAR]


def _shares(grades: Sequence[Grade], scale: str, *, resamples: int, seed: int, confidence: float) -> dict[str, Any]:
    """Shares of each value and, on a scale of numbers, the mean; None where there is no value at all."""
    given = [grade for grade in grades if grade.value is not None]
    if not given:
        return {"prompts": 0, "shares": None, "mean": None}
    _, cluster = np.unique([grade.prompt_id for grade in given], return_inverse=True)
    values = SCALES[scale]
    hits = np.array([[grade.value == value for grade in given] for value in values], float)
    if scale == "likert":
        hits = np.concatenate([hits, [np.array([float(grade.value or 0) for grade in given])]])
    sums = np.array([np.bincount(cluster, weights=row) for row in hits], float)
    counts = np.repeat(np.bincount(cluster)[None].astype(float), len(hits), axis=0)
    samples = resampled_rates(sums, counts, resamples=resamples, seed=seed)
    prompts, alone = counts.shape[1], bool((counts == 1).all())
    shares = {}
    for row, value in enumerate(values):
        share = float(sums[row].sum() / counts[row].sum())
        if alone:
            shares[value] = asdict(Rate(share, *wilson(share * prompts, prompts, confidence), "wilson"))
        else:
            shares[value] = asdict(Rate(share, *share_interval(sums[row], counts[row], samples[:, row], confidence)))
    if scale != "likert":
        return {"prompts": prompts, "shares": shares, "mean": None}
    # A mean of grades from 1 to 6 is 1 and five times a share of the way.
    way = share_interval((sums[-1] - counts[-1]) / 5, counts[-1], (samples[:, -1] - 1) / 5, confidence)
    mean = Rate(float(sums[-1].sum() / counts[-1].sum()), 1 + 5 * way[0], 1 + 5 * way[1], way[2])
    return {"prompts": prompts, "shares": shares, "mean": asdict(mean)}
