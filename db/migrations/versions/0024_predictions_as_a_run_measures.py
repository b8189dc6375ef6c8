"""what a newly approved example costs in the prompt that a run would measure it in

Revision: 0024, after: 0023
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("prequential_scores", sa.Column("as_measured_nats", sa.Double(), nullable=True))


def downgrade() -> None:
    # Without `batch_alter_table`: that would make the table anew on SQLite.
    op.drop_column("prequential_scores", "as_measured_nats")
