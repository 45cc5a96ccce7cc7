"""How fast sources besides a plain Posts.xml are read, and what other toolkits take: ours, peer and limit in one run.

    python benchmarks/readers.py SCRATCH [--megabytes 300] [--workers 2] [--dumps FOLDER]

- Reddit: generated ndjson of which 1 line in 1,000 is of r/WritingPrompts, about as in a month's comments, and 2 in
  100; peer: `orjson.loads` of every line; limit: `grep -c`.
- bzip2 .7z: the archive of a generated Posts.xml, twice, as two sites, to files; limit: 7-Zip unpacking both to
  nothing, one thread each.
- Posts.xml: best answers with a score of 10 and more and 1,200 to 4,096 characters of text, as Markdown, by limakit; by
  data-juicer's own converter (tools/preprocess/raw_stackexchange_to_jsonl.py of the wheel py-data-juicer), which pairs
  questions with answers as they stand and leaves choice and HTML to later steps; by ElementTree and BeautifulSoup with
  the same rules as ours, which is how EleutherAI's reads dumps, on a hundredth; and by datatrove's reader, filters and
  writer, whose rows are turned into JSONL before the clock starts. Two sizes of each part what a GB takes from what
  starting takes.

Peers that pin other versions than ours live in an environment of their own: name its python with --peers.

Processor seconds stand beside seconds, because the latter say little on a busy machine. What is not installed is said.
"""

import argparse
import ctypes
import json
import os
import re
import shutil
import subprocess
import sys
import time
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import orjson

from curate import SAMPLE, generate, measured

STORY = b" ".join([b"The lamp went out and she counted the steps to the door."] * 40).decode()

GREP = ["env", "LC_ALL=C", "grep", "-c", "WritingPrompts"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--megabytes", type=int, default=300)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dumps", type=Path, default=SAMPLE, help="folder of dumps whose rows are used")
    parser.add_argument("--peers", default=sys.executable, help="python of an environment with the peers")
    parser.add_argument("--only", default="", help="measure the lines in which this pattern is found")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    given = parser.parse_args()
    places = prepare(given)
    if given.part:
        print(json.dumps(PARTS[given.part](places, given)))
        return
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: grandchildren are waited for, and counted
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {given.workers} workers")
    print(f"{'':44}{'MB':>7}{'MB/s':>8}{'CPU-s/GB':>10}{'RSS MB':>8}")
    part = [sys.executable, __file__, *sys.argv[1:], "--part"]
    tool = shutil.which("7zz") or shutil.which("7z") or "7z"
    test = f"{tool} t -mmt=1 '{places['archive']}'"
    peers = [given.peers, *part[1:]]
    sizes = {name: path.stat().st_size for name, path in places.items() if path.exists()}
    xml, reddit, month = sizes["xml"], sizes.get("reddit", 0), sizes.get("month", 0)
    lines: list[tuple[str, float, list[str]]] = [
        ("Reddit, 1 story in 1,000: limakit", month, [*part, "month"]),
        ("Reddit, 1 story in 1,000: orjson", month, [*part, "orjson-month"]),
        ("Reddit, 1 story in 1,000: grep -c (limit)", month, [*GREP, str(places["month"])]),
        ("Reddit, 2 stories in 100: limakit", reddit, [*part, "reddit"]),
        ("Reddit, 2 stories in 100: orjson", reddit, [*part, "orjson"]),
        ("bzip2 .7z, two: limakit unpacks", 2 * xml, [*part, "archive"]),
        ("bzip2 .7z, two at once: 7-Zip (limit)", 2 * xml, ["sh", "-c", f"{test} & {test}; wait"]),
        ("Posts.xml: limakit", xml, [*part, "limakit"]),
        ("Posts.xml: limakit, 1/10", xml / 10, [*part, "limakit-10"]),
        ("Posts.xml: data-juicer's converter, 1/10", xml / 10, [*peers, "juicer-10"]),
        ("Posts.xml: data-juicer's converter, 1/50", xml / 50, [*peers, "juicer-50"]),
        ("Posts.xml: ElementTree, BeautifulSoup, 1/100", xml / 100, [*peers, "soup"]),
        ("Posts.xml as JSONL: datatrove, 1/10", xml / 10, [*peers, "datatrove-10"]),
        ("Posts.xml as JSONL: datatrove, 1/50", xml / 50, [*peers, "datatrove-50"]),
    ]  # fmt: skip
    spent: dict[str, tuple[float, float]] = {}
    for name, size, command in lines:
        if not re.search(given.only, name):
            continue
        run = measured(command, {**os.environ, "OMP_NUM_THREADS": "1"})
        if not run.ok:
            print(f"{name:44}  not installed, or it failed: {run.told.strip()[-90:]}")
            continue
        told = run.told.strip().splitlines()[-1] if "limit" not in name and run.told.strip() else ""
        rates = f"{size / 1e6:7.0f}{size / run.seconds / 1e6:8.1f}{run.cpu / size * 1e9:10.2f}{run.rss:8.0f}"
        print(f"{name:44}{rates}  {told}", flush=True)
        spent[command[-1]] = size, run.cpu
    for tool, large, small in (("limakit", "", "-10"), ("juicer", "-10", "-50"), ("datatrove", "-10", "-50")):
        if {tool + large, tool + small} <= spent.keys():
            (more, dear), (less, cheap) = spent[tool + large], spent[tool + small]
            slope = (dear - cheap) / (more - less) * 1e9
            print(f"{tool}: {slope:.2f} CPU-s a GB beyond {cheap - slope * less / 1e9:.2f} CPU-s of starting")


