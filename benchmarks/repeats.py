"""Near-duplicates, ours beside datasketch's on the same documents and the same shingles, in one run.

    python benchmarks/repeats.py SCRATCH [--documents 20000] [--dumps FOLDER] [--least 0.5]

Documents are those of `choose.py`: chains of words learnt from real posts. One in twenty is a copy of the one before it
after an edit, each edit equally often; a few halve what the two have in common. What counts as a pair is decided by
the exact Jaccard similarity of their runs of five words, so recall is of the copies that are at least `--least` alike
and are found (either of the two), and a false alarm is a document named whose nearest relative is less alike.

Each tool runs in a process of its own on one thread. datasketch (https://github.com/ekzhu/datasketch) is given the
hashes of the shingles, so that neither is charged for cutting them: the line "cutting" is what that costs ours. The
limit is the multiplication of every shingle with 256 numbers alone.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from choose import SAMPLE, Chain

from limakit.curate.minhash import PLACES, SHINGLE, near_duplicates, signatures
from limakit.curate.words import U64, filled, hashed, shingles
from limakit.store import files

LENGTH = 330
"""Words of a document."""
EVERY = 20
EDITS = (
    "8 words changed", "1 in 40 words changed", "1 in 15 words changed", "a tenth cut", "a third cut", "halves swapped",
    "sentences shuffled", "100 words before it", "200 words before it", "1 in 60 words lost",
)  # fmt: skip
AWAY = 0.05
"""How far below the threshold a pair may lie and be named: an estimate from 256 places has that much noise."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--dumps", type=Path, default=SAMPLE, help="folder of dumps to learn words from")
    parser.add_argument("--least", type=float, default=0.5)
    parser.add_argument("--part", help=argparse.SUPPRESS)
    given = parser.parse_args()
    folder = given.scratch / f"repeats-{given.documents}"
    if given.part:
        print(json.dumps(PARTS[given.part](folder, given.least)))
        return
    make(folder, given.documents, given.dumps)
    planted = files.read_json(folder / "planted.json")
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.documents:,} documents of {LENGTH} words")
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    told: dict[str, Any] = {}
    for part in PARTS:
        run = subprocess.run(
            [sys.executable, __file__, *sys.argv[1:], "--part", part], capture_output=True, text=True, env=environment
        )
        if run.returncode:
            print(f"{part:12} not installed, or it failed: {run.stderr.strip()[-90:]}")
            continue
        told[part] = json.loads(run.stdout.splitlines()[-1])
        steps = ", ".join(
            f"{name} {cpu:.2f} s ({given.documents / cpu:,.0f}/s)" for name, cpu in told[part]["cpu"].items()
        )
        print(f"{part:12} {steps}")
    tools = {part: set(got["found"]) for part, got in told.items() if "found" in got}
    print(f"\n{'edit':24}{'alike':>12}{'pairs':>7}" + "".join(f"{part:>12}" for part in tools))
    for edit in EDITS:
        mine = [pair for pair in planted if pair["edit"] == edit]
        alike = [pair for pair in mine if pair["jaccard"] >= given.least]
        span = f"{min(p['jaccard'] for p in mine):.2f}–{max(p['jaccard'] for p in mine):.2f}"
        print(
            f"{edit:24}{span:>12}{len(alike):7}" + "".join(f"{_recall(alike, found):>12}" for found in tools.values())
        )
    every = [pair for pair in planted if pair["jaccard"] >= given.least]
    print(f"{'all':24}{'':12}{len(every):7}" + "".join(f"{_recall(every, found):>12}" for found in tools.values()))
    near = {n for pair in planted if pair["jaccard"] >= given.least - AWAY for n in pair["pair"]}
    print(f"{'false alarms':43}" + "".join(f"{len(found - near):12}" for found in tools.values()))


def _recall(pairs: list[dict[str, Any]], found: set[int]) -> str:
    return f"{sum(1 for pair in pairs if found & set(pair['pair'])) / len(pairs):.4f}" if pairs else "–"


def ours(folder: Path, least: float) -> dict[str, Any]:
    """limakit, as the survey of the candidates and the selection do it."""
    texts = files.read_json(folder / "texts.json")
    clock = _Clock()
    marks = signatures(texts)
    clock.lap("signatures")
    found = near_duplicates(marks, range(len(texts)), least)
    clock.lap("look-up")
    return {"cpu": clock.laps, "found": sorted(found)}


