"""The layouts of public instruction data: how each is recognised, and the turns in one record.

- messages: `{"messages": [{"role", "content"}, …]}`, as TRL and the chat interfaces have it
- ShareGPT: `{"conversations": [{"from", "value"}, …]}`
- Alpaca: `{"instruction", "input", "output"}` (https://github.com/tatsu-lab/stanford_alpaca)
- Dolly: `{"instruction", "context", "response", "category"}` (databricks-dolly-15k)
- plain: `{"prompt", "response"}`, as a table has it
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


def _listed(field: str, role: str, content: str) -> Callable[[Mapping[str, Any]], Spoken]:
    def turns(row: Mapping[str, Any]) -> Spoken:
        said = row[field]
        if not isinstance(said, list):
            raise ValueError(f"{field} is not a list")
        return [_one(turn, role, content) for turn in said]

    return turns


def _one(turn: object, role: str, content: str) -> tuple[str, str]:
    if not isinstance(turn, dict) or not isinstance(turn.get(role), str) or not isinstance(turn.get(content), str):
        raise ValueError(f"a turn without text in {role} and {content}")
    return turn[role], turn[content]


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
        return [("user", f"{told}\n\n{more}" if more else told), ("assistant", said)]

    return turns


LAYOUTS = (
    Layout("messages", frozenset({"messages"}), _listed("messages", "role", "content")),
    Layout("ShareGPT", frozenset({"conversations"}), _listed("conversations", "from", "value")),
    Layout("Dolly", frozenset({"instruction", "response"}), _asked("context", "response")),
    Layout("Alpaca", frozenset({"instruction", "output"}), _asked("input", "output")),
    Layout("plain", frozenset({"prompt", "response"}), _plain),
)


def layout_of(row: Mapping[str, Any]) -> Layout | None:
    """The first layout whose fields a record has."""
    return next((layout for layout in LAYOUTS if layout.fields <= row.keys()), None)
