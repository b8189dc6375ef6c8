"""The drift detector: how often it alarms for nothing, how soon it finds something, and that looking costs nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.drift import FALSE_ALARMS, LEAST_KNOWN, Value, find_drift
from tests.benchmarks.ladder.drift import bell_shaped, decisions, delays, false_alarms, skewed


def named(losses: Sequence[float]) -> list[Value]:
    return [Value(name=f"ex_{number}", loss=float(loss)) for number, loss in enumerate(losses)]


@pytest.mark.parametrize(("draw", "measured"), [(skewed, 0), (bell_shaped, 100), (decisions, 0)])
def test_without_a_change_a_thousand_values_alarm_no_more_often_than_is_stated(draw, measured: int) -> None:
    assert false_alarms(draw, measured, times=50) <= FALSE_ALARMS + 0.05  # the simulation's own noise


def test_a_rise_of_half_the_spread_is_found_within_135_examples() -> None:
    """In nine of ten, where 300 values are known: of the measurement, and since."""
    for measured, quiet in ((300, 0), (100, 200)):
        took = delays(bell_shaped, measured, quiet, 0.5, times=40)
        assert np.quantile(took, 0.9) <= 135


def test_values_that_fall_or_stay_as_they_are_never_alarm() -> None:
    rng = np.random.default_rng(0)
    assert find_drift(list(rng.normal(1.0, 0.3, 100)), named(list(rng.normal(0.5, 0.3, 1000)))) is None
    assert find_drift([0.0] * 50, named([0.0] * 1000)) is None


def test_an_alarm_says_since_when_and_by_how_much() -> None:
    rng = np.random.default_rng(1)
    measured, before, after = rng.normal(1.0, 0.3, 100), rng.normal(1.0, 0.3, 50), rng.normal(1.6, 0.3, 50)
    alarm = find_drift(list(measured), named([*before, *after]))
    assert alarm is not None
    assert 50 < alarm.at <= 70 and abs(alarm.at - alarm.n - 50) <= 3
    assert alarm.before == pytest.approx(1.0, abs=0.1) and alarm.now == pytest.approx(1.6, abs=0.2)


@given(st.lists(st.floats(0, 10), min_size=1, max_size=30), st.lists(st.sampled_from([0.0, 0.5, 5.0]), max_size=80))
def test_what_comes_later_changes_no_alarm(measured: list[float], losses: list[float]) -> None:
    """It may be looked at after every value: the moment of the alarm is the same at every look from then on."""
    values = named([*losses, *(20.0 + number for number in range(60))])
    alarm = find_drift(measured, values)
    assert alarm is not None, "sixty values, each worse than any before, are a change"
    assert find_drift(measured, values[: alarm.at]) == alarm
    assert find_drift(measured, values[: alarm.at - 1]) is None
    assert len(measured) + alarm.at > LEAST_KNOWN
