"""Drafts and their versions as rows: what is read from the tables, and how a version is stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, insert, select

from limakit.author.turns import packed, unpacked
from limakit.errors import InputError
from limakit.records import Turn
from limakit.store.people_drafts import draft_events, draft_versions, drafts

State = Literal["draft", "submitted", "accepted", "dropped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One example in one of its versions."""

    id: str
    author: str
    state: State
    version: int
    turns: tuple[Turn, ...]
    category: str
    origin: str | None
    changed: float
    hands: frozenset[str]
    """Everybody who wrote in it."""
    note: str = ""
    """What was said with the last change of state."""
    decided_by: str | None = None
    """Who accepted it."""
    created: float = 0.0

    @property
    def prompt(self) -> str:
        """Its first turn."""
        return self.turns[0].content if self.turns else ""

    def objection(self) -> str | None:
        """Why it cannot be submitted yet, or None."""
        if len(self.turns) < 2 or len(self.turns) % 2:
            return "an example ends with an answer: write one"
        blank = next((at for at, turn in enumerate(self.turns) if not turn.content.strip()), None)
        if blank is None:
            return None
        return "the prompt is empty" if blank == 0 else f"turn {blank + 1} is empty"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One text in a draft's history."""

    number: int
    person: str
    turns: tuple[Turn, ...]
    category: str
    beside: bool
    stored: float


def last_version(connection: Connection, number: str) -> Version:
    """The version stored last, also one that was kept beside."""
    row = connection.execute(
        select(draft_versions).where(draft_versions.c.draft == number).order_by(draft_versions.c.number.desc()).limit(1)
    ).one()
    return version_of(row)


def version_of(row: Any) -> Version:
    """A row of `draft_versions`."""
    return Version(
        number=row.number,
        person=row.person,
        turns=unpacked(row.messages),
        category=row.category,
        beside=row.beside,
        stored=row.stored,
    )


def find_draft(connection: Connection, number: str) -> Draft:
    """The draft. Raises InputError where there is none."""
    found = select_drafts(connection, drafts.c.id == number)
    if not found:
        raise InputError("there is no such draft", where=number[:40], fix="Go back to the list of drafts.")
    return found[0]


def select_drafts(connection: Connection, which: Any) -> list[Draft]:
    """Drafts for which a condition on their table holds, the last changed first."""
    chosen = select(drafts, draft_versions.c.messages, draft_versions.c.category).join(
        draft_versions, (draft_versions.c.draft == drafts.c.id) & (draft_versions.c.number == drafts.c.version)
    )
    rows = connection.execute(chosen.where(which).order_by(drafts.c.changed.desc(), drafts.c.id)).all()
    hands: dict[str, set[str]] = {}
    for draft, person in connection.execute(
        select(draft_versions.c.draft, draft_versions.c.person)
        .join(drafts, drafts.c.id == draft_versions.c.draft)
        .where(which)
        .distinct()
    ):
        hands.setdefault(draft, set()).add(person)
    events = {
        row.draft: row
        for row in connection.execute(
            select(draft_events)
            .join(drafts, drafts.c.id == draft_events.c.draft)
            .where(which)
            .order_by(draft_events.c.seq)
        )
    }
    found = []
    for row in rows:
        event = events.get(row.id)
        found.append(
            Draft(
                id=row.id,
                author=row.author,
                state=row.state,
                version=row.version,
                turns=unpacked(row.messages),
                category=row.category,
                origin=row.origin,
                changed=row.changed,
                created=row.created,
                hands=frozenset(hands[row.id]),
                note=event.note if event else "",
                decided_by=event.person if event and event.state == "accepted" else None,
            )
        )
    return found


def add_version(
    connection: Connection,
    draft: str,
    number: int,
    person: str,
    turns: Sequence[Turn],
    category: str,
    *,
    beside: bool,
    now: float,
) -> None:
    """Store a version."""
    connection.execute(
        insert(draft_versions).values(
            draft=draft,
            number=number,
            person=person,
            messages=packed(turns),
            category=category[:64],
            beside=beside,
            stored=now,
        )
    )
