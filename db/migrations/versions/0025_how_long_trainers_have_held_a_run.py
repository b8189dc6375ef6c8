"""how long trainers have held a run: what the machine has worked for it

Revision: 0025, after: 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_RUNS = sa.table(
    "runs",
    sa.column("run_id", sa.String(length=32)),
    sa.column("started_at", sa.DateTime(timezone=True)),
    sa.column("heartbeat_at", sa.DateTime(timezone=True)),
    sa.column("held_seconds", sa.Double()),
)


def upgrade() -> None:
    op.add_column("runs", sa.Column("held_seconds", sa.Double(), server_default="0", nullable=False))
    # Of earlier runs only the first start and the last sign of life are known: between those lies what they have held
    # a trainer for, and the budget of this month goes on counting it.
    known = _RUNS.c.started_at.is_not(None) & _RUNS.c.heartbeat_at.is_not(None)
    connection = op.get_bind()
    found = connection.execute(sa.select(_RUNS.c.run_id, _RUNS.c.started_at, _RUNS.c.heartbeat_at).where(known)).all()
    for run_id, started_at, heartbeat_at in found:
        held = max((heartbeat_at - started_at).total_seconds(), 0.0)
        connection.execute(sa.update(_RUNS).where(_RUNS.c.run_id == run_id).values(held_seconds=held))


def downgrade() -> None:
    # Without `batch_alter_table`: that would make the table anew on SQLite, and rows of other tables point to it.
    op.drop_column("runs", "held_seconds")
