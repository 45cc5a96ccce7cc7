"""How fast the whole curation job reads a large Posts.xml, beside `grep -E` (the limit) and its peers, in one run.

    python benchmarks/curate.py SCRATCH [--gigabytes 1.5] [--workers 2] [--dumps FOLDER] [--high 0.05]

The job is scan, best answer, rules, join, Markdown, provenance and JSONL of the candidates; all of curation goes on
to near-duplicates, selection and outputs. What each tells is in seconds without starting Python and its imports,
which take the same of any file. With one worker it takes one core, as grep does; how much more two get done is told
first, because two cores of a rented machine may be two threads of one. The peers (Polars, DuckDB, lxml, where
installed) do the scan alone: the low answers and the best answer of each question, with equal sums of Ids as the
proof (lxml only counts). Seconds on a busy machine say little: processor seconds a GB stand beside them.

The file is made of the rows of real dumps, or of the sample community. Every round of them is a community of its own,
with Ids moved up and texts varied, so nothing is a duplicate. Assumed of a large site: --high is the share of answers
with a score of 10 or more (the small dumps at hand have 9 in 100; scores above it are lowered at random, seeded by the
Id), and the answers to a fifth of the questions follow 3 rounds later, far from their questions.
"""

import argparse
import ctypes
import json
import os
import re
import select
import subprocess
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import limakit

SAMPLE = Path(limakit.__file__).parent / "starter" / "dump"
HEAD = b'<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'
PATTERN = 'PostTypeId="2" ParentId="[0-9]+" CreationDate="[^"]*" Score="[1-9][0-9]+" '
FAR = 3
HIGH_ANSWER = re.compile(rb' PostTypeId="2" [^<]* Score="\d\d+" ')
ANSWER = r'<row Id="(\d+)" PostTypeId="2" ParentId="(\d+)" CreationDate="[^"]*" Score="(-?\d+)" '


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--gigabytes", type=float, default=1.5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dumps", type=Path, default=SAMPLE, help="folder of dumps whose rows are used")
    parser.add_argument("--high", type=float, default=0.05, help="share of answers with a score of 10 or more")
    parser.add_argument("--turns", type=int, default=2, help="how often everything is measured; the best counts")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    given = parser.parse_args()
    posts = given.scratch / f"beer-{given.gigabytes:g}-{given.high:g}" / "beer" / "Posts.xml"
    if given.part:
        print(json.dumps(PARTS[given.part](posts, given)))
        return
    size = generate(posts, given.dumps, int(given.gigabytes * 1e9), given.high)
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: grandchildren are waited for, and counted
    load = os.getloadavg()[0]
    print(f"{size / 1e9:.2f} GB, {given.workers} workers, {os.cpu_count()} cores, load {load:.1f}")
    print(f"a loop run {given.workers} times at once gets {together(given.workers):.2f} times as much done as alone")
    print(f"{'':33}{'MB/s':>8}{'CPU-s/GB':>10}{'RSS MB':>8}{'PSS MB':>8}")
    as_limakit = {"PYDANTIC_DISABLE_PLUGINS": "__all__", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **as_limakit}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # compiled once, as what is installed is
    part = [sys.executable, __file__, *sys.argv[1:], "--part"]
    commands = {
        "cat (reading alone)": ["cat", str(posts)],
        "grep -cE, LC_ALL=C": ["env", "LC_ALL=C", "grep", "-cE", PATTERN, str(posts)],
        "grep -cE, LC_ALL=C.UTF-8": ["env", "LC_ALL=C.UTF-8", "grep", "-cE", PATTERN, str(posts)],
        "limakit, the whole job": [*part, "job"],
        "limakit, the whole job, 1 worker": [*part, "job", "--workers", "1"],
        "limakit, all of curation": [*part, "curation"],
        "limakit, the scan alone": [*part, "scan"],
        "Polars, the scan alone": [*part, "polars"],
        "DuckDB, the scan alone": [*part, "duckdb"],
        "lxml, the scan of a tenth": [*part, "lxml"],
    }
    for name, command in commands.items():
        runs = [measured(command, environment) for _ in range(given.turns)]
        if not all(run.ok for run in runs):
            print(f"{name:33}  not installed, or it failed: {runs[0].told.strip()[-100:]}")
            continue
        share = size / 10 if name.startswith("lxml") else size
        fastest = min(runs, key=lambda run: run.seconds)
        seconds, cpu = fastest.seconds, min(run.cpu for run in runs)
        rss, pss = max(run.rss for run in runs), max(run.pss for run in runs)
        told = "" if "cat" in name else fastest.told.strip()
        print(f"{name:33}{share / seconds / 1e6:8.0f}{cpu / share * 1e9:10.2f}{rss:8.0f}{pss:8.0f}  {told}")


