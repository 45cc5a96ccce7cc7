"""How long choosing takes and how it grows: candidates through cleaning, near-duplicates, contamination and selection.

    python benchmarks/choose.py SCRATCH [--candidates 100000] [--workers 2] [--dumps FOLDER] [--steps whole,top]

Candidates are made by a chain of words learnt from real posts (or from the sample community): each word follows as it
does there, so words are as frequent as real ones and long runs seldom repeat. One in a hundred is a copy of another
with eight words changed, to be found again; 300 prompts are given, 350 held out. An eighth, a half and all of them are
chosen from, each step in a process of its own, its start included:

- read: every candidate parsed once, by one process: what no way to choose can save;
- clean, words, minhash: Markdown, word hashes and signatures of 4,000 responses, one process, start and reading aside;
- top-alone: the paper's selection with all gates, one process; top: the same on the workers;
- whole: the same from HTML, the Markdown of all responses included: the issue's "clean to select";
- diverse, with the recipe's shortlist of 20 times the quota; diverse-all and k-centre-all: without one.

Seconds by the clock and of all processors; memory is the proportional share (PSS) of the whole process tree.
"""

import argparse
import ctypes
import html
import json
import os
import re
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow.parquet as pq

import limakit
from curate import measured
from limakit.curate.clean import markdown
from limakit.curate.features import reply_of
from limakit.curate.minhash import signatures
from limakit.curate.select import select
from limakit.curate.survey import PIECE_BYTES
from limakit.curate.words import hashed
from limakit.engine import LocalExecutor
from limakit.recipe import Curate
from limakit.records import Candidate, Prompt, Provenance, Turn
from limakit.store import files
from limakit.store.pieces import Piece, pieces, records
from limakit.store.rejects import RejectLog

