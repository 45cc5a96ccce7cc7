"""What people decided on candidates, in `studio/decisions.jsonl`: an input of curation, written by the studio.

One line a candidate, by Id, so that the same decisions are the same bytes. The studio's database holds the history.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from limakit.records import Turn, record
from limakit.store import files

FILE = "studio/decisions.jsonl"


@record
class Decision:
    """The word that counts on one candidate."""

    id: str
    """Of the candidate."""
    decision: Literal["accept", "reject", "edit"]
    """`accept` keeps it in training, `edit` does too and replaces its text, `reject` keeps it out."""
    person: str
    decided: str
    """ISO 8601, UTC."""
    messages: tuple[Turn, ...] = ()
    """The dialogue as edited."""
    note: str = ""


def load(root: Path) -> list[Decision]:
    """The decisions of a study; none where nobody has decided. Raises InputError where the file is damaged."""
    path = root / FILE
    return files.read_jsonl(path, Decision) if path.exists() else []


def save(root: Path, decisions: Iterable[Decision]) -> None:
    """Publish the decisions."""
    files.write_jsonl(root / FILE, sorted(decisions, key=lambda decision: decision.id))
