"""Figures by week: which week a moment falls in, and what a row of bars says."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

from bot.domain.weeks import (
    count_by_week,
    draw_sparkline,
    last_weeks,
    mean_by_week,
    running_total,
    week_of,
    week_start,
)

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)  # a Sunday


def test_a_week_begins_on_monday_in_the_workspaces_own_time() -> None:
    sunday_night = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert week_of(sunday_night, ZoneInfo("UTC")) == date(2026, 11, 16)
    assert week_of(sunday_night, AMSTERDAM) == date(2026, 11, 23)


def test_the_last_weeks_end_with_this_one() -> None:
    assert last_weeks(NOW, AMSTERDAM, 3) == (date(2026, 11, 2), date(2026, 11, 9), date(2026, 11, 16))


def test_a_week_over_the_end_of_summer_time_has_an_hour_more() -> None:
    first, second = week_start(date(2026, 10, 19), AMSTERDAM), week_start(date(2026, 10, 26), AMSTERDAM)
    assert second.astimezone(UTC) - first.astimezone(UTC) == timedelta(days=7, hours=1)


def test_counting_leaves_out_what_is_older_and_counts_empty_weeks_as_zero() -> None:
    weeks = last_weeks(NOW, AMSTERDAM, 3)
    moments = [NOW, NOW - timedelta(days=1), NOW - timedelta(weeks=2), NOW - timedelta(weeks=9)]
    series = count_by_week(moments, weeks, AMSTERDAM)
    assert series.values == (1.0, 0.0, 2.0)
    assert running_total(series, before=5).values == (6.0, 6.0, 8.0)


def test_a_week_without_a_measurement_has_no_mean() -> None:
    weeks = last_weeks(NOW, AMSTERDAM, 3)
    series = mean_by_week([(NOW, 0.2), (NOW, 0.4), (NOW - timedelta(weeks=50), 1.0)], weeks, AMSTERDAM)
    assert series.values[:2] == (None, None)
    assert series.values[2] is not None and abs(series.values[2] - 0.3) < 1e-9
    assert len(series.known) == 1


def test_a_sparkline_has_a_bar_for_each_value_and_a_dot_for_none() -> None:
    assert draw_sparkline([0, 1, 2, None, 4]) == "▁▃▅·█"
    assert draw_sparkline([0, 0]) == "▁▁"
    assert draw_sparkline([0.5, 1.0], top=1.0) == "▅█"
    assert draw_sparkline([]) == ""
