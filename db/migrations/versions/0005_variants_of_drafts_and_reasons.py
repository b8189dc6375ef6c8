"""drafts have variants, may be for one person's eyes, and are used; a preference says why

Revision: 0005, after: 0004
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("parent_id", sa.String(length=32), nullable=True))
        batch_op.add_column(sa.Column("root_id", sa.String(length=32), nullable=True))
        variants = sa.Enum("shorter", "longer", "another", name="variant", native_enum=False, length=32)
        batch_op.add_column(sa.Column("variant", variants, nullable=True))
        batch_op.add_column(sa.Column("parent_link", sa.Text(), nullable=True))
        batch_op.add_column(sa.Column("is_private", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("used_by", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("used_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("used_in", sa.String(length=64), nullable=True))
        batch_op.create_index(batch_op.f("ix_drafts_root_id"), ["root_id"], unique=False)
    with op.batch_alter_table("preferences", schema=None) as batch_op:
        batch_op.add_column(sa.Column("reasons", sa.JSON(), server_default="[]", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("preferences", schema=None) as batch_op:
        batch_op.drop_column("reasons")
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_drafts_root_id"))
        for name in (
            "used_in", "used_at", "used_by", "is_private", "parent_link", "variant", "root_id", "parent_id",
        ):  # fmt: skip
            batch_op.drop_column(name)