def prepare(given: argparse.Namespace) -> dict[str, Path]:
    """The files that are read; made once."""
    root = given.scratch / f"readers-{given.megabytes}"
    places = {
        "xml": root / "beer" / "Posts.xml",
        "archive": root / "beer.7z",
        "reddit": root / "RC_2023.ndjson",
        "month": root / "RC_2023-01.ndjson",
    }
    generate(places["xml"], given.dumps, given.megabytes * 10**6, 0.05)
    tool = shutil.which("7zz") or shutil.which("7z")
    if tool and not places["archive"].exists() and "Reddit" not in given.only and "Posts" not in given.only:
        command = [tool, "a", "-m0=bzip2", "-bd", str(places["archive"]), str(places["xml"])]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    for name, every in (("reddit", 50), ("month", 1000)):
        if not places[name].exists() and "7z" not in given.only and "Posts" not in given.only:
            posts(places[name], given.megabytes * 10**6, every)
    for share in (10, 50):
        places |= cut(places["xml"], root / f"part-{share}", share)
    return places


def cut(xml: Path, folder: Path, share: int) -> dict[str, Path]:
    """The first of so many equal parts of a dump: as Posts.xml, under a site's name, and its answers as JSONL."""
    posts = folder / "xml" / "beer" / "Posts.xml"
    named = folder / "named" / "beer.stackexchange.com.xml"
    rows = folder / "json" / "rows.jsonl"
    if not rows.exists():
        for path in (posts, named, rows):
            path.parent.mkdir(parents=True, exist_ok=True)
        with open(xml, "rb") as whole:
            data = whole.read(xml.stat().st_size // share)
        data = data[: data.rindex(b"/>") + 3]
        for path in (posts, named):
            path.write_bytes(data + b"</posts>\n")
        with open(rows, "wb") as out:
            for row in data.split(b"\n")[2:-1]:
                fields = dict(re.findall(rb'(\w+)="([^"]*)"', row))
                if fields.get(b"PostTypeId") == b"2":
                    text = unescape(fields[b"Body"].decode())
                    score = int(fields[b"Score"])
                    out.write(orjson.dumps({"id": fields[b"Id"].decode(), "text": text, "score": score}) + b"\n")
    return {f"xml-{share}": posts, f"named-{share}": named, f"json-{share}": rows}


def posts(target: Path, size: int, every: int) -> None:
    """An ndjson of comments of about `size` bytes; one of `every` so many is of r/WritingPrompts."""
    with open(target, "wb") as out:
        for number in range(10**9):
            mine = number % every == 0
            row = {
                "author": f"a{number % 9973}", "body": f"{number} {STORY if mine else STORY[:400]}",
                "created_utc": 1700000000 + number, "id": f"c{number:x}", "link_id": f"t3_{number % 5000:x}",
                "parent_id": f"t3_{number % 5000:x}", "score": number * 7919 % 60,
                "subreddit": "WritingPrompts" if mine else f"other{number % 300}", "stickied": False,
            }  # fmt: skip
            out.write(orjson.dumps(row) + b"\n")
            if out.tell() > size:
                return


def reddit(places: dict[str, Path], given: argparse.Namespace, name: str = "reddit") -> Any:
    """limakit's reader, to the last item; MB a second from its call on, the pool's start included, Python's not."""
    from limakit.engine import LocalExecutor, silent
    from limakit.recipe_sources import Reddit
    from limakit.sources.given import Given
    from limakit.sources.reddit.read import read

    file = Given(path=places[name], label="RC")
    start = time.perf_counter()
    items = read([file], Reddit(kind="reddit", path="x"), silent, executor=LocalExecutor(given.workers))
    count = sum(1 for _ in items)
    return {"items": count, "MB/s": round(places[name].stat().st_size / 1e6 / (time.perf_counter() - start))}


def every_line(places: dict[str, Path], given: argparse.Namespace, name: str = "reddit") -> Any:
    """Every line parsed, the community looked at."""
    with open(places[name], "rb") as lines:
        return sum(orjson.loads(line)["subreddit"] == "WritingPrompts" for line in lines)


def archive(places: dict[str, Path], given: argparse.Namespace) -> Any:
    """limakit's way from archives to files: the same one as two sites."""
    from limakit.engine import LocalExecutor
    from limakit.sources.stackexchange.archive import unpacked
    from limakit.sources.stackexchange.find import Dump

    dump = Dump(site="beer", group="other", label="beer.7z", posts=places["archive"])
    work = [(dump, given.scratch / "unpacked" / str(number)) for number in range(2)]
    return {"archives": len(list(LocalExecutor(given.workers).map(unpacked, work)))}


def limakit(places: dict[str, Path], given: argparse.Namespace, name: str = "xml") -> Any:
    """Scan to candidates."""
    from limakit.curate.editor import Editor
    from limakit.engine import LocalExecutor
    from limakit.recipe import Curate
    from limakit.sources.stackexchange.find import find_dumps
    from limakit.sources.stackexchange.read import read
    from limakit.store.rejects import RejectLog

    out = given.scratch / "readers-out"
    with RejectLog(out / "rejects.parquet") as log:
        executor, editor = LocalExecutor(given.workers), Editor.of(Curate())
        got = read(find_dumps(places[name]), editor, executor=executor, folder=out, rejects=log)
    return {"candidates": sum(site.candidates for site in got.sites)}


def juicer(places: dict[str, Path], given: argparse.Namespace, share: int) -> Any:
    """data-juicer's converter as its command line calls it."""
    from tools.preprocess.raw_stackexchange_to_jsonl import main  # pyright: ignore[reportMissingImports]

    out = given.scratch / "juicer"
    main(str(places[f"named-{share}"].parent), str(out), num_proc=given.workers)
    return {"pairs": sum(len(path.read_bytes().splitlines()) for path in out.glob("*.jsonl"))}


def soup(places: dict[str, Path], given: argparse.Namespace) -> Any:
    """Each answer's HTML through BeautifulSoup, the best of each question kept."""
    from xml.etree import ElementTree

    from bs4 import BeautifulSoup  # pyright: ignore[reportMissingImports]

    with open(places["xml"], "rb") as whole:
        data = whole.read(places["xml"].stat().st_size // 100)
    rows = ElementTree.fromstring(data[: data.rindex(b"/>") + 2] + b"</posts>")
    best: dict[str, tuple[int, str]] = {}
    for row in rows:
        text = BeautifulSoup(row.get("Body", ""), "html.parser").get_text()
        score = int(row.get("Score", "0"))
        if row.get("PostTypeId") == "2" and score >= 10 and 1200 <= len(text) <= 4096:
            asked = row.get("ParentId", "")
            best[asked] = max(best.get(asked, (0, "")), (score, text))
    return {"kept": len(best)}


def datatrove(places: dict[str, Path], given: argparse.Namespace, share: int) -> Any:
    """datatrove's local executor with its reader, two filters and writer, a task a worker."""
    from datatrove.executor import LocalPipelineExecutor  # pyright: ignore[reportMissingImports]
    from datatrove.pipeline.filters import LambdaFilter  # pyright: ignore[reportMissingImports]
    from datatrove.pipeline.readers import JsonlReader  # pyright: ignore[reportMissingImports]
    from datatrove.pipeline.writers import JsonlWriter  # pyright: ignore[reportMissingImports]

    out, logs = given.scratch / "datatrove", given.scratch / "datatrove-logs"
    for folder in (out, logs):
        shutil.rmtree(folder, ignore_errors=True)
    steps = [
        JsonlReader(str(places[f"json-{share}"].parent)),
        LambdaFilter(lambda document: document.metadata["score"] >= 10),
        LambdaFilter(lambda document: 1200 <= len(re.sub(r"<[^>]*>", "", document.text)) <= 4096),
        JsonlWriter(str(out), compression=None),
    ]
    LocalPipelineExecutor(pipeline=steps, tasks=1, workers=1, logging_dir=str(logs)).run()
    return {"kept": sum(len(path.read_bytes().splitlines()) for path in out.glob("*.jsonl"))}


PARTS = {
    "reddit": reddit,
    "month": partial(reddit, name="month"),
    "orjson": every_line,
    "orjson-month": partial(every_line, name="month"),
    "archive": archive,
    "limakit": limakit,
    "limakit-10": partial(limakit, name="xml-10"),
    "juicer-10": partial(juicer, share=10),
    "juicer-50": partial(juicer, share=50),
    "soup": soup,
    "datatrove-10": partial(datatrove, share=10),
    "datatrove-50": partial(datatrove, share=50),
}

if __name__ == "__main__":
    main()
