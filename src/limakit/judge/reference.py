"""The automatic reference judge: which answer is closer in wording to a written reference. A smoke test.

chrF (Popović 2015, https://aclanthology.org/W15-3049) is the F-score of character n-grams, from 0 to 100, computed by
sacrebleu. It closes the loop offline and catches a broken model. It is not a preference: it rewards sharing the
reference's words and length, and knows nothing of truth, safety or usefulness.
"""

from collections.abc import Iterable, Iterator

from sacrebleu.metrics.chrf import CHRF

from limakit.records import Label, Pair, Verdict

NAME = "metric:chrf"


def judge(pairs: Iterable[Pair], *, tie_band: float) -> Iterator[Verdict]:
    """One verdict a pair, in their order.

    Each answer is scored by itself, so the verdict cannot depend on which is shown first. `tie_band` is the largest
    difference, in points of chrF (0-100), that still counts as a tie. A pair without a reference has no label.
    """
    metric = CHRF()
    for pair in pairs:
        label, detail = _compare(metric, pair, tie_band)
        yield Verdict(
            pair_id=pair.id,
            prompt_id=pair.prompt_id,
            judge=NAME,
            a=pair.a.system,
            b=pair.b.system,
            label=label,
            detail=detail,
        )


def _compare(metric: CHRF, pair: Pair, tie_band: float) -> tuple[Label | None, str]:
    if pair.reference is None or not pair.reference.strip():
        return None, "no reference"
    a, b = (score(metric, answer.text, pair.reference) for answer in (pair.a, pair.b))
    label: Label = "tie" if abs(a - b) <= tie_band else "a" if a > b else "b"
    return label, f"chrF {pair.a.system} {a:.1f}, {pair.b.system} {b:.1f}; a difference up to {tie_band:g} is a tie"


def score(metric: CHRF, text: str, reference: str) -> float:
    """chrF of one answer against one reference, 0-100; an empty answer scores 0."""
    return metric.sentence_score(text, [reference]).score
