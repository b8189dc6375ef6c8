"""Measurements that are owed: what a style's ladder was measured with is not what serves it now.

The debt is a moment on the style, so that one run answers however many causes came before it. Any run that froze its
dataset after that moment settles it, whether it trained or only measured.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import update
from sqlalchemy.orm import Session

from config.run_kinds import RunCause
from db.base import now_in_database
from db.styles import Style


def owe_measurement(session: Session, style_id: str, cause: RunCause) -> None:
    """Re-measure this style, because …: from now on, also where one is owed for an earlier cause."""
    owed = {"measurement_owed_at": now_in_database(session), "measurement_cause": cause}
    session.execute(update(Style).where(Style.style_id == style_id).values(**owed))


def settle_measurement(session: Session, style_id: str, *, up_to: datetime) -> None:
    """Nothing is owed any more for what happened up to this moment."""
    settled = update(Style).where(Style.style_id == style_id, Style.measurement_owed_at <= up_to)
    session.execute(settled.values(measurement_owed_at=None, measurement_cause=None))
