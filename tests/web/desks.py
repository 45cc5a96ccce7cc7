"""A small curated study with its studio open, and people who are signed in."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from limakit.store import members
from limakit.store.people import People
from limakit.store.study import Study
from limakit.web.app import create_app
from limakit.web.studio import Studio
from tests.sources.items import curated, given

RECIPE = """[[sources]]
kind = "conversations"
path = "talk.jsonl"
licence = "CC BY 4.0"
[[sources]]
kind = "authored"
path = "studio/authored.jsonl"
licence = "CC BY 4.0"
[curate]
quotas = { conversations = 10 }
dev_prompts = "dev.jsonl"
"""
WORDS = ["amber", "birch", "cedar", "dune", "ember", "fjord", "grove", "heath", "islet", "jetty", "knoll", "lagoon"]
HOSTILE = '<script>alert(1)</script><img src=x onerror="alert(2)"> [link](https://evil.example/) \u202egpj ![i](https://evil.example/i.png)'


def answer(word: str) -> str:
    return f"The {word} is the subject. " + " ".join(f"{word}{n}" for n in range(30))


def write_study(folder: Path) -> Study:
    """Ten of twelve candidates in training, two beyond the quota; one is hostile, one opens with a courtesy."""
    lines = []
    for at, word in enumerate(WORDS):
        said = answer(word)
        said = f"Certainly! {said}" if at == 1 else f"{said}\n\n{HOSTILE}" if at == 0 else said
        turns = [{"role": "user", "content": f"What is {word}?"}, {"role": "assistant", "content": said}]
        lines.append({"messages": turns})
    given(folder / "talk.jsonl", lines)
    given(folder / "dev.jsonl", [{"id": "d1", "messages": [{"role": "user", "content": "Tell me of ships."}]}])
    given(folder / "studio" / "authored.jsonl", [])
    curated(folder, RECIPE)
    return Study(folder)


@dataclass
class Desks:
    """The study, its studio, and a browser for each person."""

    study: Study
    studio: Studio
    app: FastAPI
    browsers: dict[str, TestClient]

    def __getitem__(self, person: str) -> TestClient:
        return self.browsers[person]


def sign_in(studio: Studio) -> dict[str, str]:
    """The secrets of sessions of the owner, the authors a1 and a2, and the annotator r1."""
    roles: list[tuple[str, members.Role]] = [("a1", "author"), ("a2", "author"), ("r1", "annotator")]
    with studio.people.write() as connection:
        members.set_owner(connection, "unused", 0.0)
        for name, role in roles:
            members.invite(connection, name, role, studio.clock())
        names = (members.OWNER, *(name for name, _ in roles))
        return {name: members.start_session(connection, name, studio.clock()) for name in names}


@contextmanager
def open_studio(study: Study) -> Iterator[Desks]:
    """The studio of a study with everybody of `sign_in`, and nobody."""
    studio = Studio(study, People.open(study.path("people.db")))
    app = create_app(studio)
    secrets = sign_in(studio)
    headers = {"origin": "http://127.0.0.1", "accept": "text/html"}
    with TestClient(app, base_url="http://127.0.0.1"):
        browsers = {}
        for name in (*secrets, "nobody"):
            browsers[name] = TestClient(app, base_url="http://127.0.0.1", headers=headers, follow_redirects=True)
            if name in secrets:
                browsers[name].cookies.set(studio.cookie, secrets[name])
        yield Desks(study, studio, app, browsers)


def harmless(html: str) -> None:
    """Nothing in a page may act or lead away: no script but ours, no handler, no address of another host."""
    assert not re.search(r"<script(?![^>]*(src=\"/static/|type=\"application/json\"))", html)
    assert not re.search(r"<[^>]+\son\w+\s*=", html)
    assert not re.search(r"<(img|iframe|object|embed|link)[^>]+(src|href|data)=\"(?!/)", html)
    assert 'href="https://evil.example' not in html
    assert not re.search(r"\sstyle=", html)
    assert "\u202e" not in html


@pytest.fixture(scope="session")
def curated_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Curated once; every test takes a copy."""
    folder = tmp_path_factory.mktemp("curated") / "study"
    write_study(folder)
    return folder


@pytest.fixture
def desks(curated_study: Path, tmp_path: Path) -> Iterator[Desks]:
    """A studio for reviewing and writing, with the owner, authors a1 and a2, the annotator r1, and nobody."""
    folder = tmp_path / "study"
    shutil.copytree(curated_study, folder)
    with open_studio(Study(folder)) as opened:
        yield opened
