"""Turns as files hold them → a dialogue that an example can hold, or why not."""

from collections.abc import Sequence

from limakit.records import Turn

ROLES = {
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "system": "system",
}
"""What layouts call the speakers."""


def dialogue(spoken: Sequence[tuple[str, str]]) -> tuple[Turn, ...] | str:
    """Alternating turns from the user's first to the assistant's last, or what is wrong, in words.

    A system message goes before the user's first words, since examples have two roles; a last turn of the user that
    nobody answers is cut off.
    """
    turns: list[Turn] = []
    before = ""
    for name, text in spoken:
        role, text = ROLES.get(name.strip().lower()), plain(text)
        if role is None:
            return f"speaker {name[:40]!r}"
        if not text and role != "system":
            return "an empty turn"
        if role == "system":
            if turns or before:
                return "a system message within the dialogue"
            before = text
        elif role == "user" and len(turns) % 2 == 0:
            turns.append(Turn(role="user", content=f"{before}\n\n{text}" if before and not turns else text))
        elif role == "assistant" and len(turns) % 2 == 1:
            turns.append(Turn(role="assistant", content=text))
        else:
            return f"two turns of the {role} in a row" if turns else "begins with the assistant"
    if len(turns) % 2:
        turns.pop()
    return tuple(turns) if turns else "no answer"


def plain(text: str) -> str:
    """The text with plain line ends and without white space around it."""
    return text.replace("\r\n", "\n").replace("\r", "\n").strip()
