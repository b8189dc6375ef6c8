"""The outbox: every message we owe to Slack, written in the transaction that owes it, posted from here.

A row is unique by `dedupe_key`, so an operation that runs twice owes once. Between Slack's answer and our
note of it lies a moment in which a crash leaves the outcome unknown: such a row is posted again (at least once).
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String, Text, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import ID, SLACK_ID, Base, insert_new, new_id, now_in_database, words
from db.claims import Claimable, claim_next, lease_lapsed


class OutboxStatus(StrEnum):
    PENDING = "pending"  #: Owed; not before `not_before`.
    SENDING = "sending"  #: A sender has it, until its lease lapses.
    SENT = "sent"  #: Slack has it; `result` holds channel and ts.
    FAILED = "failed"  #: Slack refused it for good; `error` says why.


class OutboxMessage(Claimable, Base):
    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_work", "status", "not_before"),)

    outbox_id: Mapped[str] = mapped_column(ID, primary_key=True)
    dedupe_key: Mapped[str] = mapped_column(String(255), unique=True)
    team_id: Mapped[str] = mapped_column(SLACK_ID)
    #: Our verb: post_message, update_message, post_ephemeral, respond, post_direct, upload_image.
    verb: Mapped[str] = mapped_column(String(64))
    #: The verb's arguments. `ts_from: <dedupe_key>` stands for channel and ts of a message sent earlier.
    arguments: Mapped[dict[str, Any]]
    status: Mapped[OutboxStatus] = mapped_column(words(OutboxStatus), default=OutboxStatus.PENDING)
    #: `{channel, ts}` once sent.
    result: Mapped[dict[str, Any] | None]
    error: Mapped[str | None] = mapped_column(Text, default=None)
    created_at: Mapped[datetime]
    not_before: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(default=None)


def owe(session: Session, *, team_id: str, dedupe_key: str, verb: str, arguments: dict[str, Any]) -> bool:
    """Owe Slack a call; False when this was owed before."""
    now = now_in_database(session)
    row = {
        "outbox_id": new_id("out"), "dedupe_key": dedupe_key, "team_id": team_id, "verb": verb,
        "arguments": arguments, "created_at": now, "not_before": now,
    }  # fmt: skip
    return bool(insert_new(session, OutboxMessage, [row], unique=["dedupe_key"]))


def find_by_dedupe_key(session: Session, dedupe_key: str) -> OutboxMessage | None:
    return session.scalar(select(OutboxMessage).where(OutboxMessage.dedupe_key == dedupe_key))


def list_by_prefix(session: Session, prefix: str) -> list[OutboxMessage]:
    query = select(OutboxMessage).where(OutboxMessage.dedupe_key.startswith(prefix, autoescape=True))
    return list(session.scalars(query.order_by(OutboxMessage.outbox_id)))


def count_messages_waiting_since(session: Session, since: datetime) -> int:
    """Messages that could have been sent before then and are not."""
    waiting = OutboxMessage.status.in_([OutboxStatus.PENDING, OutboxStatus.SENDING])
    query = select(func.count()).select_from(OutboxMessage).where(waiting, OutboxMessage.not_before < since)
    return session.scalar(query) or 0


def count_messages_refused_since(session: Session, since: datetime) -> int:
    query = select(func.count()).select_from(OutboxMessage)
    refused = query.where(OutboxMessage.status == OutboxStatus.FAILED, OutboxMessage.finished_at > since)
    return session.scalar(refused) or 0


def claim_messages(session: Session, *, owner: str, lease_seconds: float, limit: int) -> list[OutboxMessage]:
    now = now_in_database(session)
    return claim_next(
        session,
        OutboxMessage,
        where=or_(
            (OutboxMessage.status == OutboxStatus.PENDING) & (OutboxMessage.not_before <= now),
            (OutboxMessage.status == OutboxStatus.SENDING) & lease_lapsed(session, OutboxMessage),
        ),
        order_by=(OutboxMessage.outbox_id,),
        owner=owner,
        lease_seconds=lease_seconds,
        limit=limit,
        status=OutboxStatus.SENDING,
    )
