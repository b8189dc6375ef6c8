"""how well a champion foretold each newly approved example

Revision: 0016, after: 0015
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_RUNGS = (
    "zero_shot", "few_shot", "retrieved", "knowledge", "neighbours", "logistic", "lora", "lora_retrieved",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "prequential_scores",
        sa.Column("example_id", sa.String(length=32), nullable=False),
        sa.Column("style_id", sa.String(length=32), nullable=False),
        sa.Column("scope_key", sa.String(length=160), nullable=False),
        sa.Column("promotion_id", sa.String(length=32), nullable=False),
        sa.Column("rung", sa.Enum(*_RUNGS, name="rung", native_enum=False, length=32), nullable=False),
        sa.Column("adapter_name", sa.String(length=128), nullable=False),
        sa.Column("nll_nats", sa.Double(), nullable=True),
        sa.Column("completion_bytes", sa.Integer(), nullable=False),
        sa.Column("is_right", sa.Boolean(), nullable=True),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["example_id"], ["examples.example_id"], name=op.f("fk_prequential_scores_example_id")),
        sa.ForeignKeyConstraint(["style_id"], ["styles.style_id"], name=op.f("fk_prequential_scores_style_id")),
        sa.ForeignKeyConstraint(
            ["promotion_id"], ["promotions.promotion_id"], name=op.f("fk_prequential_scores_promotion_id")
        ),
        sa.PrimaryKeyConstraint("example_id", name=op.f("pk_prequential_scores")),
    )
    op.create_index(
        "ix_prequential_scores_style", "prequential_scores", ["style_id", "scope_key", "scored_at"], unique=False
    )


def downgrade() -> None:
    op.drop_index("ix_prequential_scores_style", table_name="prequential_scores")
    op.drop_table("prequential_scores")
