"""The tables of writing, reviewing and chatting, beside those of `people_schema` and with the same conventions.

Nothing is updated away: texts are versions, decisions are events, and the newest one counts.
"""

from sqlalchemy import Boolean, Column, Double, ForeignKey, Index, Integer, String, Table, Text

from limakit.store.people_schema import metadata

drafts = Table(
    "drafts",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("author", String(64), ForeignKey("people.id"), nullable=False),
    Column("state", String(16), nullable=False),  # draft, submitted, accepted, dropped
    Column("version", Integer, nullable=False),  # the one that counts
    Column("origin", Text),  # where the first version comes from, if not from the author's own hand
    Column("created", Double, nullable=False),
    Column("changed", Double, nullable=False),
    Index(None, "state", "changed"),
)

draft_versions = Table(
    "draft_versions",
    metadata,
    Column("draft", String(36), ForeignKey("drafts.id"), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("person", String(64), ForeignKey("people.id"), nullable=False),
    Column("messages", Text, nullable=False),  # JSON: [{"role", "content"}, …]
    Column("category", String(64), nullable=False),
    Column("beside", Boolean, nullable=False),  # saved from a page that did not know the newest version
    Column("stored", Double, nullable=False),
)

draft_events = Table(
    "draft_events",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("draft", String(36), ForeignKey("drafts.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("person", String(64), ForeignKey("people.id"), nullable=False),
    Column("state", String(16), nullable=False),  # what the draft became by it
    Column("note", Text, nullable=False),
    Column("stored", Double, nullable=False),
    Index(None, "draft"),
)

decisions = Table(
    "decisions",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("candidate", String(400), nullable=False),
    Column("person", String(64), ForeignKey("people.id"), nullable=False),
    Column("decision", String(16), nullable=False),  # accept, reject, edit, undo
    Column("messages", Text),  # JSON: the text as edited
    Column("note", Text, nullable=False),
    Column("stored", Double, nullable=False),
    Index(None, "candidate"),
)

chat_grades = Table(
    "chat_grades",
    metadata,
    Column("seq", Integer, primary_key=True),
    Column("dialogue", String(36), nullable=False),
    Column("turn", Integer, nullable=False),  # place among the dialogue's messages, from 0
    Column("person", String(64), ForeignKey("people.id"), nullable=False),
    Column("system", String(200), nullable=False),
    Column("messages", Text, nullable=False),  # JSON: the dialogue up to this turn
    Column("grade", String(16), nullable=False),  # excellent, pass, fail
    Column("stored", Double, nullable=False),
    Index(None, "dialogue", "turn"),
)
