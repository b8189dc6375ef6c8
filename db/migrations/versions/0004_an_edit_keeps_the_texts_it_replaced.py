"""an edit of a proposal keeps the texts it replaced, so that reviewers see what it changed

Revision: 0004, after: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "example_versions",
        sa.Column("example_id", sa.String(length=32), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("completion", sa.Text(), nullable=False),
        sa.Column("edited_by", sa.String(length=64), nullable=False),
        sa.Column("edited_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["example_id"], ["examples.example_id"], name=op.f("fk_example_versions_example_id_examples")
        ),
        sa.PrimaryKeyConstraint("example_id", "version", name=op.f("pk_example_versions")),
    )


def downgrade() -> None:
    op.drop_table("example_versions")
