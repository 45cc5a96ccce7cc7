"""What besides quality may have moved a judge: the side an answer stood on, and its length."""

from collections.abc import Mapping, Sequence
from typing import Any

from limakit.records import Pair, Verdict
from limakit.report.rates import wilson
from limakit.report.significance import sign_test


def position_bias(verdicts: Sequence[Verdict], *, confidence: float) -> dict[str, Any]:
    """How often the answer shown first won, among verdicts with a winner. Sides are random, so one half is fair."""
    first = sum(verdict.label == "a" for verdict in verdicts)
    second = sum(verdict.label == "b" for verdict in verdicts)
    return _share("first_won", first, second, confidence)


def length_bias(verdicts: Sequence[Verdict], pairs: Mapping[str, Pair], *, confidence: float) -> dict[str, Any]:
    """How often the longer answer (in characters) won, among verdicts with a winner on answers of unequal length.

    A share above one half is no proof of bias: a longer answer may be the better one.
    """
    longer = shorter = 0
    for verdict in verdicts:
        pair = pairs.get(verdict.pair_id)
        if pair is None or verdict.winner is None or len(pair.a.text) == len(pair.b.text):
            continue
        longest = pair.a.system if len(pair.a.text) > len(pair.b.text) else pair.b.system
        longer += verdict.winner == longest
        shorter += verdict.winner != longest
    return _share("longer_won", longer, shorter, confidence)


def _share(name: str, yes: int, no: int, confidence: float) -> dict[str, Any]:
    if yes + no == 0:
        return {name: 0, "decided": 0, "share": None, "low": None, "high": None, "p": None}
    low, high = wilson(yes, yes + no, confidence)
    share = yes / (yes + no)
    return {name: yes, "decided": yes + no, "share": share, "low": low, "high": high, "p": sign_test(yes, no)}
