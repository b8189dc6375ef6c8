"""changes of the base model, and what a setting was when a clock looked last

Revision: 0017, after: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    status = sa.Enum("open", "done", "abandoned", name="basechangestatus", native_enum=False, length=32)
    origin = sa.Enum("command", "setting", name="basechangeorigin", native_enum=False, length=32)
    op.create_table(
        "base_changes",
        sa.Column("change_id", sa.String(length=32), nullable=False),
        sa.Column("status", status, nullable=False),
        sa.Column("open_key", sa.String(length=32), nullable=False),
        sa.Column("base_model", sa.String(length=255), nullable=False),
        sa.Column("origin", origin, nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("change_id", name=op.f("pk_base_changes")),
        sa.UniqueConstraint("open_key", name=op.f("uq_base_changes_open_key")),
    )
    op.create_table(
        "noted_settings",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.Column("noted_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_noted_settings")),
    )


def downgrade() -> None:
    op.drop_table("noted_settings")
    op.drop_table("base_changes")
