"""How long choosing takes and how it grows: candidates through near-duplicates, contamination and selection.

    python benchmarks/choose.py SCRATCH [--candidates 100000] [--dumps FOLDER]

Candidates are made by a chain of words learnt from real posts (or from the sample community): each word follows as it
does there, so words are as frequent as real ones and long runs seldom repeat. One in a hundred is a copy of another
with eight words changed, to be found again. Each step runs in a process of its own, on one thread; seconds are of CPU.
Reading the candidates alone is the limit.
"""

import argparse
import html
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq

import limakit
from limakit.curate.clean import markdown
from limakit.curate.minhash import signatures
from limakit.curate.select import select
from limakit.curate.survey import batches, reply_of
from limakit.curate.words import hashed
from limakit.recipe import Curate
from limakit.records import Candidate, Prompt, Provenance, Turn
from limakit.store import files
from limakit.store.rejects import RejectLog

SAMPLE = Path(limakit.__file__).parent / "starter" / "dump"
WORDS = (10, 60, 330)
"""Of a title, a description and a response."""
PLANTED = 100
"""One candidate in so many is a changed copy."""
GIVEN = 300
SAMPLE_TEXTS = 4000
STEPS = ("read", "clean", "words", "minhash", "top", "diverse", "diverse, all", "k-centre, all")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--dumps", type=Path, default=SAMPLE, help="folder of dumps to learn words from")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(measured(given.step, given.scratch)))
        return
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for size in (given.candidates // 8, given.candidates // 2, given.candidates):
        folder = given.scratch / str(size)
        make(folder, size, given.dumps)
        print(f"\n{size:,} candidates, {(folder / 'candidates.jsonl').stat().st_size / 1e6:.0f} MB")
        for step in STEPS:
            command = [sys.executable, __file__, str(folder), "--step", step]
            told = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment).stdout)
            cpu, wall, memory, count = (told.pop(name) for name in ("cpu", "wall", "memory", "count"))
            rate = f"{count / cpu:9,.0f} a second"
            print(f"{step:14} {cpu:7.1f} s CPU {wall:7.1f} s wall {memory:6.0f} MB {rate}  {told or ''}")


def measured(step: str, folder: Path) -> dict[str, Any]:
    """One step's figures. `count` is what the rate is counted by."""
    paths = [folder / "candidates.jsonl"]
    texts = [reply_of(candidate) for batch in batches(paths) for candidate in batch] if step in SMALL else []
    texts = texts[:SAMPLE_TEXTS]
    start = time.process_time(), time.perf_counter()
    told = SMALL[step](texts) if step in SMALL else LARGE[step](folder)
    spent = time.process_time() - start[0], time.perf_counter() - start[1]
    memory = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    return {"cpu": spent[0], "wall": spent[1], "memory": memory, "count": len(texts), **told}


def read_alone(folder: Path) -> dict[str, Any]:
    """What every pass over the candidates costs at least."""
    return {"count": sum(len(batch) for batch in batches([folder / "candidates.jsonl"]))}


def cleaned(texts: list[str]) -> dict[str, Any]:
    pages = [f"<p>{html.escape(text)}</p>" for text in texts]
    return {"characters": sum(len(markdown(page)) for page in pages)}


def worded(texts: list[str]) -> dict[str, Any]:
    return {"words": sum(len(hashed(texts[at : at + 64]).hashes) for at in range(0, len(texts), 64))}


def marked(texts: list[str]) -> dict[str, Any]:
    return {"shape": signatures(texts).shape}


