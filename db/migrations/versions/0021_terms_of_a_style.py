"""terms that a style must say, and that it never says

Revision: 0021, after: 0020
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_TABLES, _COLUMNS = ("styles", "datasets"), ("required_terms", "forbidden_terms")


def upgrade() -> None:
    for table in _TABLES:
        for column in _COLUMNS:
            op.add_column(table, sa.Column(column, sa.JSON(), server_default="[]", nullable=False))


def downgrade() -> None:
    # Without `batch_alter_table`: that would make the table anew on SQLite, and rows of other tables point to it.
    for table in reversed(_TABLES):
        for column in reversed(_COLUMNS):
            op.drop_column(table, column)
