"""people rate drafts with one tap, and a draft may go on in a second message when its stream has lived long enough

Revision: 0003, after: 0002
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ratings",
        sa.Column("draft_id", sa.String(length=32), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("style_id", sa.String(length=32), nullable=False),
        sa.Column("is_good", sa.Boolean(), nullable=False),
        sa.Column("rated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["draft_id"], ["drafts.draft_id"], name=op.f("fk_ratings_draft_id")),
        sa.ForeignKeyConstraint(["style_id"], ["styles.style_id"], name=op.f("fk_ratings_style_id")),
        sa.PrimaryKeyConstraint("draft_id", "user_id", name=op.f("pk_ratings")),
    )
    op.create_index(op.f("ix_ratings_style_id"), "ratings", ["style_id"], unique=False)
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("continued_at", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.drop_column("continued_at")
    op.drop_index(op.f("ix_ratings_style_id"), table_name="ratings")
    op.drop_table("ratings")
