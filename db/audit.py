"""The audit log: who did what, append-only. Refusals are written too."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import ID, SLACK_ID, Base, new_id, now_in_database


class AuditEntry(Base):
    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_subject", "subject"),)

    audit_id: Mapped[str] = mapped_column(ID, primary_key=True)
    team_id: Mapped[str] = mapped_column(SLACK_ID)
    #: A user id, `clock`, `trainer`, `gate` or `operator`.
    actor: Mapped[str] = mapped_column(SLACK_ID)
    #: Past tense: `example.approved`, `run.queued`, `command.refused`.
    action: Mapped[str] = mapped_column(String(64))
    #: Id of what it was done to.
    subject: Mapped[str] = mapped_column(String(255))
    #: Ids and numbers, never the text of a message.
    detail: Mapped[dict[str, Any]]
    at: Mapped[datetime]


def record(session: Session, *, team_id: str, actor: str, action: str, subject: str, **detail: Any) -> AuditEntry:
    entry = AuditEntry(
        audit_id=new_id("aud"), team_id=team_id, actor=actor, action=action, subject=subject,
        detail=detail, at=now_in_database(session),
    )  # fmt: skip
    session.add(entry)
    return entry


def find_entry(session: Session, audit_id: str, action: str) -> AuditEntry | None:
    entry = session.get(AuditEntry, audit_id)
    return entry if entry is not None and entry.action == action else None


def lock_entry(session: Session, audit_id: str) -> None:
    """Others who ask for the same wait until this transaction ends."""
    session.scalars(select(AuditEntry.audit_id).where(AuditEntry.audit_id == audit_id).with_for_update()).all()


def list_newest_entries(session: Session, team_id: str, actions: Collection[str], *, limit: int) -> list[AuditEntry]:
    """The team's latest entries of these actions, newest first."""
    query = select(AuditEntry).where(AuditEntry.team_id == team_id, AuditEntry.action.in_(actions))
    return list(session.scalars(query.order_by(AuditEntry.audit_id.desc()).limit(limit)))


def list_audit(session: Session, subject: str) -> list[AuditEntry]:
    """Oldest first."""
    return list(
        session.scalars(
            select(AuditEntry).where(AuditEntry.subject == subject).order_by(AuditEntry.at, AuditEntry.audit_id)
        )
    )
