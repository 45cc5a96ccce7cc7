"""Simulated coverage of every interval that the report prints; those of the experiments are in tests/experiments.

Each case draws many studies and asks the function that the report asks. Wilson's interval of a share of single labels
is reckoned without chance in test_statistics_oracles.
"""

from functools import cache
from typing import Any

import numpy as np
import pytest

from limakit.records import Grade, Label, Verdict
from limakit.report.agreement import agreement
from limakit.report.bias import length_bias, position_bias, self_preference
from limakit.report.choice import rank
from limakit.report.grades import grade_numbers
from limakit.report.length_control import length_controlled
from limakit.report.people import against_people
from limakit.report.rates import outcome
from limakit.report.sequential import boundaries
from limakit.report.summary import summarise
from tests.coverage import Ends, Random, Study, chance, hold, options

LABELS: tuple[Label, ...] = ("a", "tie", "b")


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


def win_rate(prompts: int, shares: tuple[float, ...], each: int) -> Study:
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


def agreed_on_fifty(random: Random, run: int) -> Ends:
    """As in the paper: 50 items, one a prompt, and judges that mostly agree."""
    one = random.choice(3, 50, p=SHARES)
    two = np.where(random.random(50) < 0.7, one, random.choice(3, 50, p=SHARES))
    found = agreement(one.tolist(), two.tolist(), [str(n) for n in range(50)], **options(run))
    return found.low, found.high


AGREED = 0.6 + 0.4 * 5 / 9


@cache
def people_with_a_judge(run: int) -> dict[str, Any]:
    """Three people and a model that each repeat the truth of an item 6 times in 10 and else draw."""
    random = chance(run)
    truth = random.choice(3, 80, p=(0.5, 0.2, 0.3))
    given = []
    for judge in ("person:a", "person:b", "person:c", "model:j"):
        said = np.where(random.random(80) < 0.6, truth, random.choice(3, 80, p=(0.5, 0.2, 0.3)))
        asked = random.random(80) < (1 if judge == "model:j" else 0.7)
        given += [verdict(n, int(code), judge=judge) for n, code in enumerate(said) if asked[n]]
    found = against_people(given, "tuned", options(run))
    assert found is not None
    return found


def people(what: str) -> Study:
    """How far they agree with the judge, or with each other, or its win rate less theirs."""

    def study(random: Random, run: int) -> Ends:
        found = people_with_a_judge(run)
        judge = found["judges"][0]
        row = {"judge": judge, "among": found["among"], "difference": judge["difference"]}[what]
        return row["low"], row["high"]

    return study


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


def longer(random: Random, run: int) -> Ends:
    """Three verdicts a prompt that lean alike; `tuned` wrote the longer answer to every other prompt."""
    given, lengths = [], {}
    for side in (0, 1):
        prompts = range(40 * side, 40 * side + 40)
        lean = random.beta(2.2, 1.8, 40)  # on average 55 % for the longer one
        for prompt, share in zip(prompts, lean, strict=True):
            for n in range(3):
                won = random.random() < share
                given.append(verdict(prompt, 0 if won == (side == 0) else 2, n=n))
                lengths[given[-1].pair_id] = {"tuned": 200 - 100 * side, "base": 100 + 100 * side}
    found = length_bias(given, lengths, **options(run))
    return found["low"], found["high"]


def at_equal_lengths(random: Random, run: int) -> Ends:
    """Two answers a prompt: how much longer they are, and a leaning that they share."""
    prompts = np.repeat(np.arange(80), 2)
    longer = random.normal(100, 300, 160)
    chance = 1 / (1 + np.exp(-(0.3 + 1.2 * np.tanh(longer / 300))))
    shared, same = random.random(80)[prompts], random.random(160) < 0.4
    scores = (np.where(same, shared, random.random(160)) < chance).astype(float)
    found = length_controlled(scores, longer, [f"{n:03d}" for n in prompts], **options(run))
    return found.low, found.high


def log_worth(prompts: int, system: str) -> Study:
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


def share_of_grades(prompts: int, share: float, each: int) -> Study:
    """Safe answers: the share of a prompt's samples that are safe is drawn around the share of all."""

    def study(random: Random, run: int) -> Ends:
        lean = random.beta(2 * share, 2 - 2 * share, prompts)
        safe = random.random((each, prompts)) < lean
        given = [
            Grade(
                prompt_id=f"{p:03d}",
                system="tuned",
                judge="model:j",
                scale="safety",
                value="safe" if safe[n, p] else "unsafe",
                sample=n,
            )
            for p in range(prompts)
            for n in range(each)
        ]
        (row,) = grade_numbers(given, {}, **options(run))
        return row["shares"]["safe"]["low"], row["shares"]["safe"]["high"]

    return study


