"""What a model judge is asked: its instructions from a file, the material filled in, and the one line that counts.

An instruction file has two parts with a line `---` between them: what the judge is told about its task, and the
message with the material. `{{prompt}}`, `{{answer_a}}` and `{{answer_b}}` (or `{{answer}}`, `{{note}}`) stand for the
marked blocks, `{{nonce}}` for their code.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

from limakit.errors import InputError
from limakit.judge.neutral import block, code
from limakit.models.wire import Call, Failure, Reply
from limakit.records import Turn

T = TypeVar("T")
Task = Literal["pairwise", "likert", "absolute", "safety"]

PROMPTS = Path(__file__).parent / "prompts"
REASONS = 600
"""Characters of a judge's reasons that are kept with what it said; all of them are in the ledger."""
_NEEDED = {"pairwise": {"prompt", "answer_a", "answer_b", "nonce"}}
_NEEDED |= {task: {"prompt", "answer", "nonce"} for task in ("likert", "absolute", "safety")}
_FIELD = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Form:
    """A judge's instructions."""

    system: str
    user: str


@dataclass(frozen=True, slots=True)
class Question:
    """A form filled in."""

    call: Call
    nonce: str

    def read(self, reply: str, labels: Mapping[str, T]) -> T | None:
        """What the reply's last line says, or None where it is not a verdict with this question's code.

        Only the last line that is not blank counts, whole: `VERDICT`, the code, a colon, one of `labels` (in capitals
        or not), a full stop or Markdown's `*` and backticks around it at most.
        """
        lines = [line for line in reply.splitlines() if line.strip()]
        last = re.sub(r"[*`]", "", lines[-1]).strip(" \t") if lines else ""
        found = re.fullmatch(rf"VERDICT {self.nonce}:[ \t]*([A-Z0-9 ,]{{1,40}}?)\.?", last, re.IGNORECASE | re.ASCII)
        words = found.group(1).replace(",", " ").split() if found else []
        return labels.get(" ".join(words).upper())


def load_form(task: Task, path: Path | None = None) -> Form:
    """The instructions for a task: limakit's own, or the file at `path`.

    Raises InputError where a part or a field is missing or a field is not known.
    """
    where = PROMPTS / f"{task}.md" if path is None else path
    try:
        text = where.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the judge's instructions cannot be read: {error}", where=where) from None
    parts = re.split(r"^---[ \t]*$", text, maxsplit=1, flags=re.MULTILINE)
    if len(parts) != 2 or not all(part.strip() for part in parts):
        raise InputError("two parts with a line --- between them are needed", where=where, fix="See docs/judges.md.")
    known = _NEEDED[task] | ({"note"} if task == "safety" else set())
    found = set(_FIELD.findall(text))
    for wrong, what in ((found - known, "is not known"), (_NEEDED[task] - set(_FIELD.findall(parts[1])), "is missing")):
        if wrong:
            name = sorted(wrong)[0]
            raise InputError(f"the field {{{{{name}}}}} {what} for task {task!r}", where=where, fix="docs/judges.md")
    return Form(parts[0].strip(), parts[1].strip())


def ask(form: Form, seed: int, turns: tuple[Turn, ...], shown: Mapping[str, str]) -> Question:
    """Fill in a form: `turns` is the request, `shown` maps field names to the other texts.

    Fields are filled in one pass, so that nothing in a text is taken for a field.
    """
    nonce = code(seed, *(part for turn in turns for part in (turn.role, turn.content)), *shown.values())
    request = "\n\n".join(block(f"REQUEST, {turn.role.upper()}", turn.content, nonce) for turn in turns)
    values = {name: block(name.upper().replace("_", " "), text, nonce) for name, text in shown.items()}
    values |= {"prompt": request, "nonce": nonce}

    def fill(part: str) -> str:
        return _FIELD.sub(lambda found: values[found.group(1)], part)

    user = Turn(role="user", content=fill(form.user))
    return Question(Call(system=fill(form.system), turns=(user,)), nonce)


def hear(question: Question, end: Reply | Failure, labels: Mapping[str, T]) -> tuple[T | None, str, str]:
    """What a judge said: its label and reasons, or None with the kind of failure and a detail."""
    if isinstance(end, Failure):
        return None, end.kind, end.detail
    lines = [line for line in end.text.splitlines() if line.strip()]
    label = question.read(end.text, labels)
    if label is None:
        return None, "unparseable", f"the last line is no verdict: {_short(''.join(lines[-1:]))}"
    return label, "", _short(" ".join(lines[:-1]))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text[:REASONS] + (" …" if len(text) > REASONS else "")
