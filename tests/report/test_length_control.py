"""The length-controlled win rate: what it recovers, what its interval covers, and AlpacaEval's published figures."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from limakit.report.length_control import LengthControlled, length_controlled
from limakit.report.summary import summarise

from .test_rates import board

ALPACA = {"alpaca-7b": (-3.6907, 0.9859), "claude-2.1": (-1.3132, 0.8304), "gpt-3.5-turbo-0301": (-2.0914, 1.0967)}
"""AlpacaEval's published coefficients (intercept, difficulty), `length_controlled_v1` against gpt4_1106_preview."""
DIFFICULTY = (-0.0534, 1.4781, 0.2082)
"""Mean, spread and skew of AlpacaEval's difficulties: with these three numbers and the coefficients it publishes, all
its 198 length-controlled win rates come out within 0.17 points and their standard errors within 0.01."""
TOWARDS_BASELINE = ((0.0, 0.76, 1.6), (0.0, 70.0, 11.0))
"""AlpacaEval also fits its baseline told to be verbose and concise, 1,610 rows of weight 0.1. On intercept, difficulty
and length that is about a normal prior: the mean is the coefficients published for those two, the precision 161 times
the squared feature times p(1 - p)."""


def run(scores: NDArray[np.float64], longer: NDArray[np.float64], **options: object) -> LengthControlled:
    prompts = [f"{i:05d}" for i in range(len(scores))]
    return length_controlled(scores, longer, prompts, seed=0, confidence=0.95, **options)  # type: ignore[arg-type]


def test_a_judge_who_only_counts_characters_finds_no_difference() -> None:
    random = np.random.default_rng(0)
    longer = random.normal(300, 200, 2000)
    scores = (random.random(2000) < expit(3 * np.tanh(longer / longer.std(ddof=1)))).astype(float)
    found = run(scores, longer)
    assert found.raw > 0.8
    assert found.low < 0.5 < found.high
    assert found.slope == pytest.approx(3, abs=0.5)


def test_without_a_bias_for_length_nothing_is_controlled_away() -> None:
    random = np.random.default_rng(1)
    found = run(random.choice([0.0, 0.5, 1.0], 4000, p=[0.2, 0.2, 0.6]), random.normal(0, 100, 4000))
    assert found.value == pytest.approx(found.raw, abs=0.01)
    assert found.raw == pytest.approx(0.7, abs=0.02)
    same = run(np.array([1.0, 0.0, 1.0, 1.0]), np.zeros(4))
    assert same.value == pytest.approx(0.75, abs=0.01)
    assert same.spread == 0


def test_it_equals_a_plain_logistic_regression() -> None:
    from statsmodels.api import GLM, families

    random = np.random.default_rng(2)
    longer, kept = random.normal(50, 100, 500), random.normal(size=(500, 1))
    scores = random.random(500)
    found = run(scores, longer, kept_VK=kept, prior=(np.zeros(3), np.zeros(3)), resamples=100)
    columns = np.column_stack([np.ones(500), kept, np.tanh(longer / longer.std(ddof=1))])
    fit = GLM(scores, columns, family=families.Binomial()).fit()
    assert found.slope == pytest.approx(fit.params[2], abs=1e-7)
    assert found.value == pytest.approx(expit(columns[:, :2] @ fit.params[:2]).mean(), abs=1e-7)


def test_alike_scores_and_repeated_prompts_stay_finite_and_honest() -> None:
    random = np.random.default_rng(3)
    longer = random.normal(0, 100, 60)
    assert 0.9 < run(np.ones(60), longer, resamples=50).value <= 1
    scores = (random.random(60) < 0.6).astype(float)
    once = run(scores, longer)
    ten = length_controlled(
        np.repeat(scores, 10),
        np.repeat(longer, 10),
        [f"{i:05d}" for i in np.repeat(range(60), 10)],
        seed=0,
        confidence=0.95,
    )
    assert ten.prompts == 60
    assert ten.error == pytest.approx(once.error, rel=0.05)
    assert run(scores, longer) == once


def test_its_interval_covers_what_it_promises() -> None:
    random, hits, runs = np.random.default_rng(4), 0, 400
    for _ in range(runs):
        longer = random.normal(80, 200, 150)
        scores = (random.random(150) < expit(0.4 + 1.2 * np.tanh(longer / 200))).astype(float)
        found = run(scores, longer, resamples=300)
        hits += found.low <= expit(0.4) <= found.high
    assert 0.93 <= hits / runs <= 0.97


