"""Time in tests: leases lapse because the row says so, not because a test has slept."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from db.base import Base, now_in_database


def lapse_leases(session: Session, row_type: type[Base], *conditions: Any) -> None:
    """As if every holder (of the rows that meet the conditions) had been silent past its lease."""
    long_ago = now_in_database(session) - timedelta(seconds=60)
    table: Any = row_type
    session.execute(
        update(row_type)
        .where(table.lease_expires_at.is_not(None), *conditions)
        .values(lease_expires_at=long_ago)
        .execution_options(synchronize_session=False)
    )