def chosen(**settings: Any) -> Callable[[Path], dict[str, Any]]:
    """The whole of `select` with these settings."""

    def run(folder: Path) -> dict[str, Any]:
        given = files.read_jsonl(folder / "given.jsonl", Prompt)
        recipe = Curate(hold_out_dev=50, hold_out_test=300, quotas={"stem": 500, "other": 500}, **settings)
        with RejectLog(folder / "rejects.parquet") as log:
            got = select([folder / "candidates.jsonl"], recipe, seed=0, rejects=log, given={"test": given})
        rules = pq.read_table(folder / "rejects.parquet")
        near = {n for n, rule in zip(*rules.select(["id", "rule"]).to_pydict().values(), strict=True)
                if rule == "near_duplicate"}  # fmt: skip
        pairs = files.read_json(folder / "planted.json")
        found = sum(1 for pair in pairs if near & set(pair)) / max(1, len(pairs))
        leaks = sum(got.contamination["rejected"].values())
        return {"count": rules.num_rows + len(got.picks), "recall": found, "near": len(near), "contaminated": leaks}

    return run


SMALL = {"clean": cleaned, "words": worded, "minhash": marked}
LARGE = {
    "read": read_alone,
    "top": chosen(),
    "diverse": chosen(select="diverse"),
    "diverse, all": chosen(select="diverse", shortlist=0),
    "k-centre, all": chosen(select="diverse", shortlist=0, diversity="k_centre"),
}


def make(folder: Path, size: int, dumps: Path) -> None:
    """Write candidates.jsonl, given.jsonl and planted.json, unless they are there."""
    if (folder / "planted.json").exists():
        return
    draw = np.random.default_rng(0)
    chain = Chain(dumps)
    asked = chain.texts(draw, size + GIVEN, WORDS[0] + WORDS[1])
    said = chain.texts(draw, size + GIVEN, WORDS[2])
    sites = draw.zipf(1.3, size) % 60
    planted = []
    for number in range(PLANTED, size, PLANTED):
        words = said[number - 1].split()
        for at in draw.choice(len(words), 8, replace=False):
            words[at] = "changed"
        said[number] = " ".join(words)
        planted.append([f"x/site{sites[n]}/{n}" for n in (number - 1, number)])
    files.write_jsonl(folder / "candidates.jsonl", (candidate(n, sites[n], asked[n], said[n]) for n in range(size)))
    files.write_jsonl(
        folder / "given.jsonl",
        (
            Prompt(id=f"given-{n}", messages=(Turn(role="user", content=asked[n]),), reference=said[n])
            for n in range(size, size + GIVEN)
        ),
    )
    files.publish_json(folder / "planted.json", planted)


def candidate(number: int, site: int, asked: str, said: str) -> Candidate:
    words = asked.split()
    name = f"site{site}"
    origin = Provenance(
        source="x", site=name, id=str(number), title="t", author=f"a{number % 5000}", licence="CC BY-SA 4.0"
    )
    return Candidate(
        id=f"x/{name}/{number}",
        source="x",
        group="stem" if site % 2 else "other",
        site=name,
        prompts=(" ".join(words[: WORDS[0]]), " ".join(words[WORDS[0] :])),
        replies=(Turn(role="assistant", content=said),),
        score=10 + number * 7919 % 90,
        provenance=(origin,),
    )


class Chain:
    """For each word of the dumps the words that follow it, as often as they do."""

    def __init__(self, dumps: Path):
        bodies = [
            re.sub(r"<[^>]*>", " ", html.unescape(body.decode()))
            for path in sorted(dumps.rglob("Posts.xml"))
            for body in re.findall(rb' Body="([^"]*)"', path.read_bytes())
        ]
        words = " ".join(bodies).split()
        known: dict[str, int] = {}
        numbers = np.array([known.setdefault(word, len(known)) for word in words])
        self._names = list(known)
        order = np.argsort(numbers, kind="stable")
        self._after = numbers[(order + 1) % len(numbers)]
        self._counts = np.bincount(numbers)
        self._starts = np.concatenate([[0], np.cumsum(self._counts)[:-1]])
        self._numbers = numbers

    def texts(self, draw: np.random.Generator, count: int, length: int) -> list[str]:
        """`count` texts of `length` words."""
        now = draw.choice(self._numbers, count)
        rows = np.empty((count, length), np.int32)
        for at in range(length):
            rows[:, at] = now
            now = self._after[self._starts[now] + draw.integers(0, self._counts[now])]
        return [" ".join([self._names[number] for number in row]) for row in rows.tolist()]


if __name__ == "__main__":
    main()
