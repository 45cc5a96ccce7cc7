"""Many annotators at once, and a server that is killed again and again: every acknowledged vote is there, once."""

import asyncio
import random
from pathlib import Path

import pytest
from sqlalchemy import select

from limakit.store.people import People
from limakit.store.people_schema import assignments, votes
from limakit.store.study import PEOPLE_DB, Study
from limakit.web.studio import Studio
from tests import postgres
from tests.web.load import Annotator, Tally, let_in
from tests.web.served import Process
from tests.web.studies import write_study

PEOPLE, VOTES = 8, 20


def stored(place: Path | str) -> dict[str, tuple[str, int, str]]:
    """Every vote that is there, and that no assignment has two."""
    with People.open(place) as people, people.read() as connection:
        rows = connection.execute(select(votes.c.id, votes.c.person, votes.c.assignment, votes.c.label)).all()
        heads = connection.execute(select(assignments.c.head).where(assignments.c.head.is_not(None))).scalars().all()
    assert len({row.assignment for row in rows}) == len(rows) == len(heads)
    return {row.id: (row.person, row.assignment, row.label) for row in rows}


async def load(process: Process, sessions: list[tuple[str, str]], tally: Tally, kills: int) -> None:
    def address() -> tuple[str, int]:
        return "127.0.0.1", process.port

    async def kill() -> None:
        chance = random.Random(3)
        for _ in range(kills):
            await asyncio.sleep(chance.uniform(0.05, 0.4))
            process.kill()
            await asyncio.to_thread(process.start)

    people = [Annotator(name, cookie, address, tally) for name, cookie in sessions]
    given = await asyncio.gather(*(person.vote(VOTES) for person in people), kill())
    assert given[:-1] == [VOTES] * PEOPLE


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_every_acknowledged_vote_is_there_once(database: str, tmp_path: Path, request: pytest.FixtureRequest):
    root = write_study(tmp_path / "mystudy", count=VOTES, shared=VOTES)
    url = postgres.empty(request.getfixturevalue("postgres_url")) if database == "postgresql" else None
    place = url or root / PEOPLE_DB
    with People.open(place) as people:
        sessions = let_in(people, PEOPLE, Studio(Study(root), people).cookie)
    process, tally = Process(root, url), Tally()
    process.start()
    try:
        asyncio.run(load(process, sessions, tally, kills=2 if database == "sqlite" else 0))
    finally:
        process.kill()
    assert stored(place) == tally.acknowledged
    assert len(tally.acknowledged) == PEOPLE * VOTES
    assert not [status for status in tally.statuses if status >= 400]
