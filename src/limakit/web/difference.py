"""What changed between two texts, word by word."""

import difflib
import re
from collections.abc import Sequence
from itertools import zip_longest
from typing import Literal

from limakit.records import Turn

Piece = tuple[Literal["same", "new", "gone"], str]
_PART = re.compile(r"\s+|\w+|[^\w\s]")
MOST = 6000
"""Words from which only whole lines are compared."""


def pieces(before: str, after: str) -> list[Piece]:
    """The later text with what was taken out and put in, in order."""
    old, new = _PART.findall(before), _PART.findall(after)
    if len(old) + len(new) > MOST:
        old, new = before.splitlines(keepends=True), after.splitlines(keepends=True)
    found: list[Piece] = []
    for kind, i, j, k, n in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind == "equal":
            found.append(("same", "".join(old[i:j])))
            continue
        if i < j:
            found.append(("gone", "".join(old[i:j])))
        if k < n:
            found.append(("new", "".join(new[k:n])))
    return found


def turns(before: Sequence[Turn], after: Sequence[Turn]) -> list[tuple[str, list[Piece]]]:
    """Role and changes of every turn; a turn that one side has not counts as empty there."""
    return [
        ((new or old).role, pieces(old.content if old else "", new.content if new else ""))  # type: ignore[union-attr]
        for old, new in zip_longest(before, after)
    ]