def few_prompts_differ(random: Random, run: int) -> Ends:
    """Two baselines that nearly all answers beat: 1 prompt in 20 tells them apart."""
    outcome = random.choice(3, 80, p=(0.94, 0.045, 0.015))
    given = [
        verdict(prompt, 2 if outcome[prompt] == lost else 0, b=name)
        for prompt in range(80)
        for lost, name in ((2, "base"), (1, "old"))
    ]
    (row,) = summarise(given, candidate="tuned", baselines=["base", "old"], **options(run))["judges"][0]["differences"]
    return row["low"], row["high"]


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


def lead_of_the_best(names: int, *ahead: float) -> Study:
    """All leads of the epoch that looks best over the others must be held at once, whichever that is: the interval is
    that of the worst miss. `ahead` says how much more than half each of the first epochs wins of the others'."""
    strength = np.zeros(names)
    strength[: len(ahead)] = ahead

    def study(random: Random, run: int) -> Ends:
        systems, given = [f"e{n}" for n in range(names)], []
        for one in range(names):
            for two in range(one + 1, names):
                rate = 0.4 + (strength[one] - strength[two]) / 2
                given += board(random, 60, (rate, 0.2, 0.8 - rate), a=systems[one], b=systems[two])
        rows = rank(given, systems, **options(run))
        best = next(n for n, row in enumerate(rows) if row["behind"] is None)
        # The mean score of an epoch over its comparisons is half, and its strength less that of the others, halved.
        score = 0.5 + (strength * names - strength.sum()) / (2 * (names - 1))
        misses = [np.array(row["behind"]) - (score[best] - score[n]) for n, row in enumerate(rows) if n != best]
        return max(low for low, _ in misses), min(high for _, high in misses)

    return study


CASES: dict[str, tuple[Study, float]] = {
    "win rate, 120 prompts": (win_rate(120, (0.5, 0.2, 0.3), 1), 0.6),
    "win rate, 30 prompts": (win_rate(30, (0.5, 0.2, 0.3), 1), 0.6),
    "win rate, 80 prompts, nearly all won": (win_rate(80, (0.86, 0.06, 0.08), 1), 0.89),
    "win rate, three verdicts a prompt": (win_rate(60, (0.5, 0.2, 0.3), 3), 0.6),
    "win rate, three verdicts a prompt, nearly all won": (win_rate(80, (0.86, 0.06, 0.08), 3), 0.89),
    "share of wins, three verdicts a prompt": (win_share, 0.5),
    "difference of two baselines": (difference_of_two_baselines, 0.15),
    "difference of two baselines, few prompts differ": (few_prompts_differ, 0.03),
    "agreement, two items a prompt": (agreed, AGREED),
    "agreement on 50 items": (agreed_on_fifty, 0.7 + 0.3 * float(SHARES @ POINTS @ SHARES)),
    "agreement of people with a judge": (people("judge"), PEOPLE),
    "agreement of people with each other": (people("among"), PEOPLE),
    "a judge's win rate less people's": (people("difference"), 0.0),
    "self-preference": (own_answers, 0.15),
    "side shown first, three verdicts a prompt": (first_side, 0.55),
    "longer answer, three verdicts a prompt": (longer, 0.55),
    "win rate at equal lengths, two verdicts a prompt": (at_equal_lengths, 1 / (1 + float(np.exp(-0.3)))),
    "log worth of the best": (log_worth(80, "x"), float(np.log(4) - np.log(8) / 3)),
    "log worth of the last, 30 prompts": (log_worth(30, "z"), float(-np.log(8) / 3)),
    "mean grade": (mean_grade, 3.5),
    "share of a grade, three samples a prompt": (share_of_grades(50, 0.7, 3), 0.7),
    "share of a grade, three samples, nearly all safe": (share_of_grades(30, 0.95, 3), 0.95),
    "mean preference": (mean_preference, 0.6),
    "win rate of an epoch": (epoch, 0.6),
    "lead of the best of three equal epochs": (lead_of_the_best(3), 0.0),
    "leads of the best of six epochs, two of them better": (lead_of_the_best(6, 0.3, 0.2), 0.0),
}


@pytest.mark.parametrize("name", CASES)
def test_coverage(name: str) -> None:
    hold(name, *CASES[name])


def test_all_three_looks_together_cover() -> None:
    """Repeated intervals at 40, 80 and 120 prompts: all three hold the truth in 95 of 100 studies."""
    random, bounds, hits = np.random.default_rng(2), boundaries(3), 0
    for _ in range(4000):
        scores = random.choice((0, 0.5, 1), 120, p=(0.3, 0.2, 0.5))
        looks = [scores[: 40 * k] for k in (1, 2, 3)]
        errors = [abs(look.mean() - 0.6) / (look.std(ddof=1) / np.sqrt(len(look))) for look in looks]
        hits += all(error <= bound for error, bound in zip(errors, bounds, strict=True))
    assert 0.93 <= hits / 4000 <= 0.97
