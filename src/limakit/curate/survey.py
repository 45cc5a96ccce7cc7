"""One pass over the candidates: of each what selection must know, its text left on disk."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from limakit.curate.minhash import Signatures, near_duplicates, signatures
from limakit.curate.quality import grade
from limakit.curate.sample import Entry, best_first
from limakit.records import Candidate
from limakit.store import files

BATCH = 512


@dataclass(frozen=True, slots=True)
class Survey:
    """The candidates in the order of their files, `marks` their MinHash signatures."""

    entries: list[Entry]
    marks: Signatures


def batches(paths: Iterable[Path]) -> Iterator[list[Candidate]]:
    """Candidates of JSONL files, some at a time, in order. Raises InputError where a file is damaged."""
    stream = (candidate for path in paths for candidate in files.iter_jsonl(path, Candidate))
    while batch := list(islice(stream, BATCH)):
        yield batch


def survey(paths: Sequence[Path], *, graded: bool = False) -> Survey:
    """Read all candidates once, and grade how hard they read if asked. Raises InputError where a file is damaged."""
    entries: list[Entry] = []
    marks = [signatures([])]
    for batch in batches(paths):
        texts = [reply_of(candidate) for candidate in batch]
        entries += [_entry(candidate, text, graded) for candidate, text in zip(batch, texts, strict=True)]
        marks.append(signatures([_own(c, text) for c, text in zip(batch, texts, strict=True)]))
    return Survey(entries, np.concatenate(marks))


def near_repeats(seen: Survey, gone: Iterable[str], least: float) -> dict[str, str]:
    """Near-duplicates among the candidates that are not `gone`, with the Id of the one that stays and how similar."""
    out = frozenset(gone)
    numbers = [number for number, entry in enumerate(seen.entries) if entry.id not in out]
    numbers.sort(key=lambda number: best_first(seen.entries[number]))
    found = near_duplicates(seen.marks, numbers, least)
    return {
        seen.entries[number].id: f"{seen.entries[repeat.of].id} ({repeat.similarity:.2f})"
        for number, repeat in found.items()
    }


def reply_of(candidate: Candidate) -> str:
    """Everything after the prompt as one text."""
    return "\n".join(turn.content for turn in candidate.replies)


def whole_text(candidate: Candidate) -> str:
    """Prompts and response as one text."""
    return "\n".join((*candidate.prompts, reply_of(candidate)))


SHORT = 200
"""Characters below which a response may rightly recur ("True", "Paris"): it repeats another only with its prompt."""


def _own(candidate: Candidate, text: str) -> str:
    """What must differ from every other candidate: the response, for short ones with the prompt."""
    return text if len(text) >= SHORT else whole_text(candidate)


def digest(text: str) -> bytes:
    """Hash of a text without regard to letter case and white space."""
    return hashlib.blake2b(" ".join(text.lower().split()).encode(), digest_size=16).digest()


def _entry(candidate: Candidate, text: str, graded: bool) -> Entry:
    number = candidate.id.rpartition("/")[2]
    return Entry(
        site=candidate.site,
        rank=-candidate.score,
        number=int(number) if number.isdecimal() else 0,
        id=candidate.id,
        group=candidate.group,
        digest=digest(_own(candidate, text)),
        source=candidate.source,
        chars=len(text),
        grade=grade(text) if graded else 0.0,
    )
