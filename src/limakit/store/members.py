"""Who may come in: people with a role, one-time links, sessions. Secrets are stored as digests only."""

import hashlib
import re
import secrets
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, select, update

from limakit.errors import LimakitError
from limakit.store.people_schema import assignments, links, people, sessions

Role = Literal["owner", "author", "annotator"]
OWNER = "owner"
"""The id of the one owner."""
LINK_DAYS = 14
"""How long a link waits for its first use."""
SESSION_DAYS = 30
"""How long a browser stays signed in."""
DAY = 86_400.0
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}\Z")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who has come in."""

    id: str
    role: Role


def owner_password(connection: Connection) -> str | None:
    """The argon2 hash of the owner's password; None before the first start."""
    return connection.execute(select(people.c.password).where(people.c.id == OWNER)).scalar()


def set_owner(connection: Connection, password: str, now: float) -> None:
    """Make the owner, or give the owner another password (an argon2 hash); every browser of the owner is signed out."""
    if owner_password(connection) is None:
        connection.execute(insert(people).values(id=OWNER, role="owner", password=password, created=now))
    else:
        connection.execute(update(people).where(people.c.id == OWNER).values(password=password))
        connection.execute(sessions.delete().where(sessions.c.person == OWNER))


def invite(connection: Connection, name: str, role: Role, now: float) -> str:
    """Let somebody in, for the first time or again, and return the secret of a link that works once.

    Links made before for the same person stop working. Raises LimakitError where the name cannot be used.
    """
    if not _NAME.match(name) or name == OWNER:
        raise LimakitError(
            f"{name!r} cannot be a person's name",
            fix="Use up to 32 small letters, digits, dots, dashes and underscores, such as a1; it appears in files.",
        )
    known = connection.execute(select(people.c.role).where(people.c.id == name)).scalar()
    if known is None:
        connection.execute(insert(people).values(id=name, role=role, created=now))
    else:
        connection.execute(update(people).where(people.c.id == name).values(role=role, removed=None))
    connection.execute(links.delete().where(links.c.person == name, links.c.used.is_(None)))
    secret = secrets.token_urlsafe(24)
    connection.execute(
        insert(links).values(token=digest(secret), person=name, created=now, expires=now + LINK_DAYS * DAY)
    )
    return secret


def enter(connection: Connection, name: str, now: float) -> None:
    """Make sure that there is an annotator of that name, who need not come in: their votes were given elsewhere."""
    if connection.execute(select(people.c.id).where(people.c.id == name)).scalar() is None:
        connection.execute(insert(people).values(id=name, role="annotator", created=now))


def link_holder(connection: Connection, secret: str, now: float) -> Person | None:
    """Whom a link would let in; None where it is unknown, used or too old."""
    found = connection.execute(
        select(people.c.id, people.c.role)
        .join(links, links.c.person == people.c.id)
        .where(
            links.c.token == digest(secret),
            links.c.used.is_(None),
            links.c.expires > now,
            people.c.removed.is_(None),
        )
    ).one_or_none()
    return None if found is None else Person(*found)


def redeem(connection: Connection, secret: str, now: float) -> str | None:
    """Use a link: the secret of a new session, or None where the link does not work (any more)."""
    holder = link_holder(connection, secret, now)
    if holder is None:
        return None
    used = connection.execute(
        update(links).where(links.c.token == digest(secret), links.c.used.is_(None)).values(used=now)
    )
    return start_session(connection, holder.id, now) if used.rowcount else None


def start_session(connection: Connection, person: str, now: float) -> str:
    """Sign a browser in; sessions that have ended are cleared away. Returns the session's secret."""
    connection.execute(sessions.delete().where(sessions.c.expires <= now))
    secret = secrets.token_urlsafe(32)
    connection.execute(
        insert(sessions).values(token=digest(secret), person=person, created=now, expires=now + SESSION_DAYS * DAY)
    )
    return secret


def session_holder(connection: Connection, secret: str, now: float) -> Person | None:
    """Who is behind a cookie; None where nobody is."""
    found = connection.execute(
        select(people.c.id, people.c.role)
        .join(sessions, sessions.c.person == people.c.id)
        .where(sessions.c.token == digest(secret), sessions.c.expires > now, people.c.removed.is_(None))
    ).one_or_none()
    return None if found is None else Person(*found)


def end_session(connection: Connection, secret: str) -> None:
    """Sign a browser out."""
    connection.execute(sessions.delete().where(sessions.c.token == digest(secret)))


def remove(connection: Connection, name: str, now: float) -> None:
    """Let somebody in no longer; what they did stays. Raises LimakitError where there is nobody of that name."""
    gone = connection.execute(
        update(people).where(people.c.id == name, people.c.id != OWNER, people.c.removed.is_(None)).values(removed=now)
    )
    if not gone.rowcount:
        raise LimakitError(f"there is no {name!r} to remove", fix="See who there is: limakit people list STUDY.")
    connection.execute(sessions.delete().where(sessions.c.person == name))
    connection.execute(links.delete().where(links.c.person == name, links.c.used.is_(None)))


def listing(connection: Connection) -> list[dict[str, Any]]:
    """Everybody, in the order they were let in: id, role, created, removed, assigned, voted."""
    done = (
        select(assignments.c.person, func.count().label("assigned"), func.count(assignments.c.label).label("voted"))
        .group_by(assignments.c.person)
        .subquery()
    )
    rows = connection.execute(
        select(
            people.c.id,
            people.c.role,
            people.c.created,
            people.c.removed,
            func.coalesce(done.c.assigned, 0).label("assigned"),
            func.coalesce(done.c.voted, 0).label("voted"),
        )
        .outerjoin(done, done.c.person == people.c.id)
        .order_by(people.c.created, people.c.id)
    )
    return [dict(row) for row in rows.mappings()]


def digest(secret: str) -> str:
    """SHA-256 of a secret of 24 random bytes or more, as it is stored."""
    return hashlib.sha256(secret.encode()).hexdigest()
