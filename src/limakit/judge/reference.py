"""The automatic reference judge: which answer is closer in wording to a written reference. A smoke test.

ROUGE-L (Lin 2004, https://aclanthology.org/W04-1013) is the F-score of the longest common subsequence of words, here
from 0 to 100. It is what instruction following against references is often measured with (Wang et al. 2022,
https://arxiv.org/abs/2204.07705). It closes the loop offline and catches a broken model. It is not a preference: it
rewards sharing the reference's words and their order, and knows nothing of truth, safety or usefulness.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from limakit.records import Label, Pair, Verdict

NAME = "metric:rouge-l"
_WORD = re.compile(r"(?=\w)[\u2e80-\u9fff\uac00-\ud7a3]|[^\W_\u2e80-\u9fff\uac00-\ud7a3]+")
"""Runs of letters and digits; each character for itself in scripts that put no space between words."""


def judge(pairs: Iterable[Pair], *, tie_band: float) -> Iterator[Verdict]:
    """One verdict a pair, in their order.

    Each answer is scored by itself, so the verdict cannot depend on which is shown first. `tie_band` is the largest
    difference, in points of ROUGE-L (0-100), that still counts as a tie. A pair without a reference has no label.
    """
    for pair in pairs:
        label, detail = _compare(pair, tie_band)
        yield Verdict(
            pair_id=pair.id,
            prompt_id=pair.prompt_id,
            judge=NAME,
            a=pair.a.system,
            b=pair.b.system,
            label=label,
            detail=detail,
        )


def _compare(pair: Pair, tie_band: float) -> tuple[Label | None, str]:
    if pair.reference is None or not pair.reference.strip():
        return None, "no reference"
    a, b = (rouge_l(answer.text, pair.reference) for answer in (pair.a, pair.b))
    label: Label = "tie" if abs(a - b) <= tie_band else "a" if a > b else "b"
    return label, f"ROUGE-L {pair.a.system} {a:.1f}, {pair.b.system} {b:.1f}; a difference up to {tie_band:g} is a tie"


def rouge_l(text: str, reference: str) -> float:
    """ROUGE-L of one answer against one reference, 0-100; 0 where either has no word.

    Precision is the share of the answer's words that lie in the longest common subsequence, recall the reference's
    share; this is their harmonic mean. On text in ASCII it is rouge-score 0.1.2's `rougeL` without stemming.
    """
    ours, theirs = words(text), words(reference)
    if not ours or not theirs:
        return 0.0
    return 200 * common_subsequence(ours, theirs) / (len(ours) + len(theirs))


def words(text: str) -> list[str]:
    """The words of a text in small letters, without signs."""
    return _WORD.findall(text.lower())


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Length of the longest common subsequence, a row of the table at once as the bits of one number (Hyyrö 2004)."""
    places: dict[str, int] = {}
    for number, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << number
    every = row = (1 << len(a)) - 1
    for word in b:
        met = row & places.get(word, 0)
        row = ((row + met) | (row - met)) & every
    return len(a) - row.bit_count()
