"""People taken together: standings and agreement of groups of judges."""

import pytest

from limakit.records import Label, Verdict
from limakit.report.agreement import agreement
from limakit.report.pooled import CONFIDENCE, RESAMPLES, among, between, standings


def said(judge: str, labels: str, *, swapped: bool = False, baseline: str = "base") -> list[Verdict]:
    """One verdict a letter: w(in), t(ie), l(ose) of `tuned`, or a dash for none."""
    found = []
    for at, letter in enumerate(labels):
        label: Label | None = {"w": "a", "l": "b", "t": "tie"}.get(letter)  # type: ignore[assignment]
        if swapped:
            label = {"a": "b", "b": "a"}.get(label or "", label)  # type: ignore[assignment]
        a, b = (baseline, "tuned") if swapped else ("tuned", baseline)
        found.append(Verdict(pair_id=f"p{at}/{baseline}", prompt_id=f"p{at}", judge=judge, a=a, b=b, label=label))
    return found


def test_standings_count_every_vote_once_and_draw_prompts() -> None:
    verdicts = [
        *said("person:a", "wwtl-"),
        *said("person:b", "wwww", swapped=True),
        *said("person:a", "l", baseline="x"),
    ]
    [(name, first), (other, second)] = standings(verdicts, "tuned", ["base", "x", "nobody"])
    assert (name, first.win, first.tie, first.lose, first.missing, first.prompts) == ("base", 6, 1, 1, 1, 4)
    assert first.win_rate.value == pytest.approx(6.5 / 8)
    assert first.win_rate.low < first.win_rate.value < first.win_rate.high
    assert (other, second.lose) == ("x", 1)
    assert standings(said("person:a", "--"), "tuned", ["base"]) == []


def test_a_group_agrees_as_its_pairs_do_together() -> None:
    people = {"a": said("a", "wwtl"), "b": said("b", "wwww", swapped=True), "c": said("c", "-t")}
    found = among(people)
    # a-b: 1 + 1 + ½ + 0 on four items, a-c: ½ on one, b-c: ½ on one
    assert found is not None
    assert (found.items, found.rate) == (6, pytest.approx(3.5 / 6))
    # "base" sorts before "tuned", so a win of `tuned` is 2
    first, second, prompts = [2, 2, 1, 0], [2, 2, 2, 2], ["p0", "p1", "p2", "p3"]
    alone = among({"a": people["a"], "b": people["b"]})
    assert alone == agreement(first, second, prompts, resamples=RESAMPLES, seed=0, confidence=CONFIDENCE)


def test_people_and_a_model() -> None:
    found = between({"a": said("a", "wl"), "b": said("b", "tt")}, {"m": said("m", "ww")})
    assert found is not None
    assert (found.items, found.rate) == (4, pytest.approx((1 + 0 + 0.5 + 0.5) / 4))
    assert between({}, {"m": said("m", "w")}) is None
    assert among({"a": said("a", "w")}) is None
