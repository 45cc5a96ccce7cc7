"""The paper's dialogue table with what it leaves out: grades by turn, and intervals that know that turns of one
conversation hang together, so that whole scripts are what is drawn."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from limakit.experiments.talks import GRADES, parts
from limakit.records import Grade, Prompt, Response
from limakit.report.grades import grade_numbers
from limakit.report.people import PEOPLE, kind, place
from limakit.report.rates import difference_interval
from limakit.report.resample import resampled_rates
from limakit.report.significance import wilcoxon

EVERY_TURN = 10**6
"""Above the number of any turn of any conversation from one script."""


def reckon(grades: Sequence[Grade], systems: Sequence[str], **options: Any) -> list[dict[str, Any]]:
    """For each judge, people before models and several people also as one: every system's grades in all and by turn,
    and the difference between the first two systems in the shares of excellent and of failed turns. Raises InputError
    where a judge graded a turn twice."""
    judges = []
    for judge, own in _panels(grades).items():
        rows = {row["system"]: row for row in grade_numbers(_apart(own, judge), {}, **options)}
        judges.append(
            {
                "judge": judge,
                "systems": [rows[name] | {"by_turn": _by_turn(own, name)} for name in systems if name in rows],
                "differences": [
                    found
                    for value in ("excellent", "fail")
                    if (found := _difference(own, systems[0], systems[1], value, **options)) is not None
                ],
            }
        )
    return judges


def _panels(grades: Sequence[Grade]) -> dict[str, list[Grade]]:
    found: dict[str, list[Grade]] = {}
    for grade in grades:
        found.setdefault(grade.judge, []).append(grade)
    people = [judge for judge in found if kind(judge) == "person"]
    if len(people) > 1:
        found[PEOPLE] = [grade for judge in people for grade in found[judge]]
    return dict(sorted(found.items(), key=lambda item: (place(item[0]), item[0])))


def _apart(grades: Sequence[Grade], judge: str) -> list[Grade]:
    """The grades by script, as those of one judge; of several people on one turn each is a sample of its own."""
    names = sorted({grade.judge for grade in grades})
    found = []
    for grade in grades:
        one = _by_script(grade)
        found.append(replace(one, judge=judge, sample=one.sample + EVERY_TURN * names.index(grade.judge)))
    return found


def _by_script(grade: Grade) -> Grade:
    """The grade under its script, which is what the bootstrap draws; conversation and turn become the sample."""
    script, sample, turn = grade.prompt_id.rsplit("/", 2)
    return replace(grade, prompt_id=script, sample=1000 * int(sample) + int(turn))


def _by_turn(grades: Sequence[Grade], system: str) -> list[dict[str, Any]]:
    rows: dict[int, dict[str, Any]] = {}
    for grade in grades:
        if grade.system == system:
            _, turn = parts(grade.prompt_id)
            row = rows.setdefault(turn, {"turn": turn, **dict.fromkeys(GRADES, 0), "missing": 0})
            row[grade.value or "missing"] += 1
    return [rows[turn] for turn in sorted(rows)]


def _difference(
    grades: Sequence[Grade], first: str, second: str, value: str, *, resamples: int, seed: int, confidence: float
) -> dict[str, Any] | None:
    """Share of one grade for the second system less that for the first, paired by script; None without both."""
    scripts = sorted({_by_script(grade).prompt_id for grade in grades})
    hits, counts = np.zeros((2, 2, len(scripts)))
    for grade in grades:
        if grade.value is not None and grade.system in (first, second):
            place = (first, second).index(grade.system), scripts.index(_by_script(grade).prompt_id)
            hits[place] += grade.value == value
            counts[place] += 1
    both = (counts > 0).all(0)
    if not both.any():
        return None
    hits, counts = hits[:, both], counts[:, both]
    samples = resampled_rates(hits, counts, resamples=resamples, seed=seed)
    low, high = difference_interval(hits[::-1], counts[::-1], samples[:, 1] - samples[:, 0], confidence)
    shares = hits / counts
    totals = hits.sum(1) / counts.sum(1)
    return {
        "grade": value,
        "scripts": int(both.sum()),
        "difference": float(totals[1] - totals[0]),
        "low": low,
        "high": high,
        "p": wilcoxon(shares[1].tolist(), shares[0].tolist()),
    }


def facts(answers: Sequence[tuple[Prompt, Response]], systems: Sequence[str]) -> list[dict[str, Any]]:
    """What needs no judge, by system and turn: how answers ended, empty ones, and such as repeat an earlier answer of
    their conversation word by word."""
    found: dict[tuple[str, int], list[tuple[Prompt, Response]]] = {}
    for prompt, answer in answers:
        found.setdefault((answer.system, parts(answer.prompt_id)[1]), []).append((prompt, answer))
    rows = []
    for name in systems:
        for (system, turn), own in sorted(found.items()):
            if system == name:
                rows.append({"system": name, "turn": turn, "answers": len(own), **_counted(own)})
    return rows


def _counted(own: Sequence[tuple[Prompt, Response]]) -> Mapping[str, Any]:
    return {
        "ended": sum(answer.finish == "eot" for _, answer in own),
        "empty": sum(not answer.text.strip() for _, answer in own),
        "repeated": sum(
            bool(answer.text.strip())
            and answer.text in [turn.content for turn in prompt.messages if turn.role == "assistant"]
            for prompt, answer in own
        ),
        "mean_tokens": sum(answer.tokens or 0 for _, answer in own) / len(own),
    }
