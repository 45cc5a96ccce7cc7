"""Win, tie and lose by hand, and the words made of them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from limakit.errors import InputError
from limakit.records import Label, Verdict
from limakit.report import words
from limakit.report.rates import outcome, scores
from limakit.report.summary import summarise

FAST = {"resamples": 400, "seed": 0, "confidence": 0.95}


def verdict(
    prompt: str, result: str | None, *, judge: str = "person:a1", other: str = "base", side: int = 0, item: str = ""
) -> Verdict:
    """`result` is won, tied, lost (of `tuned`) or None for missing; `side` 1 shows `tuned` second."""
    label: Label | None = None
    if result is not None:
        label = "tie" if result == "tied" else "a" if (result == "won") == (side == 0) else "b"
    a, b = ("tuned", other) if side == 0 else (other, "tuned")
    name = item or f"{prompt}/{other}"
    return Verdict(pair_id=name, prompt_id=prompt, judge=judge, a=a, b=b, label=label)


def board(won: int, tied: int, lost: int, missing: int = 0, **options: str) -> list[Verdict]:
    results = ["won"] * won + ["tied"] * tied + ["lost"] * lost + [None] * missing
    return [verdict(f"p{i:04d}", result, side=i % 2, **options) for i, result in enumerate(results)]


def test_counts_rates_and_missing() -> None:
    found = outcome(board(31, 9, 20, 4), "tuned", **FAST)
    assert found is not None
    assert (found.win, found.tie, found.lose, found.missing, found.prompts) == (31, 9, 20, 4, 60)
    assert found.win_rate.value == 35.5 / 60
    assert (found.win_share.value, found.win_share.method) == (31 / 60, "wilson")
    assert found.error == pytest.approx(math.sqrt((31 + 9 / 4 - 35.5**2 / 60) / 59 / 60))
    assert found.win_rate.low < found.win_rate.value < found.win_rate.high


def test_sides_do_not_matter() -> None:
    straight = [verdict(f"p{i}", r) for i, r in enumerate(("won", "tied", "lost", "won"))]
    turned = [verdict(f"p{i}", r, side=1) for i, r in enumerate(("won", "tied", "lost", "won"))]
    assert outcome(straight, "tuned", **FAST) == outcome(turned, "tuned", **FAST)


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 5))
def test_both_systems_tell_the_same_story(won: int, tied: int, lost: int, missing: int) -> None:
    verdicts = board(won, tied, lost, missing)
    ours, theirs = outcome(verdicts, "tuned", **FAST), outcome(verdicts, "base", **FAST)
    if won + tied + lost == 0:
        assert ours is theirs is None
        return
    assert ours is not None
    assert theirs is not None
    assert (ours.win, ours.tie, ours.lose, ours.missing) == (theirs.lose, theirs.tie, theirs.win, theirs.missing)
    assert ours.win_rate.value + theirs.win_rate.value == pytest.approx(1)
    assert 0 <= ours.win_rate.low <= ours.win_rate.value <= ours.win_rate.high <= 1


def test_no_certainty_from_few_unanimous_verdicts() -> None:
    found = outcome(board(5, 0, 0), "tuned", **FAST)
    assert found is not None
    assert found.win_rate.method == "wilson"
    assert found.win_rate.low == pytest.approx(0.5655, abs=1e-4)


def test_several_verdicts_on_a_prompt_are_no_further_prompts() -> None:
    """Ten verdicts that repeat the first of each prompt leave the interval as wide as one does."""
    one = board(30, 0, 20)
    ten = [
        Verdict(pair_id=f"{v.pair_id}/{k}", prompt_id=v.prompt_id, judge=v.judge, a=v.a, b=v.b, label=v.label)
        for v in one
        for k in range(10)
    ]
    single, repeated = outcome(one, "tuned", **FAST), outcome(ten, "tuned", **FAST)
    assert single is not None
    assert repeated is not None
    assert repeated.win_rate == single.win_rate
    assert repeated.error == pytest.approx(single.error)
    assert repeated.win_share.method == "bootstrap"


def test_scores_are_sorted_by_prompt() -> None:
    verdicts = [verdict("q", "won"), verdict("p", "tied"), verdict("q", "lost", item="2"), verdict("r", None)]
    assert scores(verdicts, "tuned") == {"p": [0.5], "q": [1.0, 0.0]}
    assert list(scores(verdicts, "tuned")) == ["p", "q"]


def test_summary_of_two_judges_and_two_baselines() -> None:
    verdicts = [
        *board(31, 9, 20),
        *board(12, 10, 38, other="old"),
        *board(28, 12, 17, 3, judge="metric:rouge-l"),
    ]
    found = summarise(verdicts, candidate="tuned", baselines=["old", "base"], asked=64, **FAST)
    person, metric = found["judges"]
    assert [row["baseline"] for row in person["against"]] == ["old", "base"]
    assert [row["win"] for row in person["against"]] == [12, 31]
    assert person["against"][0]["sign_test"]["holm"] == pytest.approx(2 * person["against"][0]["sign_test"]["p"])
    difference = person["differences"][0]
    assert difference["difference"] == pytest.approx(17 / 60 - 35.5 / 60)
    assert difference["low"] < difference["difference"] < difference["high"] < 0
    assert [place["system"] for place in person["ranking"]["systems"]] == ["old", "tuned", "base"]
    assert metric["ranking"] is None
    assert metric["against"][0] | {"asked": 0} == {
        "candidate": "tuned",
        "baseline": "old",
        **dict.fromkeys(("asked", "verdicts", "pairs", "win", "tie", "lose", "missing", "prompts"), 0),
    }
    assert (metric["missing"], metric["against"][1]["missing"]) == (3, 3)
    agreed = found["agreement"]["pairs"][0]
    assert agreed["judges"] == ["metric:rouge-l", "person:a1"]
    assert agreed["items"] == 57
    # 28 won by both, 9 tied by both, 17 lost by both; three times won against tie.
    assert agreed["rate"] == pytest.approx((28 + 9 + 17 + 3 / 2) / 57)


def test_summary_without_a_candidate_takes_every_pair_of_systems() -> None:
    found = summarise([*board(3, 1, 2), *board(1, 1, 4, other="old")], resamples=200)
    rows = found["judges"][0]["against"]
    assert [(r["candidate"], r["baseline"], r["win"]) for r in rows] == [
        ("base", "old", 0),
        ("base", "tuned", 2),
        ("old", "tuned", 4),
    ]


def test_one_judge_cannot_judge_a_pair_twice() -> None:
    with pytest.raises(InputError, match="two verdicts on pair 'p/base'"):
        summarise([verdict("p", "won"), verdict("p", "lost")])


def test_summary_of_nothing() -> None:
    assert summarise([])["judges"] == []
    only_missing = summarise([verdict("p", None)], candidate="tuned")["judges"][0]
    assert (only_missing["missing"], only_missing["against"][0]["prompts"]) == (1, 0)


def test_words_say_what_the_numbers_do() -> None:
    judge = summarise(board(31, 9, 20, 4, judge="metric:rouge-l"), candidate="tuned", asked=66)["judges"][0]
    row = judge["against"][0]
    text = words.headline(judge, row, 0.95).replace("\u00a0", " ")
    assert text.startswith("tuned won 31 of 60, tied 9, lost 20 against base: win rate 59 % [95 % interval 4")
    assert text.endswith("Judged by reference metric ROUGE-L, a smoke test, not a preference.")
    assert words.answer(judge, row) == "No telling tuned and base apart by the references"
    assert "do not tell" in words.reading(row)
    assert words.absent(row) == (
        "Of 66 pairs asked for, 4 got no usable verdict and 2 had no pair of answers to judge; that is in no rate."
    )
    assert "60 prompts cannot tell less than 17 points apart: with 15\u00a0% ties" in words.limits(row)
    assert "a win rate that is 16.7 points or more" in words.limits(row)
    assert words.judge_name("model:gpt-x") == "model gpt-x"
    whole = summarise(board(50, 2, 3), candidate="tuned", asked=55)["judges"][0]["against"][0]
    assert words.absent(whole) == "Every one of the 55 pairs has a verdict."
    assert "tuned did better" in words.reading(whole)
    assert "base did better" in words.reading(summarise(board(3, 2, 50), candidate="tuned")["judges"][0]["against"][0])
