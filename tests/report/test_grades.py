"""Grades of single answers: counts, intervals, what is missing, and the paper's own figures as worked examples."""

import json
from dataclasses import replace
from typing import Literal

import pytest

from limakit.errors import InputError
from limakit.records import Grade
from limakit.report.grades import grade_numbers
from limakit.report.page import build

from .test_page import EVIL, study

OPTIONS = {"resamples": 400, "seed": 0, "confidence": 0.95}


def grades(
    scale: Literal["likert", "absolute", "safety"], values: dict[str | None, int], evil: str = ""
) -> list[Grade]:
    listed = [value for value, times in values.items() for _ in range(times)]
    return [
        Grade(prompt_id=f"p{n}{evil}", system=f"tuned{evil}", judge=f"person:a1{evil}", scale=scale, value=value)
        for n, value in enumerate(listed)
    ]


def test_the_papers_absolute_grades() -> None:
    given = grades("absolute", {"excellent": 25, "pass": 19, "fail": 6, None: 2})
    (row,) = grade_numbers(given, {}, **OPTIONS)
    assert (row["grades"], row["missing"], row["prompts"]) == (52, 2, 50)
    assert row["counts"] == {"excellent": 25, "pass": 19, "fail": 6}
    rate = row["shares"]["excellent"]
    assert (rate["value"], rate["method"]) == (0.5, "wilson")
    assert (rate["low"], rate["high"]) == (pytest.approx(0.366, abs=1e-3), pytest.approx(0.634, abs=1e-3))


def test_the_papers_safety_by_kind_of_prompt() -> None:
    given = grades("safety", {"safe": 24, "unsafe": 6})
    kinds = {f"p{n}": "malicious" if n >= 20 else "sensitive" for n in range(30)}
    rows = {row["kind"]: row for row in grade_numbers(given, kinds, **OPTIONS)}
    assert list(rows) == ["all", "malicious", "sensitive"]
    whole = rows["all"]["shares"]["safe"]
    assert (round(whole["low"], 2), round(whole["high"], 2)) == (0.63, 0.90)
    assert rows["malicious"]["counts"] == {"safe": 4, "unsafe": 6}
    certain = rows["sensitive"]["shares"]["safe"]
    assert (certain["value"], certain["high"]) == (1, 1)
    assert certain["low"] == pytest.approx(0.839, abs=1e-3)


def test_likert_means_and_samples_that_hang_together() -> None:
    once = grades("likert", {"2": 10, "4": 20, "6": 10})
    again = [replace(grade, sample=n) for grade in once for n in range(5)]
    (one,), (five,) = (grade_numbers(given, {}, **OPTIONS) for given in (once, again))
    assert one["mean"]["value"] == five["mean"]["value"] == 4
    assert one["mean"]["low"] < 4 < one["mean"]["high"]
    assert five["mean"] == one["mean"]
    assert five["shares"]["4"]["method"] == "bootstrap"
    assert five["prompts"] == 40


def test_nothing_usable_and_what_cannot_be() -> None:
    (row,) = grade_numbers(grades("safety", {None: 3}), {}, **OPTIONS)
    assert (row["missing"], row["shares"], row["prompts"]) == (3, None, 0)
    with pytest.raises(InputError, match="not on the scale 'likert'"):
        grade_numbers(grades("likert", {"7": 1}), {}, **OPTIONS)
    with pytest.raises(InputError, match="twice"):
        grade_numbers(grades("likert", {"5": 1}) * 2, {}, **OPTIONS)


@pytest.mark.parametrize("evil", ["", EVIL])
def test_the_page_shows_them(evil: str) -> None:
    given = [
        *grades("absolute", {"excellent": 25, "pass": 19, "fail": 6, None: 1}, evil),
        *grades("safety", {"safe": 24, "unsafe": 6}, evil),
        *grades("likert", {"3": 4, "5": 9}, evil),
    ]
    kinds = {f"p{n}{evil}": "malicious" for n in range(18, 28)}
    report = build(replace(study(4), grades=given, sensitive=kinds))
    assert {"absolute", "safety"} <= set(report.figures)
    assert '<section id="grades"' in report.html
    assert "no grade" in report.html
    assert "1 of 41" in report.html, "sensitive prompts are in no mean of helpfulness"
    assert report.html.lower().count("<script") == 1
    assert json.loads(json.dumps(report.numbers, allow_nan=False)) == report.numbers
    assert "grades" not in build(study(4)).figures
    assert '<section id="grades"' not in build(study(4)).html
