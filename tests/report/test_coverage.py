"""Simulated coverage of every interval that the report prints: 93 to 97 of 100 studies must hold the truth.

A few hundred studies tell that to two standard errors only; `LIMAKIT_COVERAGE_RUNS=4000` tells it to 0.7 points.

Each case draws many studies whose truth is known by construction, and asks the function that the report asks. The
length-controlled rate has its own in test_length_control, Wilson's interval of a share in test_statistics_oracles.
"""

import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from limakit.records import Grade, Label, Verdict
from limakit.report.agreement import agreement
from limakit.report.bias import position_bias, self_preference
from limakit.report.choice import rank
from limakit.report.grades import grade_numbers
from limakit.report.people import against_people
from limakit.report.rates import outcome
from limakit.report.sequential import boundaries
from limakit.report.summary import summarise

RUNS, DRAWS = int(os.environ.get("LIMAKIT_COVERAGE_RUNS", "200")), 300
Ends = tuple[float, float]
Random = np.random.Generator
LABELS: tuple[Label, ...] = ("a", "tie", "b")


def options(run: int) -> dict[str, Any]:
    return {"resamples": DRAWS, "seed": run, "confidence": 0.95}


def verdict(
    prompt: int, code: int, *, judge: str = "model:j", a: str = "tuned", b: str = "base", n: int = 0
) -> Verdict:
    """Code 0: `a` won, 1: a tie, 2: `b` won."""
    item = f"{prompt}/{a}/{b}/{n}"
    return Verdict(pair_id=item, prompt_id=f"{prompt:04d}", judge=judge, a=a, b=b, label=LABELS[code])


def board(random: Random, prompts: int, shares: tuple[float, ...], each: int = 1, **names: Any) -> list[Verdict]:
    """Verdicts with these shares of labels; with several a prompt, they lean alike."""
    leaning = random.dirichlet(np.array(shares) * 2, prompts) if each > 1 else np.tile(shares, (prompts, 1))
    drawn = random.random((prompts, each))[:, :, None] > leaning.cumsum(1)[:, None, :2]
    codes = drawn.sum(2).tolist()
    return [verdict(p, codes[p][n], n=n, **names) for p in range(prompts) for n in range(each)]


def win_rate(prompts: int, shares: tuple[float, ...], each: int) -> Callable[[Random, int], Ends]:
    def study(random: Random, run: int) -> Ends:
        found = outcome(board(random, prompts, shares, each), "tuned", **options(run))
        assert found is not None
        return found.win_rate.low, found.win_rate.high

    return study


def win_share(random: Random, run: int) -> Ends:
    found = outcome(board(random, 80, (0.5, 0.2, 0.3), 3), "tuned", **options(run))
    assert found is not None
    assert found.win_share.method == "bootstrap"
    return found.win_share.low, found.win_share.high


def difference_of_two_baselines(random: Random, run: int) -> Ends:
    """One mood a prompt moves both: the candidate wins 60 % against one and 45 % against the other."""
    mood = random.uniform(-0.3, 0.3, 100)
    given = [
        verdict(prompt, 0 if random.random() < rate + mood[prompt] else 2, b=name)
        for prompt in range(100)
        for name, rate in (("base", 0.6), ("old", 0.45))
    ]
    (row,) = summarise(given, candidate="tuned", baselines=["base", "old"], **options(run))["judges"][0]["differences"]
    return row["low"], row["high"]


