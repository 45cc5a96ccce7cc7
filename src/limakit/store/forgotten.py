"""Authors whose posts a study must not hold, remembered in `forgotten.json` as digests of their names and pages."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from limakit.errors import StudyError
from limakit.records import Provenance
from limakit.store import files

FILE = "forgotten.json"


@dataclass(frozen=True, slots=True)
class Forgotten:
    """The digests. A digest does not tell the name, but whoever has a name can test it."""

    digests: frozenset[str] = frozenset()

    def __bool__(self) -> bool:
        return bool(self.digests)

    def covers(self, posts: Iterable[Provenance]) -> bool:
        """Whether one of the posts is by somebody forgotten, by name or by page."""
        return any(
            text is not None and digest(text) in self.digests
            for post in posts
            for text in (post.author, post.author_url)
        )

    def and_also(self, texts: Iterable[str]) -> "Forgotten":
        """With further names or addresses of pages."""
        return Forgotten(self.digests | {digest(text) for text in texts})


def digest(text: str) -> str:
    """SHA-256 of a name or an address, without regard to case, outer white space and a final slash."""
    return hashlib.sha256(" ".join(text.casefold().split()).rstrip("/").encode()).hexdigest()


def load(root: Path) -> Forgotten:
    """What a study remembers. Raises StudyError where the file is damaged, since ignoring it would bring posts back."""
    path = root / FILE
    if not path.exists():
        return Forgotten()
    data = files.read_json(path)
    found = data.get("authors") if isinstance(data, dict) else None
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise StudyError("does not list digests of authors", where=path, fix="Restore it from a copy.")
    return Forgotten(frozenset(found))


def save(root: Path, forgotten: Forgotten) -> None:
    """Remember."""
    files.publish_json(root / FILE, {"authors": sorted(forgotten.digests)})
