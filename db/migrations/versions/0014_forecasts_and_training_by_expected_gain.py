"""forecasts, the points they are made from, and training by expected gain

Revision: 0014, after: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_RUNGS = (
    "zero_shot", "few_shot", "retrieved", "knowledge", "neighbours", "logistic", "lora", "lora_retrieved",
)  # fmt: skip


def upgrade() -> None:
    rung = sa.Enum(*_RUNGS, name="rung", native_enum=False, length=32)
    op.add_column("styles", sa.Column("train_on_gain_bits", sa.Double(), nullable=True))
    op.create_table(
        "curve_points",
        sa.Column("point_id", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("style_id", sa.String(length=32), nullable=False),
        sa.Column("scope_key", sa.String(length=160), nullable=False),
        sa.Column("rung", rung, nullable=False),
        sa.Column("train_pairs", sa.Integer(), nullable=False),
        sa.Column("card", sa.JSON(), nullable=False),
        sa.Column("scored_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_curve_points_run_id")),
        sa.ForeignKeyConstraint(["style_id"], ["styles.style_id"], name=op.f("fk_curve_points_style_id")),
        sa.PrimaryKeyConstraint("point_id", name=op.f("pk_curve_points")),
        sa.UniqueConstraint("run_id", "rung", "train_pairs", name=op.f("uq_curve_points_run_id_rung_train_pairs")),
    )
    op.create_table(
        "forecasts",
        sa.Column("forecast_id", sa.String(length=32), nullable=False),
        sa.Column("run_id", sa.String(length=32), nullable=False),
        sa.Column("style_id", sa.String(length=32), nullable=False),
        sa.Column("scope_key", sa.String(length=160), nullable=False),
        sa.Column("rung", rung, nullable=False),
        sa.Column("champion_promotion_id", sa.String(length=32), nullable=True),
        sa.Column("prompt_hash", sa.String(length=80), nullable=False),
        sa.Column("base_model", sa.String(length=255), nullable=False),
        sa.Column("recipe", sa.String(length=255), nullable=False),
        sa.Column("train_pairs", sa.Integer(), nullable=False),
        sa.Column("forecast", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_by", sa.String(length=32), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("measured_pairs", sa.Integer(), nullable=True),
        sa.Column("measured", sa.Double(), nullable=True),
        sa.Column("foreseen", sa.Double(), nullable=True),
        sa.Column("has_held", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["runs.run_id"], name=op.f("fk_forecasts_run_id")),
        sa.ForeignKeyConstraint(["style_id"], ["styles.style_id"], name=op.f("fk_forecasts_style_id")),
        sa.PrimaryKeyConstraint("forecast_id", name=op.f("pk_forecasts")),
        sa.UniqueConstraint("run_id", "rung", name=op.f("uq_forecasts_run_id_rung")),
    )
    op.create_index(op.f("ix_forecasts_style_id"), "forecasts", ["style_id"], unique=False)


def downgrade() -> None:
    op.drop_index(op.f("ix_forecasts_style_id"), table_name="forecasts")
    op.drop_table("forecasts")
    op.drop_table("curve_points")
    op.drop_column("styles", "train_on_gain_bits")
