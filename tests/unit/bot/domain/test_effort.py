"""Edit effort: what it is of the extremes, and when it speaks of a trend."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.effort import Trend, compare, edit_effort, summarise


def test_a_draft_kept_as_it_was_took_no_effort_and_one_rewritten_took_all() -> None:
    assert edit_effort("We close at noon.", " We close at noon.\n") == 0
    assert edit_effort("aaaa", "bbbb") == 1
    assert edit_effort("", "new") == 1
    assert edit_effort("", "") == 0


def test_half_of_the_longer_text_is_half_the_effort() -> None:
    assert edit_effort("We close", "We close at noon") == 0.5


@given(st.text(), st.text())
def test_effort_is_between_none_and_all_and_the_same_both_ways(one: str, other: str) -> None:
    assert 0 <= edit_effort(one, other) <= 1
    assert edit_effort(one, other) == edit_effort(other, one)


def test_the_interval_holds_the_mean_and_narrows_with_more_drafts() -> None:
    few, many = summarise([0.0, 0.4, 0.2, 0.6]), summarise([0.0, 0.4, 0.2, 0.6] * 25)
    assert few is not None and many is not None
    assert few.low <= few.mean <= few.high
    assert many.high - many.low < few.high - few.low
    assert summarise([]) is None
    alone = summarise([0.3])
    assert alone is not None and (alone.n, alone.low, alone.high) == (1, 0.3, 0.3)


def test_a_trend_needs_enough_drafts_and_more_than_noise() -> None:
    assert compare([0.5] * 4, [0.1] * 40) is Trend.UNKNOWN
    assert compare([0.5, 0.6, 0.4, 0.5, 0.7, 0.5], [0.1, 0.0, 0.2, 0.1, 0.1]) is Trend.LESS
    assert compare([0.1, 0.0, 0.2, 0.1, 0.1], [0.5, 0.6, 0.4, 0.5, 0.7, 0.5]) is Trend.MORE
    assert compare([0.1, 0.6, 0.3, 0.2, 0.5], [0.2, 0.5, 0.3, 0.1, 0.5]) is Trend.SAME
