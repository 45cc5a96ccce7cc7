"""What people were asked and what they said: assignments, and votes as events that are only ever appended.

A page sends each vote with an id of its own making and again until it is acknowledged; the id is stored once. It also
says which earlier vote on the item it knew of. Where another tab has voted meanwhile and said something else, the new
vote is kept but does not count: it is in conflict until the person settles it, by a vote that knows of the one that
counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update
from sqlalchemy.dialects.postgresql import insert as insert_or_ignore_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_or_ignore_sqlite

from limakit.store.people_schema import assignments, votes

FRESH_SECONDS = 3600.0
"""An item that was handed out and not voted on counts as taken for so long; then somebody else may get it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """One item in a person's queue, with the vote that counts."""

    id: int
    position: int
    item: str
    flipped: bool
    repeats: int | None
    head: str | None
    label: str | None
    """None where there is no vote, or it was withdrawn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A vote as it comes in."""

    id: str
    kind: str
    """Of the assignment, so that a label of another kind is never stored for it."""
    assignment: int
    label: str | None
    """None withdraws the vote before."""
    after: str | None
    """Id of the vote on this assignment that the page knew of."""
    milliseconds: int | None = None
    """From painting the item to the key."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of a ballot. It is on the disk once the transaction has ended."""

    id: str
    state: str
    """`stored`; `conflict`, where it is stored and does not count; `unknown`, where the assignment is not this
    person's, or of another kind, and nothing was stored."""
    head: str | None = None
    """The vote that counts for the assignment now, and its label."""
    label: str | None = None


def queue(connection: Connection, person: str, kind: str) -> list[Assigned]:
    """All that a person was asked of one kind, in order."""
    columns = (assignments.c[name] for name in ("id", "position", "item", "flipped", "repeats", "head", "label"))
    rows = connection.execute(
        select(*columns)
        .where(assignments.c.person == person, assignments.c.kind == kind)
        .order_by(assignments.c.position)
    )
    return [Assigned(**row) for row in rows.mappings().all()]


def coverage(connection: Connection, kind: str, now: float) -> dict[str, int]:
    """How many people have each item: voted, or handed out a short time ago. Repetitions do not count."""
    taken = or_(assignments.c.label.is_not(None), assignments.c.created > now - FRESH_SECONDS)
    rows = connection.execute(
        select(assignments.c.item, func.count().label("people"))
        .where(assignments.c.kind == kind, assignments.c.repeats.is_(None), taken)
        .group_by(assignments.c.item)
    )
    return {row.item: row.people for row in rows.all()}


def assign(connection: Connection, person: str, kind: str, start: int, slots: Sequence[Any], now: float) -> None:
    """Append slots (with `item`, `flipped`, `repeats`) to a person's queue from position `start` on."""
    if slots:
        connection.execute(
            insert(assignments),
            [
                {
                    "person": person,
                    "kind": kind,
                    "position": start + n,
                    "item": slot.item,
                    "flipped": slot.flipped,
                    "repeats": slot.repeats,
                    "created": now,
                }
                for n, slot in enumerate(slots)
            ],
        )


def append(connection: Connection, ballots: Sequence[tuple[str, Ballot]], now: float) -> list[Receipt]:
    """Store (person, ballot) in the order given, each once however often it comes; one receipt for each."""
    wanted = {ballot.assignment for _, ballot in ballots}
    rows = connection.execute(
        select(*(assignments.c[name] for name in ("id", "person", "kind", "head", "label")))
        .where(assignments.c.id.in_(wanted))
        .order_by(assignments.c.id)
        .with_for_update()
    )
    known = {row.id: [(row.person, row.kind), row.head, row.label] for row in rows}
    stored = connection.execute(
        select(votes.c.id, votes.c.conflict).where(votes.c.id.in_({ballot.id for _, ballot in ballots}))
    )
    before = {row.id: row.conflict for row in stored}
    new, changed, receipts = [], {}, []
    for person, ballot in ballots:
        place = known.get(ballot.assignment)
        if place is None or place[0] != (person, ballot.kind):
            receipts.append(Receipt(ballot.id, "unknown"))
            continue
        if ballot.id not in before:
            before[ballot.id] = conflict = ballot.after != place[1] and ballot.label != place[2]
            new.append(
                {
                    "id": ballot.id,
                    "assignment": ballot.assignment,
                    "person": person,
                    "label": ballot.label,
                    "after": ballot.after,
                    "conflict": conflict,
                    "milliseconds": ballot.milliseconds,
                    "stored": now,
                }
            )
            if not conflict:
                place[1:] = [ballot.id, ballot.label]
                changed[ballot.assignment] = {"key": ballot.assignment, "head": ballot.id, "label": ballot.label}
        state = "conflict" if before[ballot.id] else "stored"
        receipts.append(Receipt(ballot.id, state, place[1], place[2]))
    if new:
        connection.execute(_insert_once(connection), new)
    if changed:
        statement = update(assignments).where(assignments.c.id == bindparam("key"))
        connection.execute(statement.values(head=bindparam("head"), label=bindparam("label")), list(changed.values()))
    return receipts


def _insert_once(connection: Connection) -> Any:
    dialect = insert_or_ignore_sqlite if connection.dialect.name == "sqlite" else insert_or_ignore_postgresql
    return dialect(votes).on_conflict_do_nothing(index_elements=["id"])


def conflicts(connection: Connection, person: str | None = None) -> list[dict[str, Any]]:
    """Votes in conflict that nobody has settled: vote, assignment, person, kind, label; and head and kept, the vote
    that counts and its label."""
    head = votes.alias()
    statement = (
        select(
            votes.c.id.label("vote"),
            votes.c.assignment,
            votes.c.person,
            assignments.c.kind,
            votes.c.label,
            assignments.c.head,
            assignments.c.label.label("kept"),
        )
        .join(assignments, assignments.c.id == votes.c.assignment)
        .outerjoin(head, head.c.id == assignments.c.head)
        .where(votes.c.conflict, votes.c.seq > func.coalesce(head.c.seq, 0))
        .order_by(votes.c.seq)
    )
    if person is not None:
        statement = statement.where(votes.c.person == person)
    return [dict(row) for row in connection.execute(statement).mappings()]


def outcome(connection: Connection) -> list[dict[str, Any]]:
    """Every assignment with a vote that counts: person, kind, position, item, flipped, repeats, label, milliseconds,
    stored; in the order of people, kinds and positions."""
    columns = (assignments.c[name] for name in ("person", "kind", "position", "item", "flipped", "repeats", "label"))
    rows = connection.execute(
        select(*columns, votes.c.milliseconds, votes.c.stored)
        .join(votes, votes.c.id == assignments.c.head)
        .where(assignments.c.label.is_not(None))
        .order_by(assignments.c.person, assignments.c.kind, assignments.c.position)
    )
    return [dict(row) for row in rows.mappings()]
