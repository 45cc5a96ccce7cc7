"""`limakit chat`: a dialogue in the terminal, streamed. What the model writes is shown, never obeyed."""

import sys
from typing import TYPE_CHECKING

from limakit.errors import InputError
from limakit.models.sampler import Request
from limakit.pipeline.systems import find
from limakit.recipe import Generate
from limakit.records import Prompt, Turn
from limakit.report.untrusted import visible
from limakit.store.study import Study

if TYPE_CHECKING:
    from limakit.models.local import LocalSampler

HELP = "/new starts over, /quit (or Ctrl-D) leaves, Ctrl-C stops an answer."


def talk(study: Study, name: str | None, epoch: int | None) -> None:
    """Ask on stdin, answer on stdout, until the input ends. Everything else goes to stderr."""
    recipe = study.recipe
    system = find(study, name or recipe.compare.candidate, epoch)
    from limakit.models.local import load_system

    sampler = load_system(system.folder, system.kind)
    place = f"{system.name}, epoch {system.epoch}" if system.epoch else system.name
    _tell(f"{place}. {HELP}")
    messages: list[Turn] = []
    while (line := _ask()) is not None:
        if line == "/quit":
            return
        if line == "/new":
            messages = []
            _tell("A new dialogue.")
        elif line.startswith("/"):
            _tell(HELP)
        elif line.strip():
            messages.append(Turn(role="user", content=line))
            answer = _answer(sampler, messages, recipe.generate, recipe.seed)
            messages.append(Turn(role="assistant", content=answer))


def _answer(sampler: "LocalSampler", messages: list[Turn], settings: Generate, seed: int) -> str:
    """Show one answer as it comes and return its text: all of it, or what came before Ctrl-C."""
    request = Request(prompt=Prompt(id=f"chat-{len(messages)}", messages=tuple(messages)))
    stream = sampler.stream(request, settings, seed)
    text, shown = "", ""
    try:
        while True:
            text += next(stream)
            # Made harmless as a whole and not piece by piece: a carriage return or an accent may end a piece.
            safe = visible(text)
            sys.stdout.write(safe[len(shown) :])
            sys.stdout.flush()
            shown = safe
    except StopIteration as end:
        sys.stdout.write("\n")
        notes = [f"the first {end.value.trimmed:,} tokens did not fit"] if end.value.trimmed else []
        notes += ["cut at generate.max_new_tokens"] if end.value.finish == "length" else []
        if notes:
            _tell(f"({', '.join(notes)})")
    except KeyboardInterrupt:
        sys.stdout.write("\n")
        _tell("(stopped)")
    sys.stdout.flush()
    return text


def _ask() -> str | None:
    """The next line from the person, None at the end of the input."""
    if sys.stdin.isatty():
        sys.stderr.write("> ")
        sys.stderr.flush()
    try:
        line = sys.stdin.readline()
    except UnicodeDecodeError:
        raise InputError("is not UTF-8 text", where="standard input", fix="Set the terminal to UTF-8.") from None
    # A terminal that is not set to UTF-8 hands over bytes as lone surrogates; no tokenizer takes those.
    whole = line.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return whole.rstrip("\r\n") if line else None


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
