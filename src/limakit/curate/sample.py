"""Quotas per stratum, sites within a stratum by temperature, the best answers within a site (paper, section 2.1)."""

import hashlib
import math
from bisect import bisect
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import accumulate
from typing import Literal, NamedTuple


class Entry(NamedTuple):
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
    chars: int = 0
    """Of the response."""
    grade: float = 0.0
    """How hard the response is to read: `quality.grade`."""


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


_DIALOGUE = "/dialogue"
"""Ending of the Id of a dialogue that was made of the comments on an answer."""


def answer_of(number: str) -> str | None:
    """Id of the answer that a dialogue begins with; None for what is no dialogue made of comments."""
    return number.removesuffix(_DIALOGUE) if number.endswith(_DIALOGUE) else None


Method = Literal["top", "random", "longest"]
Chooser = Callable[[Sequence[Entry], Mapping[str, int]], list[str]]
"""Entries of one stratum and how many to take of each site → their Ids."""


def choose(
    entries: Sequence[Entry],
    quotas: Mapping[str, int],
    temperature: float,
    seed: int,
    method: Method | Chooser = "top",
    even: Collection[str] = (),
) -> list[str]:
    """Ids to take: for each stratum its quota, or all where there are fewer.

    How many of each site is the same for every method; which ones is the method's: the best by score (the paper's),
    the longest responses, a seeded draw, or what a chooser says. In the groups named in `even` sites are equally
    probable, and so are a site's candidates. The result depends on the candidates and the seed, not on their order.
    Dialogues come first; an answer that one of those taken begins with is not taken by itself.
    """
    talks = [entry for entry in entries if answer_of(entry.id)]
    if talks and len(talks) < len(entries):
        taken = choose(talks, quotas, temperature, seed, method, even)
        used = {answer_of(number) for number in taken}
        rest = [entry for entry in entries if not answer_of(entry.id) and entry.id not in used]
        return taken + choose(rest, quotas, temperature, seed, method, even)
    taken: list[str] = []
    for group in sorted(quotas):
        queues: dict[str, list[Entry]] = {}
        for entry in sorted(entry for entry in entries if entry.group == group):
            queues.setdefault(entry.site, []).append(entry)
        sizes = {site: len(queue) for site, queue in queues.items()}
        limits = site_limits(sizes, quotas[group], math.inf if group in even else temperature, f"{seed}/{group}")
        if callable(method):
            taken += method([entry for queue in queues.values() for entry in queue], limits)
            continue
        for site, queue in queues.items():
            if method == "random" or (method == "top" and group in even):
                queue.sort(key=lambda entry: uniform(f"{seed}/random/{entry.id}"))
            elif method == "longest":
                queue.sort(key=lambda entry: -entry.chars)
            taken += [entry.id for entry in queue[: limits[site]]]
    return taken


def site_limits(sizes: Mapping[str, int], quota: int, temperature: float, key: str) -> dict[str, int]:
    """How many to take of each site, all together `quota` or everything there is.

    Sites are drawn one after the other, each with probability proportional to its number of candidates to the power
    1/temperature (our reading of the paper's tau = 3); a site with none left is out.
    """
    weights = {site: size ** (1 / temperature) for site, size in sizes.items()}
    limits = dict.fromkeys(sizes, 0)
    for draw in range(min(quota, sum(sizes.values()))):
        site = _drawn(weights, f"{key}/{draw}")
        limits[site] += 1
        if limits[site] == sizes[site]:
            del weights[site]
    return limits


def uniform(key: str) -> float:
    """A number in [0, 1) that is a pure function of the key."""
    return (int.from_bytes(hashlib.sha256(key.encode()).digest()[:8]) >> 11) / 2**53


def _drawn(weights: Mapping[str, float], key: str) -> str:
    sites = list(weights)
    ends = list(accumulate(weights.values()))
    return sites[min(bisect(ends, uniform(key) * ends[-1]), len(sites) - 1)]
