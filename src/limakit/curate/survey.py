"""One pass over the candidates: of each what selection must know; its text and its words stay on disk."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from sys import intern
from typing import Any

import numpy as np

from limakit.curate.features import BATCH, features, reply_of, whole_text
from limakit.curate.minhash import Signatures, marked, near_duplicates, signatures
from limakit.curate.quality import grade
from limakit.curate.sample import Entry, best_first
from limakit.curate.tfidf import Weights, occurring
from limakit.curate.words import hashed
from limakit.engine import Executor, Progress, silent
from limakit.records import Candidate
from limakit.store import scratch
from limakit.store.pieces import Piece, fetched, pieces, records

PIECE_BYTES = 8 << 20
"""About three thousand candidates: what a worker holds at a time, and less where there is too little for all."""
PIECES, LEAST_BYTES = 8, 1 << 20
"""So many pieces at least, if they come to so many bytes."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What was seen of one piece of the candidates' files."""

    entries: list[Entry]
    places: Any
    """Of each candidate the byte at which it begins, int64."""
    marks: Signatures
    held: Any
    """In how many candidates each feature occurs; None where nobody asks."""


@dataclass(frozen=True, slots=True)
class Pool:
    """The candidates in the order of their files, `marks` their MinHash signatures.

    `starts` says which piece holds which: the numbers of the pieces' first candidates, and how many there are.
    """

    pieces: list[Piece]
    words: list[Path]
    """Of each piece the file of its `features`; only there where they were asked for."""
    starts: list[int]
    entries: list[Entry]
    places: list[Any]
    marks: Signatures
    weights: Weights | None

    def fetch(self, wanted: Iterable[str]) -> Iterator[Candidate]:
        """The candidates of these Ids, in the order of the files, read where they lie."""
        ids = frozenset(wanted)
        for number, piece in enumerate(self.pieces):
            begin, end = self.starts[number], self.starts[number + 1]
            at = [int(self.places[number][n - begin]) for n in range(begin, end) if self.entries[n].id in ids]
            yield from fetched(piece.path, at, Candidate)


def survey(
    paths: Sequence[Path],
    folder: Path,
    executor: Executor,
    *,
    graded: bool = False,
    compared: bool = False,
    progress: Progress = silent,
    piece_bytes: int = PIECE_BYTES,
) -> Pool:
    """Read all candidates once, on the workers of `executor`.

    `graded` asks for how hard they read; `compared` for their `features`, which go into files in `folder`, and for the
    weights of words. Raises InputError where a file is damaged.
    """
    whole = sum(piece.stop - piece.begin for piece in pieces(paths, piece_bytes))
    cut = pieces(paths, min(piece_bytes, max(LEAST_BYTES, whole // PIECES)))
    words = [folder / f"words-{number}" for number in range(len(cut))]
    look = partial(_look, graded=graded, compared=compared)
    sights: list[Sight] = []
    marks, held = [signatures([])], 0
    for sight in executor.map(look, list(zip(cut, words, strict=True))):
        held = held if sight.held is None else held + sight.held
        marks.append(sight.marks)
        sights.append(Sight(sight.entries, sight.places, marks[0], None))
        progress("looking at candidates", len(sights), len(cut), "pieces")
    entries = [entry for sight in sights for entry in sight.entries]
    return Pool(
        pieces=cut,
        words=words,
        starts=[0, *accumulate(len(sight.entries) for sight in sights)],
        entries=entries,
        places=[sight.places for sight in sights],
        marks=np.concatenate(marks),
        weights=Weights.counted(len(entries), held) if compared else None,
    )


def _look(work: tuple[Piece, Path], *, graded: bool, compared: bool) -> Sight:
    """One piece; writes the features of its candidates."""
    piece, target = work
    entries, places, marks, rows, held = [], [], [signatures([])], [], None
    found = records(piece, Candidate)
    while batch := list(islice(found, BATCH)):
        places += [at for at, _ in batch]
        candidates = [candidate for _, candidate in batch]
        texts = [reply_of(candidate) for candidate in candidates]
        entries += [_entry(candidate, text, graded) for candidate, text in zip(candidates, texts, strict=True)]
        replies = hashed(texts)
        these = marked(replies)
        if short := [number for number, text in enumerate(texts) if len(text) < SHORT]:
            these[short] = signatures([_own(candidates[number], texts[number]) for number in short])
        marks.append(these)
        if compared:
            some = features(candidates, replies)
            rows.append(some.arrays())
            seen = occurring(replies, (some.prompts, some.owners))
            held = seen if held is None else held + seen
    if compared:
        scratch.put(target, rows)
    return Sight(entries, np.array(places, np.int64), np.concatenate(marks), held)


def near_repeats(seen: Pool, gone: Iterable[str], least: float) -> dict[str, str]:
    """Near-duplicates among the candidates that are not `gone`, with the Id of the one that stays and how similar."""
    out = frozenset(gone)
    numbers = [number for number, entry in enumerate(seen.entries) if entry.id not in out]
    numbers.sort(key=lambda number: best_first(seen.entries[number]))
    found = near_duplicates(seen.marks, numbers, least)
    return {
        seen.entries[number].id: f"{seen.entries[repeat.of].id} ({repeat.similarity:.2f})"
        for number, repeat in found.items()
    }


SHORT = 200
"""Characters below which a response may rightly recur ("True", "Paris"): it repeats another only with its prompt."""


def _own(candidate: Candidate, text: str) -> str:
    """What must differ from every other candidate: the response, for short ones with the prompt."""
    return text if len(text) >= SHORT else whole_text(candidate)


_SMALL, _BLANKS = bytes(range(256)).lower(), b" \t\n\v\f\r"


def digest(text: str) -> bytes:
    """Hash of a text without regard to the case of A to Z and white space; what else makes no difference is for the
    near-duplicates."""
    return hashlib.blake2b(text.encode().translate(_SMALL, _BLANKS), digest_size=16).digest()


def _entry(candidate: Candidate, text: str, graded: bool) -> Entry:
    number = candidate.id.rpartition("/")[2]
    return Entry(
        site=intern(candidate.site),
        rank=-candidate.score,
        number=int(number) if number.isdecimal() else 0,
        id=candidate.id,
        group=intern(candidate.group),
        digest=digest(_own(candidate, text)),
        source=intern(candidate.source),
        chars=len(text),
        grade=grade(text) if graded else 0.0,
    )
