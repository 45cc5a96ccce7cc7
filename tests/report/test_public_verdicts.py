"""The statistics on verdicts that others published, against the figures they published."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from limakit.records import Label, Verdict
from limakit.report.rates import clustered_error
from limakit.report.summary import summarise


def alpaca_models(folder: Path) -> list[tuple[Path, Path, str]]:
    """(annotations, leaderboard, model) of everything that is there."""
    boards = {
        "weighted_alpaca_eval_gpt4_turbo": "data_AlpacaEval_2/weighted_alpaca_eval_gpt4_turbo_leaderboard.csv",
        "alpaca_eval_gpt4": "data_AlpacaEval/alpaca_eval_gpt4_leaderboard.csv",
    }
    return [
        (path, folder / "leaderboards" / boards[path.parent.name], path.parent.parent.name)
        for path in sorted(folder.glob("results/*/*/annotations.json"))
    ]


def test_alpaca_eval_win_rates_and_errors(real_data: Path) -> None:
    checked = 0
    for path, board, model in alpaca_models(real_data / "judgments" / "alpaca_eval"):
        with open(board, newline="") as file:
            published = {row[""]: row for row in csv.DictReader(file)}.get(model)
        if published is None:
            continue
        preferences = [row["preference"] for row in json.loads(path.read_text())]
        # 1 and 2 name the baseline and the model, values between them are probabilities, and 0 is a draw.
        wins = np.array([0.5 if value == 0 else value - 1 for value in preferences if value is not None])
        assert len(wins) == int(published["n_total"])
        assert 100 * wins.mean() == pytest.approx(float(published["win_rate"]), abs=1e-9)
        error = 100 * clustered_error(wins, np.ones(len(wins)))
        assert error == pytest.approx(float(published["standard_error"]), abs=1e-9)
        checked += 1
    assert checked >= 6


def faireval(folder: Path) -> list[Verdict]:
    text = (folder / "review" / "review_gpt35_vicuna-13b_human.txt").read_text()
    labels: dict[str, Label] = {"CHATGPT": "a", "VICUNA13B": "b", "TIE": "tie"}
    return [
        Verdict(pair_id=f"{n}", prompt_id=f"{n}", judge="person:fair", a="chatgpt", b="vicuna", label=labels[line])
        for n, line in enumerate(text.split())
    ]


def test_faireval_totals(real_data: Path) -> None:
    verdicts = faireval(real_data / "judgments" / "faireval")
    row = summarise(verdicts, candidate="chatgpt", asked=80)["judges"][0]["against"][0]
    assert (row["win"], row["tie"], row["lose"], row["missing"]) == (41, 14, 25, 0)
    assert row["win_rate"]["value"] == 48 / 80
    assert row["win_rate"]["low"] == pytest.approx(0.5, abs=0.005)
    assert row["sign_test"]["p"] == pytest.approx(0.0640, abs=1e-4)


@pytest.mark.parametrize(
    ("file", "totals"),
    [
        ("review_alpaca-13b_vicuna-13b.jsonl", (583, 704)),
        ("review_llama-13b_vicuna-13b.jsonl", (513, 694)),
        ("review_bard_vicuna-13b.jsonl", (664, 655.5)),
        ("review_gpt35_vicuna-13b.jsonl", (693, 638)),
    ],
)
def test_vicuna_totals_and_the_verdicts_in_them(real_data: Path, file: str, totals: tuple[float, float]) -> None:
    path = real_data / "judgments" / "fastchat_vicuna" / "table" / "review" / file
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    points = np.array([row["score"] for row in rows])
    points = points[(points >= 0).all(1)]
    assert tuple(points.sum(0)) == totals
    labels: list[Label] = ["a" if x > y else "b" if y > x else "tie" for x, y in points]
    verdicts = [
        Verdict(pair_id=str(n), prompt_id=str(n), judge="model:gpt-4", a="first", b="second", label=label)
        for n, label in enumerate(labels)
    ]
    row = summarise(verdicts, candidate="first", asked=80)["judges"][0]["against"][0]
    assert (row["win"], row["tie"], row["lose"]) == tuple(labels.count(x) for x in ("a", "tie", "b"))


def test_position_bias_of_scores_given_in_both_orders(real_data: Path) -> None:
    """GPT-3.5 scored the same two models' answers in both orders; whichever stood first was favoured."""
    path = real_data / "judgments" / "cherry" / "logs__cherry_alpaca_5_per-VS-alpaca__vicuna_wrap_reviews_gpt3.5.json"
    data = json.loads(path.read_text())["data"]
    verdicts = []
    for number, row in enumerate(data):
        for key, (a, b) in (("scores", ("cherry", "alpaca")), ("scores_reverse", ("alpaca", "cherry"))):
            first, second = json.loads(row[key]) if isinstance(row[key], str) else row[key]
            label: Label = "a" if first > second else "b" if second > first else "tie"
            verdicts.append(
                Verdict(pair_id=f"{number}/{key}", prompt_id=f"{number}", judge="model:gpt-3.5", a=a, b=b, label=label)
            )
    judge = summarise(verdicts, candidate="cherry")["judges"][0]
    assert judge["against"][0]["prompts"] == len(data) == 80
    first = sum(v.label == "a" for v in verdicts)
    assert judge["position"]["first_won"] == first
    assert judge["position"]["low"] < judge["position"]["share"] < judge["position"]["high"]
