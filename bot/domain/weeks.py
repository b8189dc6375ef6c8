"""Figures by week, as charts show them and as words say them. Pure.

A week begins on Monday, in the workspace's time zone. A week without a measurement has no value, which is not zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

WEEKS_SHOWN = 12
_BARS = "▁▂▃▄▅▆▇█"
#: Stands where a week has no value.
_NOTHING = "·"


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekSeries:
    """One value a week, oldest first; None where nothing was measured."""

    weeks: tuple[date, ...]
    values: tuple[float | None, ...]

    @property
    def known(self) -> list[tuple[date, float]]:
        return [(week, value) for week, value in zip(self.weeks, self.values, strict=True) if value is not None]

    @property
    def is_empty(self) -> bool:
        return not any(value for value in self.values)


def week_of(moment: datetime, zone: tzinfo) -> date:
    """The Monday of the week in which this moment falls."""
    day = moment.astimezone(zone).date()
    return day - timedelta(days=day.weekday())


def last_weeks(now: datetime, zone: tzinfo, count: int = WEEKS_SHOWN) -> tuple[date, ...]:
    """The Mondays of this week and the ones before it, oldest first."""
    current = week_of(now, zone)
    return tuple(current - timedelta(weeks=back) for back in range(count - 1, -1, -1))


def week_start(monday: date, zone: tzinfo) -> datetime:
    """The first moment of that week."""
    return datetime(monday.year, monday.month, monday.day, tzinfo=zone)


def count_by_week(moments: Iterable[datetime], weeks: Sequence[date], zone: tzinfo) -> WeekSeries:
    """How many fall in each of these weeks; others are left out."""
    counts = dict.fromkeys(weeks, 0)
    for moment in moments:
        week = week_of(moment, zone)
        if week in counts:
            counts[week] += 1
    return WeekSeries(weeks=tuple(weeks), values=tuple(float(counts[week]) for week in weeks))


def mean_by_week(measured: Iterable[tuple[datetime, float]], weeks: Sequence[date], zone: tzinfo) -> WeekSeries:
    """The mean of what was measured in each of these weeks; None in a week without any."""
    found: dict[date, list[float]] = {week: [] for week in weeks}
    for moment, value in measured:
        found.get(week_of(moment, zone), []).append(value)
    values = (sum(found[week]) / len(found[week]) if found[week] else None for week in weeks)
    return WeekSeries(weeks=tuple(weeks), values=tuple(values))


def running_total(series: WeekSeries, before: int) -> WeekSeries:
    """The total at the end of each week, when there were `before` of them before the first."""
    total, totals = float(before), []
    for value in series.values:
        total += value or 0.0
        totals.append(total)
    return WeekSeries(weeks=series.weeks, values=tuple(totals))


def draw_sparkline(values: Sequence[float | None], *, top: float | None = None) -> str:
    """`▁▂▅█·▇`: a bar a value, from 0 to the highest (or to `top`); a dot where there is none."""
    highest = top if top is not None else max((value for value in values if value is not None), default=0.0)
    return "".join(_NOTHING if value is None else _BARS[_step(value, highest)] for value in values)


def _step(value: float, highest: float) -> int:
    if highest <= 0 or value <= 0:
        return 0
    return min(int(value / highest * (len(_BARS) - 1) + 0.5), len(_BARS) - 1)
