"""Grades of turns in live dialogues (paper, section 6), as rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import orjson
from sqlalchemy import Connection, func, insert, select

from limakit.records import Turn
from limakit.store.people_drafts import chat_grades

Grade = Literal["excellent", "pass", "fail"]
GRADES: tuple[Grade, ...] = ("excellent", "pass", "fail")


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """The newest grade that a person gave to one turn."""

    dialogue: str
    turn: int
    person: str
    system: str
    grade: Grade
    stored: float


def grade(
    connection: Connection,
    person: str,
    dialogue: str,
    turn: int,
    system: str,
    messages: Sequence[Turn],
    value: Grade,
    now: float,
) -> None:
    """Store a grade of the last of the messages; a later one of the same person for the same turn replaces it."""
    connection.execute(
        insert(chat_grades).values(
            dialogue=dialogue,
            turn=turn,
            person=person,
            system=system,
            messages=orjson.dumps(list(messages)).decode(),
            grade=value,
            stored=now,
        )
    )


def grades(connection: Connection) -> list[Graded]:
    """The grades that count, in the order in which they were given."""
    newest = select(func.max(chat_grades.c.seq)).group_by(
        chat_grades.c.dialogue, chat_grades.c.turn, chat_grades.c.person, chat_grades.c.system
    )
    columns = (chat_grades.c[name] for name in ("dialogue", "turn", "person", "system", "grade", "stored"))
    rows = connection.execute(select(*columns).where(chat_grades.c.seq.in_(newest)).order_by(chat_grades.c.seq))
    return [Graded(**row) for row in rows.mappings()]
