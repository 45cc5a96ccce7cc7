"""The layouts of public instruction data: how each is recognised, and the turns in one record.

- messages: `{"messages": [{"role", "content"}, …]}`, as TRL and the chat interfaces have it
- ShareGPT: `{"conversations": [{"from", "value"}, …]}`
- Alpaca: `{"instruction", "input", "output"}` (https://github.com/tatsu-lab/stanford_alpaca), with earlier exchanges in
  `history`, a list of pairs, as LLaMA-Factory and our own export have it
- Dolly: `{"instruction", "context", "response", "category"}` (databricks-dolly-15k)
- plain: `{"prompt", "response"}`, as a table has it

A turn may name its fields as either of the first two does, and a record of any layout may have a `system` text.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Spoken = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Layout:
    """One layout: the fields that betray it and the turns of a record. `turns` raises ValueError on damage."""

    name: str
    fields: frozenset[str]
    turns: Callable[[Mapping[str, Any]], Spoken]


_SPEAKING = (("role", "content"), ("from", "value"))


def _listed(field: str) -> Callable[[Mapping[str, Any]], Spoken]:
    def turns(row: Mapping[str, Any]) -> Spoken:
        said = row[field]
        if not isinstance(said, list):
            raise ValueError(f"{field} is not a list")
        return [_one(turn) for turn in said]

    return turns


def _one(turn: object) -> tuple[str, str]:
    if isinstance(turn, dict):
        for role, content in _SPEAKING:
            if isinstance(turn.get(role), str) and isinstance(turn.get(content), str):
                return turn[role], turn[content]
    raise ValueError("a turn without text in role and content, or in from and value")


def _plain(row: Mapping[str, Any]) -> Spoken:
    asked, said = row["prompt"], row["response"]
    if not isinstance(asked, str) or not isinstance(said, str):
        raise ValueError("prompt and response are not both text")
    return [("user", asked.strip()), ("assistant", said.strip())]


def _asked(about: str, answer: str) -> Callable[[Mapping[str, Any]], Spoken]:
    def turns(row: Mapping[str, Any]) -> Spoken:
        texts = [row["instruction"], row.get(about) or "", row[answer]]
        if not all(isinstance(text, str) for text in texts):
            raise ValueError(f"instruction, {about} and {answer} are not all text")
        told, more, said = (text.strip() for text in texts)
        return [*_earlier(row), ("user", f"{told}\n\n{more}" if more else told), ("assistant", said)]

    return turns


def _earlier(row: Mapping[str, Any]) -> Spoken:
    """The exchanges before the last one."""
    spoken: Spoken = []
    earlier = row.get("history") or []
    if not isinstance(earlier, list):
        raise ValueError("history is no list of pairs of texts")
    for pair in earlier:
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(text, str) for text in pair):
            raise ValueError("history is no list of pairs of texts")
        spoken += [("user", pair[0]), ("assistant", pair[1])]
    return spoken


def spoken(row: Mapping[str, Any], layout: Layout) -> Spoken:
    """All turns of a record, its `system` text first. Raises ValueError on damage."""
    told = row.get("system")
    if told is not None and not isinstance(told, str):
        raise ValueError("system is no text")
    return [("system", told), *layout.turns(row)] if told and told.strip() else layout.turns(row)


LAYOUTS = (
    Layout("messages", frozenset({"messages"}), _listed("messages")),
    Layout("ShareGPT", frozenset({"conversations"}), _listed("conversations")),
    Layout("Dolly", frozenset({"instruction", "response"}), _asked("context", "response")),
    Layout("Alpaca", frozenset({"instruction", "output"}), _asked("input", "output")),
    Layout("plain", frozenset({"prompt", "response"}), _plain),
)


def layout_of(row: Mapping[str, Any]) -> Layout | None:
    """The first layout whose fields a record has."""
    return next((layout for layout in LAYOUTS if layout.fields <= row.keys()), None)
