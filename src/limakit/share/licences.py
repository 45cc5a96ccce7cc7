"""Which licences may leave the house."""

import re
from collections.abc import Sequence

from limakit.records import Provenance


def objection(posts: Sequence[Provenance], refused: Sequence[str]) -> str | None:
    """Why an example of these posts must not be exported, or None: each needs a licence that nobody refuses."""
    if not posts or not all(post.licence for post in posts):
        return "no licence stated"
    for post in posts:
        if found := refuses(post.licence, refused):
            return f"refused licence {found}"
    return None


def refuses(licence: str | None, refused: Sequence[str]) -> str | None:
    """The licence, or the part of it after `;`, that begins as one of the refused ones does; else None.

    `CC BY-NC` refuses `CC BY-NC-SA 3.0` and not `CC BY 4.0`; spaces, hyphens and letter case play no part.
    """
    for part in (licence or "").split(";"):
        words = _words(part)
        if any(words[: len(begin)] == begin for begin in map(_words, refused) if begin):
            return part.strip()
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"\w+(?:\.\w+)*", text.lower())
