"""documents that drafts can quote, their passages, and which of them a dataset was frozen with

Revision: 0011, after: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "documents",
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("style_id", sa.String(length=32), nullable=False),
        sa.Column("team_id", sa.String(length=64), nullable=False),
        sa.Column("scope_key", sa.String(length=160), nullable=False),
        sa.Column("title", sa.String(length=255), nullable=False),
        sa.Column("content_hash", sa.String(length=80), nullable=False),
        sa.Column(
            "source",
            sa.Enum("command_line", "slack", name="documentsource", native_enum=False, length=32),
            nullable=False,
        ),
        sa.Column("channel_id", sa.String(length=64), nullable=True),
        sa.Column("message_ts", sa.String(length=64), nullable=True),
        sa.Column("permalink", sa.Text(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=True),
        sa.Column("passages", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.String(length=64), nullable=True),
        sa.Column("added_by", sa.String(length=64), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("removed_by", sa.String(length=64), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["style_id"], ["styles.style_id"], name=op.f("fk_documents_style_id")),
        sa.PrimaryKeyConstraint("document_id", name=op.f("pk_documents")),
    )
    op.create_index("ix_documents_style", "documents", ["style_id", "scope_key"], unique=False)
    op.create_index("ix_documents_message", "documents", ["team_id", "channel_id", "message_ts"], unique=False)
    op.create_table(
        "passages",
        sa.Column("passage_id", sa.String(length=32), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("style_id", sa.String(length=32), nullable=False),
        sa.Column("scope_key", sa.String(length=160), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("heading", sa.Text(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("tokens", sa.Integer(), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=True),
        sa.Column("embedding_model", sa.String(length=255), nullable=True),
        sa.ForeignKeyConstraint(["document_id"], ["documents.document_id"], name=op.f("fk_passages_document_id")),
        sa.ForeignKeyConstraint(["style_id"], ["styles.style_id"], name=op.f("fk_passages_style_id")),
        sa.PrimaryKeyConstraint("passage_id", name=op.f("pk_passages")),
    )
    op.create_index("ix_passages_style", "passages", ["style_id", "scope_key"], unique=False)
    op.create_index("ix_passages_document", "passages", ["document_id", "position"], unique=False)
    op.create_table(
        "dataset_documents",
        sa.Column("dataset_id", sa.String(length=32), nullable=False),
        sa.Column("document_id", sa.String(length=32), nullable=False),
        sa.Column("content_hash", sa.String(length=80), nullable=False),
        sa.ForeignKeyConstraint(["dataset_id"], ["datasets.dataset_id"], name=op.f("fk_dataset_documents_dataset_id")),
        sa.ForeignKeyConstraint(
            ["document_id"], ["documents.document_id"], name=op.f("fk_dataset_documents_document_id")
        ),
        sa.PrimaryKeyConstraint("dataset_id", "document_id", name=op.f("pk_dataset_documents")),
    )
    op.create_index(op.f("ix_dataset_documents_document_id"), "dataset_documents", ["document_id"], unique=False)
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.add_column(sa.Column("passage_ids", sa.JSON(), server_default="[]", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("drafts", schema=None) as batch_op:
        batch_op.drop_column("passage_ids")
    op.drop_index(op.f("ix_dataset_documents_document_id"), table_name="dataset_documents")
    op.drop_table("dataset_documents")
    op.drop_index("ix_passages_document", table_name="passages")
    op.drop_index("ix_passages_style", table_name="passages")
    op.drop_table("passages")
    op.drop_index("ix_documents_message", table_name="documents")
    op.drop_index("ix_documents_style", table_name="documents")
    op.drop_table("documents")
