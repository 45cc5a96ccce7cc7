"""Compare and Grade behind the page: what the browser gets, what it may send, what is stored."""

import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from limakit.engine import silent
from limakit.pipeline.annotating import DATABASE, annotate, publish
from limakit.records import Grade, Verdict
from limakit.store import files
from limakit.store.people import People
from limakit.store.study import Study
from limakit.web.studio import Studio
from tests.web.studies import write_study

Enter = Callable[..., TestClient]


def event(item: dict[str, Any], label: str | None, **more: Any) -> dict[str, Any]:
    usual = {"id": str(uuid.uuid4()), "after": item["head"], "milliseconds": 1500}
    return {**usual, "assignment": item["assignment"], "label": label, **more}


def send(browser: TestClient, *events: dict[str, Any], kind: str = "compare") -> list[dict[str, Any]]:
    answer = browser.post("/votes", json={"kind": kind, "events": events})
    assert answer.status_code == 200, answer.text
    return answer.json()["receipts"]


def queue(browser: TestClient, kind: str = "compare", after: int = -1) -> dict[str, Any]:
    return browser.post(f"/queue/{kind}?after={after}").json()


def test_a_person_goes_through_all_of_it(come_in: Enter, studio: Studio):
    browser = come_in("annotator")
    seen, after = 0, -1
    while items := queue(browser, after=after)["items"]:
        after = items[-1]["position"]
        receipts = send(browser, *(event(item, "a") for item in items))
        assert {receipt["state"] for receipt in receipts} == {"stored"}
        seen += len(items)
    assert seen == 12
    said = queue(browser)
    assert (said["done"], said["total"], said["items"]) == (12, 12, [])
    assert [item["label"] for item in said["seen"]] == ["a"] * 10


def test_nothing_tells_the_systems_apart(come_in: Enter):
    browser = come_in("annotator")
    for kind in ("compare", "absolute", "safety"):
        text = json.dumps(queue(browser, kind))
        assert "basil" in text
        for name in ("tuned", "base", "system", "test-", "prompt_id", "pair_id"):
            assert name not in text
    for path in ("/compare", "/grade", "/instructions"):
        assert "tuned" not in browser.get(path).text


def test_the_votes_become_verdicts_and_grades(come_in: Enter, studio: Studio):
    browser = come_in("annotator", "a1")
    pairs = queue(browser)["items"]
    send(browser, *(event(item, label) for item, label in zip(pairs, ["a", "b", "tie", "skip"], strict=False)))
    graded, safe = queue(browser, "absolute")["items"], queue(browser, "safety")["items"]
    send(browser, event(graded[0], "pass"), kind="absolute")
    send(browser, event(safe[0], "unsafe"), kind="safety")
    with studio.study.lock():
        outcome = publish(studio.study, studio.people)[0]
        assert publish(studio.study, studio.people)[0].state == "unchanged"
    verdicts = files.read_jsonl(outcome.folder / "verdicts.jsonl", Verdict)
    grades = files.read_jsonl(outcome.folder / "grades.jsonl", Grade)
    assert [v.label for v in verdicts] == ["a", "b", "tie", None]
    assert {v.judge for v in verdicts} == {"person:a1"}
    assert {(v.a, v.b) for v in verdicts} <= {("tuned", "base"), ("base", "tuned")}
    assert [(g.scale, g.value) for g in grades] == [("absolute", "pass"), ("safety", "unsafe")]
    assert outcome.counts["votes"] == 6


def test_the_winner_is_the_answer_that_stood_there(come_in: Enter, studio: Studio):
    browser = come_in("annotator", "a1")
    for item in queue(browser)["items"]:
        first_is_tuned = "Water it" in item["answers"][0]
        send(browser, event(item, "a" if first_is_tuned else "b"))
    with studio.study.lock():
        folder = publish(studio.study, studio.people)[0].folder
    assert {v.winner for v in files.read_jsonl(folder / "verdicts.jsonl", Verdict)} == {"tuned"}


