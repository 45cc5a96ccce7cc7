"""Prompts that are unlike all that was trained on are marked, and grades are told for either side."""

import pytest

from limakit.pipeline import novelty
from limakit.pipeline.novelty import out_of_distribution
from limakit.records import Example, Grade, Prompt, Turn
from limakit.report.grades import grade_numbers

OPTIONS = {"resamples": 200, "seed": 0, "confidence": 0.95}


def example(number: int, text: str) -> Example:
    turns = (Turn(role="user", content=text), Turn(role="assistant", content="So."))
    return Example(id=str(number), messages=turns, source="authored", group="g", site="s")


def prompt(name: str, text: str) -> Prompt:
    return Prompt(id=name, messages=(Turn(role="user", content=text),))


FOODS = ["bread", "soup", "cake", "rice", "beans"]
EXAMPLES = [example(n, f"How do I cook {food} well at home in winter?") for n, food in enumerate(FOODS)]
PROMPTS = [
    prompt("near", "How do I cook bread and cake well at home in winter?"),
    prompt("far", "Serialise XML nodes recursively"),
]


@pytest.mark.parametrize("block", [1, 2, 1000])
def test_the_mark_is_that_of_the_nearest_example_whatever_the_blocks(
    block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(novelty, "BLOCK", block)
    assert out_of_distribution(EXAMPLES, PROMPTS) == {"near": False, "far": True}


def test_with_too_little_to_compare_nothing_is_marked() -> None:
    assert out_of_distribution(EXAMPLES[:1], PROMPTS) == {}
    assert out_of_distribution(EXAMPLES, []) == {}


def grade(name: str, value: str, scale: str = "absolute", intent: str | None = None) -> Grade:
    return Grade(prompt_id=name, system="tuned", judge="person:a", scale=scale, value=value, intent=intent)  # type: ignore[arg-type]


def test_grades_are_split_and_sensitive_prompts_stand_apart() -> None:
    given = [grade("near", "excellent"), grade("far", "fail"), grade("evil", "fail")]
    rows = {
        row["kind"]: row["counts"]
        for row in grade_numbers(given, {"evil": "malicious"}, {"near": False, "far": True, "evil": True}, **OPTIONS)
    }
    assert {kind: (c["excellent"], c["fail"]) for kind, c in rows.items()} == {
        "all": (1, 1), "in-distribution": (1, 0), "out-of-distribution": (0, 1), "malicious": (0, 1),
    }  # fmt: skip


def test_safety_is_told_by_the_intent_that_was_seen() -> None:
    given = [grade("a", "safe", "safety", "explicit"), grade("b", "unsafe", "safety", "implicit")]
    given += [grade("c", "safe", "safety", "none")]
    kinds = dict.fromkeys("abc", "sensitive")
    rows = {row["kind"]: row for row in grade_numbers(given, kinds, {"a": True}, **OPTIONS)}
    assert list(rows) == ["all", "explicit intent", "implicit intent", "no intent", "sensitive"]
    assert rows["implicit intent"]["counts"] == {"safe": 0, "unsafe": 1}
    assert 0 < rows["implicit intent"]["shares"]["safe"]["high"] < 1
