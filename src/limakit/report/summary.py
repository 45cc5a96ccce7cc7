"""Every statistic on a set of verdicts, as plain numbers: what the report prints, usable on any verdict file."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np

from limakit.errors import InputError
from limakit.records import Verdict
from limakit.report import significance
from limakit.report.agreement import agreement
from limakit.report.bias import Lengths, length_bias, position_bias, self_preference
from limakit.report.length_control import length_controlled
from limakit.report.people import PEOPLE, against_people, kind, panels
from limakit.report.power import detectable, prompts_needed
from limakit.report.ranking import worths
from limakit.report.rates import clustered_error, difference_interval, outcome, scores, share_interval
from limakit.report.reliability import fleiss_kappa, krippendorff_alpha
from limakit.report.resample import resampled_rates

RANKING_PRIOR = 0.01
"""Precision of the prior on log worths: weak, and enough for a system that never wins to have a place."""
SMALL_DIFFERENCE = 0.05
"""Distance from a win rate of one half for which the prompts needed are told."""

Preferences = Mapping[tuple[str, str], tuple[str, float]]
"""(judge, pair id) to a system and the probability, 0 to 1, that the judge gives to its answer being better."""


def summarise(
    verdicts: Sequence[Verdict],
    *,
    candidate: str | None = None,
    baselines: Sequence[str] | None = None,
    asked: int | None = None,
    lengths: Lengths | None = None,
    preferences: Preferences | None = None,
    authors: Mapping[str, str] | None = None,
    resamples: int = 10_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """All numbers of all judges, ready for JSON; undefined ones are None.

    With `candidate`, its comparisons with `baselines` (by default all it meets); without, every pair of systems in
    alphabetical order. `asked` is the number of pairs there should be for each baseline. `lengths` add length bias and
    the length-controlled win rate, `preferences` (of judges that answer with probabilities) their mean. `authors` says
    which system a judge is, where its name `kind:system` does not. Judges come in the order of `people.panels`, and
    several people are one judge, `people`, besides. Raises InputError where a judge has two verdicts on one pair.
    """
    seen = set()
    for verdict in verdicts:
        key = (verdict.judge, verdict.pair_id)
        if key in seen:
            raise InputError(
                f"judge {key[0]!r} has two verdicts on pair {key[1]!r}",
                fix="Keep one of them; two people, or two runs, need two names.",
            )
        seen.add(key)
    systems = sorted({name for verdict in verdicts for name in (verdict.a, verdict.b)})
    if candidate is None:
        contests = list(combinations(systems, 2))
    else:
        met = {name for verdict in verdicts if candidate in (verdict.a, verdict.b) for name in (verdict.a, verdict.b)}
        others = sorted(met - {candidate}) if baselines is None else baselines
        contests = [(candidate, other) for other in others]
    options = {"resamples": resamples, "seed": seed, "confidence": confidence}
    judges = []
    for judge, own in panels(verdicts).items():
        author = (authors or {}).get(judge, judge.partition(":")[2])
        judges.append(
            {
                "judge": judge,
                "kind": kind(judge),
                "people": len({verdict.judge for verdict in own}) if judge == PEOPLE else None,
                "verdicts": len(own),
                "missing": sum(verdict.label is None for verdict in own),
                "against": _contests(own, contests, asked, lengths or {}, preferences or {}, options),
                "differences": _differences(own, contests, options),
                "position": position_bias(own, **options),
                "length": length_bias(own, lengths, **options) if lengths is not None else None,
                "self": self_preference(verdicts, judge, author, **options) if author in systems else None,
                "ranking": _ranking(own, confidence),
            }
        )
    agreed = {
        "agreement": _agreements(verdicts, options),
        "against_people": against_people(verdicts, candidate, options),
    }
    return _plain({"settings": options, "judges": judges, **agreed})


def _contests(
    verdicts: Sequence[Verdict],
    contests: Sequence[tuple[str, str]],
    asked: int | None,
    lengths: Lengths,
    preferences: Preferences,
    options: dict[str, Any],
) -> list[dict[str, Any]]:
    rows = []
    for candidate, baseline in contests:
        own = [verdict for verdict in verdicts if {verdict.a, verdict.b} == {candidate, baseline}]
        row: dict[str, Any] = {"candidate": candidate, "baseline": baseline, "asked": asked, "verdicts": len(own)}
        row["pairs"] = len({verdict.pair_id for verdict in own})
        found = outcome(own, candidate, **options)
        row |= asdict(found) if found else {"win": 0, "tie": 0, "lose": 0, "missing": len(own), "prompts": 0}
        if found and found.win + found.lose:
            ties = found.tie_share.value
            row["sign_test"] = {"p": significance.sign_test(found.win, found.lose)}
            row["detectable"] = detectable(found.prompts, tie_rate=ties, confidence=options["confidence"])
            row["prompts_for_5_points"] = prompts_needed(
                SMALL_DIFFERENCE, tie_rate=ties, confidence=options["confidence"]
            )
        rows.append(row | _finer(own, candidate, lengths, preferences, options))
    _adjust([row["sign_test"] for row in rows if "sign_test" in row])
    return rows


def _finer(
    verdicts: Sequence[Verdict], candidate: str, lengths: Lengths, preferences: Preferences, options: dict[str, Any]
) -> dict[str, Any]:
    """What needs more than labels: the mean preference of a judge with probabilities, and the rate at equal lengths."""
    found: dict[str, Any] = {}
    graded, prompts, longer = [], [], []
    for verdict in sorted(verdicts, key=lambda verdict: (verdict.prompt_id, verdict.pair_id)):
        if verdict.label is None:
            continue
        score = 0.5 if verdict.winner is None else float(verdict.winner == candidate)
        system, preference = preferences.get((verdict.judge, verdict.pair_id), (candidate, score))
        graded.append(preference if system == candidate else 1 - preference)
        prompts.append(verdict.prompt_id)
        known = lengths.get(verdict.pair_id)
        if known is not None:
            longer.append(known[candidate] - known[verdict.b if verdict.a == candidate else verdict.a])
    if graded and any((verdict.judge, verdict.pair_id) in preferences for verdict in verdicts):
        _, cluster = np.unique(prompts, return_inverse=True)
        sums = np.bincount(cluster, weights=graded).astype(np.float64)
        counts = np.bincount(cluster).astype(np.float64)
        rates = resampled_rates(sums[None], counts[None], resamples=options["resamples"], seed=options["seed"])
        low, high, _ = share_interval(sums, counts, rates[:, 0], options["confidence"])
        error = clustered_error(sums, counts)
        found["preference"] = {"value": float(np.mean(graded)), "low": low, "high": high, "error": error}
    # With all scores or all differences alike there is nothing to fit, and the prior's certainty would be false.
    if len(longer) == len(graded) and min(len(set(prompts)), len(set(graded)), len(set(longer))) > 1:
        controlled = length_controlled(
            np.array(graded), np.array(longer, float), prompts, seed=options["seed"], confidence=options["confidence"]
        )
        found["length_controlled"] = asdict(controlled)
    return found


def _differences(
    verdicts: Sequence[Verdict], contests: Sequence[tuple[str, str]], options: dict[str, Any]
) -> list[dict[str, Any]]:
    """Whether a candidate does better against one baseline than against another.

    The interval is of the difference of the two win rates, prompts drawn for both at once; the tests compare the two on
    the prompts that were judged for both, two of them at least.
    """
    found = [
        scores([verdict for verdict in verdicts if {verdict.a, verdict.b} == set(contest)], contest[0])
        for contest in contests
    ]
    prompts = sorted(set().union(*found))
    if len(contests) < 2 or not prompts:
        return []
    sums = np.array([[sum(side.get(prompt, ())) for prompt in prompts] for side in found], float)
    counts = np.array([[len(side.get(prompt, ())) for prompt in prompts] for side in found], float)
    rates = resampled_rates(sums, counts, resamples=options["resamples"], seed=options["seed"])
    rows = []
    for one, two in combinations(range(len(contests)), 2):
        shared = (counts[one] > 0) & (counts[two] > 0)
        if contests[one][0] != contests[two][0] or shared.sum() < 2:
            continue
        sides = [one, two]
        low, high = difference_interval(
            sums[sides], counts[sides], rates[:, one] - rates[:, two], options["confidence"]
        )
        totals = sums.sum(1) / np.maximum(1, counts.sum(1))
        first, second = (sums[side, shared] / counts[side, shared] for side in (one, two))
        rows.append(
            {
                "candidate": contests[one][0],
                "first": contests[one][1],
                "second": contests[two][1],
                "prompts": int(shared.sum()),
                "difference": totals[one] - totals[two],
                "low": low,
                "high": high,
                "mcnemar": {"p": significance.mcnemar((first > 0.5).tolist(), (second > 0.5).tolist())},
                "wilcoxon": {"p": significance.wilcoxon(first.tolist(), second.tolist())},
            }
        )
    _adjust([row["wilcoxon"] for row in rows])
    return rows


def _ranking(verdicts: Sequence[Verdict], confidence: float) -> dict[str, Any] | None:
    """Davidson log worths of three or more systems, best first, with intervals over prompts."""
    labelled = [verdict for verdict in verdicts if verdict.label is not None]
    systems = sorted({name for verdict in labelled for name in (verdict.a, verdict.b)})
    if len(systems) < 3:
        return None
    prompts = {name: number for number, name in enumerate(sorted({verdict.prompt_id for verdict in labelled}))}
    match_ups = {pair: number for number, pair in enumerate(combinations(systems, 2))}
    counts_PM3 = np.zeros((len(prompts), len(match_ups), 3))
    for verdict in labelled:
        first, second = sorted((verdict.a, verdict.b))
        column = 1 if verdict.winner is None else 0 if verdict.winner == first else 2
        counts_PM3[prompts[verdict.prompt_id], match_ups[first, second], column] += 1
    indices = np.array([[systems.index(a), systems.index(b)] for a, b in match_ups])
    found, low, high, nu = worths(indices, counts_PM3, systems=len(systems), prior=RANKING_PRIOR, confidence=confidence)
    places = [
        {"system": systems[n], "log_worth": found[n], "low": low[n], "high": high[n]}
        for n in np.argsort(-found, kind="stable")
    ]
    return {"systems": places, "nu": nu}


def _agreements(verdicts: Sequence[Verdict], options: dict[str, Any]) -> dict[str, Any] | None:
    """Judges compared on the items they share. A label is which system won, so that always naming one is no skill."""
    labels: dict[str, dict[str, int]] = {}
    prompts = {}
    for verdict in verdicts:
        if verdict.label is not None:
            code = 1 if verdict.winner is None else 0 if verdict.winner == min(verdict.a, verdict.b) else 2
            labels.setdefault(verdict.judge, {})[verdict.pair_id] = code
            prompts[verdict.pair_id] = verdict.prompt_id
    if len(labels) < 2:
        return None
    rows = []
    for one, two in combinations(sorted(labels), 2):
        shared = sorted(labels[one].keys() & labels[two].keys())
        if shared:
            first, second = ([labels[judge][item] for item in shared] for judge in (one, two))
            found = agreement(first, second, [prompts[item] for item in shared], **options)
            rows.append({"judges": [one, two], **asdict(found)})
    ratings = np.array([[labels[judge].get(item, np.nan) for item in sorted(prompts)] for judge in sorted(labels)])
    counts = (ratings.T[:, :, None] == np.arange(3)).sum(1).astype(float)
    return {
        "pairs": rows,
        "fleiss": fleiss_kappa(counts),
        "krippendorff_nominal": krippendorff_alpha(ratings, "nominal"),
        "krippendorff_interval": krippendorff_alpha(ratings, "interval"),
    }


def _adjust(tests: Sequence[dict[str, float]]) -> None:
    """Add the p-values adjusted for there being several."""
    p_values = [test["p"] for test in tests]
    adjusted = zip(tests, significance.holm(p_values), significance.false_discovery(p_values), strict=True)
    for test, holm, discovery in adjusted:
        test["holm"], test["fdr"] = holm, discovery


def _plain(value: Any) -> Any:
    """JSON values only: numpy numbers become Python's, nan becomes None."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    return value