def generate(target: Path, dumps: Path, size: int, high: float) -> int:
    """Write a Posts.xml of about `size` bytes; an existing one is used again."""
    if target.exists():
        return target.stat().st_size
    rows, shift = [], 0
    for path in sorted(dumps.rglob("Posts.xml")):
        found = re.findall(rb"<row [^<]*/>", path.read_bytes())
        rows += [shifted(row, shift, shift) for row in found]
        shift = max(int(number) for row in rows for number in re.findall(rb'^<row Id="(\d+)"', row)) + 1
    answers = [b' PostTypeId="2"' in row for row in rows]
    tall = [bool(HIGH_ANSWER.search(row)) for row in rows]
    lowered = max(0.0, 1 - high * sum(answers) / max(1, sum(tall)))
    print(
        f"{len(rows):,} rows, {sum(tall) / sum(answers):.1%} of the answers score 10 or more; {lowered:.0%} are lowered"
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".tmp")
    with open(unfinished, "wb") as out:
        out.write(HEAD)
        for turn in range(10**6):
            mark = b"&lt;p&gt;Of round %d: " % turn
            for number, row in enumerate(rows):
                chance = zlib.crc32(b"%d %d" % (turn, number)) / 2**32
                asked = int((re.search(rb' ParentId="(\d+)"', row) or [0, 0])[1])
                back = FAR if turn >= FAR and zlib.crc32(b"far %d %d" % (turn, asked)) % 5 == 0 else 0
                row = shifted(row, turn * shift, (turn - back) * shift)
                if tall[number] and chance < lowered:
                    row = re.sub(rb' Score="\d+(\d)"', rb' Score="\1"', row, count=1)
                out.write(b"  " + row.replace(b"&lt;p&gt;", mark, 1) + b"\n")
            if out.tell() > size:
                break
        out.write(b"</posts>\n")
    unfinished.rename(target)
    return target.stat().st_size


def shifted(row: bytes, by: int, parent: int) -> bytes:
    """The row with its Id, and those that it refers to, moved up."""
    row = re.sub(rb' ParentId="(\d+)"', lambda m: b' ParentId="%d"' % (int(m[1]) + parent), row, count=1)
    return re.sub(rb' (Id|AcceptedAnswerId)="(\d+)"', lambda m: b' %s="%d"' % (m[1], int(m[2]) + by), row)


def job(posts: Path, given: argparse.Namespace) -> dict[str, float]:
    """From the dump to its candidates. Imports here, because every worker imports this file."""
    from limakit.curate.editor import Editor
    from limakit.engine import LocalExecutor
    from limakit.recipe import Curate
    from limakit.sources.stackexchange.find import find_dumps
    from limakit.sources.stackexchange.read import read
    from limakit.store.rejects import RejectLog

    start = time.perf_counter()
    out, executor = given.scratch / "out", LocalExecutor(given.workers)
    with RejectLog(out / "rejects.parquet") as log:
        harvest = read(find_dumps(posts), Editor.of(Curate()), executor=executor, folder=out, rejects=log)
    seconds = time.perf_counter() - start
    return {"seconds": round(seconds, 2), "candidates": sum(site.candidates for site in harvest.sites)}


def curation(posts: Path, given: argparse.Namespace) -> dict[str, float]:
    """The whole of curation, as the pipeline does it."""
    from limakit.curate.editor import Editor
    from limakit.curate.select import select, split
    from limakit.curate.write import write
    from limakit.engine import LocalExecutor
    from limakit.recipe import Curate
    from limakit.sources.stackexchange.find import find_dumps
    from limakit.sources.stackexchange.read import read
    from limakit.store.rejects import RejectLog

    start = time.perf_counter()
    settings, out = Curate(), given.scratch / "out"
    executor = LocalExecutor(given.workers)
    with RejectLog(out / "rejects.parquet") as log:
        harvest = read(find_dumps(posts), Editor.of(settings), executor=executor, folder=out, rejects=log)
        chosen = select([harvest.candidates], settings, seed=0, rejects=log, folder=out, executor=executor)
    counts = write(
        out,
        split(chosen.picks, chosen.held, seed=0),
        sites=harvest.sites,
        rejected=chosen.rejected,
        quarantine=harvest.quarantine,
        settings=settings,
    )
    return {"seconds": round(time.perf_counter() - start, 2), **counts}


def scan(posts: Path, given: argparse.Namespace) -> list[int]:
    """The scan of the job alone, nothing judged: sums of the Ids of low answers and of each question's best."""
    from functools import partial

    from limakit.curate.editor import Editor
    from limakit.engine import LocalExecutor
    from limakit.sources.stackexchange.merge import NOT_BEST, best_answers
    from limakit.sources.stackexchange.scan import scan
    from limakit.sources.stackexchange.split import splits

    editor = Editor(
        min_score=10,
        min_chars=10**6,
        max_chars=10**6,
        drop_first_person=True,
        drop_references=True,
        min_prose_chars=200,
        drop_missing_images=True,
    )
    work = splits(0, str(posts), posts.stat().st_size, 32 << 20)
    parts = list(LocalExecutor(given.workers).map(partial(scan, editor=editor), work))
    best = 0
    for some in best_answers({0: parts}, [""]):
        best += int(some.ids[some.against != some.reasons.index(NOT_BEST)].sum())
    return [sum(sum(part.low_ids) for part in parts), best]


