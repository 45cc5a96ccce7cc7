"""Simulated coverage of every interval that the experiments print: curves and cells of the ablations, the dialogue
table, the shares of shifted tokens."""

from functools import cache
from typing import Any

import numpy as np
import pytest

from limakit.experiments import dialogue_numbers, grid_numbers, shift_numbers
from limakit.experiments.grid_numbers import Place
from limakit.experiments.shift_numbers import Traced
from limakit.records import Grade
from tests.coverage import Ends, Random, Study, chance, hold, options

SIZES = (250, 500, 1000)


@cache
def grid_numbers_of(run: int) -> dict[str, Any]:
    """Three sizes, 40 prompts, 5 samples of which one in ten has no grade; from cell to cell the mean grows by 0.2,
    under it a level of each prompt that all cells share, and one of prompt and cell."""
    random = chance(run)
    level = random.integers(1, 6, 40)
    values: dict[str, dict[str, list[float | None]]] = {}
    for number, size in enumerate(SIZES):
        own = np.where(random.random(40) < 0.7, level, random.integers(1, 6, 40))
        scores = np.where(random.random((5, 40)) < 0.6, own, random.integers(1, 6, (5, 40)))
        scores = (scores + (random.random((5, 40)) < 0.2 * number)).T.tolist()
        missing = (random.random((40, 5)) < 0.1).tolist()
        values[f"n{size}"] = {
            f"p{p:02d}": [None if gone else float(score) for score, gone in zip(scores[p], missing[p], strict=True)]
            for p in range(40)
        }
    places = [Place(name=f"n{size}", grid="size", examples=size) for size in SIZES]
    return grid_numbers.reckon(values, places, ["size"], **options(run))


def grid(what: str) -> Study:
    def study(random: Random, run: int) -> Ends:
        found = grid_numbers_of(run)
        row = {
            "cell": found["cells"][1],
            "comparison": found["comparisons"][1],
            "doubling": found["curves"][0]["doubling"],
        }[what]
        return row["low"], row["high"]

    return study


def talked(random: Random, *, scripts: int = 10, turns: int = 4) -> list[Grade]:
    """Every script once by each of two systems, with excellent turns 45 % and 75 %; the turns of a conversation lean
    alike, and so do the two systems' conversations from one script."""
    mood = random.uniform(-0.15, 0.15, scripts)
    given = []
    for system, share in (("before", 0.45), ("after", 0.75)):
        lean = np.clip(share + mood + random.uniform(-0.1, 0.1, scripts), 0, 1)
        hits = random.random((turns, scripts)) < lean
        given += [
            Grade(
                prompt_id=f"s{s}/0/{turn}",
                system=system,
                judge="model:j",
                scale="absolute",
                value="excellent" if hits[turn, s] else "pass",
            )
            for s in range(scripts)
            for turn in range(turns)
        ]
    return given


@cache
def dialogue_numbers_of(run: int, scripts: int) -> dict[str, Any]:
    given = talked(chance(run), scripts=scripts)
    (judge,) = dialogue_numbers.reckon(given, ["before", "after"], **options(run))
    return judge


def dialogue(what: str, scripts: int = 10) -> Study:
    def study(random: Random, run: int) -> Ends:
        judge = dialogue_numbers_of(run, scripts)
        row = {"share": judge["systems"][1]["shares"]["excellent"], "difference": judge["differences"][0]}[what]
        return row["low"], row["high"]

    return study


def shifted(random: Random, run: int) -> Ends:
    """40 answers of 10 or 50 tokens; of the short ones 30 % are shifted on average, of the long ones 10 %."""
    traced = []
    for number in range(40):
        long = random.random() < 0.5
        tokens = 50 if long else 10
        share = random.beta(1, 9) if long else random.beta(3, 7)
        ranks: Any = np.where(random.random(tokens) < share, 9, 1).tolist()
        same = {"ranks": ranks, "own_ranks": ranks, "first": [0] * tokens, "first_ranks": ranks}
        more = {"pieces": ["x"] * tokens, "ids": [0] * tokens, "chances": [0.5] * tokens}
        traced.append(Traced(prompt_id=f"p{number}", **same, **more))
    low, high = shift_numbers.reckon(traced, {0: "x"}, **options(run))["written"]["intervals"]["shifted"]
    return low, high


CASES: dict[str, tuple[Study, float]] = {
    "mean of a cell": (grid("cell"), 3.2),
    "cell less the first of its grid": (grid("comparison"), 0.4),
    "gain of a doubling": (grid("doubling"), 0.2),
    "excellent turns of 10 dialogues": (dialogue("share"), 0.75),
    "excellent turns, difference of two systems, 10 dialogues": (dialogue("difference"), 0.3),
    "excellent turns, difference of two systems, 30 dialogues": (dialogue("difference", 30), 0.3),
    "shifted tokens": (shifted, (10 * 0.3 + 50 * 0.1) / 60),
}


@pytest.mark.parametrize("name", CASES)
def test_coverage(name: str) -> None:
    hold(name, *CASES[name])
