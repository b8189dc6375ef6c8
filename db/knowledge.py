"""Knowledge: the team's documents, cut into passages that drafts can quote. A passage has its document's scope.

A document that is removed keeps its row, as proof that it was there; its name, its text, its passages and what was
computed from them are gone. Drafts and datasets name passages and documents by id.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, ForeignKey, Index, LargeBinary, String, Text, delete, func, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.passages import QuotablePassage
from db.base import ID, SLACK_ID, Base, now_in_database, words
from db.datasets import Dataset
from db.erasure import ERASED
from db.scope import Scope
from db.search import bytes_to_vector


class DocumentSource(StrEnum):
    COMMAND_LINE = "command_line"  #: The operator added it.
    SLACK = "slack"  #: A file or a message that somebody added with the shortcut.


class Document(Base):
    __tablename__ = "documents"
    __table_args__ = (
        Index("ix_documents_style", "style_id", "scope_key"),
        Index("ix_documents_message", "team_id", "channel_id", "message_ts"),
    )

    document_id: Mapped[str] = mapped_column(ID, primary_key=True)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"))
    team_id: Mapped[str] = mapped_column(SLACK_ID)
    #: `Scope.key` of its style when it was added.
    scope_key: Mapped[str] = mapped_column(String(160))
    #: What people call it: the file's name. Empty once removed.
    title: Mapped[str] = mapped_column(String(255))
    #: `sha256:…` of its text; `erased` once removed.
    content_hash: Mapped[str] = mapped_column(String(80))
    source: Mapped[DocumentSource] = mapped_column(words(DocumentSource))
    #: Of a message: where it stands.
    channel_id: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    message_ts: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    permalink: Mapped[str | None] = mapped_column(Text, default=None)
    #: None where the format has no pages.
    pages: Mapped[int | None] = mapped_column(default=None)
    passages: Mapped[int]
    #: Who wrote the message or shared the file; None for the operator's.
    author_id: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    #: A user id, or `operator`.
    added_by: Mapped[str] = mapped_column(SLACK_ID)
    added_at: Mapped[datetime]
    removed_by: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    removed_at: Mapped[datetime | None] = mapped_column(default=None)


class Passage(Base):
    __tablename__ = "passages"
    __table_args__ = (
        Index("ix_passages_style", "style_id", "scope_key"),
        Index("ix_passages_document", "document_id", "position"),
    )

    passage_id: Mapped[str] = mapped_column(ID, primary_key=True)
    document_id: Mapped[str] = mapped_column(ForeignKey("documents.document_id"))
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"))
    scope_key: Mapped[str] = mapped_column(String(160))
    position: Mapped[int]
    #: The headings above it, `Leave › Sick leave`.
    heading: Mapped[str] = mapped_column(Text)
    page: Mapped[int | None] = mapped_column(default=None)
    text: Mapped[str] = mapped_column(Text)
    #: Estimated, see bot/domain/passages.py.
    tokens: Mapped[int]
    #: Of title, heading and text: float32, little-endian.
    embedding: Mapped[bytes | None] = mapped_column(LargeBinary, default=None)
    embedding_model: Mapped[str | None] = mapped_column(String(255), default=None)


class DatasetDocument(Base):
    """A document as it was when a run's dataset was frozen."""

    __tablename__ = "dataset_documents"

    dataset_id: Mapped[str] = mapped_column(ID, ForeignKey("datasets.dataset_id"), primary_key=True)
    document_id: Mapped[str] = mapped_column(ID, ForeignKey("documents.document_id"), primary_key=True, index=True)
    content_hash: Mapped[str] = mapped_column(String(80))


class DocumentNotFound(Exception):
    """There is no such document here; somebody may have removed it. `huisstijl knowledge list` shows what there is."""


def find_documents(session: Session, document_ids: Collection[str]) -> dict[str, Document]:
    """Those of them that there ever were, by id; of removed ones only the bare row is left."""
    query = select(Document).where(Document.document_id.in_(document_ids))
    return {one.document_id: one for one in session.scalars(query)}


def list_documents(session: Session, style_id: str, scope: Scope) -> list[Document]:
    """Oldest first."""
    query = select(Document).where(*_live(style_id, scope)).order_by(Document.document_id)
    return list(session.scalars(query))


def has_documents(session: Session, style_id: str, scope: Scope) -> bool:
    return session.scalar(select(Document.document_id).where(*_live(style_id, scope)).limit(1)) is not None


def find_same_document(session: Session, style_id: str, scope: Scope, content_hash: str) -> Document | None:
    """A document with this very text."""
    query = select(Document).where(*_live(style_id, scope), Document.content_hash == content_hash)
    return session.scalars(query.order_by(Document.document_id).limit(1)).first()


def list_documents_of_person(session: Session, team_id: str, user_id: str) -> list[Document]:
    """What this person added or wrote, in any style. By style, then id."""
    query = select(Document).where(
        Document.team_id == team_id,
        (Document.added_by == user_id) | (Document.author_id == user_id),
        Document.removed_at.is_(None),
    )
    return list(session.scalars(query.order_by(Document.style_id, Document.document_id)))


