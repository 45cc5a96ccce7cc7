"""What people wrote and decided, as files of the study that curation reads.

Published before the person is told that it is done, so that whatever was acknowledged is in the file. One lock, because
two publications at once could leave the older one on disk.
"""

import threading
from pathlib import Path

from limakit.author import decisions, drafts
from limakit.store import decisions as decision_file
from limakit.store import files
from limakit.store.people import People

AUTHORED = "studio/authored.jsonl"
"""Accepted examples; a source of kind `authored` reads them."""
_publishing = threading.Lock()


def publish_decisions(people: People, root: Path) -> None:
    """Write `studio/decisions.jsonl` as the database has it now."""
    with _publishing:
        found = decisions.as_records(list(decisions.current(people).values()))
        if found or (root / decision_file.FILE).exists():
            decision_file.save(root, found)


def publish_authored(people: People, root: Path) -> int:
    """Write `studio/authored.jsonl` as the database has it now; how many examples that are."""
    with _publishing:
        accepted = drafts.all_drafts(people, "accepted")
        path = root / AUTHORED
        if accepted or path.exists():
            files.write_jsonl(path, drafts.examples(accepted))
        return len(accepted)
