"""Quotas per stratum, sites within a stratum by temperature, the best answers within a site (paper, section 2.1)."""

import hashlib
from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate


@dataclass(frozen=True, slots=True, order=True)
class Entry:
    """What selection needs to know of a candidate. Sorted: best first within a site, ties by number, then Id."""

    site: str
    rank: int
    """Minus the score."""
    number: int
    """The numeric Id within the site, 0 where it is none."""
    id: str
    group: str
    digest: bytes
    """Of the normalised response."""
    source: str = ""


def best_first(entry: Entry) -> tuple[int, str, int, str]:
    """Order of candidates of any site: by score, ties by site, number and Id."""
    return entry.rank, entry.site, entry.number, entry.id


def duplicates(entries: Sequence[Entry]) -> dict[str, str]:
    """Ids of candidates whose response repeats another's, with the Id of the one that stays: the best by score."""
    first: dict[bytes, str] = {}
    repeats: dict[str, str] = {}
    for entry in sorted(entries, key=best_first):
        kept = first.setdefault(entry.digest, entry.id)
        if kept != entry.id:
            repeats[entry.id] = kept
    return repeats


def choose(entries: Sequence[Entry], quotas: Mapping[str, int], temperature: float, seed: int) -> list[str]:
    """Ids to take: for each stratum its quota, or all where there are fewer.

    Sites are drawn one after the other, each with probability proportional to its number of candidates to the power
    1/temperature (our reading of the paper's tau = 3); a draw takes the site's best candidate that is left, and a site
    with none left is out. The result depends on the candidates and the seed, not on their order.
    """
    taken: list[str] = []
    for group in sorted(quotas):
        queues: dict[str, list[Entry]] = {}
        for entry in sorted(entry for entry in entries if entry.group == group):
            queues.setdefault(entry.site, []).append(entry)
        weights = {site: len(queue) ** (1 / temperature) for site, queue in queues.items()}
        positions = dict.fromkeys(queues, 0)
        for draw in range(quotas[group]):
            if not weights:
                break
            site = _drawn(weights, f"{seed}/{group}/{draw}")
            taken.append(queues[site][positions[site]].id)
            positions[site] += 1
            if positions[site] == len(queues[site]):
                del weights[site]
    return taken


def uniform(key: str) -> float:
    """A number in [0, 1) that is a pure function of the key."""
    return (int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 11) / 2**53


def _drawn(weights: Mapping[str, float], key: str) -> str:
    sites = list(weights)
    ends = list(accumulate(weights.values()))
    return sites[min(bisect(ends, uniform(key) * ends[-1]), len(sites) - 1)]
