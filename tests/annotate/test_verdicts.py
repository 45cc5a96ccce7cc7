"""What people said as verdicts and grades; every vote is counted once."""

from typing import Any

from limakit.annotate.items import Answer
from limakit.annotate.verdicts import Said, gather
from limakit.records import Grade, Pair, Response, Turn, Verdict

TURN = (Turn(role="user", content="?"),)


def response(system: str) -> Response:
    return Response(prompt_id="t0", system=system, text="x", finish="eot", tokens=1)


PAIRS = [Pair(id=f"p{n}", prompt_id=f"t{n}", messages=TURN, a=response("tuned"), b=response("base")) for n in range(5)]
ANSWERS: Any = {
    "absolute": [Answer(id="r0", kind="absolute", messages=TURN, response=response("tuned"))],
    "safety": [Answer(id="r1", kind="safety", messages=TURN, response=response("base"))],
}


def said(item: str, label: str, position: int = 0, **more: Any) -> Said:
    usual = {"person": "a1", "kind": "compare", "flipped": False, "repeats": None, "milliseconds": 2000}
    return Said(**{**usual, "item": item, "label": label, "position": position, **more})


def test_the_answer_that_was_shown_first_is_a():
    found = gather([said("p0", "a"), said("p1", "a", 1, flipped=True), said("p2", "tie", 2)], PAIRS, ANSWERS)
    assert [(v.a, v.b, v.label, v.winner) for v in found.verdicts] == [
        ("tuned", "base", "a", "tuned"),
        ("base", "tuned", "a", "base"),
        ("tuned", "base", "tie", None),
    ]
    assert found.verdicts[0] == Verdict(
        pair_id="p0", prompt_id="t0", judge="person:a1", a="tuned", b="base", label="a", detail=""
    )


def test_grades_and_skipped_items():
    found = gather(
        [said("r0", "excellent", kind="absolute"), said("r1", "skip", kind="safety"), said("p0", "skip")],
        PAIRS,
        ANSWERS,
    )
    assert found.grades == [
        Grade(prompt_id="t0", system="tuned", judge="person:a1", scale="absolute", value="excellent"),
        Grade(prompt_id="t0", system="base", judge="person:a1", scale="safety", value=None, detail="skipped"),
    ]
    assert (found.verdicts[0].label, found.verdicts[0].detail) == (None, "skipped")
    assert found.counts["skipped"] == 2


def test_turns_of_conversations_stand_apart_from_grades_of_single_answers():
    turn = Answer(id="d0", kind="dialogue", messages=TURN, response=response("with"))
    votes = [said("d0", "pass", kind="dialogue"), said("r0", "fail", kind="absolute")]
    found = gather(votes, PAIRS, {**ANSWERS, "dialogue": [turn]})
    assert [(grade.system, grade.value) for grade in found.turns] == [("with", "pass")]
    assert [(grade.system, grade.value) for grade in found.grades] == [("tuned", "fail")]
    assert (found.counts["turns"], found.counts["grades"]) == (1, 1)


def test_every_vote_is_counted_once():
    votes = [said("p0", "a"), said("p0", "a", 40, repeats=0, flipped=True), said("gone", "b", 1)]
    votes += [said("r0", "fail", kind="absolute"), said("r0", "fail", 1, kind="absolute", repeats=0)]
    counts = gather(votes, PAIRS, ANSWERS).counts
    assert sum(counts[name] for name in ("verdicts", "grades", "turns", "repeats", "outdated")) == counts["votes"] == 5
    assert (counts["repeats"], counts["outdated"]) == (2, 1)


def test_consistency_knows_that_sides_were_swapped():
    first = [said("p0", "a", 0), said("p1", "a", 1), said("p2", "a", 2), said("p3", "skip", 3)]
    again = [
        said("p0", "b", 40, repeats=0, flipped=True),  # the same system: 1
        said("p1", "a", 41, repeats=1, flipped=True),  # the same side: 0
        said("p2", "tie", 42, repeats=2, flipped=True),  # a tie: 1/2
        said("p3", "a", 43, repeats=3, flipped=True),  # nothing to compare with
    ]
    person = gather(first + again, PAIRS, ANSWERS).counts["people"]["a1"]
    assert (person["repeats"], person["consistency"]) == (3, 0.5)
    assert person["seconds"] == 2.0


def test_figures_without_votes_are_none():
    found = gather([said("p0", "skip", milliseconds=None)], PAIRS, ANSWERS).counts["people"]["a1"]
    assert (found["seconds"], found["first_shown"], found["consistency"]) == (None, None, None)
    assert gather([], PAIRS, ANSWERS).counts["votes"] == 0
