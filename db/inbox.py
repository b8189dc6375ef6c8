"""The inbox: every delivery from Slack, stored before Slack hears "received", and worked off from here.

A row is unique by `event_key`, so a delivery that comes again finds itself already there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Index, String, Text, delete, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import ID, SLACK_ID, Base, insert_new, now_in_database, words
from db.claims import Claimable, claim_next, lease_lapsed

#: The kind of a delivery that we order ourselves and that takes long: a document to fetch and to read.
READING = "reading"


class InboxStatus(StrEnum):
    PENDING = "pending"  #: Stored and acknowledged; nobody works on it.
    CLAIMED = "claimed"  #: A worker has it, until its lease lapses.
    DONE = "done"  #: Its effect is in the database.
    FAILED = "failed"  #: Given up after several attempts; the person was told.


class InboxEvent(Claimable, Base):
    __tablename__ = "inbox"
    __table_args__ = (Index("ix_inbox_work", "status", "inbox_id"),)

    inbox_id: Mapped[str] = mapped_column(ID, primary_key=True)
    #: Unique name of the delivery: Slack's event_id, or what identifies a command or click.
    event_key: Mapped[str] = mapped_column(String(255), unique=True)
    team_id: Mapped[str] = mapped_column(SLACK_ID)
    #: Slack's word for the delivery: event_callback, slash_commands, block_actions, view_submission, …; or READING.
    kind: Mapped[str] = mapped_column(String(64))
    body: Mapped[dict[str, Any]]
    status: Mapped[InboxStatus] = mapped_column(words(InboxStatus), default=InboxStatus.PENDING)
    error: Mapped[str | None] = mapped_column(Text, default=None)
    received_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(default=None)


def store_events(session: Session, rows: list[dict[str, Any]]) -> set[str]:
    """Insert deliveries that are new; returns the event_keys that were. Columns as in InboxEvent."""
    return set(insert_new(session, InboxEvent, rows, unique=["event_key"]))


def claim_events(
    session: Session, *, owner: str, lease_seconds: float, limit: int, is_reading: bool = False
) -> list[InboxEvent]:
    """The oldest deliveries nobody works on, or whose worker died. Those that take long are claimed apart, so that
    nothing quick waits behind them."""
    kind = InboxEvent.kind == READING if is_reading else InboxEvent.kind != READING
    return claim_next(
        session,
        InboxEvent,
        where=kind
        & or_(
            InboxEvent.status == InboxStatus.PENDING,
            (InboxEvent.status == InboxStatus.CLAIMED) & lease_lapsed(session, InboxEvent),
        ),
        order_by=(InboxEvent.inbox_id,),
        owner=owner,
        lease_seconds=lease_seconds,
        limit=limit,
        status=InboxStatus.CLAIMED,
    )


def find_received_at(session: Session, event_key: str) -> datetime | None:
    """When this delivery came, however much later it is worked on; None once it is purged."""
    return session.scalar(select(InboxEvent.received_at).where(InboxEvent.event_key == event_key))


def count_unfinished_events(session: Session) -> int:
    waiting = InboxEvent.status.in_([InboxStatus.PENDING, InboxStatus.CLAIMED])
    return session.scalar(select(func.count()).select_from(InboxEvent).where(waiting)) or 0


def count_events_waiting_since(session: Session, since: datetime) -> int:
    """Deliveries that came before then and are not worked off."""
    waiting = InboxEvent.status.in_([InboxStatus.PENDING, InboxStatus.CLAIMED]) & (InboxEvent.received_at < since)
    return session.scalar(select(func.count()).select_from(InboxEvent).where(waiting)) or 0


def find_last_event(session: Session) -> InboxEvent | None:
    """The newest delivery."""
    return session.scalars(select(InboxEvent).order_by(InboxEvent.inbox_id.desc()).limit(1)).first()


def list_heard_kinds(session: Session) -> set[str]:
    """The kinds of delivery that have come and are not forgotten yet."""
    return set(session.scalars(select(InboxEvent.kind).distinct()))


def purge_events(session: Session, *, older_than_seconds: float) -> int:
    """Forget finished deliveries; they are kept longer than Slack could still deliver them again."""
    horizon = now_in_database(session) - timedelta(seconds=older_than_seconds)
    finished = InboxEvent.status.in_([InboxStatus.DONE, InboxStatus.FAILED])
    result = session.execute(delete(InboxEvent).where(finished, InboxEvent.received_at < horizon))
    return int(result.rowcount)  # type: ignore[attr-defined]
