"""Streamed answers of a scripted server: pieces in order, a bill in the ledger, every bad end one line."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from limakit.cli import talk
from limakit.errors import ModelError
from limakit.models.sampler import Answer, Request
from limakit.models.speaker import Speaker
from limakit.recipe import Generate
from limakit.recipe_judges import SystemEndpoint
from limakit.records import Prompt, Turn
from limakit.store.ledger import UNIT, Ledger
from limakit.store.study import Study

REQUEST = Request(prompt=Prompt(id="p", messages=(Turn(role="user", content="Hi"),)))


def openai(*pieces: str, reason: str | None = "stop", usage: bool = True) -> list[str]:
    events: list[dict[str, Any]] = [{"choices": [{"delta": {"role": "assistant", "content": ""}}]}]
    events += [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
    if reason:
        events.append({"choices": [{"delta": {}, "finish_reason": reason}]})
    if usage:
        events.append({"choices": [], "usage": {"prompt_tokens": 10, "completion_tokens": 7}})
    return [": a comment", *(f"data: {json.dumps(event)}" for event in events), "data: [DONE]"]


def anthropic(*pieces: str) -> list[str]:
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {"usage": {"input_tokens": 10}}}]
    events += [{"type": "content_block_delta", "delta": {"type": "text_delta", "text": piece}} for piece in pieces]
    events.append({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 7}})
    return [line for event in events for line in (f"event: {event['type']}", f"data: {json.dumps(event)}", "")]


@contextmanager
def serving(lines: list[str], status: int = 200) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server on loopback that says these lines to every request; its address and the bodies it got."""
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            bodies.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(status)
            self.send_header("content-type", "text/event-stream")
            self.end_headers()
            for line in lines:
                self.wfile.write(f"{line}\n\n".encode())
                self.wfile.flush()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", bodies
    finally:
        server.shutdown()
        server.server_close()


def endpoint(url: str, **settings: Any) -> SystemEndpoint:
    given = {"base_url": url, "model": "m", "input_price": 1e3, "output_price": 2e3, "budget": 10.0, **settings}
    return SystemEndpoint.model_validate(given)


def hear(url: str, folder: Path, **settings: Any) -> tuple[list[str], Answer, float]:
    """Pieces, the answer, and what it cost."""
    with Ledger(folder / "ledger.db") as ledger:
        stream, pieces = Speaker(endpoint(url, **settings), ledger, "system far").stream(REQUEST, Generate(), 0), []
        while True:
            try:
                pieces.append(next(stream))
            except StopIteration as end:
                return pieces, end.value, ledger.used("system far") / UNIT


@pytest.mark.parametrize(("api", "said"), [("openai", openai), ("anthropic", anthropic)])
def test_an_answer_comes_in_pieces_and_is_billed_as_counted(tmp_path: Path, api: str, said: Any) -> None:
    with serving(said("Well", ", ünï", "\n\nyes.")) as (url, bodies):
        pieces, answer, cost = hear(url, tmp_path, api=api)
    assert pieces == ["Well", ", ünï", "\n\nyes."]
    assert (answer.finish, answer.tokens) == ("eot", 7)
    assert cost == pytest.approx((10 * 1e3 + 7 * 2e3) / 1e6)
    assert bodies[0]["stream"] is True


def test_without_a_count_all_that_was_set_aside_is_spent(tmp_path: Path) -> None:
    with serving(openai("Yes", reason="length", usage=False)) as (url, _):
        _, answer, cost = hear(url, tmp_path, max_tokens=1000)
    assert answer.finish == "length"
    assert 2.0 < cost < 2.4


@pytest.mark.parametrize(
    ("lines", "status", "said"),
    [
        (openai("Half", reason=None, usage=False), 200, "broke off"),
        (['data: {"error": {"message": "too busy"}}'], 200, "too busy"),
        (["data: [1]", "data: {", "garbage"], 200, "broke off"),
        (['{"error": {"message": "no such model"}}'], 404, "no such model"),
    ],
)
def test_a_bad_end_is_one_line(tmp_path: Path, lines: list[str], status: int, said: str) -> None:
    with serving(lines, status) as (url, _), pytest.raises(ModelError, match=said) as caught:
        hear(url, tmp_path)
    assert "\n" not in str(caught.value)


def test_no_server_and_no_budget_are_one_line_and_cost_nothing(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no answer, or it broke off"):
        hear("http://127.0.0.1:9", tmp_path)
    with Ledger(tmp_path / "ledger.db") as ledger:
        assert ledger.used("system far") == 0
    with pytest.raises(ModelError, match=r"nothing was sent\. Raise its budget"):
        hear("http://127.0.0.1:9", tmp_path, budget=0.1)


def test_chat_goes_on_over_turns_and_after_a_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import io
    import sys

    with serving(openai("Yes", ", indeed.")) as (url, bodies):
        (tmp_path / "recipe.toml").write_text(
            f'[systems.far]\nkind = "endpoint"\n[systems.far.endpoint]\nbase_url = "{url}"\nmodel = "m"\n'
            "input_price = 1e3\noutput_price = 1\nbudget = 0.36\nmax_tokens = 3\n"
        )
        monkeypatch.setattr(sys, "stdin", io.StringIO("One?\nTwo?\n" + "x" * 999 + "\n"))
        talk.talk(Study(tmp_path), "far", None)
    shown = capsys.readouterr()
    assert shown.out == "Yes, indeed.\nYes, indeed.\n"
    assert [turn["content"] for turn in bodies[1]["messages"]] == ["One?", "Yes, indeed.", "Two?"]
    assert "far. /new starts over" in shown.err
    assert "the budget of 0.36 could be passed" in shown.err
