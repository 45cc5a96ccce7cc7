"""Both databases, so that every test of people's work runs on each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from limakit.store.people import People
from tests import postgres


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """URL of a PostgreSQL server that runs as long as the tests."""
    if postgres.programs() is None:
        pytest.skip("no PostgreSQL server is installed (Debian: postgresql)")
    with postgres.server() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path | str]:
    """Where an empty database is: a file, or a URL."""
    if request.param == "sqlite":
        yield tmp_path / "people.db"
        return
    yield postgres.empty(request.getfixturevalue("postgres_url"))


@pytest.fixture
def people(place: Path | str) -> Iterator[People]:
    """An open, empty database."""
    with People.open(place) as opened:
        yield opened
