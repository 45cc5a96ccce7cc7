"""`limakit chat`: a dialogue in the terminal, streamed. What the model writes is shown, never obeyed."""

import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Protocol

from limakit.errors import InputError, ModelError
from limakit.models.sampler import Answer, Request
from limakit.pipeline.model_judging import LEDGER
from limakit.pipeline.systems import Found, Remote, find
from limakit.recipe import Generate
from limakit.records import Prompt, Turn
from limakit.report.untrusted import visible
from limakit.store.study import Study

HELP = "/new starts over, /quit (or Ctrl-D) leaves, Ctrl-C stops an answer."


class Partner(Protocol):
    """Whoever answers, here or on a server."""

    def stream(self, request: Request, settings: Generate, seed: int) -> Generator[str, None, Answer]:
        """Yield one answer piece by piece and return it whole."""
        ...


def talk(study: Study, name: str | None, epoch: int | None) -> None:
    """Ask on stdin, answer on stdout, until the input ends. Everything else goes to stderr."""
    recipe = study.recipe
    system = find(study, name or recipe.compare.candidate, epoch)
    place = f"{system.name}, epoch {system.epoch}" if isinstance(system, Found) and system.epoch else system.name
    with _open(study, system) as partner:
        _tell(f"{place}. {HELP}")
        _converse(partner, recipe.generate, recipe.seed)


@contextmanager
def _open(study: Study, system: Found | Remote) -> Iterator[Partner]:
    """The system, ready to be asked; a server's answers go through the study's ledger."""
    if isinstance(system, Found):
        from limakit.models.local import load_system

        yield load_system(system.folder, system.kind)
        return
    from limakit.models.speaker import Speaker
    from limakit.store.ledger import Ledger

    with Ledger(study.path(LEDGER)) as ledger:
        yield Speaker(system.endpoint, ledger, system.account)


def _converse(partner: Partner, settings: Generate, seed: int) -> None:
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
            try:
                answer = _answer(partner, messages, settings, seed)
            except ModelError as error:
                messages.pop()
                _tell(f"({error})")
                continue
            messages.append(Turn(role="assistant", content=answer))


def _answer(sampler: Partner, messages: list[Turn], settings: Generate, seed: int) -> str:
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
    except ModelError:
        sys.stdout.write("\n" if text else "")
        raise
    except KeyboardInterrupt:
        stream.close()
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
