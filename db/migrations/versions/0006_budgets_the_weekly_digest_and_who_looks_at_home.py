"""budgets and the weekly digest are settings of styles and teams; the Home tab remembers who looks at it

Revision: 0006, after: 0005
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "home_viewers",
        sa.Column("team_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("page", sa.String(length=32), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("shown_digest", sa.String(length=80), nullable=True),
        sa.PrimaryKeyConstraint("team_id", "user_id", name=op.f("pk_home_viewers")),
    )
    with op.batch_alter_table("styles", schema=None) as batch_op:
        batch_op.add_column(sa.Column("monthly_budget", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("is_digest_on", sa.Boolean(), nullable=False, server_default="1"))
    with op.batch_alter_table("teams", schema=None) as batch_op:
        batch_op.add_column(sa.Column("monthly_budget", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("digest_weekday", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("digest_hour", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("time_zone", sa.String(length=64), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("teams", schema=None) as batch_op:
        for column in ("time_zone", "digest_hour", "digest_weekday", "monthly_budget"):
            batch_op.drop_column(column)
    with op.batch_alter_table("styles", schema=None) as batch_op:
        batch_op.drop_column("is_digest_on")
        batch_op.drop_column("monthly_budget")
    op.drop_table("home_viewers")
