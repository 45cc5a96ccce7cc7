"""Nothing is said twice: in the starter data, between its splits, or by public text that nobody here wrote."""

import html
import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from limakit.curate.minhash import near_duplicates, signatures
from limakit.curate.words import hashed, shingles
from tests.starter.texts import STARTER, of, table, texts

RUN = 13
"""Words in a row; twelve may be shared."""
TRAINED_ON = ("train", "dialogue")
MEANT_TO_BE_REFUSED = {("kitchen.example", "test-001"), ("tinker.example", "dev-047")}
"""What the card of the sample sites names, so that the contamination gate has something to find."""
REAL = Path(os.environ.get("LIMAKIT_REAL_DATA", "absent"))
SMALL = ("instructions", "prompts", "natural_instructions")
"""Folders of public data that are read in seconds."""
POST = re.compile(r' (?:Title|Body|Text)="([^"]*)"')
TAG = re.compile(r"<[^>]*>")


def everything() -> list[tuple[str, str]]:
    """All prose of the starter data, each with its name."""
    return [(text.id, part) for text in texts() for part in (text.prompt, text.answer) if part] + community()


def community() -> list[tuple[str, str]]:
    """All prose of the sample sites, articles, stories and tasks, each with its name."""
    found = []
    for path in sorted((STARTER / "tasks").glob("*.json")):
        task = json.loads(path.read_text(encoding="utf-8"))
        found += [
            (path.name, text) for text in strings([task["Definition"], task["Instances"], task["Positive Examples"]])
        ]
    for path in sorted((STARTER / "stories").glob("*.ndjson")):
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        found += [(path.name, row[key]) for row in rows for key in ("title", "selftext", "body") if row.get(key)]
    found += [("howto.csv", row["paragraph"]) for row in table("howto/howto.csv")]
    found += [
        (path.name, plain(path.read_text(encoding="utf-8"))) for path in sorted((STARTER / "howto").rglob("*.html"))
    ]
    for path in sorted((STARTER / "dump").rglob("*.xml")):
        for row in path.read_text("utf-8-sig").splitlines():
            found += [(path.parent.name, plain(html.unescape(text))) for text in POST.findall(row)]
    return found


def strings(value: object) -> Iterator[str]:
    """Every text in a JSON value, but for names and marks of a word or two."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part)


def plain(text: str) -> str:
    """HTML without its tags."""
    return html.unescape(TAG.sub(" ", text))


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
    taught = [(text.id, f"{text.prompt}\n{text.answer}") for split in TRAINED_ON for text in of(split)]
    shared = {(name, seen[run]) for name, text in (*taught, *community()) for run in runs(text) if run in seen}
    assert shared == MEANT_TO_BE_REFUSED


def runs(text: str) -> set[int]:
    """Hashes of every run of `RUN` words."""
    return set(shingles(hashed([text]), RUN).hashes.tolist())


def test_no_run_of_words_is_shared_with_public_data() -> None:
    """All of it with LIMAKIT_REAL_SCAN=all, which takes a quarter of an hour; else what is small."""
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
        if not whole and folder not in SMALL:
            continue
        opened = zstandard.open(path, "rt", encoding="utf-8") if path.suffix == ".zst" else path.open(errors="replace")
        with opened as file:
            # Escapes of JSON would glue a word to the letter of "\n".
            while block := file.read(4_000_000):
                yield path.name, plain(html.unescape(block.replace("\\n", " ").replace("\\r", " ")))
