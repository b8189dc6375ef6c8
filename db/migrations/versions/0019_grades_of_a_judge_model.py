"""grades that a judge model gave to drafts

Revision: 0019, after: 0018
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "judgements",
        sa.Column("draft_id", sa.String(length=32), nullable=False),
        sa.Column("style_id", sa.String(length=32), nullable=False),
        sa.Column("scope_key", sa.String(length=160), nullable=False),
        sa.Column("judge", sa.String(length=255), nullable=False),
        sa.Column("grade", sa.Integer(), nullable=True),
        sa.Column("graded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["draft_id"], ["drafts.draft_id"], name=op.f("fk_judgements_draft_id")),
        sa.ForeignKeyConstraint(["style_id"], ["styles.style_id"], name=op.f("fk_judgements_style_id")),
        sa.PrimaryKeyConstraint("draft_id", name=op.f("pk_judgements")),
    )
    op.create_index("ix_judgements_style", "judgements", ["style_id", "scope_key", "judge"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_judgements_style", table_name="judgements")
    op.drop_table("judgements")
