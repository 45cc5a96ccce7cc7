"""Candidates → numbers for all that choosing compares: computed once, kept as arrays, read again by each gate."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from limakit.curate.words import U64, Hashes, Words, fingerprints, hashed
from limakit.records import Candidate, Prompt, Provenance

BATCH = 256
"""Candidates looked at together: few enough to stay in the cache."""


@dataclass(frozen=True, slots=True)
class Features:
    """Of some candidates the words of every prompt and response, and who and what they come from."""

    prompts: Words
    owners: np.ndarray[tuple[int], np.dtype[np.int64]]
    """For each prompt the number of its candidate."""
    replies: Words
    prompt_prints: Hashes
    """`words.fingerprints` of the prompts."""
    reply_prints: Hashes
    posts: Words
    """`named` hashes of each candidate's `posts_of`."""
    authors: Words
    """The same of its `authors_of`."""

    def arrays(self) -> list[Any]:
        """All of it as `WIDTH` arrays."""
        found = []
        for value in (getattr(self, name) for name in self.__slots__):
            found += [value.hashes, value.starts] if isinstance(value, Words) else [value]
        return found


WIDTH = 11


def of_arrays(arrays: Sequence[Any]) -> Features:
    """What `Features.arrays` gave."""
    a, b, owners, c, d, asked, said, e, f, g, h = arrays
    return Features(Words(a, b), owners, Words(c, d), asked, said, Words(e, f), Words(g, h))


def features(candidates: Sequence[Candidate], replies: Words) -> Features:
    """Those of a batch; `replies` are the words of the responses."""
    prompts = hashed([text for candidate in candidates for text in candidate.prompts])
    return Features(
        prompts=prompts,
        owners=np.repeat(np.arange(len(candidates)), [len(candidate.prompts) for candidate in candidates]),
        replies=replies,
        prompt_prints=fingerprints(prompts),
        reply_prints=fingerprints(replies),
        posts=names(posts_of(candidate) for candidate in candidates),
        authors=names(authors_of(candidate.provenance) for candidate in candidates),
    )


def reply_of(candidate: Candidate) -> str:
    """Everything after the prompt as one text."""
    return "\n".join(turn.content for turn in candidate.replies)


def whole_text(candidate: Candidate) -> str:
    """Prompts and response as one text."""
    return "\n".join((*candidate.prompts, reply_of(candidate)))


def posts_of(item: Prompt | Candidate) -> frozenset[str]:
    """Names of the posts that an item was made of, its own among them."""
    return frozenset({item.id, *(f"{origin.source}/{origin.site}/{origin.id}" for origin in item.provenance)})


def authors_of(origins: Sequence[Provenance]) -> frozenset[str]:
    """Who wrote any of the posts: their page, or their name within the site."""
    found = {o.author_url or (f"{o.source}/{o.site}/{o.author}" if o.author else "") for o in origins}
    return frozenset(found - {""})


def named(name: str) -> int:
    """A name as 64 bits."""
    return int.from_bytes(hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest())


def names(sets: Iterable[frozenset[str]]) -> Words:
    """Hashes of names, those of each set in the order of the names."""
    rows = [[named(name) for name in sorted(names)] for names in sets]
    starts = np.concatenate([[0], np.cumsum([len(row) for row in rows], dtype=np.int64)]).astype(np.int64)
    return Words(np.array([name for row in rows for name in row], U64), starts)
