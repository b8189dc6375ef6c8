"""people set pairs of a thread aside, to propose them together

Revision: 0009, after: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_SOURCES = ("typed", "suggested", "suggested_edited", "parent", "parent_edited", "draft", "draft_edited")


def upgrade() -> None:
    op.create_table(
        "set_aside_pairs",
        sa.Column("pair_id", sa.String(length=32), nullable=False),
        sa.Column("team_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("channel_id", sa.String(length=64), nullable=False),
        sa.Column("thread_ts", sa.String(length=64), nullable=False),
        sa.Column("message_ts", sa.String(length=64), nullable=False),
        sa.Column("permalink", sa.Text(), nullable=True),
        sa.Column("author_id", sa.String(length=64), nullable=True),
        sa.Column("draft_id", sa.String(length=32), nullable=True),
        sa.Column("style_id", sa.String(length=32), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("completion", sa.Text(), nullable=False),
        sa.Column(
            "prompt_source", sa.Enum(*_SOURCES, name="promptsource", native_enum=False, length=32), nullable=False
        ),
        sa.Column("suggested_prompt", sa.Text(), nullable=True),
        sa.Column("set_aside_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["style_id"], ["styles.style_id"], name=op.f("fk_set_aside_pairs_style_id")),
        sa.PrimaryKeyConstraint("pair_id", name=op.f("pk_set_aside_pairs")),
        sa.UniqueConstraint(
            "team_id", "user_id", "channel_id", "message_ts",
            name=op.f("uq_set_aside_pairs_team_id_user_id_channel_id_message_ts"),
        ),
    )  # fmt: skip
    op.create_index(
        "ix_set_aside_pairs_thread", "set_aside_pairs", ["team_id", "user_id", "channel_id", "thread_ts"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_set_aside_pairs_thread", table_name="set_aside_pairs")
    op.drop_table("set_aside_pairs")
