"""preferences that a run froze, so that what learnt from one that was taken back can be found

Revision: 0018, after: 0017
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    split = sa.Enum("train", "validation", "test", name="splitname", native_enum=False, length=32)
    op.create_table(
        "dataset_preferences",
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("preference_id", sa.String(length=32), nullable=False),
        sa.Column("split", split, nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset_id"], ["datasets.dataset_id"], name=op.f("fk_dataset_preferences_dataset_id")
        ),
        sa.PrimaryKeyConstraint("dataset_id", "preference_id", name=op.f("pk_dataset_preferences")),
    )
    op.create_index(
        op.f("ix_dataset_preferences_preference_id"), "dataset_preferences", ["preference_id"], unique=False
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_dataset_preferences_preference_id"), table_name="dataset_preferences")
    op.drop_table("dataset_preferences")
