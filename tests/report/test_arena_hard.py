"""Arena-Hard's published scores and intervals from its battles, and how much too narrow those intervals are."""

import csv
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from limakit.records import Label, Verdict
from limakit.report.resample import percentile_interval, resampled_rates
from limakit.report.summary import summarise
from limakit.report.verdict_files import read

# Counted from data/arena_hard_battles.jsonl in danielwetzel/arena-hard-auto at 90fa399, a public copy of Arena-Hard's
# repository that keeps what its show_result.py writes (Apache-2.0); allenlee-37/KT-arena-hard-auto has the same totals.
# Battles of v0.1 against gpt-4-0314, judged by gpt-4-1106-preview: (rows the baseline won, tied, the model won) of a
# question, and how many of the 500 questions have just those. Two games a question; a clear win is three rows.
GPT_4_0613 = {
    (2, 0, 0): 142, (0, 0, 2): 69, (1, 0, 1): 64, (1, 1, 0): 54, (4, 0, 0): 42, (0, 2, 0): 40, (0, 1, 1): 33,
    (0, 0, 4): 13, (6, 0, 0): 12, (0, 0, 6): 11, (3, 0, 1): 8, (1, 0, 3): 5, (3, 1, 0): 4, (0, 1, 3): 2, (3, 0, 3): 1,
}  # fmt: skip
GPT_35_TURBO = {
    (2, 0, 0): 157, (6, 0, 0): 58, (4, 0, 0): 57, (1, 0, 1): 52, (0, 0, 2): 44, (1, 1, 0): 41, (0, 2, 0): 37,
    (0, 1, 1): 26, (0, 0, 4): 10, (1, 0, 3): 5, (0, 0, 6): 5, (3, 0, 1): 4, (3, 1, 0): 3, (3, 0, 3): 1,
}  # fmt: skip
PUBLISHED = [
    ("gpt-4-0613", GPT_4_0613, (37.90, 35.60, 40.36)),
    ("gpt-3.5-turbo-0125", GPT_35_TURBO, (23.34, 21.67, 25.27)),
]
"""Score and 95 % interval in arena_hard_leaderboard_20240731.csv, from 100 resamples."""


def battles(model: str, questions: dict[tuple[int, int, int], int]) -> list[Verdict]:
    labels: tuple[Label, ...] = ("a", "tie", "b")
    found: list[Verdict] = []
    number = 0
    for rows, times in questions.items():
        for _ in range(times):
            said: list[Label] = [label for label, count in zip(labels, rows, strict=True) for _ in range(count)]
            found += [
                Verdict(pair_id=f"{number}/{n}", prompt_id=f"{number}", judge="model:x", a="base", b=model, label=label)
                for n, label in enumerate(said)
            ]
            number += 1
    return found


@pytest.mark.parametrize(("model", "questions", "published"), PUBLISHED)
def test_published_score_to_the_last_digit_and_interval_from_single_rows(
    model: str, questions: dict[tuple[int, int, int], int], published: tuple[float, float, float]
) -> None:
    verdicts = battles(model, questions)
    assert sum(questions.values()) == 500
    by_question = summarise(verdicts, candidate=model)["judges"][0]["against"][0]
    assert round(100 * by_question["win_rate"]["value"], 2) == published[0]
    # Arena-Hard draws rows, as if the two games and the repeated rows of a question knew nothing of each other.
    rows = np.array([[0.0 if v.label == "a" else 0.5 if v.label == "tie" else 1.0 for v in verdicts]])
    drawn = 100 * resampled_rates(rows, np.ones_like(rows), resamples=10_000, seed=0)[:, 0]
    low, high = percentile_interval(drawn, 0.95)
    # The ends of their 100 resamples scatter by about 0.25 points; ours of 10,000 by a tenth of that.
    assert (low, high) == (pytest.approx(published[1], abs=0.4), pytest.approx(published[2], abs=0.4))
    honest = 100 * (by_question["win_rate"]["high"] - by_question["win_rate"]["low"])
    assert honest / (high - low) == pytest.approx(1.6, abs=0.05)


def test_published_ranking_and_intervals_are_those_of_the_published_resamples(real_data: Path) -> None:
    """78 models with their 100 resampled ratings: centre, ends and order."""
    folder = real_data / "judgments" / "arena_hard"
    rows = [json.loads(line) for line in (folder / "bootstrap_stats_arena_hard_distribution_elo.jsonl").open()]
    assert len(rows) == 78
    for row in rows:
        ends = percentile_interval(np.array(row["results"]), 0.95)
        assert ends == (pytest.approx(row["lower"], abs=1e-6), pytest.approx(row["upper"], abs=1e-6))
    # Ranked by the middle of the resamples, two models change places only where their intervals overlap.
    ours = sorted(rows, key=lambda row: -np.median(row["results"]))
    places = {row["model"]: place for place, row in enumerate(ours)}
    for better, worse in combinations(rows, 2):
        assert places[better["model"]] < places[worse["model"]] or better["lower"] < worse["upper"]


def test_published_intervals_take_about_as_many_rows_for_independent_as_there_are(real_data: Path) -> None:
    """From score and width of every model but the baseline: 500 questions are counted as some 1,300 to 3,500."""
    with open(real_data / "judgments" / "arena_hard" / "arena_hard_leaderboard_20240731.csv") as file:
        board = [row for row in csv.DictReader(file) if row["score"] != "50.0"]
    p = np.array([float(row["score"]) for row in board]) / 100
    half = np.array([float(row["rating_q975"]) - float(row["rating_q025"]) for row in board]) / 200
    rows = p * (1 - p) * (1.96 / half) ** 2
    assert 1300 < np.median(rows) < 3500
    assert (rows > 900).all()


def test_battles_of_a_second_study(real_data: Path) -> None:
    """2,136 rows on 120 questions, one model against four: all kept, and ranked as their plain win rates are."""
    found = read(real_data / "judgments" / "arena_hard" / "arena_hard_battles.jsonl")
    assert (found.layout, len(found.verdicts)) == ("battles", 2136)
    judge = summarise(found.verdicts, candidate="claude-3-haiku-20240307")["judges"][0]
    rows = {row["baseline"]: row for row in judge["against"]}
    assert {name: (row["win"], row["tie"], row["lose"]) for name, row in rows.items()} == {
        "claude-3-5-sonnet-20240620": (59, 5, 480),
        "claude-3-opus-20240229": (117, 13, 384),
        "gpt-4o": (70, 6, 478),
        "gpt-4o-mini": (101, 7, 416),
    }
    assert all(row["prompts"] == 120 for row in rows.values())
    order = [place["system"] for place in judge["ranking"]["systems"]]
    assert order == [*sorted(rows, key=lambda name: rows[name]["win_rate"]["value"]), "claude-3-haiku-20240307"]
