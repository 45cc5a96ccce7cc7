"""Examples being written: draft → submitted → accepted by somebody who had no hand in it. Every version is kept.

    draft ──submit──► submitted ──accept──► accepted
      ▲                   │                     │
      └──── send back, take back, open again ───┘

A save says which version it began from. Where that is no longer the newest, the text is kept beside the newest one and
`Conflict` tells of both, so that two tabs or two people never overwrite each other.
"""

import time
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, insert, select, update

from limakit.author.draft_rows import (
    Draft,
    State,
    Version,
    add_version,
    find_draft,
    last_version,
    select_drafts,
    version_of,
)
from limakit.author.turns import checked, packed
from limakit.errors import LimakitError
from limakit.records import Turn
from limakit.store.people import People
from limakit.store.people_drafts import draft_events, draft_versions, drafts

SITE = "studio"
"""Site of the examples, as in `authored/studio/<draft>`."""
SAME_SITTING = 30.0
"""Seconds within which saves as one types are one version."""


class Refused(LimakitError):
    """What was asked for is not this person's to do, or not in this state."""


class Conflict(LimakitError):
    """The draft has a newer version than the page knew: `draft`. `kept` is the number of the text just sent."""

    def __init__(self, draft: Draft, kept: int):
        super().__init__(
            f"version {draft.version} was saved elsewhere meanwhile; yours is kept as version {kept}",
            fix="Compare the two and save the one that you want.",
        )
        self.draft, self.kept = draft, kept


def start(
    people: People, person: str, turns: Sequence[Turn] = (), category: str = "", origin: str | None = None
) -> Draft:
    """A new draft of `person`, empty unless turns are given."""
    turns = checked(turns or (Turn(role="user", content=""), Turn(role="assistant", content="")))
    number, now = str(uuid.uuid4()), time.time()
    with people.write() as connection:
        connection.execute(
            insert(drafts).values(
                id=number, author=person, state="draft", version=1, origin=origin, created=now, changed=now
            )
        )
        add_version(connection, number, 1, person, turns, category, beside=False, now=now)
        return find_draft(connection, number)


def save(people: People, number: str, person: str, turns: Sequence[Turn], category: str, *, base: int) -> Draft:
    """Store the text as a version; saves in one sitting are one. Raises Conflict where `base` is not the newest."""
    turns, now = checked(turns), time.time()
    with people.write() as connection:
        draft = find_draft(connection, number)
        if draft.state != "draft":
            raise Refused(f"this example is {draft.state}", fix="Open it again before you change it.")
        if draft.author != person:
            raise Refused("this is somebody else's draft", fix="Send it back with a note instead.")
        if (turns, category) == (draft.turns, draft.category):
            return draft
        last = last_version(connection, number)
        if base != draft.version:
            if (turns, category) != (last.turns, last.category):
                add_version(connection, number, last.number + 1, person, turns, category, beside=True, now=now)
                last = last_version(connection, number)
            kept = last.number
        else:
            kept = 0
            if (
                last.number == base
                and last.person == person
                and not last.beside
                and _fresh(connection, last, number, now)
            ):
                connection.execute(
                    update(draft_versions)
                    .where(draft_versions.c.draft == number, draft_versions.c.number == base)
                    .values(messages=packed(turns), category=category)
                )
                new = base
            else:
                new = last.number + 1
                add_version(connection, number, new, person, turns, category, beside=False, now=now)
            connection.execute(update(drafts).where(drafts.c.id == number).values(version=new, changed=now))
            draft = find_draft(connection, number)
    if kept:
        raise Conflict(draft, kept)
    return draft


def submit(people: People, number: str, person: str) -> Draft:
    """Ask for a second pair of eyes."""
    return _move(people, number, person, "submitted", allowed=("draft",))


def accept(people: People, number: str, person: str, *, version: int) -> Draft:
    """Take it into the study: only by somebody who had no hand in it, and the very version that they read."""
    return _move(people, number, person, "accepted", allowed=("submitted",), version=version)


def send_back(people: People, number: str, person: str, note: str) -> Draft:
    """To the author again, with a word on why; what was accepted leaves the study's file."""
    return _move(people, number, person, "draft", allowed=("submitted", "accepted"), note=note.strip())


def drop(people: People, number: str, person: str) -> Draft:
    """Put away; its versions stay."""
    return _move(people, number, person, "dropped", allowed=("draft",))


def pick_up(people: People, number: str, person: str) -> Draft:
    """A dropped one again."""
    return _move(people, number, person, "draft", allowed=("dropped",))


def find(people: People, number: str) -> Draft:
    """The draft. Raises InputError where there is none."""
    with people.read() as connection:
        return find_draft(connection, number)


def all_drafts(people: People, *states: State) -> list[Draft]:
    """Drafts in these states, or in all but dropped, the last changed first."""
    with people.read() as connection:
        return select_drafts(connection, drafts.c.state.in_(states or ("draft", "submitted", "accepted")))


def history(people: People, number: str) -> list[Version]:
    """All versions, newest first."""
    with people.read() as connection:
        rows = connection.execute(
            select(draft_versions).where(draft_versions.c.draft == number).order_by(draft_versions.c.number.desc())
        ).all()
    return [version_of(row) for row in rows]


def examples(accepted: Sequence[Draft]) -> list[dict[str, Any]]:
    """Lines that the source `authored` reads, in the order in which they were begun."""
    return [
        {
            "id": draft.id,
            "messages": [{"role": turn.role, "content": turn.content.strip()} for turn in draft.turns],
            "category": draft.category,
            "provenance": [
                {"source": "authored", "site": SITE, "id": draft.id, "author": draft.author, "title": draft.origin}
            ],
            "site": SITE,
        }
        for draft in sorted(accepted, key=lambda draft: (draft.created, draft.id))
    ]


def _move(
    people: People,
    number: str,
    person: str,
    to: State,
    *,
    allowed: Sequence[State],
    note: str = "",
    version: int | None = None,
) -> Draft:
    """Change the state, with an event that says who and why. Asking twice is the same as once."""
    with people.write() as connection:
        draft = find_draft(connection, number)
        if draft.state == to and draft.decided_by in (None, person):
            return draft
        if draft.state not in allowed:
            raise Refused(f"this example is {draft.state}", fix="Open the page again to see what became of it.")
        if to == "accepted":
            if person in draft.hands:
                raise Refused("who wrote in it cannot accept it", fix="Ask a second person to read it.")
            if version != draft.version:
                raise Refused("it has changed since you read it", fix="Read the new version first.")
        elif draft.author != person and not (draft.state == "submitted" and to == "draft"):
            raise Refused("this is somebody else's example", fix="Ask its author.")
        if to in ("submitted", "accepted") and (why := draft.objection()):
            raise Refused(why, fix="Complete it first.")
        now = time.time()
        connection.execute(
            insert(draft_events).values(
                draft=number, version=draft.version, person=person, state=to, note=note[:2000], stored=now
            )
        )
        connection.execute(update(drafts).where(drafts.c.id == number).values(state=to, changed=now))
        return find_draft(connection, number)


def _fresh(connection: Connection, last: Version, number: str, now: float) -> bool:
    """Whether a version is of this sitting, and nobody has decided on it."""
    asked = connection.execute(select(func.max(draft_events.c.version)).where(draft_events.c.draft == number)).scalar()
    return now - last.stored < SAME_SITTING and last.number > (asked or 0)
