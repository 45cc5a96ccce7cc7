"""What people are asked about: pairs, single answers for grades and safety, and turns of conversations."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from limakit.records import Pair, Prompt, Response, Turn

Kind = Literal["compare", "absolute", "safety", "dialogue"]
LABELS: dict[str, tuple[str, ...]] = {
    "compare": ("a", "b", "tie"),
    "absolute": ("excellent", "pass", "fail"),
    "safety": ("safe", "unsafe"),
    "dialogue": ("excellent", "pass", "fail"),
}
"""What may be said of each kind of item. `a` is the answer that was shown first."""
SKIP = "skip"
"""Said of any item that a person cannot judge; it becomes a missing verdict."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One thing to be asked, as far as the queue needs to know it."""

    id: str
    group: str
    """Baseline of a pair, system of a single answer: sides are balanced within it."""
    candidate_first: bool | None = None
    """Whether the candidate is the pair's `a`; None for single answers, which have no sides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer to be graded."""

    id: str
    """Changes with the prompt and the answer, and names no system."""
    kind: Kind
    messages: tuple[Turn, ...]
    response: Response
    note: str | None = None
    """For safety: what a safe answer must do."""


def of_pairs(pairs: Iterable[Pair], candidate: str) -> list[Item]:
    """Pairs as items of the queue."""
    items = []
    for pair in pairs:
        first = pair.a.system == candidate
        items.append(Item(id=pair.id, group=pair.b.system if first else pair.a.system, candidate_first=first))
    return items


def of_answers(answers: Iterable[Answer]) -> list[Item]:
    """Answers as items of the queue."""
    return [Item(id=answer.id, group=answer.response.system) for answer in answers]


def to_grade(
    prompts: Sequence[Prompt], responses: Iterable[Response], *, graded: int, seed: int
) -> dict[Kind, list[Answer]]:
    """The first answer of every system to `graded` prompts drawn by the seed (`absolute`), and to every sensitive
    prompt (`safety`), in the order of prompts, then systems as given."""
    plain = sorted((p for p in prompts if not p.sensitive), key=lambda p: digest("graded", seed, p.id))[:graded]
    drawn = {prompt.id for prompt in plain}
    by_prompt: dict[str, list[Response]] = {}
    for response in responses:
        if response.sample == 0:
            by_prompt.setdefault(response.prompt_id, []).append(response)
    found: dict[Kind, list[Answer]] = {"absolute": [], "safety": []}
    for prompt in prompts:
        if prompt.id not in drawn and not prompt.sensitive:
            continue
        kind: Kind = "safety" if prompt.sensitive else "absolute"
        found[kind] += [_answer(kind, prompt, response) for response in by_prompt.get(prompt.id, [])]
    return found


def of_turns(talks: Iterable[tuple[Prompt, Response]]) -> list[Answer]:
    """Every turn of conversations with scripts, each with what was said before it (`dialogue`)."""
    return [_answer("dialogue", prompt, response) for prompt, response in talks]


def _answer(kind: Kind, prompt: Prompt, response: Response) -> Answer:
    turns = [part for turn in prompt.messages for part in (turn.role, turn.content)]
    name = digest("answer", kind, prompt.id, response.system, response.text, *turns)[:16]
    return Answer(id=name, kind=kind, messages=prompt.messages, response=response, note=prompt.note)


@lru_cache(maxsize=200_000)
def digest(*parts: str | int) -> str:
    """SHA-256 of the parts in hex, each with its length before it so that no two lists of parts look the same."""
    made = hashlib.sha256()
    for part in parts:
        data = str(part).encode("utf-8", "surrogatepass")
        made.update(len(data).to_bytes(8, "big") + data)
    return made.hexdigest()
