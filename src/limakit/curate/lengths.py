"""Lengths by stratum, beside the table of the paper's data (Zhou et al. 2023, table 1)."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from limakit.records import Example, Prompt

if TYPE_CHECKING:
    from limakit.curate.select import Splits

Row = tuple[int, int, int | None]
"""Examples, mean tokens of the prompts, mean tokens of the responses."""

PAPER: dict[str, Row] = {
    "stackexchange, stem": (200, 117, 523),
    "stackexchange, other": (200, 119, 530),
    "wikihow": (200, 12, 1811),
    "reddit": (150, 34, 274),
    "natural_instructions": (50, 236, 92),
    "authored": (200, 40, 334),
    "dev": (50, 36, None),
    "test": (300, 31, None),
}
"""The paper's figures by source; those for test are of its two sources together."""


def words(texts: Sequence[str]) -> list[int]:
    """Words of each text."""
    return [len(text.split()) for text in texts]


@dataclass(frozen=True, slots=True)
class Measure:
    """What lengths are given in."""

    unit: str
    """`words` or `tokens`."""
    of: str
    """Whose tokens; empty for words."""
    count: Callable[[Sequence[str]], Sequence[int]]


WORDS = Measure("words", "", words)


def heads(measure: Measure) -> tuple[str, ...]:
    """Names of the columns of `lengths`."""
    ours = ("stratum", "examples", f"prompt {measure.unit}, mean", f"response {measure.unit}, mean")
    return (*ours, "paper: examples", "prompt tokens", "response tokens")


def lengths(splits: "Splits", measure: Measure = WORDS) -> list[tuple[str, ...]]:
    """Rows of a table: stratum; examples, mean prompt and response by `measure`; the paper's three."""
    strata: dict[str, list[Example | Prompt]] = {}
    for example in splits.train:
        whole = f"{example.source}, {example.group}"
        name = next((name for name in (whole, example.source) if name in PAPER), whole)
        strata.setdefault(name, []).append(example)
    for name, prompts in (("dev", splits.dev), ("test", splits.test)):
        if prompts:
            strata[name] = list(prompts)
    order = {name: at for at, name in enumerate(PAPER)}
    rows = []
    for name in sorted(strata, key=lambda name: (order.get(name, -1), name)):
        items = strata[name]
        paper = PAPER.get(name, (None, None, None))
        asked = _mean(measure.count([item.messages[0].content for item in items]))
        given = _mean(measure.count([answer for item in items if (answer := response(item))]))
        rows.append((name, str(len(items)), asked, given, *("–" if n is None else f"{n:,}" for n in paper)))
    return rows


def response(item: Example | Prompt) -> str:
    """What the assistant says, or the reference; empty where there is none."""
    if isinstance(item, Prompt):
        return item.reference or ""
    return "\n".join(turn.content for turn in item.messages if turn.role == "assistant")


def _mean(values: Sequence[int]) -> str:
    return f"{statistics.fmean(values):,.0f}" if values else "–"
