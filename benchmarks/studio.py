"""The studio: many annotators at once, kills under load, the time from a key to the next pair, its start and its size.

    python benchmarks/studio.py [load] [kills] [paint] [start] [size] [--people 50] [--votes 300] [--kills 20]

Without a name all of them run. `load` and `kills` start `limakit studio` as a process of its own on loopback, on SQLite
with synchronous=FULL and on PostgreSQL (the distribution's server in a temporary folder, fsync on), and every annotator
sends a vote as soon as the one before is acknowledged. Beside them stands the limit: the same number of transactions
with one row each, by a loop over the same database, one sync a vote. `paint` votes in Chromium, in the page itself.

Claims (docs/benchmarks.md): every vote stored once, no answer of 500 or above, p99 at most 300 ms, at least 150 votes a
second; after every kill each acknowledged vote is there; median at most 15 ms and p95 at most 30 ms from key to paint;
first page within 2 s of the start; at most 60 MB beyond the core.
"""

import argparse
import asyncio
import importlib.metadata
import os
import random
import sys
import tempfile
import time
import urllib.request
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from sqlalchemy import func, insert, select
from tests import postgres
from tests.web.load import Annotator, Tally, let_in
from tests.web.served import CHROMIUM, Process, serving
from tests.web.studies import write_study

from limakit.store import members
from limakit.store.people import People
from limakit.store.people_schema import people as persons
from limakit.store.people_schema import votes
from limakit.store.study import PEOPLE_DB, Study
from limakit.web.studio import Studio

