"""which unseen pairs tell about one another

Revision: 0022, after: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dataset_examples", sa.Column("kin_group", sa.Integer(), nullable=True))


def downgrade() -> None:
    # Without `batch_alter_table`: that would make the table anew on SQLite.
    op.drop_column("dataset_examples", "kin_group")
