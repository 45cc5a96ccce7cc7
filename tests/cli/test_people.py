"""`limakit people`: from the invitation to the backup, as its owner types it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from limakit.cli.app import app
from limakit.errors import LimakitError, StudyError
from tests.web.studies import write_study

runner = CliRunner()


@pytest.fixture
def study(tmp_path: Path) -> str:
    return str(write_study(tmp_path / "mystudy"))


def people(*words: str) -> str:
    return " ".join(runner.invoke(app, ["people", *words], catch_exceptions=False).stdout.split())


def test_people_come_go_and_come_back(study: str) -> None:
    assert people("list", study) == f"Nobody yet. Next: limakit studio {study}"
    link = json.loads(people("invite", study, "a1", "--at", "https://studio.example/", "--json"))["link"]
    assert link.startswith("https://studio.example/join/")
    assert people("list", study) == "a1: annotator, 0 of 0 voted"
    assert people("remove", study, "a1") == "a1 is out; their work stays."
    assert people("list", study).startswith("a1: annotator, removed")
    assert "it works once" in people("invite", study, "a1", "--role", "author")
    assert people("list", study) == "a1: author, 0 of 0 voted"
    with pytest.raises(LimakitError, match="no 'nobody' to remove"):
        people("remove", study, "nobody")


def test_each_new_password_is_another(study: str) -> None:
    first, second = (json.loads(people("password", study, "--json"))["password"] for _ in range(2))
    assert len(first) == len(second) > 12
    assert first != second


def test_a_backup_is_put_back_where_nothing_is(study: str, tmp_path: Path) -> None:
    people("invite", study, "a1")
    copy = tmp_path / "copy.db"
    assert f"Next, where it is lost: limakit people restore {study} {copy}" in people("backup", study, str(copy))
    with pytest.raises(LimakitError, match="holds people's work already"):
        people("restore", study, str(copy))
    (Path(study) / "people.db").unlink()
    assert "are back" in people("restore", study, str(copy))
    assert people("list", study) == "a1: annotator, 0 of 0 voted"


def test_pairs_go_out_with_the_next_step(study: str, tmp_path: Path) -> None:
    said = people("export", study, str(tmp_path / "pairs.json"))
    assert said.startswith("12 pairs are in")
    assert f"limakit people import {study} EXPORT.json" in said
    assert people("export", study, str(tmp_path / "votes.csv"), "--format", "csv").startswith("0 votes are in")


def test_no_study_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="no such study"):
        people("list", str(tmp_path / "nowhere"))
