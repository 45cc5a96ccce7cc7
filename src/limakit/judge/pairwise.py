"""Which of two answers is better, by a model: the paper's question and its three labels, always in both orders.

A judge that prefers whatever stands first would decide every pair by chance. So each pair is asked twice, the second
time with the sides changed: the same answer must win both times, anything else is a tie, and how often that happens is
counted. Where one of the two has no usable verdict there is none for the pair.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from limakit.judge.questions import Form, Question, ask, hear
from limakit.models.wire import Failure, Reply
from limakit.records import Label, Pair, Verdict

LABELS: Mapping[str, Label] = {"A": "a", "B": "b", "TIE": "tie"}
SWAPPED: Mapping[Label, Label] = {"a": "b", "b": "a", "tie": "tie"}


def questions(pairs: Sequence[Pair], form: Form, seed: int) -> list[Question]:
    """Two for each pair: as it is, and swapped."""
    return [
        ask(form, seed, side.messages, {"answer_a": side.a.text, "answer_b": side.b.text})
        for pair in pairs
        for side in (pair, pair.swap())
    ]


def verdicts(
    pairs: Sequence[Pair], asked: Sequence[Question], ends: Sequence[Reply | Failure], judge: str
) -> tuple[list[Verdict], dict[str, Any]]:
    """One verdict a pair, in their order, and the counts.

    Of the pairs with `both_orders` labelled, `conflicts` were called a tie because the two labels differ; `first_won`
    and `second_won` of these went to the same side twice, whoever stood there. `failures` counts calls by their end.
    """
    found: list[Verdict] = []
    conflicts, both, sides = 0, 0, Counter[str]()
    failures = Counter[str]()
    for number, pair in enumerate(pairs):
        heard = [hear(asked[i], ends[i], LABELS) for i in (2 * number, 2 * number + 1)]
        failures.update(kind for label, kind, _ in heard if label is None)
        (first, _, reasons), (second, _, _) = heard
        label: Label | None = None
        if first is None or second is None:
            parts = zip(("in this order", "with the sides changed"), heard, strict=True)
            detail = "; ".join(f"{order}: {kind}, {said}" for order, (gave, kind, said) in parts if gave is None)
        else:
            both += 1
            label = first if first == SWAPPED[second] else "tie"
            if first != SWAPPED[second]:
                conflicts += 1
                sides[first if first == second else "mixed"] += 1
                names = {"a": "the first", "b": "the second", "tie": "neither"}
                detail = f"the orders disagree ({names[first]}, then {names[second]}), so a tie. {reasons}"
            else:
                detail = f"the same in both orders. {reasons}"
        found.append(
            Verdict(
                pair_id=pair.id,
                prompt_id=pair.prompt_id,
                judge=judge,
                a=pair.a.system,
                b=pair.b.system,
                label=label,
                detail=detail,
            )
        )
    winners = Counter(verdict.winner for verdict in found if verdict.winner)
    return found, {
        "pairs": len(pairs),
        "won": dict(sorted(winners.items())),
        "tie": sum(verdict.label == "tie" for verdict in found),
        "missing": len(pairs) - both,
        "both_orders": both,
        "conflicts": conflicts,
        "conflict_rate": round(conflicts / both, 4) if both else None,
        "first_won": sides["a"],
        "second_won": sides["b"],
        "failures": dict(sorted(failures.items())),
    }
