"""People taken together: who is ahead by all their votes, and how far they agree with each other and with models.

Prompts are what is drawn in every bootstrap, so several votes on one prompt do not make an interval narrower than they
may; agreement is the paper's tie-discounted one (section 4.1) over all pairs of judges that saw the same item.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations, product

from limakit.records import Verdict
from limakit.report.agreement import Agreement, agreement
from limakit.report.rates import Outcome, outcome

RESAMPLES = 2000
"""Of every interval on a page that is reckoned while somebody waits."""
CONFIDENCE = 0.95


def standings(verdicts: Sequence[Verdict], candidate: str, baselines: Sequence[str]) -> list[tuple[str, Outcome]]:
    """The candidate against each baseline by all of the verdicts, whoever gave them; without labels a baseline is
    left out."""
    found = []
    for baseline in baselines:
        own = [verdict for verdict in verdicts if {verdict.a, verdict.b} == {candidate, baseline}]
        result = outcome(own, candidate, resamples=RESAMPLES, seed=0, confidence=CONFIDENCE) if own else None
        if result is not None:
            found.append((baseline, result))
    return found


def among(judges: Mapping[str, Sequence[Verdict]]) -> Agreement | None:
    """Agreement of the judges of one group, each with each other, on the items that both have labelled."""
    labels = {name: _labels(verdicts) for name, verdicts in judges.items()}
    return _together([(labels[one], labels[two]) for one, two in combinations(sorted(labels), 2)])


def between(first: Mapping[str, Sequence[Verdict]], second: Mapping[str, Sequence[Verdict]]) -> Agreement | None:
    """Agreement of every judge of one group with every judge of another."""
    ones, twos = ([_labels(group[name]) for name in sorted(group)] for group in (first, second))
    return _together(list(product(ones, twos)))


Labels = dict[str, tuple[int, str]]
"""Pair id to the label, 0 or 2 for one of the systems and 1 for a tie, and the prompt's id."""


def _labels(verdicts: Sequence[Verdict]) -> Labels:
    return {
        verdict.pair_id: (
            1 if verdict.winner is None else 0 if verdict.winner == min(verdict.a, verdict.b) else 2,
            verdict.prompt_id,
        )
        for verdict in verdicts
        if verdict.label is not None
    }


def _together(pairs: Sequence[tuple[Labels, Labels]]) -> Agreement | None:
    first, second, prompts = [], [], []
    for one, two in pairs:
        for item in sorted(one.keys() & two.keys()):
            first.append(one[item][0])
            second.append(two[item][0])
            prompts.append(one[item][1])
    if not first:
        return None
    return agreement(first, second, prompts, resamples=RESAMPLES, seed=0, confidence=CONFIDENCE)
