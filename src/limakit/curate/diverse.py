"""`select = "diverse"`: the shortlist of a stratum, its vectors, and the choice among them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from limakit.curate.diversity import facility_location, k_centre
from limakit.curate.features import BATCH, reply_of, whole_text
from limakit.curate.quality import worth
from limakit.curate.sample import Entry
from limakit.curate.survey import Pool
from limakit.curate.vectors import FIT, Embed, Latent, whole
from limakit.recipe import Curate
from limakit.records import Candidate

Difficulty = Callable[[Sequence[tuple[str, str]]], Sequence[float]]
"""Prompts and responses → how difficult each response is to a model behind its prompt."""
CHOOSERS = {"facility_location": facility_location, "k_centre": k_centre}


class Diverse:
    """Chooses, among the entries of one stratum, as many of each site as were drawn for it."""

    def __init__(self, pool: Pool, settings: Curate, embed: Embed | None, difficulty: Difficulty | None = None):
        self._pool, self._settings, self._embed, self._difficulty = pool, settings, embed, difficulty

    def __call__(self, entries: Sequence[Entry], limits: Mapping[str, int]) -> list[str]:
        """Ids in the order in which they were chosen; they do not depend on the order of `entries`."""
        entries = sorted(entries, key=lambda entry: entry.id)
        values = worth(entries, self._settings.quality)
        short = self._shortlist(entries, values, limits)
        numbers = {entries[at].id: place for place, at in enumerate(short)}
        shares = values[short]
        if numbers and self._difficulty and self._settings.quality.get("difficulty"):
            shares = worth([entries[at] for at in short], self._settings.quality, self._difficulties(numbers))
        if not numbers:
            return []
        embed = self._embed or self._learnt(numbers)
        vectors = None
        for batch in self._batches(numbers):
            found = whole(embed([whole_text(candidate) for candidate in batch]))
            vectors = np.zeros((len(numbers), found.shape[1]), np.int16) if vectors is None else vectors
            vectors[[numbers[candidate.id] for candidate in batch]] = found
        chosen = CHOOSERS[self._settings.diversity](
            vectors,
            shares,
            [entries[at].site for at in short],
            dict(limits),
            1 - sum(self._settings.quality.values()),
        )
        return [entries[short[place]].id for place in chosen]

    def _shortlist(self, entries: Sequence[Entry], values: Sequence[float], limits: Mapping[str, int]) -> list[int]:
        """The best of each site, `shortlist` times as many as are to be taken of it; all where it is 0."""
        sites: dict[str, list[int]] = {}
        for at, entry in enumerate(entries):
            if limits.get(entry.site):
                sites.setdefault(entry.site, []).append(at)
        most = self._settings.shortlist
        kept = [
            at
            for site, members in sites.items()
            for at in sorted(members, key=lambda at: -values[at])[: most * limits[site] or None]
        ]
        return sorted(kept)

    def _difficulties(self, numbers: Mapping[str, int]) -> list[float]:
        """Of the shortlist, in its order, by the first prompt and the response."""
        assert self._difficulty is not None
        found = [1.0] * len(numbers)
        for batch in self._batches(numbers):
            told = self._difficulty([(candidate.prompts[0], reply_of(candidate)) for candidate in batch])
            for candidate, value in zip(batch, told, strict=True):
                found[numbers[candidate.id]] = value
        return found

    def _learnt(self, numbers: Mapping[str, int]) -> Embed:
        """The light vectors, learnt from the shortlist or an even sample of it."""
        step = -(-len(numbers) // FIT)
        sample = [number for number, at in numbers.items() if at % step == 0]
        texts = {candidate.id: whole_text(candidate) for candidate in self._pool.fetch(sample)}
        return Latent([texts[number] for number in sorted(texts)])

    def _batches(self, numbers: Iterable[str]) -> Iterator[list[Candidate]]:
        """Candidates by Id, some at a time."""
        found = self._pool.fetch(numbers)
        while batch := list(islice(found, BATCH)):
            yield batch
