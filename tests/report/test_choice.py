"""The ranking of checkpoints: worked by hand, and what must hold for any verdicts."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from limakit.records import Label, Verdict
from limakit.report.choice import figure, rank

NAMES = ["epoch-01", "epoch-02", "epoch-03"]
CONTESTS = list(combinations(NAMES, 2))


def verdict(prompt: int, a: str, b: str, label: Label | None) -> Verdict:
    return Verdict(pair_id=f"{prompt}{a}{b}", prompt_id=f"p{prompt}", judge="j", a=a, b=b, label=label)


def ranked(labels: list[tuple[Label | None, Label | None, Label | None]]) -> list[dict]:
    verdicts = [
        verdict(prompt, *contest, label)
        for prompt, three in enumerate(labels)
        for contest, label in zip(CONTESTS, three, strict=True)
    ]
    return rank(verdicts, NAMES, resamples=200, seed=1, confidence=0.95)


def test_a_clear_winner_is_sure() -> None:
    """Contests are 1-2, 1-3, 2-3: the third wins both of its own, the first ties with the second."""
    rows = ranked([("tie", "b", "b")] * 12)
    assert [row["win_rate"] for row in rows] == [0.25, 0.25, 1.0]
    assert [row["best"] for row in rows] == [0, 0, 1]
    assert [(row["win"], row["tie"], row["lose"]) for row in rows] == [(0, 12, 12), (0, 12, 12), (24, 0, 0)]
    assert rows[2]["behind"] is None
    assert 0 < rows[0]["behind"][0] < 0.75 < rows[0]["behind"][1] <= 1
    few = ranked([("tie", "b", "b")] * 5)
    assert few[0]["behind"][0] < 0, "five prompts that agree make nobody sure"


def test_equal_ones_share_the_first_place() -> None:
    rows = ranked([("tie", "tie", "tie")] * 3)
    assert [row["best"] for row in rows] == [0.3333] * 3
    assert rows[1]["behind"][0] < 0 < rows[1]["behind"][1]


def test_no_label_no_ranking() -> None:
    assert ranked([(None, None, None)]) == []
    assert rank([], NAMES, resamples=200, seed=0, confidence=0.9) == []


LABELS = st.sampled_from(["a", "b", "tie", None])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(LABELS, LABELS, LABELS), min_size=1, max_size=6))
def test_wins_are_others_losses_and_every_verdict_counts(labels: list) -> None:
    rows = ranked(labels)
    if not rows:
        assert not any(label for three in labels for label in three)
        return
    assert sum(row["win"] for row in rows) == sum(row["lose"] for row in rows)
    assert sum(row[key] for row in rows for key in ("win", "tie", "lose", "missing")) == 6 * len(labels)
    assert sum(row["best"] for row in rows) == pytest.approx(1, abs=0.001)
    for row in rows:
        if row["win_rate"] is None:
            assert row["win"] + row["tie"] + row["lose"] == 0
        else:
            assert 0 <= row["low"] <= row["high"] <= 1


def test_the_figure_says_in_words_what_it_shows() -> None:
    rows = [
        {**row, "epoch": n, "dev_loss": 2.5 if n < 3 else None}
        for n, row in enumerate(ranked([("a", "b", "tie")] * 4), 1)
    ]
    svg = figure(rows, 1, confidence=0.95, judge="metric:rouge-l")
    assert "Epoch 1: 50.0%" in svg
    assert "Dev loss: 1: 2.500, 2: 2.500." in svg
    assert svg == figure(rows, 1, confidence=0.95, judge="metric:rouge-l")
