"""Pairs out to other annotation tools, votes from there into the study."""

import re
import uuid
from pathlib import Path
from typing import Literal

import orjson

from limakit.annotate import exchange
from limakit.annotate.queue import Slot
from limakit.annotate.verdicts import Said, gather
from limakit.errors import InputError, StudyError, typed
from limakit.pipeline.annotating import material
from limakit.store import files, members, votes
from limakit.store.people import People
from limakit.store.study import Study
from limakit.store.votes import Ballot

Layout = Literal["label-studio", "argilla", "csv"]
_SPACE = uuid.UUID("6f1d1c52-6d0f-4c39-9a6e-4f0f7b1f8f50")


def export(study: Study, people: People, layout: Layout, target: Path) -> int:
    """Write the pairs for a tool, or the votes as CSV, to a new file. Returns how many.

    Raises StudyError where there are no pairs yet, InputError where the file is there already.
    """
    if target.exists():
        raise InputError("is there already", where=target, fix="Name a new file.")
    there = material(study)
    if not there.pairs:
        raise StudyError(
            "the answers are not paired yet", where=study.root, fix=f"Run: limakit judge {typed(study.root)}"
        )
    if layout == "csv":
        with people.read() as connection:
            rows = votes.outcome(connection)
        said = [Said(**{name: row[name] for name in Said.__slots__}) for row in rows]
        verdicts = gather(said, there.pairs, there.answers).verdicts
        files.publish_text(target, exchange.to_csv(verdicts))
        return len(verdicts)
    made = (exchange.to_argilla if layout == "argilla" else exchange.to_label_studio)(there.pairs)
    files.publish(target, orjson.dumps(made, option=orjson.OPT_INDENT_2) + b"\n")
    return len(made)


def take_in(study: Study, people: People, source: Path, now: float) -> dict[str, int]:
    """Store the votes of an export as votes of people here; the same file again adds nothing. Returns counts:
    votes = stored + known + outdated (pairs that are not in the study) + later (a second vote of one person on a pair).

    People are called `import-<name>`. Raises InputError where the file is no export.
    """
    try:
        found = exchange.read(files.read_json(source), source)
    except FileNotFoundError:
        raise InputError("no such file", where=source, fix="Name a JSON export of Argilla or Label Studio.") from None
    pairs = {pair.id for pair in material(study).pairs}
    counts = {"votes": len(found), "stored": 0, "known": 0, "outdated": 0, "later": 0}
    by_person: dict[str, dict[str, str]] = {}
    for vote in found:
        mine = by_person.setdefault(_name(vote.person), {})
        if vote.pair_id not in pairs:
            counts["outdated"] += 1
        elif vote.pair_id in mine:
            counts["later"] += 1
        else:
            mine[vote.pair_id] = vote.label
    with people.write() as connection:
        for person, said in by_person.items():
            members.enter(connection, person, now)
            had = {slot.item for slot in votes.queue(connection, person, "compare")}
            fresh = [item for item in said if item not in had]
            votes.assign(connection, person, "compare", len(had), [Slot(item=item) for item in fresh], now)
            places = {slot.item: slot.id for slot in votes.queue(connection, person, "compare")}
            ballots = [
                (
                    person,
                    Ballot(
                        id=str(uuid.uuid5(_SPACE, f"{person}/{item}")),
                        kind="compare",
                        assignment=places[item],
                        label=said[item],
                        after=None,
                    ),
                )
                for item in fresh
            ]
            votes.append(connection, ballots, now)
            counts["stored"] += len(fresh)
            counts["known"] += len(said) - len(fresh)
    return counts


def _name(person: str) -> str:
    """A name of ours from what a tool calls a person; of an e-mail address only the part before the @."""
    plain = re.sub(r"[^a-z0-9._-]+", "-", person.split("@")[0].lower()).strip("-._")
    return f"import-{plain or 'unknown'}"[:32]
