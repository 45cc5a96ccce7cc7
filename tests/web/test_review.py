"""The Review page: what is shown, what a decision does, what it refuses."""

import shutil
from urllib.parse import urlencode

import pyarrow.parquet as pq
import pytest

from limakit.engine import silent
from limakit.pipeline.curating import curate
from limakit.records import Candidate, Example
from limakit.store import decisions
from limakit.store.files import read_jsonl
from limakit.store.study import Study
from tests.web.desks import Desks, harmless, open_studio


def examples(desks: Desks) -> list[Example]:
    return read_jsonl(desks.study.path("curate/train.jsonl"), Example)


def one(which: str, name: str, **more: str) -> str:
    return f"/review/one?{urlencode({'which': which, 'id': name, **more})}"


def test_the_overview_counts_what_is_there(desks: Desks) -> None:
    html = desks["a1"].get("/review").text
    assert "12 answers were read; 10 of them are in training" in html
    assert "Passed every rule, but beyond the quota" in html
    assert "Opens with a courtesy" in html
    assert "not_selected" in html
    assert "are not in the training set yet" not in html


def test_a_study_without_curation_says_what_to_run(desks: Desks) -> None:
    shutil.rmtree(desks.study.path("curate"))
    assert "limakit curate" in desks["a1"].get("/review").text
    refused = desks["a1"].get("/review/one")
    assert refused.status_code == 409
    assert "nothing is curated yet" in refused.text


def test_every_training_example_is_shown_and_harmless(desks: Desks) -> None:
    for example in examples(desks):
        html = desks["a1"].get(one("train", example.id)).text
        harmless(html)
        assert example.id in html
        assert "CC BY 4.0" in html
    first = desks["a1"].get("/review/one").text
    assert "1 of 10, 0 decided" in first


def test_a_decision_is_stored_published_and_leads_on(desks: Desks) -> None:
    first, second = (example.id for example in examples(desks)[:2])
    done = desks["a1"].post("/review/decide", data={"id": first, "word": "reject", "note": "dull"})
    assert done.url.query.decode() == urlencode({"which": "train", "id": second})
    assert "Your last decision: rejected" in done.text
    [stored] = decisions.load(desks.study.root)
    assert (stored.id, stored.decision, stored.person, stored.note) == (first, "reject", "a1", "dull")
    assert "are not in the training set yet" in desks["a2"].get("/review").text
    curate(desks.study, silent)
    assert first not in {example.id for example in examples(desks)}
    after = desks["a1"].get("/review").text
    assert "are not in the training set yet" not in after
    assert "a person took it out" in after
    assert "by a1: dull" in desks["a1"].get("/review/log?rule=reviewed").text


def test_an_edit_keeps_its_history_and_shows_what_changed(desks: Desks) -> None:
    example = examples(desks)[1]
    form = desks["a1"].get(one("train", example.id, edit="1")).text
    assert example.messages[1].content in form.replace("&#39;", "'")
    texts = [example.messages[0].content, "Birch is a tree. " + example.messages[1].content.removeprefix("Certainly! ")]
    desks["a1"].post("/review/decide", data={"id": example.id, "word": "edit", "turn": texts, "note": "no courtesy"})
    html = desks["a2"].get(one("train", example.id)).text
    assert "Edited by a1: no courtesy" in html
    assert "<del>Certainly" in html
    assert "Birch" in html
    curate(desks.study, silent)
    changed = {each.id: each for each in examples(desks)}[example.id]
    assert changed.messages[1].content == texts[1]
    assert changed.provenance[-1].author == "a1"
    empty = desks["a1"].post("/review/decide", data={"id": example.id, "word": "edit", "turn": ["", "x"]})
    assert empty.status_code == 400


def test_who_is_overtaken_is_told_and_keeps_the_text(desks: Desks) -> None:
    example = examples(desks)[1]
    assert 'name="seen" value="0"' in desks["a1"].get(one("train", example.id)).text
    desks["a2"].post("/review/decide", data={"id": example.id, "word": "reject", "seen": "0"})
    late = desks["a1"].post("/review/decide", data={"id": example.id, "word": "accept", "seen": "0"})
    assert (late.status_code, "rejected by a2 meanwhile" in late.text) == (409, True)
    edit = {"id": example.id, "word": "edit", "turn": ["What?", "My own text."], "seen": "0"}
    late = desks["a1"].post("/review/decide", data=edit)
    assert late.status_code == 409
    assert "My own text." in late.text
    assert [stored.decision for stored in decisions.load(desks.study.root)] == ["reject"]
    seen = late.text.split('name="seen" value="')[1].split('"')[0]
    assert desks["a1"].post("/review/decide", data={**edit, "seen": seen}).status_code == 200
    assert [stored.decision for stored in decisions.load(desks.study.root)] == ["edit"]


