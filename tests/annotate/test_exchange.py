"""Pairs for other tools and their votes back; tables that no spreadsheet runs."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from limakit.annotate import exchange
from limakit.errors import InputError, StudyError
from limakit.pipeline.exchanging import export, take_in
from limakit.records import Verdict
from limakit.store import members, votes
from limakit.store.people import People
from limakit.store.study import Study
from tests.web.studies import write_study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(write_study(tmp_path / "mystudy"))


@pytest.fixture
def people(study: Study):
    with People.open(study.path("people.db")) as opened:
        yield opened


def answered_in_label_studio(tasks: list[dict[str, Any]], label: str) -> list[dict[str, Any]]:
    """As "Export → JSON" gives it: a user by id, one by e-mail, one who cancelled."""
    result = [{"from_name": "preference", "to_name": "prompt", "type": "choices", "value": {"choices": [label]}}]
    return [
        {
            "id": number,
            "data": task["data"],
            "annotations": [
                {"id": 1, "completed_by": 7, "result": result, "was_cancelled": False},
                {"id": 2, "completed_by": {"id": 8, "email": "Ann.B@example.org"}, "result": result},
                {"id": 3, "completed_by": 9, "result": [], "was_cancelled": True},
            ],
        }
        for number, task in enumerate(tasks)
    ]


def answered_in_argilla(records: list[dict[str, Any]], label: str) -> list[dict[str, Any]]:
    said = {"preference": [{"user_id": "u-1", "value": label, "status": "submitted"}]}
    said["preference"].append({"user_id": "u-2", "value": label, "status": "draft"})
    return [{**record, "responses": said} for record in records]


def said(people: People) -> dict[str, list[str | None]]:
    with people.read() as connection:
        names = [row["id"] for row in members.listing(connection)]
        return {name: [slot.label for slot in votes.queue(connection, name, "compare")] for name in names}


@pytest.mark.parametrize("layout", ["label-studio", "argilla"])
def test_pairs_out_and_votes_back(study: Study, people: People, tmp_path: Path, layout: Any):
    assert export(study, people, layout, tmp_path / "out.json") == 12
    text = (tmp_path / "out.json").read_text()
    assert "tuned" not in text
    assert "basil" in text
    answered = answered_in_argilla if layout == "argilla" else answered_in_label_studio
    (tmp_path / "back.json").write_text(json.dumps(answered(json.loads(text), "b")))
    counts = take_in(study, people, tmp_path / "back.json", 1.0)
    assert counts["votes"] == counts["stored"] == (12 if layout == "argilla" else 36)
    first = said(people)
    assert first[{"argilla": "import-u-1", "label-studio": "import-7"}[layout]] == ["b"] * 12
    if layout == "label-studio":
        assert first["import-ann.b"] == ["b"] * 12
        assert first["import-9"] == ["skip"] * 12
    again = take_in(study, people, tmp_path / "back.json", 2.0)
    assert (again["stored"], again["known"]) == (0, counts["stored"])
    assert said(people) == first


def test_votes_on_other_pairs_and_second_ones_are_counted(study: Study, people: People, tmp_path: Path):
    export(study, people, "argilla", tmp_path / "out.json")
    rows = answered_in_argilla(json.loads((tmp_path / "out.json").read_text()), "a")
    rows = [rows[0], rows[0], {**rows[1], "id": "gone"}]
    (tmp_path / "back.json").write_text(json.dumps(rows))
    counts = take_in(study, people, tmp_path / "back.json", 1.0)
    assert counts == {"votes": 3, "stored": 1, "known": 0, "outdated": 1, "later": 1}


@pytest.mark.parametrize(
    "data",
    [
        {},
        [],
        [1],
        [{"text": "x"}],
        [{"data": {}, "annotations": [{"result": []}]}],
        [{"data": {"pair_id": "p"}, "annotations": [{"completed_by": 1, "result": [{"from_name": "preference"}]}]}],
        [{"id": "p", "fields": {}, "responses": {"preference": [{"user_id": "u", "value": "best"}]}}],
        [{"id": "p", "fields": {}, "responses": {"preference": ["a"]}}],
    ],
)
def test_what_is_no_export_is_said_in_one_line(data: Any):
    with pytest.raises(InputError) as caught:
        exchange.read(data, "back.json")
    assert "back.json" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_nothing_is_overwritten_and_nothing_made_of_nothing(study: Study, people: People, tmp_path: Path):
    (tmp_path / "there.json").write_text("mine")
    with pytest.raises(InputError, match="already"):
        export(study, people, "argilla", tmp_path / "there.json")
    study.drop("compare")
    with pytest.raises(StudyError, match="limakit judge"):
        export(study, people, "argilla", tmp_path / "new.json")
    with pytest.raises(InputError, match="no such file"):
        take_in(study, people, tmp_path / "none.json", 1.0)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_table_holds_no_formula(start: str):
    name = f'{start}cmd|" /C calc"!A0'
    verdict = Verdict(pair_id=name, prompt_id=name, judge="person:a1", a=name, b="base", label="a")
    rows = list(csv.reader(io.StringIO(exchange.to_csv([verdict]), newline="")))
    assert all(not cell.startswith(start) for row in rows for cell in row)
    assert rows[1][1] == f"'{name}"
