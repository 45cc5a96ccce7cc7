"""Chat: one answer at a time, streamed, stopped, failed; grades and the way to Write."""

import threading
import uuid
from collections.abc import Generator
from typing import Any

import orjson
import pytest

from limakit.errors import ModelError
from limakit.models.sampler import Answer, Request
from limakit.recipe import Generate
from limakit.store import chats
from limakit.web.speaking import KEPT, Speaker
from tests.web.desks import HOSTILE, Desks, harmless


class Scripted:
    """A model that says its script word by word, and waits before every word when it is told to."""

    def __init__(self, script: str, wait: threading.Event | None = None):
        self.script, self.wait, self.asked = script, wait, []

    def stream(self, request: Request, settings: Generate, seed: int) -> Generator[str, None, Answer]:
        self.asked.append([turn.content for turn in request.prompt.messages])
        for word in self.script.split(" "):
            if self.wait:
                self.wait.wait(10)
            yield f"{word} "
        return Answer(text=self.script, finish="eot", tokens=1, trimmed=3)


def lend(desks: Desks, model: Any) -> Speaker:
    speaker = desks.app.state.speaker = Speaker(desks.study, opens=lambda found: model)
    return speaker


def ask(*texts: str, system: str = "base") -> dict[str, Any]:
    turns = [{"role": "assistant" if at % 2 else "user", "content": text} for at, text in enumerate(texts)]
    return {"system": system, "messages": turns}


def lines(answer: Any) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in answer.text.splitlines()]


def test_an_answer_comes_in_pieces_and_ends_as_clean_html(desks: Desks) -> None:
    model = Scripted(f"Boil it. {HOSTILE}")
    lend(desks, model)
    got = lines(desks["a1"].post("/chat/say", json=ask("How?", "So.", "And then?")))
    assert model.asked == [["How?", "So.", "And then?"]]
    assert len(got) > 5
    text = "".join(line.get("text", "") for line in got)
    assert text.startswith("Boil it.")
    assert "\u202e" not in text
    assert got[-1]["finish"] == "eot"
    assert got[-1]["trimmed"] == 3
    harmless(got[-1]["html"])
    assert "&lt;script&gt;" in got[-1]["html"]
    assert desks["a1"].get("/chat/state").json() == {"person": None, "system": None}


def test_the_page_offers_every_system(desks: Desks) -> None:
    html = desks["a1"].get("/chat").text
    harmless(html)
    assert html.count("<option>base</option>") == 2
    assert "<option selected>tuned</option>" in html
    assert desks["r1"].get("/chat").status_code == 403


def test_busy_is_said_and_only_the_asker_stops(desks: Desks) -> None:
    gate = threading.Event()
    speaker = lend(desks, Scripted("one two three four", gate))
    said = speaker.say("a1", "base", [])
    busy = desks["a2"].post("/chat/say", json=ask("Me too?"))
    assert busy.status_code == 409
    assert "another answer is being written (that of a1, by base)" in busy.json()["error"]
    assert desks["a2"].get("/chat/state").json() == {"person": "a1", "system": "base"}
    assert desks["a2"].post("/chat/stop").json() == {"stopped": False}
    assert desks["a1"].post("/chat/stop").json() == {"stopped": True}
    gate.set()
    *pieces, end = said.listen()
    assert getattr(end, "finish", "") == "stopped"
    assert len(pieces) <= 2
    assert lines(desks["a2"].post("/chat/say", json=ask("Now?")))[-1]["finish"] == "eot"


@pytest.mark.parametrize("error", [ModelError("is damaged", fix="Fetch it again."), MemoryError()])
def test_a_model_that_fails_says_so_and_leaves_room_for_the_next(desks: Desks, error: Exception) -> None:
    class Failing(Scripted):
        def stream(self, request: Request, settings: Generate, seed: int) -> Generator[str, None, Answer]:
            yield "half "
            raise error

    lend(desks, Failing(""))
    for _ in range(2):
        last = lines(desks["a1"].post("/chat/say", json=ask("How?")))[-1]
        assert (last["finish"], last["said"]) == ("failed", "half ")
        assert "damaged" in last["error"] or "memory" in last["error"]


@pytest.mark.parametrize(
    ("asked", "status", "what"),
    [
        (ask("How?", system="tuned"), 409, "limakit train"),
        (ask("How?", system="nobody"), 400, "there is no system"),
        (ask("How?", "So."), 400, "does not end with the user"),
        (ask("x" * 60_001), 400, "60,000 characters"),
        ({"system": "base", "messages": []}, 422, "messages"),
        ({"system": "base", "messages": [{"role": "system", "content": "x"}]}, 422, "role"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_a_reason(desks: Desks, asked: Any, status: int, what: str) -> None:
    lend(desks, Scripted("x"))
    answer = desks["a1"].post("/chat/say", json=asked, headers={"accept": "application/json"})
    assert answer.status_code == status
    assert what in answer.text
    assert desks["a1"].get("/chat/state").json()["person"] is None


def test_models_beyond_two_make_room_for_each_other(desks: Desks) -> None:
    opened = []
    speaker = Speaker(desks.study, opens=lambda found: opened.append(found.folder) or Scripted("x"))
    for name in ("a", "b", "a", "c", "b"):
        speaker._model(type("Found", (), {"folder": name, "kind": "base"})())  # type: ignore[arg-type]
    assert opened == ["a", "b", "c", "b"]
    assert len(speaker._models) == KEPT


def test_grades_are_kept_and_the_newest_counts(desks: Desks) -> None:
    dialogue = str(uuid.uuid4())
    for person, value in (("a1", "fail"), ("a1", "pass"), ("a2", "excellent")):
        sent = {**ask("How?", "So."), "dialogue": dialogue, "grade": value}
        assert desks[person].post("/chat/grade", json=sent).json() == {"grade": value}
    with desks.studio.people.read() as connection:
        found = [(one.person, one.grade, one.turn, one.system) for one in chats.grades(connection)]
    assert found == [("a1", "pass", 1, "base"), ("a2", "excellent", 1, "base")]
    for wrong in ({"grade": "fine"}, {"dialogue": "x"}, {"system": "nobody"}, {"messages": ask("How?")["messages"]}):
        sent = {**ask("How?", "So."), "dialogue": dialogue, "grade": "pass", **wrong}
        assert desks["a1"].post("/chat/grade", json=sent).status_code in (400, 422)


def test_a_dialogue_goes_to_write_with_its_origin(desks: Desks) -> None:
    address = desks["a1"].post("/chat/write", json=ask("How?", "So.", "Why?", "Because.")).json()["address"]
    html = desks["a1"].get(address).text
    assert "From a chat with base" in html
    assert "Because." in html