def test_undo_goes_back_to_what_it_took_back(desks: Desks) -> None:
    first = examples(desks)[0].id
    desks["a1"].post("/review/decide", data={"id": first, "word": "accept"})
    back = desks["a1"].post("/review/undo", data={"which": "train"})
    assert urlencode({"id": first}) in str(back.url)
    assert decisions.load(desks.study.root) == []
    assert "taken back by a1" in back.text
    assert desks["a1"].post("/review/undo").url.path == "/review"


def test_what_was_not_taken_can_be_taken_in(desks: Desks) -> None:
    spare = read_jsonl(desks.study.path("curate/spare.jsonl"), Candidate)
    assert len(spare) == 2
    html = desks["a1"].get(one("left:not_selected", spare[0].id)).text
    assert "Take it into training" in html
    desks["a1"].post("/review/decide", data={"id": spare[0].id, "word": "accept", "which": "left:not_selected"})
    curate(desks.study, silent)
    assert spare[0].id in {example.id for example in examples(desks)}


def test_many_at_once(desks: Desks) -> None:
    names = [example.id for example in examples(desks)[:3]]
    listed = desks["a1"].get("/review/bulk?which=train").text
    harmless(listed)
    assert listed.count('name="id"') == 10
    desks["a1"].post("/review/bulk", data={"which": "train", "word": "reject", "id": [*names, "nobody/x/1"]})
    assert [one.id for one in decisions.load(desks.study.root)] == sorted(names)
    nothing = desks["a1"].post("/review/bulk", data={"which": "train", "word": "reject"})
    assert (nothing.status_code, "nothing is ticked" in nothing.text) == (400, True)
    curate(desks.study, silent)
    rows = pq.read_table(desks.study.path("curate/rejects.parquet")).to_pylist()
    assert sorted(row["id"] for row in rows if row["rule"] == "reviewed") == sorted(names)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/review/one?which=nonsense", 400),
        ("/review/one?which=train&id=nobody", 400),
        ("/review/bulk?which=left:same_run", 400),
        ("/review/log?rule=%3Cscript%3E", 200),
        ("/review/log?rule=not_selected&number=99", 200),
        ("/review/bulk?which=train&number=-5", 200),
    ],
)
def test_addresses_that_nobody_would_type(desks: Desks, path: str, status: int) -> None:
    answer = desks["a1"].get(path)
    assert answer.status_code == status
    harmless(answer.text)


def test_the_map_marks_the_example_and_holds_no_prompt_for_testing(desks: Desks) -> None:
    name = examples(desks)[3].id
    answer = desks["a1"].get(f"/review/map.svg?{urlencode({'id': name})}")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.text.count("<circle") == 10 + 1
    assert "#D55E00" in answer.text
    assert "#D55E00" not in desks["a1"].get("/review/map.svg?id=d1").text


def test_a_start_writes_the_file_that_a_kill_prevented(desks: Desks) -> None:
    desks["a1"].post("/review/decide", data={"id": examples(desks)[0].id, "word": "reject"})
    kept = desks.study.path(decisions.FILE).read_bytes()
    desks.study.path(decisions.FILE).unlink()
    with open_studio(Study(desks.study.root)):
        assert desks.study.path(decisions.FILE).read_bytes() == kept


def test_annotators_do_not_review_and_write_and_nobody_sees_anything(desks: Desks) -> None:
    for path in ("/review", "/review/one", "/review/log?rule=x", "/review/map.svg", "/write", "/write/x"):
        assert desks["r1"].get(path).status_code == 403
        assert desks["nobody"].get(path).url.path == "/enter"
    for path in ("/review/decide", "/review/bulk", "/review/undo", "/write/new", "/write/x/move", "/write/x/save"):
        assert desks["r1"].post(path).status_code == 403
        assert desks["nobody"].post(path).status_code == 401
        assert desks["a1"].post(path, headers={"origin": "https://evil.example"}).status_code == 403
