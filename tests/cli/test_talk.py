"""`limakit chat`: through a pseudo-terminal as a person meets it, and with a model that attacks the terminal."""

import io
import os
import pty
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from limakit.cli import talk
from limakit.errors import InputError, RecipeError
from limakit.models.sampler import Answer, Request
from limakit.store.study import Study


class Saying:
    """Streams a script's pieces and remembers what it was asked."""

    def __init__(self, *pieces: str | type[BaseException]):
        self._pieces, self.asked = pieces, []

    def stream(self, request: Request, settings: Any, seed: int) -> Generator[str, None, Answer]:
        self.asked.append([turn.content for turn in request.prompt.messages])
        for piece in self._pieces:
            if not isinstance(piece, str):
                raise piece
            yield piece
        return Answer(text="", finish="length", tokens=3, trimmed=5)


def talking(study: Path, monkeypatch: pytest.MonkeyPatch, sampler: Saying, *lines: str, **how: Any) -> None:
    monkeypatch.setattr("limakit.models.local.load_system", lambda folder, kind: sampler)
    monkeypatch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in lines)))
    talk.talk(Study(study), how.get("name"), how.get("epoch"))


def test_turns_build_on_each_other_and_a_new_dialogue_forgets(
    trained_study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sampler = Saying("Yes", ", indeed.")
    talking(trained_study, monkeypatch, sampler, "One?", "", "/help", "Two?", "/new", "Three?", "/quit", "Never?")
    assert sampler.asked == [["One?"], ["One?", "Yes, indeed.", "Two?"], ["Three?"]]
    shown = capsys.readouterr()
    assert shown.out == "Yes, indeed.\n" * 3
    assert shown.err.count("/new starts over") == 2
    assert "the first 5 tokens did not fit, cut at generate.max_new_tokens" in shown.err


def test_what_a_model_writes_cannot_steer_the_terminal(
    trained_study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pieces = [
        "\x1b",
        "]0;owned\x07",
        "\x1b[2J\x9b31m",
        "a\r",
        "\nb",
        "\u202eevil",
        "e" + "\u0301" * 3,
        "\u0301" * 9,
        "\x7f\x08\tok",
    ]
    talking(trained_study, monkeypatch, Saying(*pieces), "Hello")
    shown = capsys.readouterr().out
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", shown)
    assert shown == (
        "⟨U+001B⟩]0;owned⟨U+0007⟩⟨U+001B⟩[2J⟨U+009B⟩31ma\nb⟨U+202E⟩evile" + "\u0301" * 4 + "⟨U+007F⟩⟨U+0008⟩\tok\n"
    )


def test_ctrl_c_stops_the_answer_and_not_the_dialogue(
    trained_study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sampler = Saying("Well", KeyboardInterrupt)
    talking(trained_study, monkeypatch, sampler, "One?", "Two?")
    assert sampler.asked[1] == ["One?", "Well", "Two?"]
    assert "(stopped)" in capsys.readouterr().err


def test_systems_and_epochs(
    trained_study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    talking(trained_study, monkeypatch, Saying(), name="base")
    talking(trained_study, monkeypatch, Saying(), epoch=2)
    assert re.findall(r"^(?:base|tuned, epoch 2)\.", capsys.readouterr().err, re.M) == ["base.", "tuned, epoch 2."]
    with pytest.raises(RecipeError, match="no epochs"):
        talking(trained_study, monkeypatch, Saying(), name="base", epoch=2)
    with pytest.raises(RecipeError, match="base, tuned"):
        talking(trained_study, monkeypatch, Saying(), name="nobody")


def test_in_a_terminal(trained_study: Path) -> None:
    """A real model answers two turns; Ctrl-D leaves."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "limakit", "chat", str(trained_study)]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, close_fds=True)
    os.close(theirs)
    seen = b""
    for number, typed in enumerate((b"How?\n", b"Why?\n", b"\x04"), 1):
        while seen.count(b"> ") < number:
            seen += os.read(ours, 4096)
        os.write(ours, typed)
    assert process.wait(60) == 0
    os.close(ours)
    assert b"tuned, epoch 3" in seen
    assert b"Traceback" not in seen
    assert b"\x1b" not in seen


def test_the_same_questions_get_the_same_answers(
    trained_study: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The real model, twice; on stdout are the answers alone."""
    seen = []
    for _ in range(2):
        monkeypatch.setattr(sys, "stdin", io.StringIO("How bake?\nAnd \udcff?\n"))
        talk.talk(Study(trained_study), None, None)
        seen.append(capsys.readouterr().out)
    assert seen[0] == seen[1]
    assert seen[0].count("\n") >= 2
    assert "/new" not in seen[0]


def test_input_that_is_no_text_is_one_clear_line(trained_study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("limakit.models.local.load_system", lambda folder, kind: Saying())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8"))
    with pytest.raises(InputError, match="not UTF-8"):
        talk.talk(Study(trained_study), None, None)
