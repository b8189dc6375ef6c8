"""what training an adapter cost besides

Revision: 0020, after: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

_RUNGS = (
    "zero_shot", "few_shot", "retrieved", "knowledge", "neighbours", "logistic", "lora", "lora_preferences",
    "lora_retrieved", "full",
)  # fmt: skip


def upgrade() -> None:
    op.create_table(
        "probe_reports",
        sa.Column("report_id", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("style_id", sa.String(length=32), nullable=False),
        sa.Column("scope_key", sa.String(length=160), nullable=False),
        sa.Column("rung", sa.Enum(*_RUNGS, name="rung", native_enum=False, length=32), nullable=False),
        sa.Column("base_model", sa.String(length=255), nullable=False),
        sa.Column("adapter_name", sa.String(length=128), nullable=False),
        sa.Column("weights", sa.String(length=80), nullable=False),
        sa.Column("canary_seed", sa.String(length=160), nullable=False),
        sa.Column("results", sa.JSON(), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_probe_reports_run_id")),
        sa.ForeignKeyConstraint(["style_id"], ["styles.style_id"], name=op.f("fk_probe_reports_style_id")),
        sa.PrimaryKeyConstraint("report_id", name=op.f("pk_probe_reports")),
        sa.UniqueConstraint("run_id", "adapter_name", name=op.f("uq_probe_reports_run_id_adapter_name")),
    )


def downgrade() -> None:
    op.drop_table("probe_reports")
