"""Taking exclusive hold of a row of work, with a fencing token, on SQLite and PostgreSQL alike.

A claim raises the row's fence by one and sets a lease on database time. Whoever holds fence n writes
`WHERE fence = n`; a holder that slept past its lease finds its fence gone and its write refused.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, String, or_, select, true, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import Base, now_in_database


class Claimable:
    """The columns a claim lives in."""

    #: Rises with every claim; the holder's writes carry it.
    fence: Mapped[int] = mapped_column(default=0)
    claimed_by: Mapped[str | None] = mapped_column(String(128), default=None)
    #: Database time after which the claim may be taken over.
    lease_expires_at: Mapped[datetime | None] = mapped_column(default=None)
    attempts: Mapped[int] = mapped_column(default=0)


class ClaimLost(Exception):
    """Another process has taken over this work; this one stops without writing."""


R = TypeVar("R", bound=Base)


def claim_next(
    session: Session,
    row_type: type[R],
    *,
    where: ColumnElement[bool],
    order_by: Any,
    owner: str,
    lease_seconds: float,
    limit: int = 1,
    **changes: Any,
) -> list[R]:
    """Claim up to `limit` rows for `owner`, oldest first; rows that another claim holds are passed over.

    SKIP LOCKED keeps PostgreSQL's claimers apart. SQLAlchemy leaves it out for SQLite without a word; there the
    UPDATE is atomic by itself, since every writing transaction holds the one write lock.
    """
    table: Any = row_type
    key = row_type.__mapper__.primary_key[0]
    now = now_in_database(session)
    # A CTE, not a subquery: PostgreSQL may evaluate a subquery twice and lock more rows than the limit.
    oldest = select(key.label("id")).where(where).order_by(*order_by).limit(limit)
    chosen = oldest.with_for_update(skip_locked=True).cte("chosen")
    claimed = session.scalars(
        update(row_type)
        .where(key.in_(select(chosen.c.id)))
        .values(
            fence=table.fence + 1,
            attempts=table.attempts + 1,
            claimed_by=owner,
            lease_expires_at=now + timedelta(seconds=lease_seconds),
            **changes,
        )
        .returning(row_type)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).all()
    return sorted(claimed, key=lambda row: str(row.__mapper__.primary_key_from_instance(row)))


def lease_lapsed(session: Session, row_type: Any) -> ColumnElement[bool]:
    """True for rows whose holder has not been heard from in time, or that somehow have no lease at all."""
    lapsed: ColumnElement[bool] = or_(
        row_type.lease_expires_at.is_(None), row_type.lease_expires_at < now_in_database(session)
    )
    return lapsed


def write_fenced(
    session: Session, row_type: type[Base], row_id: Any, fence: int, *, only_if: Any = None, **changes: Any
) -> None:
    """Write to a row that this process holds. Raises ClaimLost when the fence has moved on, or `only_if` is untrue."""
    table: Any = row_type
    key = row_type.__mapper__.primary_key[0]
    written = session.execute(
        update(row_type)
        .where(key == row_id, table.fence == fence, true() if only_if is None else only_if)
        .values(**changes)
        .execution_options(synchronize_session=False)
    )
    if written.rowcount != 1:  # type: ignore[attr-defined]
        raise ClaimLost
