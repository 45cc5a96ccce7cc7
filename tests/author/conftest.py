"""A database with people in it, on both kinds of server."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from limakit.store.people import People
from limakit.store.people_schema import people as table
from tests.store.conftest import place, postgres_url

__all__ = ["place", "postgres_url"]


@pytest.fixture
def people(place: Path | str) -> Iterator[People]:
    with People.open(place) as opened:
        with opened.write() as connection:
            for name in ("a1", "a2", "owner"):
                connection.execute(insert(table).values(id=name, role="author", created=0.0))
        yield opened
