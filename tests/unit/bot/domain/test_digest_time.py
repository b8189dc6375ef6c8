"""When a digest is due: once a week, in the workspace's own time, whatever the clock does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.digest_time import latest_slot

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
MONDAY_NINE = datetime(2026, 11, 23, 9, 0, tzinfo=AMSTERDAM)


def test_before_its_hour_the_slot_is_still_last_weeks() -> None:
    before, after = (latest_slot(MONDAY_NINE + offset, weekday=0, hour=9, zone=AMSTERDAM) for offset in (
        timedelta(seconds=-1), timedelta(0)
    ))  # fmt: skip
    assert (before.week, after.week) == ("2026-W47", "2026-W48")
    assert after.due_at == MONDAY_NINE
    assert before.due_at == datetime(2026, 11, 16, 9, 0, tzinfo=AMSTERDAM)


def test_a_clock_that_was_down_for_days_still_finds_the_slot() -> None:
    assert latest_slot(MONDAY_NINE + timedelta(days=6, hours=23), weekday=0, hour=9, zone=AMSTERDAM).week == "2026-W48"


def test_another_weekday_in_the_same_week_is_the_same_slot() -> None:
    friday = latest_slot(MONDAY_NINE + timedelta(days=5), weekday=4, hour=9, zone=AMSTERDAM)
    assert friday.week == latest_slot(MONDAY_NINE, weekday=0, hour=9, zone=AMSTERDAM).week


def test_the_weeks_around_new_year_have_names_of_their_own() -> None:
    weeks = [latest_slot(MONDAY_NINE + timedelta(weeks=n), weekday=0, hour=9, zone=AMSTERDAM).week for n in range(8)]
    assert weeks[4:7] == ["2026-W52", "2026-W53", "2027-W01"]
    assert len(set(weeks)) == 8


@given(
    st.integers(0, 15 * 365 * 24 * 60),
    st.integers(0, 6),
    st.integers(0, 23),
    st.sampled_from(["UTC", "Europe/Amsterdam", "America/St_Johns", "Pacific/Apia", "Australia/Lord_Howe"]),
)
def test_the_slot_is_never_in_the_future_nor_older_than_a_week(
    minutes: int, weekday: int, hour: int, zone: str
) -> None:
    now = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    slot = latest_slot(now, weekday=weekday, hour=hour, zone=ZoneInfo(zone))
    age = now - slot.due_at.astimezone(UTC)
    # An hour that summer time takes away, or gives twice, may move it by that hour.
    assert timedelta(0) <= age <= timedelta(days=7, hours=1)


def test_an_hour_that_summer_time_skips_still_gives_one_slot() -> None:
    skipped = datetime(2027, 3, 28, 1, 30, tzinfo=UTC)  # Amsterdam has no 02:00 on this day
    slots = {
        latest_slot(skipped + timedelta(minutes=15 * n), weekday=6, hour=2, zone=AMSTERDAM).week for n in range(-8, 9)
    }
    assert slots == {"2027-W11", "2027-W12"}