def theirs(folder: Path, least: float) -> dict[str, Any]:
    """datasketch's MinHash and MinHashLSH; of what the look-up offers, only what is similar enough by its estimate."""
    from datasketch import MinHash, MinHashLSH  # pyright: ignore[reportMissingImports]

    cuts = _cuts(files.read_json(folder / "texts.json"))
    blank = MinHash(PLACES, hashfunc=int)
    clock = _Clock()
    marks = []
    for cut in cuts:
        mark = blank.copy()
        mark.update_batch((cut >> U64(32)).tolist())
        marks.append(mark)
    clock.lap("signatures")
    index, found = MinHashLSH(threshold=least, num_perm=PLACES), []
    for number, mark in enumerate(marks):
        if any(marks[other].jaccard(mark) >= least for other in index.query(mark)):
            found.append(number)
        else:
            index.insert(number, mark)
    clock.lap("look-up")
    return {"cpu": clock.laps, "found": found}


def cutting(folder: Path, _: float) -> dict[str, Any]:
    """Words and shingles alone."""
    texts = files.read_json(folder / "texts.json")
    clock = _Clock()
    _cuts(texts)
    clock.lap("words and shingles")
    return {"cpu": clock.laps}


def limit(folder: Path, _: float) -> dict[str, Any]:
    """Each shingle times 256 numbers in 32 bits, and the least of each: what no MinHash of 256 places can save."""
    cuts = [(cut >> U64(32)).astype(np.uint32) for cut in _cuts(files.read_json(folder / "texts.json"))]
    factors = np.arange(1, 2 * PLACES, 2, dtype=np.uint32)
    clock = _Clock()
    for cut in cuts:
        np.min(cut[:, None] * factors, axis=0)
    clock.lap("multiply, least")
    return {"cpu": clock.laps}


class _Clock:
    """Processor seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.process_time()

    def lap(self, name: str) -> None:
        now = time.process_time()
        self.laps[name], self._last = now - self._last, now


def _cuts(texts: list[str]) -> list[Any]:
    """The hashes of each text's shingles."""
    cut = shingles(filled(hashed(texts), SHINGLE), SHINGLE)
    return [cut.of(number) for number in range(len(texts))]


PARTS: dict[str, Callable[[Path, float], dict[str, Any]]] = {
    "limit": limit,
    "cutting": cutting,
    "limakit": ours,
    "datasketch": theirs,
}


def make(folder: Path, count: int, dumps: Path) -> None:
    """Write texts.json and planted.json, unless they are there."""
    if (folder / "planted.json").exists():
        return
    draw = np.random.default_rng(0)
    texts = Chain(dumps).texts(draw, count, LENGTH)
    planted = []
    for turn, number in enumerate(range(EVERY, count, EVERY)):
        edit = EDITS[turn % len(EDITS)]
        texts[number] = edited(draw, texts[number - 1], edit, texts[number - 2])
        first, second = (set(cut.tolist()) for cut in _cuts([texts[number - 1], texts[number]]))
        alike = len(first & second) / len(first | second)
        planted.append({"pair": [number - 1, number], "edit": edit, "jaccard": alike})
    files.publish_json(folder / "texts.json", texts)
    files.publish_json(folder / "planted.json", planted)


def edited(draw: np.random.Generator, text: str, edit: str, other: str) -> str:
    """The text after one edit; `other` is where foreign words come from."""
    words, foreign = text.split(), other.split()
    count = len(words)
    changed = {"8 words changed": 8, "1 in 40 words changed": count // 40, "1 in 15 words changed": count // 15}
    if edit in changed:
        for at in draw.choice(count, changed[edit], replace=False):
            words[at] = "changed"
    elif edit == "1 in 60 words lost":
        for at in sorted(draw.choice(count, count // 60, replace=False), reverse=True):
            del words[at]
    elif edit in ("a tenth cut", "a third cut"):
        gone = count // (10 if "tenth" in edit else 3)
        begin = int(draw.integers(count - gone))
        del words[begin : begin + gone]
    elif edit == "halves swapped":
        words = words[count // 2 :] + words[: count // 2]
    elif edit == "sentences shuffled":
        parts = [words[at : at + 20] for at in range(0, count, 20)]
        words = [word for at in draw.permutation(len(parts)) for word in parts[at]]
    else:
        words = foreign[: int(edit.split()[0])] + words
    return " ".join(words)


if __name__ == "__main__":
    main()
