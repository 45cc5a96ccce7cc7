"""The Write page: saving, checks, neighbours, and the way to acceptance."""

from typing import Any

from limakit.engine import silent
from limakit.pipeline.curating import curate
from limakit.records import Example
from limakit.store.files import publish_text, read_jsonl
from tests.web.desks import HOSTILE, Desks, harmless


def begin(desks: Desks, person: str = "a1") -> str:
    return desks[person].post("/write/new").url.path.rsplit("/", 1)[1]


def save(desks: Desks, number: str, *texts: str, base: int = 1, person: str = "a1", category: str = "") -> Any:
    turns = [{"role": "assistant" if at % 2 else "user", "content": text} for at, text in enumerate(texts)]
    return desks[person].post(f"/write/{number}/save", json={"base": base, "turns": turns, "category": category})


def move(desks: Desks, person: str, number: str, to: str, **more: Any) -> Any:
    return desks[person].post(f"/write/{number}/move", data={"to": to, **more})


def test_what_is_typed_is_stored_checked_and_compared(desks: Desks) -> None:
    number = begin(desks)
    got = save(desks, number, "What is amber made of?", "Certainly! Amber is resin.").json()
    assert got["version"] == 1
    assert got["objection"] is None
    assert [finding["says"].split(",")[0] for finding in got["findings"]] == ["opens with “Certainly”"]
    assert got["near"][0]["text"] == "What is amber?"
    assert got["near"][0]["address"].startswith("/review/one?")
    assert "Amber is resin." in got["previews"][1]
    assert "Amber is resin." in desks["a1"].get(f"/write/{number}").text
    assert save(desks, number, "What?").json()["objection"] == "an example ends with an answer: write one"


def test_drafts_of_others_are_neighbours_too(desks: Desks) -> None:
    first, second = begin(desks), begin(desks, "a2")
    save(desks, first, "Which knots hold a tarpaulin in a storm?", "")
    near = save(desks, second, "Which knots hold a tarpaulin in a gale?", "", person="a2").json()["near"]
    assert near[0]["address"] == f"/write/{first}"
    assert near[0]["close"]


def test_a_stale_tab_is_told_and_both_texts_are_kept(desks: Desks) -> None:
    number = begin(desks)
    save(desks, number, "Why?", "One.")
    move(desks, "a1", number, "submit")
    move(desks, "a2", number, "back", note="Say more.")
    assert save(desks, number, "Why?", "Two.").json()["version"] == 2
    stale = save(desks, number, "Why?", "Three.", base=1)
    assert stale.status_code == 409
    told = stale.json()
    assert (told["version"], told["kept"], told["turns"][1]["content"]) == (2, 3, "Two.")
    versions = desks["a1"].get(f"/write/{number}/history").text
    assert "kept beside" in versions
    for text in ("One", "Two", "Three"):
        assert text in versions
    back = desks["a1"].post(f"/write/{number}/restore", data={"version": 3})
    assert "Three." in back.text
    assert desks["a1"].post(f"/write/{number}/restore", data={"version": 99}).status_code == 400


def test_a_second_person_accepts_and_the_example_is_trained_on(desks: Desks) -> None:
    number = begin(desks)
    save(desks, number, "How do tides work?", f"Tides follow the moon. {HOSTILE}", category="science")
    move(desks, "a1", number, "submit")
    own = move(desks, "a1", number, "accept", version=1)
    assert (own.status_code, "who wrote in it cannot accept it" in own.text) == (400, True)
    page = desks["a2"].get(f"/write/{number}")
    harmless(page.text)
    assert "Accept" in page.text
    assert "For you to read: 1" in desks["a2"].get("/write").text
    move(desks, "a2", number, "accept", version=1)
    listed = desks["a1"].get("/write").text
    assert "Accepted: 1" in listed
    assert "The recipe does not read them yet" not in listed
    curate(desks.study, silent)
    by_id = {example.id: example for example in read_jsonl(desks.study.path("curate/train.jsonl"), Example)}
    example = by_id[f"authored/studio/{number}"]
    assert example.messages[1].content.startswith("Tides follow the moon.")
    assert example.provenance[0].author == "a1"
    move(desks, "a1", number, "back")
    curate(desks.study, silent)
    assert len(read_jsonl(desks.study.path("curate/train.jsonl"), Example)) == len(by_id) - 1


def test_a_recipe_that_does_not_read_them_is_pointed_out(desks: Desks) -> None:
    number = begin(desks)
    save(desks, number, "How do tides work?", "Tides follow the moon.")
    move(desks, "a1", number, "submit")
    move(desks, "a2", number, "accept", version=1)
    publish_text(desks.study.path("recipe.toml"), "seed = 1\n")
    desks.study.__dict__.pop("recipe", None)
    html = desks["a1"].get("/write").text
    assert "The recipe does not read them yet" in html
    assert "studio/authored.jsonl" in html


def test_a_note_sends_it_back_and_putting_away_keeps_it(desks: Desks) -> None:
    number = begin(desks)
    save(desks, number, "How do tides work?", "Tides follow the moon.")
    move(desks, "a1", number, "submit")
    move(desks, "a2", number, "back", note="Why twice a day?")
    assert "Sent back: Why twice a day?" in desks["a1"].get(f"/write/{number}").text
    move(desks, "a1", number, "drop")
    assert "Put away: 1" in desks["a1"].get("/write").text
    assert "Tides follow the moon." in move(desks, "a1", number, "pick-up").text


def test_refusals_name_what_to_do(desks: Desks) -> None:
    number = begin(desks)
    assert save(desks, number, "a", "b", person="a2").status_code == 400
    assert desks["a1"].post(f"/write/{number}/save", json={"base": 1, "turns": []}).status_code == 422
    assert save(desks, number, "a", "x" * 60_001).status_code == 400
    assert "the prompt is empty" in move(desks, "a1", number, "submit").text
    assert desks["a1"].get("/write/nobody").status_code == 400
    assert move(desks, "a1", number, "explode").status_code == 422
