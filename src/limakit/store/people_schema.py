"""The tables of people's work, SQLAlchemy Core; the same in SQLite and PostgreSQL.

Times are seconds since 1970 (UTC). Votes are events that are only ever appended: a vote given again, withdrawn or in
conflict with another is a new row. Tables of other pages are declared on the same `metadata` in modules of their own,
and made by a migration of their own in `migrations/versions`.
"""

from sqlalchemy import (
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

people = Table(
    "people",
    metadata,
    Column("id", String(64), primary_key=True),  # as in `person:<id>`
    Column("role", String(16), nullable=False),  # owner, author, annotator
    Column("password", Text),  # argon2; the owner's only
    Column("created", Double, nullable=False),
    Column("removed", Double),  # may not come in any more; what they did stays
)

links = Table(
    "links",
    metadata,
    Column("token", String(64), primary_key=True),  # SHA-256 of the link's secret
    Column("person", String(64), ForeignKey("people.id"), nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
    Column("used", Double),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token", String(64), primary_key=True),  # SHA-256 of the cookie
    Column("person", String(64), ForeignKey("people.id"), nullable=False),
    Column("created", Double, nullable=False),
    Column("expires", Double, nullable=False),
)

assignments = Table(
    "assignments",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("person", String(64), ForeignKey("people.id"), nullable=False),
    Column("kind", String(16), nullable=False),  # compare, absolute, safety, dialogue
    Column("position", Integer, nullable=False),  # in this person's queue of this kind, from 0
    Column("item", String(200), nullable=False),  # id of a pair, or of a single answer
    Column("flipped", Boolean, nullable=False),  # shown in the other order than the pair's own
    Column("repeats", Integer),  # position of the assignment that is asked again
    Column("head", String(36)),  # the vote that counts: the latest one that was in no conflict
    Column("label", String(16)),  # of `head`
    Column("created", Double, nullable=False),
    UniqueConstraint("person", "kind", "position"),
    Index(None, "kind", "item"),
)

votes = Table(
    "votes",
    metadata,
    Column("seq", Integer, primary_key=True),  # order in which they were stored
    Column("id", String(36), nullable=False, unique=True),  # made by the page, so that sending twice stores once
    Column("assignment", Integer, ForeignKey("assignments.id"), nullable=False),
    Column("person", String(64), ForeignKey("people.id"), nullable=False),
    Column("label", String(16)),  # NULL: withdrawn
    Column("after", String(36)),  # the vote on this assignment that the page knew of
    Column("conflict", Boolean, nullable=False),  # `after` was not the latest: kept, and not counted until settled
    Column("milliseconds", Integer),  # from painting the item to the key
    Column("stored", Double, nullable=False),
    Index(None, "assignment"),
)
