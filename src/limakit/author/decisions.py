"""Accept, edit, reject: what people say of curated candidates. Every word is kept, and the newest one counts."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import func, insert, select

from limakit.author.turns import checked, packed, unpacked
from limakit.errors import InputError, LimakitError
from limakit.records import Turn
from limakit.store.decisions import Decision
from limakit.store.people import People
from limakit.store.people_drafts import decisions as table

Word = Literal["accept", "reject", "edit", "undo"]
WORDS: tuple[Word, ...] = ("accept", "reject", "edit", "undo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One decision in the history of a candidate."""

    seq: int
    candidate: str
    person: str
    decision: Word
    turns: tuple[Turn, ...]
    note: str
    stored: float


class Overtaken(LimakitError):
    """Somebody else has decided since the page was shown; nothing was stored."""

    def __init__(self, said: Said):
        super().__init__(f"{said.person} has decided on it meanwhile", fix="Look at it again and decide anew.")
        self.said = said


def decide(
    people: People,
    candidates: Sequence[str],
    person: str,
    word: Word,
    *,
    turns: Sequence[Turn] = (),
    note: str = "",
    seen: int | None = None,
) -> int:
    """Store a decision on each candidate; how many were new. Saying the same again stores nothing.

    An edit has the whole dialogue as it shall be. `seen` is the number of the newest decision that the person knew of,
    0 for none; without it nobody is overtaken. Raises InputError where an edit is no dialogue, and Overtaken where
    somebody else has said something newer.
    """
    if word == "edit":
        turns = checked(turns)
        if len(turns) % 2 or not all(turn.content.strip() for turn in turns):
            raise InputError("a turn is empty or the dialogue does not end with an answer", fix="Fill in every turn.")
    text, note = (packed(turns) if word == "edit" else None), " ".join(note.split())[:500]
    with people.write() as connection:
        known = {one.candidate: one for one in _newest(connection, candidates)}
        rows = []
        for candidate in dict.fromkeys(candidates):
            last = known.get(candidate)
            if seen is not None and last is not None and last.seq != seen and last.person != person:
                raise Overtaken(_said(last))
            before = (last.decision, last.messages, last.note) if last else ("undo", None, "")
            if before != (word, text, note) and (word != "undo" or before[0] != "undo"):
                rows.append(
                    {
                        "candidate": candidate,
                        "person": person,
                        "decision": word,
                        "messages": text,
                        "note": note,
                        "stored": time.time(),
                    }
                )
        if rows:
            connection.execute(insert(table), rows)
    return len(rows)


def undo_last(people: People, person: str) -> str | None:
    """Take back this person's newest decision that still counts; the candidate's Id, or None where there is none."""
    with people.read() as connection:
        newest = select(func.max(table.c.seq)).group_by(table.c.candidate)
        last = connection.execute(
            select(table.c.candidate)
            .where(table.c.seq.in_(newest), table.c.person == person, table.c.decision != "undo")
            .order_by(table.c.seq.desc())
            .limit(1)
        ).scalar()
    if last is not None:
        decide(people, [last], person, "undo")
    return last


def current(people: People) -> dict[str, Said]:
    """What counts now, by candidate, the newest last; what was taken back is left out."""
    with people.read() as connection:
        rows = _newest(connection, None)
    return {row.candidate: _said(row) for row in rows if row.decision != "undo"}


def history(people: People, candidate: str) -> list[Said]:
    """Everything that was said of a candidate, newest first."""
    with people.read() as connection:
        rows = connection.execute(
            select(table).where(table.c.candidate == candidate).order_by(table.c.seq.desc())
        ).all()
    return [_said(row) for row in rows]


def erase(people: People, candidates: Sequence[str]) -> int:
    """Remove for good what was said of these candidates, their edited texts with it; how many rows that were."""
    with people.write() as connection:
        return connection.execute(table.delete().where(table.c.candidate.in_(candidates))).rowcount


def as_records(said: Sequence[Said]) -> list[Decision]:
    """As curation reads them."""
    return [
        Decision(
            id=one.candidate,
            decision=one.decision,
            person=one.person,
            decided=datetime.fromtimestamp(one.stored, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            messages=one.turns,
            note=one.note,
        )
        for one in said
        if one.decision != "undo"
    ]


def _newest(connection: Any, candidates: Sequence[str] | None) -> list[Any]:
    wanted = select(func.max(table.c.seq)).group_by(table.c.candidate)
    if candidates is not None:
        wanted = wanted.where(table.c.candidate.in_(candidates))
    return connection.execute(select(table).where(table.c.seq.in_(wanted)).order_by(table.c.seq)).all()


def _said(row: Any) -> Said:
    return Said(
        seq=row.seq,
        candidate=row.candidate,
        person=row.person,
        decision=row.decision,
        turns=unpacked(row.messages) if row.messages else (),
        note=row.note,
        stored=row.stored,
    )
