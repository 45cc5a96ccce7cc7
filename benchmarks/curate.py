"""How fast the whole curation job reads a large Posts.xml, beside `grep -E` and lxml on the same file in the same run.

    python benchmarks/curate.py SCRATCH [--gigabytes 1.5] [--workers 2] [--dumps FOLDER]

The file is made of the rows of real dumps (or of the sample community), with Ids shifted and texts varied so that every
round is a community of its own. The job is scan, best answer, rules, join, Markdown, provenance, selection, outputs.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import limakit

SAMPLE = Path(limakit.__file__).parent / "starter" / "dump"
HEAD = b'<?xml version="1.0" encoding="utf-8"?>\n<posts>\n'
LXML_BYTES = 200 << 20
PATTERN = 'PostTypeId="2" ParentId="[0-9]+" .* Score="[1-9][0-9]+" '


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scratch", type=Path)
    parser.add_argument("--gigabytes", type=float, default=1.5)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dumps", type=Path, default=SAMPLE, help="folder of dumps whose rows are used")
    parser.add_argument("--job", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.job:
        print(json.dumps(job(given.job, given.scratch, given.workers)))
        return
    posts = given.scratch / "beer" / "Posts.xml"
    size = generate(posts, given.dumps, int(given.gigabytes * 1e9))
    print(f"{size / 1e9:.2f} GB, {given.workers} workers, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    subprocess.run(["cat", posts], stdout=subprocess.DEVNULL, check=True)
    for turn in (1, 2):
        seconds = timed(["grep", "-cE", PATTERN, str(posts)])
        print(f"grep -E           {size / seconds / 1e6:8.0f} MB/s")
        out = given.scratch / f"out{turn}"
        command = [sys.executable, __file__, str(out), "--workers", str(given.workers), "--job", str(posts)]
        told, rss, pss = watched(command)
        rate = size / told["seconds"] / 1e6
        print(
            f"limakit, whole    {rate:8.0f} MB/s   {rate * seconds / size * 1e6:.0%} of grep   "
            f"peak of the process tree {rss:.0f} MB (sum of RSS), {pss:.0f} MB (PSS)   {told}"
        )
    lxml_rate(posts, size)
    shutil.rmtree(given.scratch / "out1")
    same = (given.scratch / "out2" / "funnel.json").stat().st_size
    print(f"funnel.json: {same} bytes in {given.scratch / 'out2'}")


def generate(target: Path, dumps: Path, size: int) -> int:
    """Write a Posts.xml of about `size` bytes; an existing one of that size is used again."""
    if target.exists() and abs(target.stat().st_size - size) < 50e6:
        return target.stat().st_size
    rows, shift = [], 0
    for path in sorted(dumps.rglob("Posts.xml")):
        found = re.findall(rb"<row [^<]*/>", path.read_bytes())
        rows += [shifted(row, shift) for row in found]
        shift = (
            max(int(number) for row in found for number in re.findall(rb'^<row Id="(\d+)"', shifted(row, shift))) + 1
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb") as out:
        out.write(HEAD)
        for turn in range(10**6):
            mark = f"&lt;p&gt;Of round {turn}: ".encode()
            text = b"".join(b"  " + shifted(row, turn * shift).replace(b"&lt;p&gt;", mark, 1) + b"\n" for row in rows)
            out.write(text)
            if out.tell() > size:
                break
        out.write(b"</posts>\n")
    return target.stat().st_size


def shifted(row: bytes, by: int) -> bytes:
    """The row with its Id and those that it refers to moved up."""
    return re.sub(rb' (Id|ParentId|AcceptedAnswerId)="(\d+)"', lambda m: b' %s="%d"' % (m[1], int(m[2]) + by), row)


def job(posts: Path, out: Path, workers: int) -> dict[str, float]:
    """The whole of curation, as the pipeline does it. Imports here, because every worker imports this file."""
    from limakit.curate.editor import Editor
    from limakit.curate.select import select, split
    from limakit.curate.write import write
    from limakit.engine import LocalExecutor
    from limakit.recipe import Curate
    from limakit.sources.stackexchange.find import find_dumps
    from limakit.sources.stackexchange.read import read
    from limakit.store.rejects import RejectLog

    start = time.perf_counter()
    settings = Curate()
    with RejectLog(out / "rejects.parquet") as log:
        harvest = read(find_dumps(posts), Editor.of(settings), executor=LocalExecutor(workers), folder=out, rejects=log)
        read_in = time.perf_counter() - start
        chosen = select([harvest.candidates], settings, seed=0, rejects=log)
    counts = write(
        out,
        split(chosen.picks, chosen.held, seed=0),
        sites=harvest.sites,
        rejected=chosen.rejected,
        quarantine=harvest.quarantine,
        settings=settings,
    )
    candidates = sum(site.candidates for site in harvest.sites)
    seconds = time.perf_counter() - start
    return {"seconds": round(seconds, 2), "reading": round(read_in, 2), "candidates": candidates, **counts}


def timed(command: list[str]) -> float:
    """Seconds of a command. Its output is read: grep stops at the first match when it writes to /dev/null."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return time.perf_counter() - start


def watched(command: list[str]) -> tuple[dict[str, float], float, float]:
    """Run a command; what it printed and the peak memory in MB of it and all its children together."""
    peak_rss = peak_pss = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE) as run:
        while run.poll() is None:
            rss, pss = memory(run.pid)
            peak_rss, peak_pss = max(peak_rss, rss), max(peak_pss, pss)
            time.sleep(0.1)
        assert run.stdout is not None
        return json.loads(run.stdout.read()), peak_rss, peak_pss


def memory(root: int) -> tuple[float, float]:
    """RSS and PSS in MB of a process and its descendants."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    family = {root}
    while grown := {child for child, parent in parents.items() if parent in family} - family:
        family |= grown
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


def lxml_rate(posts: Path, size: int) -> None:
    """lxml's iterparse doing the scan alone, on the beginning of the file."""
    try:
        import lxml.etree as etree
    except ImportError:
        print("lxml is not installed")
        return
    part = posts.with_name("part.xml")
    with open(posts, "rb") as whole, open(part, "wb") as out:
        data = whole.read(min(size, LXML_BYTES))
        out.write(data[: data.rindex(b"/>") + 2] + b"</posts>")
    start, high = time.perf_counter(), 0
    for _, row in etree.iterparse(str(part), tag="row", huge_tree=True):
        high += row.get("PostTypeId") == "2" and int(row.get("Score")) >= 10
        row.clear()
        while row.getprevious() is not None:
            del row.getparent()[0]
    print(f"lxml, scan alone  {part.stat().st_size / (time.perf_counter() - start) / 1e6:8.0f} MB/s   ({high} answers)")
    part.unlink()


if __name__ == "__main__":
    main()