def count_passages(session: Session, style_id: str, scope: Scope) -> int:
    query = select(func.count()).where(Passage.style_id == style_id, Passage.scope_key == scope.key)
    return session.scalar(query) or 0


def list_passages(
    session: Session, style_id: str, scope: Scope, *, document_ids: Collection[str] | None = None
) -> list[Passage]:
    """Every passage of this scope, in the documents' order; of these documents only, where they are named."""
    query = select(Passage).where(Passage.style_id == style_id, Passage.scope_key == scope.key)
    if document_ids is not None:
        query = query.where(Passage.document_id.in_(document_ids))
    return list(session.scalars(query.order_by(Passage.document_id, Passage.position)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cited:
    """A passage that a draft quoted, and its document."""

    passage: Passage
    document: Document


def list_cited(session: Session, passage_ids: Sequence[str], scope: Scope) -> list[Cited]:
    """The quoted passages that are still there, in the given order."""
    query = (
        select(Passage, Document)
        .join(Document, Document.document_id == Passage.document_id)
        .where(Passage.passage_id.in_(passage_ids), Passage.scope_key == scope.key)
    )
    found = {passage.passage_id: (passage, document) for passage, document in session.execute(query).all()}
    known = [found[passage_id] for passage_id in passage_ids if passage_id in found]
    return [Cited(passage=passage, document=document) for passage, document in known]


def list_quotable(
    session: Session, style_id: str, scope: Scope, embedding_model: str, *, document_ids: Collection[str] | None = None
) -> list[QuotablePassage]:
    """The passages of this scope as they are chosen from. An embedding of another model counts as none."""
    passages = list_passages(session, style_id, scope, document_ids=document_ids)
    documents = find_documents(session, {one.document_id for one in passages})
    return [
        QuotablePassage(
            passage_id=one.passage_id, document_id=one.document_id, title=documents[one.document_id].title,
            heading=one.heading, page=one.page, text=one.text, tokens=one.tokens,
            embedding=bytes_to_vector(one.embedding)
            if one.embedding and one.embedding_model == embedding_model else None,
        )
        for one in passages
    ]  # fmt: skip


def list_unembedded_passages(session: Session, embedding_model: str, limit: int) -> list[tuple[Passage, str]]:
    """Passages whose embedding is missing or from another embedding model, with their document's title."""
    query = (
        select(Passage, Document.title)
        .join(Document, Document.document_id == Passage.document_id)
        .where(Passage.embedding_model.is_distinct_from(embedding_model))
        .order_by(Passage.document_id, Passage.position)
        .limit(limit)
    )
    return [(passage, title) for passage, title in session.execute(query).all()]


def save_passage_embeddings(session: Session, embedding_model: str, vectors: Iterable[tuple[str, bytes]]) -> None:
    """Of passages that are gone meanwhile nothing is kept."""
    for passage_id, vector in vectors:
        values = {"embedding": vector, "embedding_model": embedding_model}
        session.execute(update(Passage).where(Passage.passage_id == passage_id).values(**values))


def text_to_embed(title: str, passage: Passage) -> str:
    """What a passage is found by: where it stands, and what it says."""
    return "\n".join(part for part in (title, passage.heading, passage.text) if part)


def erase_documents(session: Session, documents: Sequence[Document], *, removed_by: str) -> None:
    """Take everything out of them. Their rows stay, with who removed them and when."""
    ids = [document.document_id for document in documents]
    session.execute(delete(Passage).where(Passage.document_id.in_(ids)))
    hashes = update(DatasetDocument).where(DatasetDocument.document_id.in_(ids)).values(content_hash=ERASED)
    session.execute(hashes.execution_options(synchronize_session=False))
    now = now_in_database(session)
    for document in documents:
        document.title, document.content_hash, document.permalink = "", ERASED, None
        document.removed_by, document.removed_at = removed_by, now
    session.flush()


# ------------------------------------------------------------------------------------------------ freezing


def freeze_documents(session: Session, dataset_id: str, style_id: str, scope: Scope) -> None:
    """Note with a dataset which documents its style had."""
    session.add_all(
        DatasetDocument(dataset_id=dataset_id, document_id=one.document_id, content_hash=one.content_hash)
        for one in list_documents(session, style_id, scope)
    )
    session.flush()


def list_frozen_documents(session: Session, run_id: str, scope: Scope) -> list[DatasetDocument]:
    """What a run's dataset was frozen with and was not removed since, by id."""
    query = (
        select(DatasetDocument)
        .join(Dataset, Dataset.dataset_id == DatasetDocument.dataset_id)
        .where(Dataset.run_id == run_id, Dataset.scope_key == scope.key, DatasetDocument.content_hash != ERASED)
    )
    return list(session.scalars(query.order_by(DatasetDocument.document_id)))


def _live(style_id: str, scope: Scope) -> tuple[ColumnElement[bool], ...]:
    return (Document.style_id == style_id, Document.scope_key == scope.key, Document.removed_at.is_(None))
