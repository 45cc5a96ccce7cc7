"""People, links, sessions, assignments, votes."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("password", sa.Text),
        sa.Column("created", sa.Double, nullable=False),
        sa.Column("removed", sa.Double),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
    )
    for name, extra in (("links", [sa.Column("used", sa.Double)]), ("sessions", [])):
        op.create_table(
            name,
            sa.Column("token", sa.String(64), nullable=False),
            sa.Column("person", sa.String(64), nullable=False),
            sa.Column("created", sa.Double, nullable=False),
            sa.Column("expires", sa.Double, nullable=False),
            *extra,
            sa.PrimaryKeyConstraint("token", name=f"pk_{name}"),
            sa.ForeignKeyConstraint(["person"], ["people.id"], name=f"fk_{name}_person"),
        )
    op.create_table(
        "assignments",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("item", sa.String(200), nullable=False),
        sa.Column("flipped", sa.Boolean, nullable=False),
        sa.Column("repeats", sa.Integer),
        sa.Column("head", sa.String(36)),
        sa.Column("label", sa.String(16)),
        sa.Column("created", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_assignments"),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name="fk_assignments_person"),
        sa.UniqueConstraint("person", "kind", "position", name="uq_assignments_person_kind_position"),
    )
    op.create_index("ix_assignments_kind_item", "assignments", ["kind", "item"])
    op.create_table(
        "votes",
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("assignment", sa.Integer, nullable=False),
        sa.Column("person", sa.String(64), nullable=False),
        sa.Column("label", sa.String(16)),
        sa.Column("after", sa.String(36)),
        sa.Column("conflict", sa.Boolean, nullable=False),
        sa.Column("milliseconds", sa.Integer),
        sa.Column("stored", sa.Double, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_votes"),
        sa.ForeignKeyConstraint(["assignment"], ["assignments.id"], name="fk_votes_assignment"),
        sa.ForeignKeyConstraint(["person"], ["people.id"], name="fk_votes_person"),
        sa.UniqueConstraint("id", name="uq_votes_id"),
    )
    op.create_index("ix_votes_assignment", "votes", ["assignment"])
