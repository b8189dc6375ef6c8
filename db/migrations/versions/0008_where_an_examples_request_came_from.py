"""an example says where its request came from, and what the model suggested

Revision: 0008, after: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_SOURCES = ("typed", "suggested", "suggested_edited", "parent", "parent_edited", "draft", "draft_edited")


def upgrade() -> None:
    source = sa.Enum(*_SOURCES, name="promptsource", native_enum=False, length=32)
    with op.batch_alter_table("examples", schema=None) as batch_op:
        batch_op.add_column(sa.Column("prompt_source", source, nullable=True))
        batch_op.add_column(sa.Column("suggested_prompt", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("examples", schema=None) as batch_op:
        batch_op.drop_column("suggested_prompt")
        batch_op.drop_column("prompt_source")
