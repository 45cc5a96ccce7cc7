"""People together as one judge, judges beside them, and verdicts on answers that are no more."""

from dataclasses import replace

import pytest

from limakit.errors import InputError
from limakit.records import Verdict
from limakit.report.page import build
from limakit.report.people import panels
from limakit.report.summary import summarise

from .test_page import study
from .test_rates import board, verdict

FAST = {"resamples": 300, "seed": 0, "confidence": 0.95}


def three(won: int, tied: int, lost: int) -> list[Verdict]:
    return [v for name in ("b", "a", "c") for v in board(won, tied, lost, judge=f"person:{name}")]


def test_people_come_first_and_together() -> None:
    given = [*board(1, 1, 1, judge="metric:rouge-l"), *three(2, 1, 1), *board(3, 0, 0, judge="model:m")]
    found = panels(given)
    assert list(found) == ["people", "person:a", "person:b", "person:c", "model:m", "metric:rouge-l"]
    assert len(found["people"]) == 12
    assert "people" not in panels(board(1, 1, 1))


def test_three_people_on_a_prompt_are_one_prompt() -> None:
    together, alone = (
        summarise(v, candidate="tuned", **FAST)["judges"][0] for v in (three(30, 6, 14), board(30, 6, 14))
    )
    (row,), (single,) = together["against"], alone["against"]
    assert (together["people"], row["win"], row["pairs"], row["prompts"]) == (3, 90, 50, 50)
    assert row["win_rate"] == single["win_rate"]
    assert row["win_share"]["method"] == "bootstrap"


def test_a_judge_beside_people_on_the_items_of_both() -> None:
    """Person a: won, won, tied; b: won, lost. Model: won, tied, lost, won, of which the last was shown to nobody."""
    given = [verdict(f"p{n}", said, judge="person:a") for n, said in enumerate(("won", "won", "tied"))]
    given += [verdict(f"p{n}", said, judge="person:b") for n, said in enumerate(("won", "lost"))]
    given += [verdict(f"p{n}", said, judge="model:m") for n, said in enumerate(("won", "tied", "lost", "won"))]
    found = summarise(given, candidate="tuned", **FAST)["against_people"]
    assert (found["people"], found["items"]) == (2, 3)
    # a and b: the same once, opposed once. The model: with a 1, 1/2, 1/2, with b 1, 1/2.
    assert (found["among"]["items"], found["among"]["comparisons"], found["among"]["rate"]) == (2, 2, 0.5)
    (row,) = found["judges"]
    assert (row["items"], row["comparisons"], row["rate"]) == (3, 5, pytest.approx(3.5 / 5))
    # Items by people: 1, 1/2, 1/2; by the model: 1, 1/2, 0.
    assert (row["by_people"], row["by_judge"]) == (pytest.approx(2 / 3), pytest.approx(0.5))
    difference = row["difference"]
    assert difference["value"] == pytest.approx(-1 / 6)
    assert difference["low"] <= difference["value"] <= difference["high"]
    assert "difference" not in summarise(given, **FAST)["against_people"]["judges"][0]


def test_without_people_or_without_others_there_is_nothing_to_compare() -> None:
    assert summarise(board(3, 1, 2, judge="model:m"), **FAST)["against_people"] is None
    assert summarise(three(3, 1, 2), **FAST)["against_people"] is None
    apart = [*board(3, 1, 2), *board(3, 1, 2, judge="model:m", other="old")]
    assert summarise(apart, **FAST)["against_people"] is None


def test_the_page_shows_them_together_and_each_by_themselves() -> None:
    given = study()
    more = [replace(v, judge="person:b2") for v in given.verdicts if v.judge.startswith("person")]
    page = build(replace(given, verdicts=[*given.verdicts, *more]))
    assert "Judged by 2 people together." in page.html
    assert "Each person by themselves" in page.html
    assert "people with each other" in page.html
    assert page.html.count('<table class="matrix">') == 1
    assert 'data-result="' in page.html
    assert "preferred by 2 of 3" in page.html


def test_verdicts_on_answers_that_changed_are_counted_and_in_no_figure() -> None:
    given = study()
    old = replace(given.verdicts[0], pair_id="0123456789abcdef", judge="person:a1", label="a")
    page = build(replace(given, verdicts=[*given.verdicts, old]))
    assert page.numbers["outdated"] == {"person:a1": 1}
    assert "1 verdict by person:a1 is on answers that have changed since" in page.html
    assert page.numbers["comparison"] == build(given).numbers["comparison"]


def test_a_verdict_that_names_other_systems_than_its_pair_is_refused() -> None:
    given = study()
    wrong = replace(given.verdicts[0], a="tuned", b="nobody", judge="person:x")
    with pytest.raises(
        InputError, match=r"person:x compares nobody and tuned on pair '.*', which shows base and tuned"
    ):
        build(replace(given, verdicts=[*given.verdicts, wrong]))