def test_nothing_is_published_where_nobody_voted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(DATABASE, raising=False)
    study = Study(write_study(tmp_path / "mystudy"))
    assert annotate(study, silent) == []
    People.open(study.path("people.db")).close()
    assert annotate(study, silent) == []
    assert not study.path("annotate").exists()


def test_a_stale_tab_is_told_and_asked_again(come_in: Enter):
    browser = come_in("annotator")
    item = queue(browser)["items"][0]
    first = event(item, "a")
    send(browser, first)
    receipt = send(browser, event(item, "b"))[0]
    assert (receipt["state"], receipt["label"], receipt["head"]) == ("conflict", "a", first["id"])
    trouble = queue(browser)["conflicts"]
    assert [(t["label"], t["kept"], t["item"]["assignment"]) for t in trouble] == [("b", "a", item["assignment"])]
    assert send(browser, event(item, "b", after=first["id"]))[0]["state"] == "stored"
    assert queue(browser)["conflicts"] == []


def test_a_vote_taken_back_comes_again(come_in: Enter):
    browser = come_in("annotator")
    item = queue(browser)["items"][0]
    first = event(item, "a")
    send(browser, first, event(item, None, after=first["id"]))
    again = queue(browser)
    assert again["done"] == 0
    assert again["items"][0]["assignment"] == item["assignment"]


def test_nobody_votes_on_items_of_others(come_in: Enter):
    item = queue(come_in("annotator", "a1"))["items"][0]
    assert send(come_in("annotator", "a2"), event(item, "a"))[0]["state"] == "unknown"


@pytest.mark.parametrize(
    "change",
    [
        {"label": "tuned"},
        {"label": "excellent"},
        {"id": "1"},
        {"id": "x" * 36},
        {"assignment": -1},
        {"assignment": 2**40},
        {"milliseconds": -5},
        {"after": "'; DROP TABLE votes; --"},
    ],
)
def test_what_is_no_vote_is_refused_in_one_line(come_in: Enter, change: dict[str, Any]):
    browser = come_in("annotator")
    item = queue(browser)["items"][0]
    answer = browser.post("/votes", json={"kind": "compare", "events": [event(item, "a") | change]})
    assert answer.status_code in (400, 422)
    assert set(answer.json()) == {"error", "fix"}
    assert "\n" not in answer.json()["error"]
    assert queue(browser)["done"] == 0


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"kind":"compare","events":[]}', b"\xff\xfe"])
def test_bodies_that_are_not_votes(come_in: Enter, body: bytes):
    answer = come_in("annotator").post("/votes", content=body, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422)


def test_answers_that_change_while_people_vote(come_in: Enter, studio: Studio):
    browser = come_in("annotator")
    before = queue(browser)["items"]
    send(browser, *(event(item, "a") for item in before[:5]))
    write_study(studio.study.root, answers=[f"Another answer {n}." for n in range(12)])
    again = queue(browser)
    assert (again["done"], again["total"]) == (0, 12)
    assert all("Another answer" in json.dumps(item["answers"]) for item in again["items"])
    with studio.study.lock():
        counts = publish(studio.study, studio.people)[0].counts
    assert (counts["votes"], counts["outdated"], counts["verdicts"]) == (5, 5, 0)


def test_a_study_without_answers_says_so(come_in: Enter, studio: Studio):
    for stage in ("compare", "generate"):
        studio.study.drop(stage)
    browser = come_in("annotator")
    assert queue(browser)["total"] == 0
    assert "limakit judge" in browser.get("/compare").text


def test_a_full_disk_is_no_lost_vote(come_in: Enter, studio: Studio, monkeypatch: pytest.MonkeyPatch):
    from limakit.errors import StudyError
    from limakit.store import votes

    browser = come_in("annotator")
    item = queue(browser)["items"][0]

    def full(*_: object) -> None:
        raise StudyError("people's work cannot be reached: database or disk is full", fix="Free some space.")

    with monkeypatch.context() as patch:
        patch.setattr(votes, "append", full)
        answer = browser.post("/votes", json={"kind": "compare", "events": [event(item, "a")]})
    assert answer.status_code >= 400
    assert answer.json()["fix"] == "Free some space."
    assert send(browser, event(item, "a"))[0]["state"] == "stored"