def test_the_summary_has_it_beside_the_raw_rate_where_lengths_are_known() -> None:
    verdicts = board(31, 9, 20, 4)
    lengths = {v.pair_id: {"tuned": 100 + 7 * n % 40, "base": 90} for n, v in enumerate(verdicts)}
    rows = [summarise(verdicts, candidate="tuned", lengths=given, resamples=300) for given in (lengths, None)]
    row, bare = (found["judges"][0]["against"][0] for found in rows)
    assert row["length_controlled"]["raw"] == row["win_rate"]["value"]
    assert row["length_controlled"]["prompts"] == 60
    assert "length_controlled" not in bare


def test_no_certainty_where_there_is_nothing_to_fit() -> None:
    verdicts = board(20, 0, 0)
    lengths = {v.pair_id: {"tuned": 100 + n, "base": 90} for n, v in enumerate(verdicts)}
    found = summarise(verdicts, candidate="tuned", lengths=lengths, resamples=300)
    assert "length_controlled" not in found["judges"][0]["against"][0]
    verdicts = board(12, 2, 6)
    alike = {v.pair_id: {"tuned": 100, "base": 90} for v in verdicts}
    found = summarise(verdicts, candidate="tuned", lengths=alike, resamples=300)
    assert "length_controlled" not in found["judges"][0]["against"][0]


def published(folder: Path) -> dict[str, dict[str, str]]:
    name = "leaderboards/data_AlpacaEval_2/weighted_alpaca_eval_gpt4_turbo_leaderboard.csv"
    with open(folder / name, newline="") as file:
        return {row[""]: row for row in csv.DictReader(file)}


def difficulty() -> NDArray[np.float64]:
    mean, spread, skew = DIFFICULTY
    normal = norm.ppf((np.arange(805) + 0.5) / 805)
    return mean + spread * normal + skew * (normal**2 - 1)


@pytest.mark.parametrize("model", sorted(ALPACA))
def test_alpaca_evals_figure_is_the_mean_over_its_difficulties(real_data: Path, model: str) -> None:
    board = published(real_data / "judgments" / "alpaca_eval")
    intercept, slope = ALPACA[model]
    win_rate = 100 * expit(intercept + slope * difficulty()).mean()
    assert win_rate == pytest.approx(float(board[model]["length_controlled_winrate"]), abs=0.2)


def alpaca_eval(folder: Path) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Model to its scores and how many characters longer its answers are, prompts in the same order."""
    found = {}
    for path in sorted(folder.glob("results/*/weighted_alpaca_eval_gpt4_turbo/annotations.json")):
        rows = json.loads(path.read_text())
        scores = np.array([0.5 if row["preference"] == 0 else row["preference"] - 1 for row in rows])
        longer = np.array([len(row["output_2"]) - len(row["output_1"]) for row in rows], float)
        found[path.parent.parent.name] = scores, longer
    return found


def estimated_difficulty(scores_MV: NDArray[np.float64], length_MV: NDArray[np.float64]) -> NDArray[np.float64]:
    """How easy each prompt was for these models: ridge logistic regression, brought to AlpacaEval's mean and spread."""
    easy, level = np.zeros(scores_MV.shape[1]), np.zeros((len(scores_MV), 1))
    for _ in range(200):
        expected = expit(level + 1.8 * length_MV + easy)
        variance = expected * (1 - expected)
        level += (scores_MV - expected).sum(1, keepdims=True) / variance.sum(1, keepdims=True)
        expected = expit(level + 1.8 * length_MV + easy)
        step = ((scores_MV - expected).sum(0) - 0.1 * easy) / ((expected * (1 - expected)).sum(0) + 0.1)
        easy += np.clip(step, -1, 1) / 2
    return DIFFICULTY[0] + DIFFICULTY[1] * (easy - easy.mean()) / easy.std()


def test_alpaca_evals_figure_approached_and_its_error_too_small(real_data: Path) -> None:
    """Difficulties estimated from the three other models, and a prior for the baseline's own length effect."""
    folder = real_data / "judgments" / "alpaca_eval"
    board, found = published(folder), alpaca_eval(folder)
    for model in sorted(ALPACA):
        scores, longer = found[model]
        others = [given for name, given in found.items() if name != model]
        lengths = np.array([np.tanh(given[1] / given[1].std(ddof=1)) for given in others])
        kept = estimated_difficulty(np.array([given[0] for given in others]), lengths)[:, None]
        prior = (np.array(TOWARDS_BASELINE[0]), np.array(TOWARDS_BASELINE[1]))
        ours = run(scores, longer, kept_VK=kept, prior=prior)
        target = float(board[model]["length_controlled_winrate"])
        assert 100 * ours.value == pytest.approx(target, abs=3)
        # The error that its formula gives with its own coefficients, against ours, which fits again.
        intercept, slope = ALPACA[model]
        theirs = expit(intercept + slope * difficulty()).std(ddof=1) / np.sqrt(805)
        assert 2 < ours.error / theirs < 3
        free = run(scores, longer)
        assert 100 * free.raw == pytest.approx(float(board[model]["win_rate"]), abs=1e-9)