SAMPLE = Path(limakit.__file__).parent / "starter" / "dump"
WORDS = (10, 60, 330)
"""Of a title, a description and a response."""
PLANTED = 100
"""One candidate in so many is a changed copy."""
GIVEN = 300
SAMPLE_TEXTS = 4000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dumps", type=Path, default=SAMPLE, help="folder of dumps to learn words from")
    parser.add_argument("--steps", default=",".join(STEPS), help="which steps, with commas between")
    parser.add_argument("--only", action="store_true", help="all candidates at once, not an eighth and a half before")
    parser.add_argument("--step", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.step:
        print(json.dumps(STEPS[given.step](given.scratch, given.workers)))
        return
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: grandchildren are waited for, and counted
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.workers} workers")
    for size in [given.candidates // 8, given.candidates // 2, given.candidates][2 * given.only :]:
        folder = given.scratch / str(size)
        make(folder, size, given.dumps)
        print(f"\n{size:,} candidates, {(folder / 'candidates.jsonl').stat().st_size / 1e6:.0f} MB")
        for step in given.steps.split(","):
            command = [sys.executable, __file__, str(folder), "--workers", str(given.workers), "--step", step]
            run = measured(command, environment)
            told = json.loads(run.told.splitlines()[-1]) if run.ok else run.told[-200:]
            print(f"{step:14} {run.seconds:7.1f} s {run.cpu:7.1f} s CPU {run.pss:6.0f} MB  {told}", flush=True)


def read_alone(folder: Path, _: int) -> dict[str, Any]:
    """What a pass over the candidates costs at least."""
    return {
        "count": sum(1 for piece in pieces([folder / "candidates.jsonl"], 1 << 40) for _ in records(piece, Candidate))
    }


def sampled(work: Callable[[list[str]], Any]) -> Callable[[Path, int], dict[str, Any]]:
    """How many responses a second a core takes through one piece of work."""

    def run(folder: Path, _: int) -> dict[str, Any]:
        (piece,) = pieces([folder / "candidates.jsonl"], 1 << 40)
        texts = [reply_of(candidate) for _, candidate in islice(records(piece, Candidate), SAMPLE_TEXTS)]
        work(texts[:100])
        start = time.process_time()
        work(texts)
        return {"a second": round(len(texts) / (time.process_time() - start))}

    return run


def cleaned(texts: list[str]) -> None:
    for text in texts:
        markdown(page(text))


def whole(folder: Path, workers: int) -> dict[str, Any]:
    """From HTML to the choice."""
    start = time.perf_counter()
    executor = LocalExecutor(workers)
    target = folder / "whole.jsonl"
    files.publish(target, executor.map(clean_piece, pieces([folder / "pages.jsonl"], PIECE_BYTES)))
    seconds = time.perf_counter() - start
    return {"cleaning": round(seconds, 1), **chosen(folder, workers, target)}


def clean_piece(piece: Piece) -> bytes:
    """The candidates of a piece, their responses as Markdown."""
    lines = []
    for _, candidate in records(piece, Candidate):
        lines.append(orjson.dumps(replace(candidate, replies=(said(markdown(reply_of(candidate))),))) + b"\n")
    return b"".join(lines)


def said(text: str) -> Turn:
    return Turn(role="assistant", content=text)


def chosen(folder: Path, workers: int, pool: Path | None = None, **settings: Any) -> dict[str, Any]:
    """The whole of `select` with these settings."""
    given = files.read_jsonl(folder / "given.jsonl", Prompt)
    recipe = Curate(hold_out_dev=50, hold_out_test=300, quotas={"stem": 500, "other": 500}, **settings)
    out = folder / "out"
    with RejectLog(out / "rejects.parquet") as log:
        got = select(
            [pool or folder / "candidates.jsonl"], recipe, seed=0, rejects=log, given={"test": given},
            folder=out / "scratch", executor=LocalExecutor(workers),
        )  # fmt: skip
    rules = pq.read_table(out / "rejects.parquet", columns=["id", "rule"])
    near = {name for name, rule in zip(*rules.to_pydict().values(), strict=True) if rule == "near_duplicate"}
    pairs = files.read_json(folder / "planted.json")
    found = sum(1 for pair in pairs if near & set(pair)) / max(1, len(pairs))
    leaks = sum(got.contamination["rejected"].values())
    count = rules.num_rows + len(got.picks)
    return {"count": count, "recall": found, "near": len(near), "contaminated": leaks, "picks": len(got.picks)}


def alone(folder: Path, _: int) -> dict[str, Any]:
    return chosen(folder, 1)


STEPS: dict[str, Callable[[Path, int], dict[str, Any]]] = {
    "read": read_alone,
    "clean": sampled(cleaned),
    "words": sampled(hashed),
    "minhash": sampled(signatures),
    "top-alone": alone,
    "top": chosen,
    "whole": whole,
    "diverse": partial(chosen, select="diverse"),
    "diverse-all": partial(chosen, select="diverse", shortlist=0),
    "k-centre-all": partial(chosen, select="diverse", shortlist=0, diversity="k_centre"),
}


def make(folder: Path, size: int, dumps: Path) -> None:
    """Write candidates.jsonl, pages.jsonl (the same with HTML), given.jsonl and planted.json, unless they are there."""
    if (folder / "planted.json").exists():
        return
    draw = np.random.default_rng(0)
    chain = Chain(dumps)
    asked = chain.texts(draw, size + GIVEN, WORDS[0] + WORDS[1])
    texts = chain.texts(draw, size + GIVEN, WORDS[2])
    sites = draw.zipf(1.3, size) % 60
    planted = []
    for number in range(PLANTED, size, PLANTED):
        words = texts[number - 1].split()
        for at in draw.choice(len(words), 8, replace=False):
            words[at] = "changed"
        texts[number] = " ".join(words)
        planted.append([f"x/site{sites[n]}/{n}" for n in (number - 1, number)])
    for name, form in (("candidates", str), ("pages", page)):
        every = (candidate(n, sites[n], asked[n], form(texts[n])) for n in range(size))
        files.write_jsonl(folder / f"{name}.jsonl", every)
    files.write_jsonl(
        folder / "given.jsonl",
        (
            Prompt(id=f"given-{n}", messages=(Turn(role="user", content=asked[n]),), reference=texts[n])
            for n in range(size, size + GIVEN)
        ),
    )
    files.publish_json(folder / "planted.json", planted)


def candidate(number: int, site: int, asked: str, reply: str) -> Candidate:
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
        replies=(said(reply),),
        score=10 + number * 7919 % 90,
        provenance=(origin,),
    )


def page(text: str) -> str:
    """The text as HTML: paragraphs of sixty words, each third a list, with a piece of code and an emphasis."""
    words = html.escape(text, quote=False).split(" ")
    parts = []
    for number, at in enumerate(range(0, len(words), 60)):
        some = words[at : at + 60]
        some[-1:] = [f"<code>{some[-1]}</code>"]
        body = " ".join([*some[:20], "<em>", *some[20:24], "</em>", *some[24:]])
        parts.append(f"<p>{body}</p>" if number % 3 else f"<ul><li>{body}</li></ul>")
    return "".join(parts)


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
