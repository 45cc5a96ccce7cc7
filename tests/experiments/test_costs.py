"""The advice in money: worked examples by hand, and silence about what nobody priced."""

from math import log
from pathlib import Path
from typing import Any

import pytest

from limakit.errors import RecipeError
from limakit.experiments.advice import advise
from limakit.experiments.costs import Prices, best_size, in_money, prices
from limakit.recipe import check_recipe
from limakit.recipe_experiments import Costs

NOTHING = Prices(example=None, grade=None, gain=None, samples=5)
EVERYTHING = Prices(example=20.0, grade=0.02, gain=500.0, samples=5)


def curve(low: float, gain: float, high: float, *, most: int = 100, spread: float | None = 0.5) -> dict[str, Any]:
    points = [{"cell": f"n{n}", "examples": n, "mean": 3.0, "low": 2.9, "high": 3.1} for n in (most // 2, most)]
    return {
        "points": points,
        "doubling": {"low": low, "gain": gain, "high": high},
        "prompts": 50,
        "spread": spread,
        "detectable": 0.2,
    }


def told(one: dict[str, Any], what: Prices) -> str:
    return " ".join(in_money(one, 0.1, "grades", 0.95, what))


def test_an_example_pays_while_it_brings_more_than_it_costs() -> None:
    size = best_size(0.2, 0.1, EVERYTHING) or 0.0
    assert size == pytest.approx(500 / 0.1 * 0.2 / (20 * log(2)))

    def brought(n: float) -> float:
        """Worth of the n-th example: 5,000 a grade, 0.2 grades a doubling."""
        return 5000 * 0.2 * (log(n) - log(n - 1)) / log(2)

    assert brought(size - 5) > 20 > brought(size + 5)
    assert best_size(-0.2, 0.1, EVERYTHING) == 0
    assert best_size(0.2, 0.1, Prices(example=20.0, grade=None, gain=None, samples=1)) is None


def test_what_is_worth_it_follows_from_the_interval() -> None:
    sure = told(curve(0.3, 0.4, 0.5), EVERYTHING)  # pays up to 108, 144, 180
    assert "up to about 144 of them [108 to 180]; the largest set has 100." in sure
    assert "At least 8 more, for 164.04, are worth their cost." in sure
    unsure = told(curve(-0.1, 0.2, 0.5), EVERYTHING)
    assert "[0 to 180]" in unsure
    assert "Whether any more are worth their cost is not known." in unsure
    assert "No more are worth their cost." in told(curve(-0.1, 0.1, 0.2), EVERYTHING)


def test_the_doubling_and_the_prompts_have_their_price() -> None:
    text = told(curve(0.1, 0.2, 0.3), EVERYTHING)
    assert "Doubling the 100 examples costs 2,000.00: 1,000.00 for each 0.1 grades gained." in text
    # 197 prompts find 0.1 where prompts differ by 0.5: ((1.96 + 0.84) * 0.5 / 0.1)^2; 147 more, 5 answers, 2 cells.
    assert "Grading 147 more prompts, with which 0.1 grades are found, costs 29.40" in text
    assert "That is 1% of the doubling: ask them before you collect examples." in text
    dear = told(curve(0.1, 0.2, 0.3), Prices(example=0.01, grade=0.02, gain=None, samples=5))
    assert "the examples are the cheaper experiment" in dear
    assert "gained" not in told(curve(-0.3, -0.2, 0.3), EVERYTHING), "nothing is gained where more make it worse"
    assert "Grading" not in told(curve(0.1, 0.2, 0.3, spread=0.05), EVERYTHING), "the prompts are enough already"


def test_without_prices_it_says_where_they_go() -> None:
    assert told(curve(0.1, 0.2, 0.3), NOTHING).startswith("For this in money, say in [ablate.costs]")
    assert "[ablate.costs]" in " ".join(advise(curve(0.1, 0.2, 0.3), "grade", 0.95, NOTHING))


def test_a_grade_costs_what_the_judge_was_paid_unless_the_recipe_says_otherwise() -> None:
    assert prices(Costs(), {"cost": 3.0, "answers": 150}, 5).grade == pytest.approx(0.02)
    assert prices(Costs(grade=0.5), {"cost": 3.0, "answers": 150}, 5).grade == 0.5
    assert prices(Costs(), {"answers": 150}, 5) == NOTHING, "a metric costs nothing"
    assert prices(Costs(hours_per_example=0.5, hourly_rate=40), None, 5).example == 20


def test_half_a_price_is_refused() -> None:
    with pytest.raises(RecipeError, match="hours_per_example and hourly_rate belong together"):
        check_recipe({"ablate": {"costs": {"hourly_rate": 40}}}, Path("recipe.toml"))
