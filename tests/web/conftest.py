"""A studio in this process, and a way to come into it as anybody."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from limakit.store import members
from limakit.store.people import People
from limakit.store.study import PEOPLE_DB, Study
from limakit.web.app import create_app
from limakit.web.studio import Studio
from tests.store.conftest import postgres_url
from tests.web.desks import curated_study, desks
from tests.web.studies import write_study

__all__ = ["curated_study", "desks", "postgres_url"]
HOME = "http://127.0.0.1:8400"
PAGE = {"accept": "text/html", "sec-fetch-site": "same-origin", "origin": HOME}
SCRIPT = {"accept": "application/json", "sec-fetch-site": "same-origin", "origin": HOME}


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """The studio of a study with twelve pairs."""
    root = write_study(tmp_path / "mystudy")
    with People.open(root / PEOPLE_DB) as people:
        yield Studio(Study(root), people)


@pytest.fixture
def come_in(studio: Studio) -> Callable[..., TestClient]:
    """A browser that has come in as the owner, an author, an annotator; or nobody (None)."""
    app = create_app(studio)
    with studio.people.write() as connection:
        members.set_owner(connection, "no password opens this", 0.0)

    def enter(role: members.Role | None, name: str = "") -> TestClient:
        browser = TestClient(app, base_url=HOME, headers=SCRIPT, raise_server_exceptions=False)
        if role is not None:
            who = members.OWNER if role == "owner" else name or role
            with studio.people.write() as connection:
                if role != "owner":
                    members.invite(connection, who, role, studio.clock())
                browser.cookies.set(studio.cookie, members.start_session(connection, who, studio.clock()))
        return browser

    return enter
