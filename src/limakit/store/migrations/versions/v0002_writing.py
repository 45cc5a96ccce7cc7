"""Drafts, decisions on candidates, grades of chats."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "drafts",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("origin", sa.Text),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("changed", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_drafts"),
        sa.ForeignKeyConstraint(["author"], ["people.id"], name="fk_drafts_author"),
    )
    op.create_index("ix_drafts_state_changed", "drafts", ["state", "changed"])
    op.create_table(
        "draft_versions",
        sa.Column("draft", sa.String(36), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("messages", sa.Text, nullable=False),
        sa.Column("category", sa.String(64), nullable=False),
        sa.Column("beside", sa.Boolean, nullable=False),
        sa.Column("stored", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("draft", "number", name="pk_draft_versions"),
        sa.ForeignKeyConstraint(["draft"], ["drafts.id"], name="fk_draft_versions_draft"),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name="fk_draft_versions_person"),
    )
    op.create_table(
        "draft_events",
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("draft", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("stored", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_draft_events"),
        sa.ForeignKeyConstraint(["draft"], ["drafts.id"], name="fk_draft_events_draft"),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name="fk_draft_events_person"),
    )
    op.create_index("ix_draft_events_draft", "draft_events", ["draft"])
    op.create_table(
        "decisions",
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("candidate", sa.String(400), nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("messages", sa.Text),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("stored", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_decisions"),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name="fk_decisions_person"),
    )
    op.create_index("ix_decisions_candidate", "decisions", ["candidate"])
    op.create_table(
        "chat_grades",
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("dialogue", sa.String(36), nullable=False),
        sa.Column("turn", sa.Integer, nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("system", sa.String(200), nullable=False),
        sa.Column("messages", sa.Text, nullable=False),
        sa.Column("grade", sa.String(16), nullable=False),
        sa.Column("stored", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_chat_grades"),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name="fk_chat_grades_person"),
    )
    op.create_index("ix_chat_grades_dialogue_turn", "chat_grades", ["dialogue", "turn"])