def polars_scan(posts: Path, given: argparse.Namespace) -> list[int]:
    """Polars doing the scan alone: lines as one column, Id, parent and score by a pattern."""
    os.environ["POLARS_MAX_THREADS"] = str(given.workers)
    import polars as pl  # pyright: ignore[reportMissingImports]

    lines = pl.scan_csv(posts, has_header=False, separator="\x01", quote_char=None, new_columns=["row"])
    fields = pl.col("row").str.extract_groups(ANSWER).struct.rename_fields(["id", "parent", "score"])
    answers = lines.select(fields.alias("f")).unnest("f").drop_nulls().cast(pl.Int64).collect(engine="streaming")
    high = answers.filter(pl.col("score") >= 10).sort(["score", "id"], descending=[True, False])
    best = high.unique("parent", keep="first", maintain_order=True)
    return [answers.filter(pl.col("score") < 10)["id"].sum(), best["id"].sum()]


def duckdb_scan(posts: Path, given: argparse.Namespace) -> list[int]:
    """DuckDB doing the scan alone, likewise."""
    import duckdb  # pyright: ignore[reportMissingImports]

    query = f"""with answers as (select f.id::bigint id, f.parent::bigint parent, f.score::bigint score from (
            select regexp_extract("row", '{ANSWER}', ['id', 'parent', 'score']) f from read_csv('{posts}',
            header=false, delim='\x01', quote='', escape='', columns={{'row': 'VARCHAR'}},
            max_line_size=100000000, auto_detect=false)) where f.id <> '')
        select (select sum(id) from answers where score < 10),
            (select sum(b) from (select arg_max(id, score * 1000000000 - id) b from answers where score >= 10
            group by parent))"""
    found = duckdb.connect(config={"threads": given.workers}).execute(query).fetchone()
    return [int(number) for number in found or ()]


def lxml_scan(posts: Path, given: argparse.Namespace) -> int:
    """lxml's iterparse doing the scan alone, on the first tenth of the file."""
    import lxml.etree as etree

    part, high = posts.with_name("part.xml"), 0
    with open(posts, "rb") as whole, open(part, "wb") as out:
        data = whole.read(posts.stat().st_size // 10)
        out.write(data[: data.rindex(b"/>") + 2] + b"</posts>")
    del data
    for _, row in etree.iterparse(str(part), tag="row", huge_tree=True):
        high += row.get("PostTypeId") == "2" and int(row.get("Score") or 0) >= 10
        row.clear()
        while row.getprevious() is not None:
            del row.getparent()[0]
    part.unlink()
    return high


PARTS = {
    "job": job,
    "curation": curation,
    "scan": scan,
    "polars": polars_scan,
    "duckdb": duckdb_scan,
    "lxml": lxml_scan,
}


def together(processes: int) -> float:
    """How much of a loop so many processes get done at once, in what one alone does: less than their number where
    what the system calls cores are threads of one, or share its power. The best of three each."""
    loop = (
        "import time; start = time.perf_counter()\nfor _ in range(20_000_000): pass\nprint(time.perf_counter() - start)"
    )

    def seconds(count: int) -> float:
        runs = [subprocess.Popen([sys.executable, "-c", loop], stdout=subprocess.PIPE, text=True) for _ in range(count)]
        return max(float(run.communicate()[0]) for run in runs)

    return processes * min(seconds(1) for _ in range(3)) / min(seconds(processes) for _ in range(3))


@dataclass
class Run:
    """What a command took: seconds, processor seconds and peak MB of it and all its descendants."""

    ok: bool
    told: str
    seconds: float
    cpu: float
    rss: float
    pss: float


def measured(command: list[str], environment: dict[str, str]) -> Run:
    """Run a command to its end. Its output is read: grep stops at the first match when it writes to /dev/null."""
    before, start = os.times(), time.perf_counter()
    rss = pss = 0.0
    keep = subprocess.DEVNULL if command[0] == "cat" else subprocess.PIPE
    with subprocess.Popen(command, stdout=keep, stderr=subprocess.STDOUT, text=True, env=environment) as run:
        ended = os.pidfd_open(run.pid)
        while not select.select([ended], [], [], 0.1)[0]:
            now = memory(run.pid)
            rss, pss = max(rss, now[0]), max(pss, now[1])
        seconds = time.perf_counter() - start
        os.close(ended)
        told = run.stdout.read() if run.stdout else ""
    try:
        while True:
            os.waitpid(-1, 0)
    except ChildProcessError:
        pass
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Run(run.returncode == 0, told, seconds, cpu, rss, pss)


def memory(root: int) -> tuple[float, float]:
    """RSS and PSS in MB of a process and its descendants."""
    family = [root]
    for member in family:  # grows as it goes
        for children in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                family += map(int, children.read_text().split())
            except OSError:
                continue
    total = {"Rss": 0, "Pss": 0}
    for member in family:
        try:
            text = Path(f"/proc/{member}/smaps_rollup").read_text()
        except OSError:
            continue
        for name in total:
            found = re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)
            total[name] += int(found[1]) if found else 0
    return total["Rss"] / 1024, total["Pss"] / 1024


if __name__ == "__main__":
    main()