def agreed(random: Random, run: int) -> Ends:
    """The second repeats the first 6 times in 10 and else draws: 0.6 + 0.4 x 5/9 points a pair, two items a prompt."""
    one = random.integers(0, 3, 160)
    two = np.where(random.random(160) < 0.6, one, random.integers(0, 3, 160))
    found = agreement(one.tolist(), two.tolist(), [str(n // 2) for n in range(160)], **options(run))
    return found.low, found.high


AGREED = 0.6 + 0.4 * 5 / 9


def people_with_a_judge(random: Random, run: int, what: str = "rate") -> Ends:
    """Three people and a model that each repeat the truth of an item 6 times in 10 and else draw."""
    truth = random.choice(3, 80, p=(0.5, 0.2, 0.3))
    given = []
    for judge in ("person:a", "person:b", "person:c", "model:j"):
        said = np.where(random.random(80) < 0.6, truth, random.choice(3, 80, p=(0.5, 0.2, 0.3)))
        asked = random.random(80) < (1 if judge == "model:j" else 0.7)
        given += [verdict(n, int(code), judge=judge) for n, code in enumerate(said) if asked[n]]
    found = against_people(given, "tuned", options(run))
    assert found is not None
    row = found["judges"][0] if what == "rate" else found["judges"][0]["difference"]
    return row["low"], row["high"]


def judge_less_people(random: Random, run: int) -> Ends:
    return people_with_a_judge(random, run, "difference")


# Both repeat the truth (0.36): a point. Else two draws: 1 less half the chance that exactly one is a tie, less that of
# opposite wins.
SHARES = np.array((0.5, 0.2, 0.3))
POINTS = np.array([[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]])
PEOPLE = 0.36 + 0.64 * float(SHARES @ POINTS @ SHARES)


def own_answers(random: Random, run: int) -> Ends:
    """The judge that is `tuned` gives it 60 %, the two others 45 %, all moved by one mood a prompt."""
    mood = random.uniform(-0.3, 0.3, 100)
    given = [
        verdict(prompt, 0 if random.random() < rate + mood[prompt] else 2, judge=judge)
        for prompt in range(100)
        for judge, rate in (("model:tuned", 0.6), ("model:x", 0.45), ("model:y", 0.45))
    ]
    found = self_preference(given, "model:tuned", "tuned", **options(run))
    assert found is not None
    return found["low"], found["high"]


def first_side(random: Random, run: int) -> Ends:
    found = position_bias(board(random, 80, (0.55, 0, 0.45), 3), **options(run))
    return found["low"], found["high"]


def log_worth(prompts: int, system: str) -> Callable[[Random, int], Ends]:
    """Davidson's model itself, worths 4 : 2 : 1 and nu 0.7, every two systems on all prompts."""
    worths = {"x": 4.0, "y": 2.0, "z": 1.0}

    def study(random: Random, run: int) -> Ends:
        given = []
        for a, b in (("x", "y"), ("x", "z"), ("y", "z")):
            tie = 0.7 * np.sqrt(worths[a] * worths[b])
            shares = np.array([worths[a], tie, worths[b]])
            given += board(random, prompts, tuple(shares / shares.sum()), a=a, b=b)
        places = summarise(given, resamples=2, seed=run)["judges"][0]["ranking"]["systems"]
        (place,) = (place for place in places if place["system"] == system)
        return place["low"], place["high"]

    return study


def mean_grade(random: Random, run: int) -> Ends:
    """Two answers a prompt that lean alike; uniform on 1 to 6 over all."""
    level = random.integers(1, 7, 80)
    values = np.where(random.random((2, 80)) < 0.5, level, random.integers(1, 7, (2, 80)))
    given = [
        Grade(prompt_id=f"{p:03d}", system="tuned", judge="model:j", scale="likert", value=str(values[n, p]), sample=n)
        for p in range(80)
        for n in range(2)
    ]
    (row,) = grade_numbers(given, {}, **options(run))
    return row["mean"]["low"], row["mean"]["high"]


def mean_preference(random: Random, run: int) -> Ends:
    """A judge with probabilities, on average 0.6."""
    sure = random.beta(1.2, 0.8, 100)
    given = [verdict(prompt, 0 if sure[prompt] > 0.5 else 2) for prompt in range(100)]
    said = {("model:j", given[prompt].pair_id): ("tuned", float(sure[prompt])) for prompt in range(100)}
    row = summarise(given, candidate="tuned", preferences=said, **options(run))["judges"][0]["against"][0]
    return row["preference"]["low"], row["preference"]["high"]


def epoch(random: Random, run: int) -> Ends:
    """Three epochs compared on 80 prompts: the first wins 60 % against either of the others."""
    shares = {("e1", "e2"): (0.6, 0, 0.4), ("e1", "e3"): (0.6, 0, 0.4), ("e2", "e3"): (0.5, 0, 0.5)}
    given = [v for (a, b), share in shares.items() for v in board(random, 80, share, a=a, b=b)]
    row = rank(given, ["e1", "e2", "e3"], **options(run))[0]
    return row["low"], row["high"]


CASES: dict[str, tuple[Callable[[Random, int], Ends], float]] = {
    "win rate, 120 prompts": (win_rate(120, (0.5, 0.2, 0.3), 1), 0.6),
    "win rate, 30 prompts": (win_rate(30, (0.5, 0.2, 0.3), 1), 0.6),
    "win rate, 80 prompts, nearly all won": (win_rate(80, (0.86, 0.06, 0.08), 1), 0.89),
    "win rate, three verdicts a prompt": (win_rate(60, (0.5, 0.2, 0.3), 3), 0.6),
    "win rate, three verdicts a prompt, nearly all won": (win_rate(80, (0.86, 0.06, 0.08), 3), 0.89),
    "share of wins, three verdicts a prompt": (win_share, 0.5),
    "difference of two baselines": (difference_of_two_baselines, 0.15),
    "agreement": (agreed, AGREED),
    "agreement of people with a judge": (people_with_a_judge, PEOPLE),
    "a judge's win rate less people's": (judge_less_people, 0.0),
    "self-preference": (own_answers, 0.15),
    "side shown first, three verdicts a prompt": (first_side, 0.55),
    "log worth of the best": (log_worth(80, "x"), float(np.log(4) - np.log(8) / 3)),
    "log worth of the last, 30 prompts": (log_worth(30, "z"), float(-np.log(8) / 3)),
    "mean grade": (mean_grade, 3.5),
    "mean preference": (mean_preference, 0.6),
    "win rate of an epoch": (epoch, 0.6),
}


@pytest.mark.parametrize("name", CASES)
def test_coverage(name: str) -> None:
    study, truth = CASES[name]
    hits = 0
    for run in range(RUNS):
        low, high = study(np.random.default_rng([3, run]), run)
        hits += low - 1e-9 <= truth <= high + 1e-9
    noise = 2 * np.sqrt(0.95 * 0.05 / RUNS)
    assert 0.93 - noise <= hits / RUNS <= 0.97 + noise, f"{hits} of {RUNS}"


def test_all_three_looks_together_cover() -> None:
    """Repeated intervals at 40, 80 and 120 prompts: all three hold the truth in 95 of 100 studies."""
    random, bounds, hits = np.random.default_rng(2), boundaries(3), 0
    for _ in range(4000):
        scores = random.choice((0, 0.5, 1), 120, p=(0.3, 0.2, 0.5))
        looks = [scores[: 40 * k] for k in (1, 2, 3)]
        errors = [abs(look.mean() - 0.6) / (look.std(ddof=1) / np.sqrt(len(look))) for look in looks]
        hits += all(error <= bound for error, bound in zip(errors, bounds, strict=True))
    assert 0.93 <= hits / 4000 <= 0.97
