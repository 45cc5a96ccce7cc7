"""Turns as people send them and as the database keeps them."""

from collections.abc import Sequence

import orjson

from limakit.errors import InputError
from limakit.records import Turn

LONGEST = 60_000
"""Characters of one turn."""
MOST_TURNS = 40


def checked(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Alternating turns, the user first, with plain line ends and nothing that UTF-8 has not. Raises InputError."""
    if not turns or any(turn.role != ("assistant" if at % 2 else "user") for at, turn in enumerate(turns)):
        raise InputError(
            "turns do not alternate between user and assistant, beginning with the user", fix="Mend their order."
        )
    if len(turns) > MOST_TURNS:
        raise InputError(f"a dialogue of more than {MOST_TURNS} turns", fix="Divide it into several.")
    if any(len(turn.content) > LONGEST for turn in turns):
        raise InputError(f"a turn of more than {LONGEST:,} characters", fix="Shorten it.")
    return tuple(Turn(role=turn.role, content=_plain(turn.content)) for turn in turns)


def packed(turns: Sequence[Turn]) -> str:
    """JSON for a row."""
    return orjson.dumps(list(turns)).decode()


def unpacked(messages: str) -> tuple[Turn, ...]:
    """Turns from the JSON in a row."""
    return tuple(Turn(role=turn["role"], content=turn["content"]) for turn in orjson.loads(messages))


def _plain(text: str) -> str:
    """PostgreSQL stores no zero bytes, and nobody a lone surrogate."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return text.encode("utf-8", "replace").decode()
