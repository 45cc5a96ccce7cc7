"""Signals of quality: votes, length, readability, difficulty; each a rank between 0 and 1, so that they add up."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from limakit.curate.sample import Entry

Signal = Literal["votes", "length", "readability", "difficulty"]

_FENCE = re.compile(r" *(`{3,}|~{3,})")
_END = re.compile(r"[.!?:]+(?:\s|$)|\n\n")


def grade(text: str) -> float:
    """Years of school that reading the prose takes: the Automated Readability Index (Smith and Senter 1967).

    4.71 × characters a word + 0.5 × words a sentence − 21.43; a colon, a paragraph and a list item end a sentence too.
    0 for a text without words.
    """
    prose = _prose(text) if "```" in text or "~~~" in text else text
    words = prose.split()
    if not words:
        return 0.0
    sentences = max(1, len(_END.findall(prose)))
    return 4.71 * sum(map(len, words)) / len(words) + 0.5 * len(words) / sentences - 21.43


def _prose(text: str) -> str:
    """The text with an empty line for each fenced block of code."""
    kept: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip("`~ "):
                fence = ""
        elif mark:
            fence = mark[1]
            kept.append("")
        else:
            kept.append(line)
    return "\n".join(kept)


def worth(
    entries: Sequence[Entry], weights: Mapping[Signal, float], difficulties: Sequence[float] | None = None
) -> Any:
    """Weighted mean of the signals, float64 (entries,) in 0…1; zeros where no signal has a weight.

    `votes` is the rank of the score within its site, `length`, `readability` and `difficulty` ranks within all entries:
    a longer, a plainer and a harder response rank higher. `difficulties` may be missing, then that signal is left out;
    one of 1 and more, where the prompt does not help at all, ranks lowest.
    """
    total = sum(share for signal, share in weights.items() if signal != "difficulty" or difficulties is not None)
    if not total:
        return np.zeros(len(entries))
    values = np.zeros(len(entries))
    if weights.get("votes"):
        sites: dict[str, list[int]] = {}
        for at, entry in enumerate(entries):
            sites.setdefault(entry.site, []).append(at)
        for members in sites.values():
            values[members] += weights["votes"] * _ranks([-entries[at].rank for at in members])
    if weights.get("length"):
        values += weights["length"] * _ranks([entry.chars for entry in entries])
    if weights.get("readability"):
        values += weights["readability"] * _ranks([-entry.grade for entry in entries])
    if weights.get("difficulty") and difficulties is not None:
        values += weights["difficulty"] * _ranks([number if number < 1 else 0.0 for number in difficulties])
    return values / total


def _ranks(numbers: Sequence[float]) -> Any:
    """The share of numbers that are smaller, plus half of those that are equal."""
    _, inverse, counts = np.unique(np.array(numbers), return_inverse=True, return_counts=True)
    return ((np.cumsum(counts) - counts / 2) / len(numbers))[inverse]
