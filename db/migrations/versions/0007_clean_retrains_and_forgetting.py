"""a style remembers that it owes a clean retrain; what is worked off keeps no text

Revision: 0007, after: 0006
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

#: The messages that are read again after they were sent, and carry no text of an example (see bot/outbox.py).
_KEPT = "dedupe_key NOT LIKE 'run:%' AND dedupe_key NOT LIKE 'champion:%'"


def upgrade() -> None:
    with op.batch_alter_table("styles", schema=None) as batch_op:
        batch_op.add_column(sa.Column("clean_retrain_owed_at", sa.DateTime(timezone=True), nullable=True))
    # What was withdrawn before kept its texts; see db/erasure.py.
    erased = "prompt = '', completion = '', content_hash = 'erased', embedding = NULL, embedding_model = NULL"
    op.execute(f"UPDATE examples SET {erased} WHERE status = 'withdrawn'")
    op.execute("UPDATE inbox SET body = '{}' WHERE status = 'done'")
    op.execute(f"UPDATE outbox SET arguments = '{{}}' WHERE status = 'sent' AND {_KEPT}")


def downgrade() -> None:
    with op.batch_alter_table("styles", schema=None) as batch_op:
        batch_op.drop_column("clean_retrain_owed_at")
