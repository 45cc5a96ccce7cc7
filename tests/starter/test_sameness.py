"""Nothing is said twice: within the starter data, between its splits, and against public text that nobody here wrote."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from limakit.curate.minhash import near_duplicates, signatures
from limakit.curate.words import hashed, shingles
from tests.starter.texts import STARTER, of, texts

RUN = 13
"""Words in a row; twelve may be shared."""
TRAINED_ON = ("train", "dialogue")
REAL = Path(os.environ.get("LIMAKIT_REAL_DATA", "absent"))
SMALL = ("instructions", "prompts", "natural_instructions", "wikihow", "reddit", "judgments")
"""Folders of public data that are read in seconds."""


def everything() -> list[tuple[str, str]]:
    """All text of the starter data, each file or line with its name; in Markdown, XML and HTML as it is."""
    found = [(text.id, part) for text in texts() for part in (text.prompt, text.answer) if part]
    for folder, endings in (("tasks", "json"), ("howto", "csv"), ("howto", "html"), ("stories", "ndjson"), ("dump", "xml")):
        for path in sorted((STARTER / folder).rglob(f"*.{endings}")):
            found += [(f"{path.name}:{n}", line) for n, line in enumerate(path.read_text("utf-8-sig").splitlines(), 1)]
    return found


@pytest.mark.parametrize("side", ["prompt", "answer"])
def test_no_two_texts_are_near_duplicates_in_or_across_splits(side: str) -> None:
    named = [(text.id, getattr(text, side)) for text in texts() if len(getattr(text, side).split()) >= 8]
    repeats = near_duplicates(signatures([text for _, text in named]), range(len(named)), 0.15)
    assert {named[a][0]: named[r.of][0] for a, r in repeats.items()} == {}


def test_nothing_to_train_on_shares_a_run_of_words_with_what_it_is_tested_on() -> None:
    seen: dict[int, str] = {}
    for split in ("dev", "test", "ood"):
        for text in of(split):
            for run in runs(f"{text.prompt}\n{text.answer}"):
                seen[run] = text.id
    shared = [(t.id, seen[run]) for s in TRAINED_ON for t in of(s) for run in runs(f"{t.prompt}\n{t.answer}") if run in seen]
    assert shared == []


def runs(text: str) -> set[int]:
    """Hashes of every run of `RUN` words."""
    return set(shingles(hashed([text]), RUN).hashes.tolist())


def test_no_run_of_words_is_shared_with_public_data() -> None:
    """All of it with LIMAKIT_REAL_SCAN=all, which takes some ten minutes; else what is small."""
    if not REAL.is_dir():
        pytest.skip("LIMAKIT_REAL_DATA names no folder of public data")
    ours = everything()
    cut = shingles(hashed([text for _, text in ours]), RUN)
    known, owners = np.unique(cut.hashes), cut.owners()
    shared: Counter[tuple[str, str]] = Counter()
    for name, block in public(whole=os.environ.get("LIMAKIT_REAL_SCAN") == "all"):
        hit = np.intersect1d(known, shingles(hashed([block]), RUN).hashes)
        for number in set(owners[np.isin(cut.hashes, hit)].tolist()) if len(hit) else ():
            shared[ours[number][0], name] += 1
    assert dict(shared) == {}


def public(*, whole: bool) -> Iterator[tuple[str, str]]:
    """Public text in blocks of a few megabytes."""
    import zstandard

    for path in sorted(REAL.rglob("*")):
        folder = path.relative_to(REAL).parts[0]
        if not path.is_file() or path.suffix not in (".json", ".jsonl", ".csv", ".xml", ".html", ".zst", ".txt"):
            continue
        if not whole and (folder not in SMALL or path.stat().st_size > 4_000_000):
            continue
        opened = zstandard.open(path, "rt", encoding="utf-8") if path.suffix == ".zst" else path.open(errors="replace")
        with opened as file:
            # Escapes of JSON would glue a word to the letter of "\n".
            while block := file.read(4_000_000):
                yield path.name, block.replace("\\n", " ").replace('\\"', '"')
