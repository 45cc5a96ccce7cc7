"""What people said, as the records that models' judgements have too: `judge = "person:<id>"`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from limakit.annotate.items import LABELS, SKIP, Answer, Kind
from limakit.records import Grade, Label, Pair, Verdict

SCALES: tuple[Kind, ...] = ("absolute", "safety", "dialogue")
POINTS = {"same": 1.0, "near": 0.5, "opposed": 0.0}
"""For two labels of one person on one pair, as for two people: the paper's tie-discounted agreement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One assignment with the vote that counts."""

    person: str
    kind: str
    position: int
    item: str
    flipped: bool
    repeats: int | None
    label: str
    milliseconds: int | None


@dataclass(frozen=True, slots=True)
class People:
    """What a study's people said."""

    verdicts: list[Verdict]
    grades: list[Grade]
    turns: list[Grade]
    """Of conversations with scripts: the prompt's id names script, sample and turn."""
    counts: dict[str, Any]
    """votes = verdicts + grades + turns + repeats + outdated; skipped ones are among the first three as missing.
    `people`: for each person votes, skipped, seconds (median), repeats and their consistency (0 to 1)."""


def gather(said: Sequence[Said], pairs: Sequence[Pair], answers: Mapping[Kind, Sequence[Answer]]) -> People:
    """Verdicts and grades in the order of persons and of their queues.

    A verdict's `a` is the system whose answer the person saw first. Repetitions tell consistency and are no verdicts.
    Votes on items that are no longer in the study are counted as outdated.
    """
    by_id = {pair.id: pair for pair in pairs}
    graded = {answer.id: answer for kind in SCALES for answer in answers.get(kind, ())}
    verdicts, grades, turns, outdated, repeats = [], [], [], 0, 0
    for vote in said:
        pair, answer = by_id.get(vote.item), graded.get(vote.item)
        if (pair if vote.kind == "compare" else answer) is None:
            outdated += 1
        elif vote.repeats is not None:
            repeats += 1
        elif pair is not None and vote.kind == "compare":
            verdicts.append(_verdict(vote, pair))
        elif answer is not None:
            (turns if answer.kind == "dialogue" else grades).append(_grade(vote, answer))
    names = sorted({vote.person for vote in said})
    counts = {
        "votes": len(said),
        "verdicts": len(verdicts),
        "grades": len(grades),
        "turns": len(turns),
        "repeats": repeats,
        "outdated": outdated,
        "skipped": sum(vote.label == SKIP for vote in said),
        "people": {name: _person([vote for vote in said if vote.person == name]) for name in names},
    }
    return People(verdicts, grades, turns, counts)


def _verdict(vote: Said, pair: Pair) -> Verdict:
    shown = pair.swap() if vote.flipped else pair
    label: Label | None = vote.label if vote.label in LABELS["compare"] else None  # type: ignore[assignment]
    return Verdict(
        pair_id=pair.id,
        prompt_id=pair.prompt_id,
        judge=f"person:{vote.person}",
        a=shown.a.system,
        b=shown.b.system,
        label=label,
        detail="" if label else "skipped",
    )


def _grade(vote: Said, answer: Answer) -> Grade:
    value = vote.label if vote.label in LABELS[answer.kind] else None
    return Grade(
        prompt_id=answer.response.prompt_id,
        system=answer.response.system,
        judge=f"person:{vote.person}",
        scale="safety" if answer.kind == "safety" else "absolute",
        value=value,
        sample=answer.response.sample,
        detail="" if value else "skipped",
    )


def _person(votes: Sequence[Said]) -> dict[str, Any]:
    """One person's figures; None where there is nothing to reckon from."""
    times = [vote.milliseconds for vote in votes if vote.milliseconds is not None]
    first = {(vote.kind, vote.position): vote for vote in votes}
    twice = [(first.get((v.kind, v.repeats)), v) for v in votes if v.repeats is not None]
    points = [_points(one, two) for one, two in twice if one and SKIP not in (one.label, two.label)]
    sides = [vote.label for vote in votes if vote.kind == "compare" and vote.label in ("a", "b")]
    return {
        "votes": len(votes),
        "skipped": sum(vote.label == SKIP for vote in votes),
        "seconds": round(median(times) / 1000, 1) if times else None,
        "first_shown": round(sides.count("a") / len(sides), 3) if sides else None,
        "repeats": len(points),
        "consistency": round(sum(points) / len(points), 3) if points else None,
    }


def _points(one: Said, two: Said) -> float:
    """Agreement of a person with their own earlier vote; the sides may have been swapped in between."""
    other = two.label
    if one.kind == "compare" and one.flipped != two.flipped:
        other = {"a": "b", "b": "a"}.get(other, other)
    if one.label == other:
        return POINTS["same"]
    return POINTS["near"] if one.kind == "compare" and "tie" in (one.label, other) else POINTS["opposed"]
