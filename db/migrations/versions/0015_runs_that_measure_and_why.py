"""runs that only measure, what made a run due, and scorecards of one rung on two base models

Revision: 0015, after: 0014
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_CAUSES = ("new_examples", "by_hand", "withdrawal", "changed_instructions", "changed_base", "drift")


def upgrade() -> None:
    kind = sa.Enum("train", "measure", name="runkind", native_enum=False, length=32)
    cause = sa.Enum(*_CAUSES, name="runcause", native_enum=False, length=32)
    op.add_column("runs", sa.Column("kind", kind, server_default="train", nullable=False))
    op.add_column("runs", sa.Column("cause", cause, nullable=True))
    op.add_column("styles", sa.Column("measurement_owed_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("styles", sa.Column("measurement_cause", cause, nullable=True))
    with op.batch_alter_table("scorecards", schema=None) as batch_op:
        batch_op.drop_constraint("uq_scorecards_run_id_rung_adapter_name", type_="unique")
        batch_op.create_unique_constraint(
            "uq_scorecards_run_id_rung_base_model_adapter_name", ["run_id", "rung", "base_model", "adapter_name"]
        )


def downgrade() -> None:
    with op.batch_alter_table("scorecards", schema=None) as batch_op:
        batch_op.drop_constraint("uq_scorecards_run_id_rung_base_model_adapter_name", type_="unique")
        batch_op.create_unique_constraint("uq_scorecards_run_id_rung_adapter_name", ["run_id", "rung", "adapter_name"])
    op.drop_column("styles", "measurement_cause")
    op.drop_column("styles", "measurement_owed_at")
    op.drop_column("runs", "cause")
    op.drop_column("runs", "kind")
