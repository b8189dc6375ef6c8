"""When the weekly digest is due. Pure.

A digest belongs to a week, not to a moment: its slot is the ISO week of the moment it was set for. A clock that was
down finds the slot still empty; two clocks, or a changed weekday, find it taken.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestSlot:
    """The latest digest that should have been sent by now."""

    #: `2026-W48`.
    week: str
    #: When it was due; the digest tells of the seven days before.
    due_at: datetime


def latest_slot(now: datetime, *, weekday: int, hour: int, zone: tzinfo) -> DigestSlot:
    """The last time this weekday (0 is Monday) and hour began in this zone, at or before `now`."""
    local = now.astimezone(zone)
    day = local.date() - timedelta(days=(local.weekday() - weekday) % 7)
    due_at = datetime.combine(day, time(hour), tzinfo=zone)
    if due_at > now:
        day -= timedelta(days=7)
        due_at = datetime.combine(day, time(hour), tzinfo=zone)
    year, week, _ = day.isocalendar()
    return DigestSlot(week=f"{year}-W{week:02d}", due_at=due_at)
