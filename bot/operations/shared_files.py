"""Documents from Slack: who may add what is shared in which channel, and adding it in the background.

What is shared in a private channel only enters that channel's own styles, as with examples. Reading waits in the inbox:
it takes longer than a modal's answer may, and neither a restart nor a second delivery cuts it short or doubles it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy.orm import Session

from bot.domain.reviewing import is_reviewer
from bot.domain.values import Actor, Channel, SharedFile
from bot.errors import DocumentRefused, MembersOnly, OutOfScope, ReviewersOnly
from bot.operations.erasure import finish_erasure
from bot.operations.examples import check_may_learn_from, may_learn_from
from bot.operations.knowledge import Added, Origin, add_document, remove_documents
from bot.operations.people import refuse, require_reviewer
from bot.texts import knowledge as texts
from config.settings import Settings
from db.base import new_id, now_in_database
from db.examples import ExampleSource
from db.inbox import READING, InboxStatus, store_events
from db.knowledge import Document, DocumentNotFound, DocumentSource, list_documents
from db.session import Database
from db.styles import Style, StyleNotFound, get_style, list_usable_styles


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOrder:
    """One file that a person wants a style to know."""

    order_id: str
    style_id: str
    channel_id: str
    message_ts: str
    file_id: str
    name: str
    permalink: str | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


#: An order as the body of a delivery that does it.
Body = Callable[[ReadingOrder], dict[str, Any]]


def find_addable(database: Database, actor: Actor, channel: Channel) -> list[tuple[str, str]]:
    """The styles (id, name) to which this person may add what is shared here. Raises MembersOnly, ReviewersOnly."""
    if not actor.is_full_member:
        refuse(database, actor, "document.refused", channel.channel_id, MembersOnly())
    with database.read() as session:
        usable = list_usable_styles(session, actor.team_id, channel.channel_id)
    open_to = [style for style in usable if may_learn_from(style, channel, ExampleSource.SHORTCUT)]
    if open_to and not any(is_reviewer(actor, style.reviewer_ids) for style in open_to):
        refuse(database, actor, "document.refused", channel.channel_id, ReviewersOnly(texts.REVIEWERS_ADD()))
    return [(style.style_id, style.name) for style in open_to if is_reviewer(actor, style.reviewer_ids)]


def order_reading(
    database: Database, actor: Actor, channel: Channel, style_id: str, *, message_ts: str, permalink: str | None,
    files: Sequence[tuple[str, str]], body: Body,
) -> None:  # fmt: skip
    """Put the reading of these files (id, name) into the inbox. Raises MembersOnly, ReviewersOnly, OutOfScope."""
    _check_may_add(database, actor, channel, style_id)
    with database.write() as session:
        now = now_in_database(session)
        for file_id, name in files:
            order = ReadingOrder(
                order_id=new_id("in"), style_id=style_id, channel_id=channel.channel_id, message_ts=message_ts,
                file_id=file_id, name=name, permalink=permalink,
            )  # fmt: skip
            row = {
                "inbox_id": new_id("in"), "event_key": f"read:{message_ts}:{file_id}:{style_id}:{order.order_id}",
                "team_id": actor.team_id, "kind": READING, "body": body(order), "status": InboxStatus.PENDING,
                "fence": 0, "attempts": 0, "received_at": now,
            }  # fmt: skip
            store_events(session, [row])


def add_shared_file(
    database: Database, actor: Actor, channel: Channel, order: ReadingOrder, file: SharedFile,
    download: Callable[[], bytes],
) -> Added:  # fmt: skip
    """What was ordered, if it may still be done. Raises DocumentRefused, and as `order_reading`."""
    _check_may_add(database, actor, channel, order.style_id)
    if channel.channel_id not in file.channel_ids:
        raise OutOfScope(texts.not_shared_here(order.name))
    if not file.is_readable:
        raise DocumentRefused(texts.not_hosted(order.name))
    with database.read() as session:
        since = now_in_database(session)
    return add_document(
        database, style_id=order.style_id, name=file.name, data=download(),
        origin=Origin(
            source=DocumentSource.SLACK, added_by=actor.user_id, channel_id=channel.channel_id,
            message_ts=order.message_ts, permalink=order.permalink, author_id=file.author_id, since=since,
        ),
    )  # fmt: skip


def list_known(database: Database, styles: Sequence[Style]) -> str:
    """The documents of these styles, in words."""
    with database.read() as session:
        found = [(style.name, list_documents(session, style.style_id, style.scope)) for style in styles]
    return texts.by_style(
        [(name, [(d.document_id, d.title, d.passages, d.pages) for d in known]) for name, known in found]
    )


def remove_known(database: Database, settings: Settings, actor: Actor, channel_id: str, document_id: str) -> str:
    """Erase a document: whoever added or wrote it may, and who decides about the style's examples. Returns what to say.

    Raises MembersOnly, ReviewersOnly, DocumentNotFound (also where its style cannot be used).
    """
    if not actor.is_full_member:
        refuse(database, actor, "document.refused", document_id, MembersOnly())
    with database.read() as session:
        document, style = _find(session, actor, channel_id, document_id)
    own = actor.user_id in (document.added_by, document.author_id)
    if not own and not is_reviewer(actor, style.reviewer_ids):
        refuse(database, actor, "document.refused", document_id, ReviewersOnly(texts.REVIEWERS_REMOVE()))
    title = document.title
    with database.write() as session:
        again = session.get(Document, document_id, with_for_update=True)
        if again is None or again.removed_at is not None:
            raise DocumentNotFound
        remove_documents(session, [again], removed_by=actor.user_id)
    finish_erasure(database, settings)
    return texts.removed(style.name, title)


def _find(session: Session, actor: Actor, channel_id: str, document_id: str) -> tuple[Document, Style]:
    document = session.get(Document, document_id)
    if document is None or document.removed_at is not None or document.team_id != actor.team_id:
        raise DocumentNotFound
    style = get_style(session, document.style_id)
    if document.scope_key != style.scope_key or not style.scope.covers(actor.team_id, channel_id):
        raise DocumentNotFound
    return document, style


def _check_may_add(database: Database, actor: Actor, channel: Channel, style_id: str) -> None:
    with database.read() as session:
        style = get_style(session, style_id)
    if style.team_id != actor.team_id:
        raise StyleNotFound
    require_reviewer(database, actor, style, "document.refused", style_id, texts.REVIEWERS_ADD())
    try:
        check_may_learn_from(style, channel, ExampleSource.SHORTCUT)
    except OutOfScope as error:
        refuse(database, actor, "document.refused", style_id, error)
