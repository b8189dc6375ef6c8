"""Ids sort by age; times are aware and come back as they went in; every example history is legal."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import sqlite

from db.base import UtcDateTime, new_id
from db.examples import TRANSITIONS, ExampleStatus

SQLITE = sqlite.dialect()


def test_ids_sort_by_age():
    ids = [new_id("ex") for _ in range(10_000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_ids_made_by_many_threads_are_all_different():
    made: list[list[str]] = [[] for _ in range(8)]

    def make(mine):
        mine.extend(new_id("ex") for _ in range(2000))

    threads = [threading.Thread(target=make, args=(mine,)) for mine in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for mine in made for one in mine}) == 16_000
    assert all(mine == sorted(mine) for mine in made)


def test_an_id_carries_its_noun_and_fits_its_column():
    assert re.fullmatch(r"example_[0-9a-z]{19}", new_id("example"))
    assert len(new_id("twelve_chars")) == 32


EPOCH, FAR = datetime(1970, 1, 2), datetime(2900, 1, 1)  # noqa: DTZ001 - hypothesis adds the zones


@given(st.datetimes(EPOCH, FAR, timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_a_time_is_stored_in_utc_and_read_back_aware(moment):
    column = UtcDateTime()
    stored = column.process_bind_param(moment, SQLITE)
    assert stored is not None
    assert stored.tzinfo is UTC
    assert column.process_result_value(stored.replace(tzinfo=None), SQLITE) == moment


def test_a_time_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        UtcDateTime().process_bind_param(datetime(2026, 11, 22), SQLITE)  # noqa: DTZ001 - the point of the test


def test_every_status_says_what_may_follow_it():
    assert set(TRANSITIONS) == set(ExampleStatus)
    for ended in (ExampleStatus.REJECTED, ExampleStatus.WITHDRAWN, ExampleStatus.RETIRED):
        assert not TRANSITIONS[ended]
