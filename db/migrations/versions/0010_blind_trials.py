"""a champion and a challenger are compared blindly on real requests

Revision: 0010, after: 0009
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_RUNGS = ("zero_shot", "few_shot", "retrieved", "lora", "lora_retrieved")
_TRIALS = ("running", "challenger_won", "champion_won", "no_difference", "stopped", "overtaken")
_CAUSES = ("champion_moved", "adapter_gone", "style_changed")
_COMPARISONS = ("drafting", "shown", "decided", "void")


def _words(name: str, *members: str) -> sa.Enum:
    return sa.Enum(*members, name=name, native_enum=False, length=32)


def upgrade() -> None:
    op.create_table(
        "trials",
        sa.Column("trial_id", sa.String(length=32), nullable=False),
        sa.Column("team_id", sa.String(length=64), nullable=False),
        sa.Column("style_id", sa.String(length=32), nullable=False),
        sa.Column("scope_key", sa.String(length=160), nullable=False),
        sa.Column("status", _words("trialstatus", *_TRIALS), nullable=False),
        sa.Column("cause", _words("cause", *_CAUSES), nullable=True),
        sa.Column("champion_promotion_id", sa.String(length=32), nullable=False),
        sa.Column("champion_rung", _words("rung", *_RUNGS), nullable=False),
        sa.Column("champion_base_model", sa.String(length=255), nullable=False),
        sa.Column("champion_adapter_id", sa.String(length=32), nullable=True),
        sa.Column("champion_run_id", sa.String(length=32), nullable=True),
        sa.Column("challenger_rung", _words("rung", *_RUNGS), nullable=False),
        sa.Column("challenger_base_model", sa.String(length=255), nullable=False),
        sa.Column("challenger_adapter_id", sa.String(length=32), nullable=True),
        sa.Column("challenger_run_id", sa.String(length=32), nullable=True),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("share", sa.Double(), nullable=False),
        sa.Column("quote_id", sa.String(length=32), nullable=False),
        sa.Column("started_by", sa.String(length=64), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["style_id"], ["styles.style_id"], name=op.f("fk_trials_style_id")),
        sa.ForeignKeyConstraint(
            ["champion_adapter_id"], ["adapters.adapter_id"], name=op.f("fk_trials_champion_adapter_id")
        ),
        sa.ForeignKeyConstraint(
            ["challenger_adapter_id"], ["adapters.adapter_id"], name=op.f("fk_trials_challenger_adapter_id")
        ),
        sa.PrimaryKeyConstraint("trial_id", name=op.f("pk_trials")),
        sa.UniqueConstraint("quote_id", name=op.f("uq_trials_quote_id")),
    )
    op.create_index(op.f("ix_trials_style_id"), "trials", ["style_id"], unique=False)
    op.create_table(
        "comparisons",
        sa.Column("comparison_id", sa.String(length=32), nullable=False),
        sa.Column("trial_id", sa.String(length=32), nullable=False),
        sa.Column("draft_a_id", sa.String(length=32), nullable=False),
        sa.Column("draft_b_id", sa.String(length=32), nullable=False),
        sa.Column("is_challenger_a", sa.Boolean(), nullable=False),
        sa.Column("status", _words("comparisonstatus", *_COMPARISONS), nullable=False),
        sa.Column("choice", _words("choice", "a", "b", "neither"), nullable=True),
        sa.Column("is_counted", sa.Boolean(), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["trial_id"], ["trials.trial_id"], name=op.f("fk_comparisons_trial_id")),
        sa.ForeignKeyConstraint(["draft_a_id"], ["drafts.draft_id"], name=op.f("fk_comparisons_draft_a_id")),
        sa.ForeignKeyConstraint(["draft_b_id"], ["drafts.draft_id"], name=op.f("fk_comparisons_draft_b_id")),
        sa.PrimaryKeyConstraint("comparison_id", name=op.f("pk_comparisons")),
    )
    op.create_index(op.f("ix_comparisons_trial_id"), "comparisons", ["trial_id"], unique=False)
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("comparison_id", sa.String(length=32), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.drop_column("comparison_id")
    op.drop_index(op.f("ix_comparisons_trial_id"), table_name="comparisons")
    op.drop_table("comparisons")
    op.drop_index(op.f("ix_trials_style_id"), table_name="trials")
    op.drop_table("trials")
