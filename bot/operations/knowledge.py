"""The team's documents: what enters a style's knowledge, and what leaves it.

A document is read before the transaction and stored in one: whole, or not at all. Its passages have its style's scope,
so what was added in a private channel is found in that channel alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.orm import Session

from bot.documents.formats import MAX_BYTES, MAX_CHARS, MAX_PAGES, ReadDocument, Unreadable
from bot.documents.reading import read_apart
from bot.domain.passages import PassageText, plain_name, split_passages
from bot.domain.redaction import Sensitive, find_key_borders, find_sensitive
from bot.errors import DocumentRefused, StyleUnknown, TransferRefused
from bot.operations.erasure import finish_erasure
from bot.operations.transfer import OPERATOR, find_style, find_team, opened
from bot.texts import knowledge as texts
from config.settings import Settings
from db import audit
from db.base import new_id, now_in_database
from db.knowledge import (
    Document,
    DocumentNotFound,
    DocumentSource,
    Passage,
    count_passages,
    erase_documents,
    find_documents,
    find_same_document,
    list_documents,
)  # fmt: skip
from db.session import Database
from db.styles import Style, lock_style

#: Of all documents of a style together: what is searched for every draft.
MAX_PASSAGES = 5_000
TITLE_CHARS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a document comes from: the operator's command line, or a message."""

    source: DocumentSource
    added_by: str
    channel_id: str | None = None
    message_ts: str | None = None
    permalink: str | None = None
    author_id: str | None = None
    #: When the work on it began: who is forgotten after that leaves no document, however long reading takes.
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What became of a document. `is_known`: the style had this very text."""

    document_id: str
    title: str
    style_name: str
    passages: int
    #: Passages that hold what looks like a key or a password.
    left_out: int = 0
    is_known: bool = False

    @property
    def sentence(self) -> str:
        if self.is_known:
            return texts.known_already(self.style_name, self.title, self.document_id)
        return texts.added(self.style_name, self.title, self.document_id, self.passages, self.left_out)


def add_document(database: Database, *, style_id: str, name: str, data: bytes, origin: Origin) -> Added:
    """Read a document and keep its passages. Raises DocumentRefused with the reason; then nothing was kept.

    Its embeddings follow when the model server gives them (bot/drafting/embedding.py); it is found by words until then.
    """
    title = plain_name(name, TITLE_CHARS)
    passages, left_out = _read(title, data)
    content_hash = _hash_of(passages)
    with database.write() as session:
        style = lock_style(session, style_id)
        _check_not_forgotten(session, style.team_id, origin, title)
        known = find_same_document(session, style_id, style.scope, content_hash)
        if known is not None:
            return Added(
                document_id=known.document_id, title=known.title, style_name=style.name, passages=known.passages,
                is_known=True,
            )  # fmt: skip
        if count_passages(session, style_id, style.scope) + len(passages) > MAX_PASSAGES:
            raise DocumentRefused(texts.too_many_passages(title, MAX_PASSAGES))
        document_id = _insert(session, style, title, content_hash, passages, origin)
        audit.record(
            session, team_id=style.team_id, actor=origin.added_by, action="document.added", subject=document_id,
            style_id=style_id, source=origin.source.value, passages=len(passages), left_out=left_out,
        )  # fmt: skip
    return Added(document_id=document_id, title=title, style_name=style.name, passages=len(passages), left_out=left_out)


def remove_documents(
    session: Session, documents: Sequence[Document], *, removed_by: str, reason: str = "removed"
) -> None:
    """Erase them and put it on record; the caller ends with `finish_erasure`."""
    erase_documents(session, documents, removed_by=removed_by)
    for document in documents:
        audit.record(
            session, team_id=document.team_id, actor=removed_by, action="document.removed",
            subject=document.document_id, style_id=document.style_id, passages=document.passages, reason=reason,
        )  # fmt: skip


def _read(title: str, data: bytes) -> tuple[list[PassageText], int]:
    """The passages of a document, and how many were left out for what looks like a secret in them."""
    try:
        read: ReadDocument = read_apart(title, data)
    except Unreadable as error:
        raise DocumentRefused(
            texts.unreadable(
                error.reason, title, megabytes=MAX_BYTES // 1_000_000, pages=MAX_PAGES, chars=MAX_CHARS
            )
        ) from error  # fmt: skip
    passages = split_passages(read.blocks)
    clean = _without_secrets(passages)
    if not clean:
        raise DocumentRefused(texts.only_secrets(title))
    return clean, len(passages) - len(clean)


def _check_not_forgotten(session: Session, team_id: str, origin: Origin, title: str) -> None:
    if origin.since is None:
        return
    for user_id in {origin.added_by, origin.author_id or origin.added_by}:
        for entry in audit.list_audit(session, user_id):
            is_forgetting = (entry.team_id, entry.action) == (team_id, "person.forgotten")
            if is_forgetting and entry.at >= origin.since:
                raise DocumentRefused(texts.person_forgotten(title))


def _without_secrets(passages: Sequence[PassageText]) -> list[PassageText]:
    """A private key is longer than a passage: of those in its midst none would be known for what it is."""
    clean: list[PassageText] = []
    is_in_key, heading = False, ""
    for one in passages:
        begins_in_key, is_in_key = find_key_borders(one.text, is_in_key=is_in_key and one.heading == heading)
        heading = one.heading
        if not begins_in_key and not _has_secret(f"{one.heading}\n{one.text}"):
            clean.append(one)
    return clean


def _has_secret(text: str) -> bool:
    return any(finding.kind is Sensitive.SECRET for finding in find_sensitive(text))


def _hash_of(passages: Sequence[PassageText]) -> str:
    text = "\n".join(f"{one.heading}\n{one.text}" for one in passages)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def _insert(
    session: Session, style: Style, title: str, content_hash: str, passages: Sequence[PassageText], origin: Origin
) -> str:
    document_id = new_id("doc")
    pages = [one.page for one in passages if one.page is not None]
    session.add(
        Document(
            document_id=document_id, style_id=style.style_id, team_id=style.team_id, scope_key=style.scope_key,
            title=title, content_hash=content_hash, source=origin.source, channel_id=origin.channel_id,
            message_ts=origin.message_ts, permalink=origin.permalink, author_id=origin.author_id,
            pages=max(pages) if pages else None, passages=len(passages), added_by=origin.added_by,
            added_at=now_in_database(session),
        )
    )  # fmt: skip
    session.flush()
    rows = [
        {
            "passage_id": new_id("pas"), "document_id": document_id, "style_id": style.style_id,
            "scope_key": style.scope_key, "position": position, "heading": one.heading, "page": one.page,
            "text": one.text, "tokens": one.tokens,
        }
        for position, one in enumerate(passages)
    ]  # fmt: skip
    session.execute(insert(Passage), rows)
    return document_id


# ------------------------------------------------------------------------------------------------ the command line

Say = Callable[[str], None]


def add_files(settings: Settings, files: Sequence[Path], *, style: str, team: str, say: Say) -> int:
    """`huisstijl knowledge add`: each file for itself; returns the exit status, 1 when any was refused."""
    status = 0
    origin = Origin(source=DocumentSource.COMMAND_LINE, added_by=OPERATOR)
    with opened(settings) as database:
        try:
            style_id = _style_of(database, style, team).style_id
        except (TransferRefused, StyleUnknown) as refused:
            say(refused.sentence)
            return 1
        for file in files:
            try:
                is_too_large = file.stat().st_size > MAX_BYTES  # then it is refused without being read
                data = bytes(MAX_BYTES + 1) if is_too_large else file.read_bytes()
                say(add_document(database, style_id=style_id, name=file.name, data=data, origin=origin).sentence)
            except DocumentRefused as refused:
                say(refused.sentence)
                status = 1
            except OSError as error:
                say(str(error))
                status = 1
    return status


def list_files(settings: Settings, *, style: str, team: str, say: Say) -> int:
    """`huisstijl knowledge list`."""
    with opened(settings) as database:
        try:
            found = _style_of(database, style, team)
        except TransferRefused as refused:
            say(refused.sentence)
            return 1
        with database.read() as session:
            documents = list_documents(session, found.style_id, found.scope)
    if documents:
        say(texts.documents(found.name, [(d.document_id, d.title, d.passages, d.pages) for d in documents]))
    else:
        say(texts.no_documents(found.name))
    return 0


def remove_file(settings: Settings, document_id: str, *, style: str, team: str, say: Say) -> int:
    """`huisstijl knowledge remove`."""
    with opened(settings) as database:
        try:
            found = _style_of(database, style, team)
            with database.write() as session:
                # Whatever the style's scope is now: what an earlier one left behind has to be erasable, too.
                document = find_documents(session, [document_id]).get(document_id)
                if document is None or document.style_id != found.style_id or document.removed_at is not None:
                    raise DocumentNotFound
                title = document.title
                remove_documents(session, [document], removed_by=OPERATOR)
        except TransferRefused as refused:
            say(refused.sentence)
            return 1
        except DocumentNotFound as missing:
            say(str(missing) or str(type(missing).__doc__))
            return 1
        finish_erasure(database, settings)
    say(texts.removed(found.name, title))
    return 0


def _style_of(database: Database, name: str, team: str) -> Style:
    with database.read() as session:
        return find_style(session, find_team(database, team), name)
