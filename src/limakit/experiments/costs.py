"""What more examples and more prompts cost beside what they may bring: the advice of a curve, in money.

A doubling that brings g grades makes the n-th example worth g / (n ln 2) grades. With v the worth of a grade and c the
cost of an example, the next one pays for itself while n < v g / (c ln 2). That takes the curve to go on as it has,
which no curve does for ever.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Any

from limakit.experiments.grid_numbers import prompts_needed
from limakit.recipe_experiments import Costs
from limakit.report.words import money


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What things cost in the recipe's currency; None where nobody said."""

    example: float | None
    """Of one more example."""
    grade: float | None
    """Of one graded answer."""
    gain: float | None
    """Worth of a gain that is worth finding (`advice.WORTH`)."""
    samples: int
    """Answers to a prompt that are graded in each cell."""


def prices(costs: Costs, judged: Mapping[str, Any] | None, samples: int) -> Prices:
    """The recipe's prices; a grade's by default what the judge was paid (`judged`: the counts of its stage)."""
    paid = judged["cost"] / judged["answers"] if judged and judged.get("cost") and judged.get("answers") else None
    hours, rate = costs.hours_per_example, costs.hourly_rate
    return Prices(
        example=None if hours is None or rate is None else hours * rate,
        grade=paid if costs.grade is None else costs.grade,
        gain=costs.gain,
        samples=samples,
    )


def best_size(gain: float, worth: float, prices: Prices) -> float | None:
    """Examples up to which the next one pays for itself, where a doubling brings `gain` and `worth` of that is worth
    `prices.gain`; 0 where more make it worse, None without prices."""
    if prices.example is None or prices.gain is None:
        return None
    return max(0.0, prices.gain / worth * gain / (prices.example * log(2)))


def in_money(curve: Mapping[str, Any], worth: float, name: str, confidence: float, prices: Prices) -> list[str]:
    """Sentences for one curve of `grid_numbers.reckon`; `name` is what it counts, `worth` the gain worth finding."""
    if prices == Prices(example=None, grade=None, gain=None, samples=prices.samples):
        return ["For this in money, say in [ablate.costs] what an example and a grade cost and what a gain is worth."]
    said, most = [], curve["points"][-1]["examples"]
    doubling = None if prices.example is None else most * prices.example
    if doubling is not None:
        gain = curve["doubling"]["gain"]
        each = f": {money(doubling * worth / gain)} for each {worth:g} {name} gained" if gain > 0 else ""
        said.append(f"Doubling the {most:,} examples costs {money(doubling)}{each}.")
        said += _examples(curve, worth, prices)
    said += _prompts(curve, worth, name, confidence, prices, doubling)
    return said


def _examples(curve: Mapping[str, Any], worth: float, prices: Prices) -> list[str]:
    """How many examples are worth their cost, and how sure that is."""
    ends = [best_size(curve["doubling"][key], worth, prices) for key in ("low", "gain", "high")]
    most = curve["points"][-1]["examples"]
    if ends[0] is None or ends[1] is None or ends[2] is None or prices.example is None:
        return []
    low, middle, high = ends
    text = (
        f"If the curve goes on as it has, an example pays for itself up to about {middle:,.0f} of them "
        f"[{low:,.0f} to {high:,.0f}]; the largest set has {most:,}."
    )
    if high <= most:
        return [f"{text} No more are worth their cost."]
    if low <= most:
        return [f"{text} Whether any more are worth their cost is not known."]
    more = low - most
    return [f"{text} At least {more:,.0f} more, for {money(more * prices.example)}, are worth their cost."]


def _prompts(
    curve: Mapping[str, Any], worth: float, name: str, confidence: float, prices: Prices, doubling: float | None
) -> list[str]:
    """What it costs to ask as many prompts as would tell."""
    if prices.grade is None or not curve["spread"]:
        return []
    more = prompts_needed(worth, curve["spread"], confidence) - curve["prompts"]
    if more <= 0:
        return []
    cells = len(curve["points"])
    cost = more * prices.samples * cells * prices.grade
    text = (
        f"Grading {more:,} more prompts, with which {worth:g} {name} are found, costs {money(cost)} "
        f"({prices.samples} answers in each of {cells} cells at {money(prices.grade)}), writing them not counted."
    )
    if doubling is None or not doubling:
        return [text]
    first = "ask them before you collect examples" if cost < doubling else "the examples are the cheaper experiment"
    return [f"{text} That is {cost / doubling:.0%} of the doubling: {first}."]
