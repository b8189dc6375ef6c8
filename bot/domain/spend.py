"""What runs have cost in a calendar month, and whether the next one still fits. Pure.

A run counts in the month in which it ended; one that has not ended counts now, with what it was quoted at or has
used so far, whichever is more. A run that failed or was cancelled has used the machine too.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RunBill:
    """A run as its bill needs it."""

    receipt: Mapping[str, Any] | None
    quote: Mapping[str, Any] | None
    #: For how long trainers have held it so far.
    held_seconds: float
    is_ended: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """A calendar month's spending, against the style's limit and the workspace's; None is no limit."""

    spent: float
    limit: float | None
    team_spent: float
    team_limit: float | None
    currency: str
    #: The first moment of the next month.
    renews_at: datetime

    @property
    def least_limit(self) -> float:
        """The narrower limit; infinite where there is none."""
        return min((limit for limit in (self.limit, self.team_limit) if limit is not None), default=math.inf)

    @property
    def left(self) -> float | None:
        """What the next run may cost; None when nothing limits it. Never below 0."""
        rooms = []
        if self.limit is not None:
            rooms.append(self.limit - self.spent)
        if self.team_limit is not None:
            rooms.append(self.team_limit - self.team_spent)
        return max(min(rooms), 0.0) if rooms else None

    def is_over_with(self, cost: float) -> bool:
        """Would a run of this cost go over a limit? Without a price nothing ever does; at 0 left nothing fits."""
        left = self.left
        return left is not None and cost > 0 and cost > left

    def is_never_enough_for(self, cost: float) -> bool:
        """Would a run of this cost go over a limit also in a month in which nothing else was spent?"""
        return 0 < cost > self.least_limit


def month_of(now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """The first moments of this calendar month and of the next, in this time zone."""
    start = now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    if start.month == 12:
        return start, start.replace(year=start.year + 1, month=1)
    return start, start.replace(month=start.month + 1)


def cost_of(bill: RunBill, price_per_hour: float) -> float:
    """What this run has cost, or is taken to cost while it lasts. Waiting for a trainer costs nothing."""
    if bill.receipt and bill.receipt.get("cost") is not None:
        return float(bill.receipt["cost"])
    used = bill.held_seconds / 3600 * price_per_hour
    quoted = 0.0 if bill.is_ended else float((bill.quote or {}).get("cost") or 0.0)
    return max(used, quoted)


def total_cost(bills: Iterable[RunBill], price_per_hour: float) -> float:
    return round(sum(cost_of(bill, price_per_hour) for bill in bills), 4)
