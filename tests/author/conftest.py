"""A database with people in it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import insert

from limakit.store.people import People
from limakit.store.people_schema import people as table


@pytest.fixture
def people(tmp_path: Path) -> Iterator[People]:
    with People.open(tmp_path / "people.db") as opened:
        with opened.write() as connection:
            for name in ("a1", "a2", "owner"):
                connection.execute(insert(table).values(id=name, role="author", created=0.0))
        yield opened