WEB = ("fastapi", "starlette", "uvicorn", "h11", "sqlalchemy", "alembic", "mako", "greenlet", "argon2-cffi")
WEB += ("argon2-cffi-bindings", "cffi", "pycparser", "python-multipart", "annotated-doc")
"""What the studio needs and the rest of limakit does not."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("what", nargs="*", choices=["load", "kills", "paint", "start", "size", []], default=[])
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--votes", type=int, default=300)
    parser.add_argument("--kills", type=int, default=20)
    args = parser.parse_args()
    chosen = args.what or ["load", "kills", "paint", "start", "size"]
    print(f"load average {os.getloadavg()[0]:.1f}, {os.cpu_count()} cores")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="limakit-studio-")))
        places: dict[str, str | None] = {"SQLite": None}
        if postgres.programs() and {"load", "kills"} & set(chosen):
            places["PostgreSQL"] = stack.enter_context(postgres.server(durable=True))
        for name, url in places.items():
            if "load" in chosen:
                load(name, folder / f"load-{name}", url, args.people, args.votes, kills=0)
            if "kills" in chosen:
                load(name, folder / f"kills-{name}", url, args.people, args.votes // 3, kills=args.kills)
        if "paint" in chosen:
            paint(folder / "paint", args.votes)
        if "start" in chosen:
            start(folder / "start")
        if "size" in chosen:
            size()


def load(name: str, root: Path, url: str | None, people: int, count: int, *, kills: int) -> None:
    """`people` annotators with `count` votes each, the server killed `kills` times meanwhile."""
    write_study(root, count=count, shared=count)
    place = postgres.empty(url) if url else root / PEOPLE_DB
    with People.open(place) as opened:
        ceiling = None if kills else loop(opened, 500)
        sessions = let_in(opened, people, Studio(Study(root), opened).cookie)
    process, tally = Process(root, url), Tally()
    process.start()

    async def run() -> None:
        annotators = [Annotator(who, cookie, lambda: ("127.0.0.1", process.port), tally) for who, cookie in sessions]
        work = asyncio.gather(*(one.vote(count) for one in annotators))
        for _ in range(kills):
            await asyncio.sleep(random.uniform(0.2, 1.5))
            if work.done():
                break
            process.kill()
            await asyncio.to_thread(process.start)
        await work

    begun, cpu = time.perf_counter(), 0.0
    try:
        asyncio.run(run())
        seconds = time.perf_counter() - begun
        cpu = process.cpu_seconds()
    finally:
        process.kill()
    stored = what_is_stored(place)
    lost = tally.acknowledged.items() - stored.items()
    slow = sorted(tally.seconds)
    failed = sum(number for status, number in tally.statuses.items() if status >= 500)
    print(
        f"{name}, {people} annotators, {len(tally.acknowledged):,} votes acknowledged, {len(stored):,} stored, "
        f"{len(lost)} lost, {failed} answers of 500 or above"
        + (f"; {kills} kills, {tally.statuses.get(0, 0)} broken connections" if kills else "")
    )
    if not kills:
        print(
            f"  {len(slow) / seconds:.0f} votes/s; p50 {1000 * quantile(slow, 0.5):.0f} ms, p99 "
            f"{1000 * quantile(slow, 0.99):.0f} ms; {1000 * cpu / len(slow):.2f} CPU-ms of the server a vote; "
            f"a bare loop with one sync a row: {ceiling:.0f} rows/s"
        )


def loop(people: People, rows: int) -> float:
    """Rows a second, one transaction each, without a web server."""
    begun = time.perf_counter()
    for number in range(rows):
        with people.write() as connection:
            connection.execute(insert(persons).values(id=f"loop-{number}", role="annotator", created=0.0))
    rate = rows / (time.perf_counter() - begun)
    with people.write() as connection:
        connection.execute(persons.delete())
    return rate


def what_is_stored(place: Path | str) -> dict[str, tuple[str, int, str]]:
    """Every vote; stops where an assignment has two."""
    with People.open(place) as people, people.read() as connection:
        rows = connection.execute(select(votes.c.id, votes.c.person, votes.c.assignment, votes.c.label)).all()
        twice = connection.execute(
            select(votes.c.assignment).group_by(votes.c.assignment).having(func.count() > 1)
        ).all()
    assert not twice, f"{len(twice)} assignments with two votes"
    return {row.id: (row.person, row.assignment, row.label) for row in rows}


def paint(root: Path, count: int) -> None:
    """Key → next pair painted, as the page's own measurements say, at eight keys a second."""
    from playwright.sync_api import sync_playwright

    text = (
        "Keep basil in the light and water it from below.\n\n- pinch the tips\n- turn the pot\n\n```\nwater(2)\n```\n\n"
    )
    write_study(root, count=count, shared=count, answers=[text * (1 + n % 6) for n in range(count)])
    with People.open(root / PEOPLE_DB) as people, sync_playwright() as playwright:
        studio = Studio(Study(root), people)
        with people.write() as connection:
            members.invite(connection, "a1", "annotator", time.time())
            secret = members.start_session(connection, "a1", time.time())
        with serving(studio) as url:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            context.add_cookies([{"name": studio.cookie, "value": secret, "url": url, "sameSite": "Strict"}])
            page = context.new_page()
            page.goto(url + "/compare")
            page.wait_for_selector("article")
            for n in range(count - 1):
                page.keyboard.press("123"[n % 3])
                page.wait_for_timeout(125)
            times = sorted(page.evaluate("performance.getEntriesByName('key-to-paint').map((e) => e.duration)"))
            version = browser.version
            browser.close()
    print(
        f"key to paint, {len(times)} votes in Chromium {version}: median {quantile(times, 0.5):.1f} ms, "
        f"p95 {quantile(times, 0.95):.1f} ms, worst {times[-1]:.1f} ms"
    )


def start(root: Path) -> None:
    """From starting the process to the first page, the database made on the way; and once more with it there."""
    write_study(root)
    for what in ("with a new database", "with the database there"):
        process, begun = Process(root), time.perf_counter()
        try:
            url = process.start()
            with urllib.request.urlopen(f"{url}/enter") as answer:
                assert answer.status == 200
            print(
                f"start to first page, {what}: {time.perf_counter() - begun:.2f} s, {process.cpu_seconds():.2f} CPU-s"
            )
        finally:
            process.kill()


def size() -> None:
    """Bytes of the files that the studio's packages install."""
    total = 0
    for name in WEB:
        files = importlib.metadata.files(name) or []
        total += sum(path.stat().st_size for file in files if (path := Path(str(file.locate()))).is_file())
    print(f"the web part beyond the core: {total / 1e6:.1f} MB in {len(WEB)} packages, compiled files included")


def quantile(ordered: list[float], share: float) -> float:
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


if __name__ == "__main__":
    main()
