"""What to do next, from a curve over the number of examples: more examples, more prompts, or neither. In words."""

from collections.abc import Mapping
from typing import Any

from limakit.experiments.costs import Prices, in_money
from limakit.experiments.grid_numbers import prompts_needed

WORTH = {"grade": 0.1, "ROUGE-L": 1.0}
"""Smallest difference that we take to be worth finding, by unit: a tenth of a grade (the paper's filtered and
unfiltered data are 0.5 apart), a point of ROUGE-L."""


def advise(curve: Mapping[str, Any], unit: str, confidence: float, prices: Prices) -> list[str]:
    """Sentences for one curve of `grid_numbers.reckon`, each with its numbers; `unit` is `grade` or `ROUGE-L`."""
    low, gain, high = (curve["doubling"][key] for key in ("low", "gain", "high"))
    worth, most = WORTH[unit], curve["points"][-1]["examples"]
    smallest = curve["points"][0]["examples"]
    name = "grades" if unit == "grade" else "points of ROUGE-L"
    ends = f"{gain:+.2f} {name} [{confidence * 100:g} % interval {low:+.2f} to {high:+.2f}]"
    said = (
        []
        if unit == "grade"
        else ["These are points of a smoke test: what follows shows how advice reads, and is none."]
    )
    said += [f"From {smallest:,} to {most:,} examples, each doubling brought {ends}."]
    if low > 0:
        said.append(
            f"The curve is still rising: going from {most:,} to {2 * most:,} examples may be expected to bring "
            f"{low:.2f} to {high:.2f} {name} more, if it goes on as it has. " + _expected(high, worth, name)
        )
    elif high < 0:
        said.append(
            f"More examples of this kind made the answers worse. Do not add more before you know why: look at what "
            f"the larger sets hold that {curve['points'][0]['cell']!r} does not."
        )
    elif high < worth:
        said.append(
            f"The curve is flat: even the upper end, {high:+.2f} a doubling, is less than {worth:g} {name}. Going "
            f"beyond {most:,} examples of this kind is not worth their cost, and {smallest:,} may do; better or more "
            f"varied ones may still help."
        )
    else:
        said.append(
            f"This does not tell whether more examples help: a doubling may bring nothing and may bring {high:.2f}. "
            f"Ask more prompts before you collect more examples."
        )
    said += _power(curve, worth, name, confidence)
    said += in_money(curve, worth, name, confidence, prices)
    said.append(
        "Each size was trained once, so the intervals speak of other prompts and not of another training run; add a "
        "cell that differs in change.seed alone to see how much that is."
    )
    return said


def _expected(high: float, worth: float, name: str) -> str:
    if high < worth:
        return f"That is less than {worth:g} {name}, hardly worth collecting them."
    return f"Whether that is worth as many examples again is yours to say; we would call {worth:g} {name} a gain."


def _power(curve: Mapping[str, Any], worth: float, name: str, confidence: float) -> list[str]:
    """How many prompts it takes to see what would be worth seeing."""
    prompts, spread, least = curve["prompts"], curve["spread"], curve["detectable"]
    if not spread or least is None:
        return [f"{prompts} prompts are too few, or their scores too alike, to say what more prompts would find."]
    text = (
        f"With {prompts:,} prompts a difference of {least:.2f} {name} between the smallest and the largest set is "
        f"found in four of five experiments."
    )
    if least <= worth:
        return [f"{text} That is fine enough: more prompts would not change the advice."]
    needed = prompts_needed(worth, spread, confidence)
    return [
        f"{text} To find {worth:g} takes {needed:,} prompts, {needed - prompts:,} more; further "
        f"samples of each prompt help less."
    ]
