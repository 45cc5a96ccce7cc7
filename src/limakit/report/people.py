"""People together as one judge, and every other judge beside them on the same items.

Two people seldom judge the same items, so what they say is put together: a verdict of each on each item, prompts as
the unit of every interval. A judge is compared with each person on each item that both judged.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from limakit.records import Verdict
from limakit.report.agreement import agreement
from limakit.report.rates import difference_interval
from limakit.report.reliability import krippendorff_alpha
from limakit.report.resample import resampled_rates

PEOPLE = "people"
"""Name of all people as one judge, where there are several."""
ORDER = ("people", "person", "model", "metric")
"""Kinds of judges, those to be believed first."""


def kind(judge: str) -> str:
    """`person` of `person:a1`; the name itself where it has no colon."""
    return judge.partition(":")[0]


def panels(verdicts: Sequence[Verdict]) -> dict[str, list[Verdict]]:
    """Judges to their verdicts: people before models before metrics, and where there are several people, all of them
    together first of all."""
    found: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        found.setdefault(verdict.judge, []).append(verdict)
    if sum(kind(judge) == "person" for judge in found) > 1:
        found[PEOPLE] = [verdict for verdict in verdicts if kind(verdict.judge) == "person"]
    return dict(sorted(found.items(), key=lambda item: (place(item[0]), item[0])))


def place(judge: str) -> int:
    """Where a judge stands in the order: 0 first."""
    known = kind(judge)
    return ORDER.index(known) if known in ORDER else len(ORDER)


def against_people(
    verdicts: Sequence[Verdict], candidate: str | None, options: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Every judge that is no person beside the people on the items that both judged; None where there are not both.

    `among` is how far people agree with each other, which no judge need exceed. Of each judge: `comparisons` (a person
    and the judge on an item), their tie-discounted agreement with its interval and chance level, and, of a `candidate`,
    `people` and `judge`, the win rates that both give it on these items, with the interval of their `difference`.
    """
    said: dict[str, dict[str, int]] = {}
    prompts: dict[str, str] = {}
    scores: dict[str, dict[str, float]] = {}
    for verdict in verdicts:
        if verdict.label is None:
            continue
        code = 1 if verdict.winner is None else 0 if verdict.winner == min(verdict.a, verdict.b) else 2
        said.setdefault(verdict.judge, {})[verdict.pair_id] = code
        prompts[verdict.pair_id] = verdict.prompt_id
        if candidate in (verdict.a, verdict.b):
            score = 0.5 if verdict.winner is None else float(verdict.winner == candidate)
            scores.setdefault(verdict.judge, {})[verdict.pair_id] = score
    people = sorted(judge for judge in said if kind(judge) == "person")
    others = [judge for judge in sorted(said, key=lambda name: (place(name), name)) if judge not in people]
    if not people or not others:
        return None
    rows = []
    for judge in others:
        row = _compared([(person, judge) for person in people], said, prompts, options)
        if row:
            rows.append({"judge": judge, **row, **_rates(judge, people, scores, prompts, options)})
    if not rows:
        return None
    items = sorted({item for person in people for item in said[person]})
    ratings = np.array([[said[person].get(item, np.nan) for item in items] for person in people])
    return {
        "people": len(people),
        "items": len(items),
        "among": _compared(list(combinations(people, 2)), said, prompts, options),
        "krippendorff": krippendorff_alpha(ratings, "nominal"),
        "judges": rows,
    }


def _compared(
    couples: Sequence[tuple[str, str]],
    said: Mapping[str, Mapping[str, int]],
    prompts: Mapping[str, str],
    options: Mapping[str, Any],
) -> dict[str, Any] | None:
    """Agreement over all couples of judges on all items that both of a couple judged."""
    shared = [(one, two, item) for one, two in couples for item in sorted(said[one].keys() & said[two].keys())]
    if not shared:
        return None
    first, second = ([said[couple[side]][couple[2]] for couple in shared] for side in (0, 1))
    found = asdict(agreement(first, second, [prompts[item] for _, _, item in shared], **options))
    return {"comparisons": found.pop("items"), "items": len({item for _, _, item in shared}), **found}


def _rates(
    judge: str,
    people: Sequence[str],
    scores: Mapping[str, Mapping[str, float]],
    prompts: Mapping[str, str],
    options: Mapping[str, Any],
) -> dict[str, Any]:
    """Win rates of the candidate by people and by the judge on the same items, every item once."""
    own = scores.get(judge, {})
    by_item: dict[str, list[float]] = {}
    for person in people:
        for item, score in scores.get(person, {}).items():
            if item in own:
                by_item.setdefault(item, []).append(score)
    if not by_item:
        return {}
    shared = sorted(by_item)
    _, cluster = np.unique([prompts[item] for item in shared], return_inverse=True)
    sides = [[float(np.mean(by_item[item])) for item in shared], [own[item] for item in shared]]
    sums = np.array([np.bincount(cluster, weights=side) for side in sides], float)
    counts = np.repeat(np.bincount(cluster)[None].astype(float), 2, axis=0)
    rates = resampled_rates(sums, counts, resamples=options["resamples"], seed=options["seed"])
    low, high = difference_interval(sums[::-1], counts, rates[:, 1] - rates[:, 0], options["confidence"])
    by_people, by_judge = (float(np.mean(side)) for side in sides)
    difference = {"value": by_judge - by_people, "low": low, "high": high}
    return {"by_people": by_people, "by_judge": by_judge, "difference": difference}
