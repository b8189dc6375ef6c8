"""what a run went on from, where it settled a forecast of trainings from the base model

Revision: 0023, after: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("forecasts", sa.Column("went_on_from", sa.String(128), server_default="", nullable=False))


def downgrade() -> None:
    # Without `batch_alter_table`: that would make the table anew on SQLite.
    op.drop_column("forecasts", "went_on_from")
