"""When a run is due: every hindrance has its turn, and no clock can make one cause two slots or none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain.forecast import ExpectedGain
from bot.domain.policy import BACK_OFF, Due, Hindrance, NotDue, Owed, Situation, is_training_due, is_within_hours
from config.run_kinds import RunCause, RunKind

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MET = Situation(approved=120, approved_new=50, train_after_examples=50, minimum=40, last_run_id="run_1")


def why(situation: Situation, now: datetime = NOON) -> Hindrance:
    verdict = is_training_due(situation, now)
    assert isinstance(verdict, NotDue), verdict
    return verdict.why


def test_a_met_policy_is_due_and_its_slot_names_the_run_before() -> None:
    assert is_training_due(MET, NOON) == Due(
        slot="policy:after:run_1", reason="50 new approved examples since the last run"
    )
    first = is_training_due(replace(MET, last_run_id=None), NOON)
    assert isinstance(first, Due)
    assert first.slot == "policy:after:nothing"


def test_one_example_fewer_is_not_due_and_the_reason_says_how_many_are_missing() -> None:
    verdict = is_training_due(replace(MET, approved_new=49), NOON)
    assert isinstance(verdict, NotDue)
    assert (verdict.why, "1 more is needed" in verdict.reason) == (Hindrance.TOO_FEW_NEW, True)


@pytest.mark.parametrize(
    ("different", "expected"),
    [
        ({"is_run_active": True}, Hindrance.RUN_ACTIVE),
        ({"train_after_examples": 0}, Hindrance.BY_HAND_ONLY),
        ({"approved": 39, "approved_new": 39, "train_after_examples": 10}, Hindrance.TOO_FEW_EXAMPLES),
        ({"is_terms_accepted": False}, Hindrance.TERMS_NOT_ACCEPTED),
        ({"from_hour": 1, "to_hour": 5}, Hindrance.OUTSIDE_HOURS),
        ({"failures_in_a_row": len(BACK_OFF) + 1, "last_failed_at": NOON}, Hindrance.FAILED_TOO_OFTEN),
    ],
)
def test_each_hindrance_is_named(different: dict[str, object], expected: Hindrance) -> None:
    assert why(replace(MET, **different)) is expected  # type: ignore[arg-type]


def test_missing_terms_are_only_named_when_everything_else_is_met() -> None:
    """The channel is asked once, at the moment when it is the one thing that is missing."""
    assert why(replace(MET, is_terms_accepted=False, approved_new=3)) is Hindrance.TOO_FEW_NEW
    assert why(replace(MET, is_terms_accepted=False, from_hour=1, to_hour=2)) is Hindrance.OUTSIDE_HOURS


def test_after_each_failure_in_a_row_the_clock_waits_longer() -> None:
    for failures, rest in enumerate(BACK_OFF, start=1):
        failed = replace(MET, failures_in_a_row=failures, last_failed_at=NOON)
        assert why(failed, NOON + rest - timedelta(seconds=1)) is Hindrance.BACKING_OFF
        assert isinstance(is_training_due(failed, NOON + rest), Due)


@pytest.mark.parametrize(
    ("from_hour", "to_hour", "inside", "outside"),
    [
        (9, 17, {9, 12, 16}, {8, 17, 23, 0}),
        (22, 6, {22, 23, 0, 5}, {6, 12, 21}),
        (0, 0, set(range(24)), set()),
        (7, 7, set(range(24)), set()),
        (23, 0, {23}, {0, 22}),
    ],
)
def test_hours_go_over_midnight_and_equal_bounds_mean_any(
    from_hour: int, to_hour: int, inside: set[int], outside: set[int]
) -> None:
    assert {hour for hour in inside | outside if is_within_hours(hour, from_hour, to_hour)} == inside


@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
def test_on_a_day_when_the_local_clock_jumps_every_minute_gives_the_same_slot(day: datetime) -> None:
    """Amsterdam's clocks jump on these days; the policy's hours are UTC, so its window is open for its two hours."""
    night = replace(MET, from_hour=1, to_hour=3)
    verdicts = [
        is_training_due(
            night, (day + timedelta(minutes=minute)).astimezone(ZoneInfo("Europe/Amsterdam")).astimezone(UTC)
        )
        for minute in range(24 * 60)
    ]
    due = [verdict for verdict in verdicts if isinstance(verdict, Due)]
    assert len(due) == 120
    assert {verdict.slot for verdict in due} == {"policy:after:run_1"}


OWED = replace(MET, clean_retrain_owed_at=NOON, approved_new=0, train_after_examples=0)


def test_an_owed_clean_retrain_needs_no_new_examples_and_no_policy() -> None:
    verdict = is_training_due(OWED, NOON)
    assert isinstance(verdict, Due)
    assert verdict.slot == "withdrawal:after:run_1"


@pytest.mark.parametrize(
    ("different", "why"),
    [
        ({"is_run_active": True}, Hindrance.RUN_ACTIVE),
        ({"approved": 13, "minimum": 14}, Hindrance.TOO_FEW_EXAMPLES),
        ({"last_cancelled_at": NOON + timedelta(minutes=1)}, Hindrance.CLEAN_RETRAIN_CANCELLED),
        ({"failures_in_a_row": 1, "last_failed_at": NOON + timedelta(seconds=1)}, Hindrance.BACKING_OFF),
        ({"failures_in_a_row": 4, "last_failed_at": NOON + timedelta(seconds=1)}, Hindrance.FAILED_TOO_OFTEN),
        ({"from_hour": 22, "to_hour": 6}, Hindrance.OUTSIDE_HOURS),
        ({"is_terms_accepted": False}, Hindrance.TERMS_NOT_ACCEPTED),
    ],
)
def test_what_still_holds_an_owed_clean_retrain_back(different: dict[str, object], why: Hindrance) -> None:
    verdict = is_training_due(replace(OWED, **different), NOON + timedelta(minutes=2))  # type: ignore[arg-type]
    assert isinstance(verdict, NotDue)
    assert verdict.why is why


@pytest.mark.parametrize("before", [{"last_cancelled_at": NOON}, {"failures_in_a_row": 9, "last_failed_at": NOON}])
def test_what_was_before_the_withdrawal_does_not_hold_it_back(before: dict[str, object]) -> None:
    later = replace(OWED, clean_retrain_owed_at=NOON + timedelta(seconds=1), **before)  # type: ignore[arg-type]
    assert isinstance(is_training_due(later, NOON + timedelta(seconds=2)), Due)


# --- by expected gain ------------------------------------------------------------------------------------------------

BY_GAIN = replace(MET, train_on_gain_bits=0.02, expected_gain=ExpectedGain(bits=0.031, chance=0.87))


def test_a_run_that_is_expected_to_gain_enough_is_due_before_the_count_is_met() -> None:
    verdict = is_training_due(replace(BY_GAIN, approved_new=20), NOON)
    assert verdict == Due(
        slot="policy:after:run_1",
        reason="a run now is expected to gain 0.031 bits per byte (87% that it is better at all)",
    )


def test_a_run_that_is_expected_to_gain_too_little_is_not_due_though_the_count_is_met() -> None:
    verdict = is_training_due(replace(BY_GAIN, expected_gain=ExpectedGain(bits=0.004, chance=0.55)), NOON)
    assert isinstance(verdict, NotDue)
    assert verdict.why is Hindrance.GAIN_TOO_SMALL
    assert "0.004 bits per byte, and this style asks for 0.020" in verdict.reason


def test_while_there_is_no_forecast_the_count_decides() -> None:
    assert isinstance(is_training_due(replace(BY_GAIN, expected_gain=None), NOON), Due)
    assert why(replace(BY_GAIN, expected_gain=None, approved_new=49)) is Hindrance.TOO_FEW_NEW


def test_a_forecast_that_nobody_asked_for_decides_nothing() -> None:
    assert why(replace(BY_GAIN, train_on_gain_bits=None, approved_new=49)) is Hindrance.TOO_FEW_NEW


@pytest.mark.parametrize(
    ("approved", "new", "is_due"), [(44, 4, False), (44, 5, True), (209, 18, False), (209, 19, True)]
)
def test_a_promise_that_was_not_kept_is_not_tried_again_for_a_handful_of_examples(
    approved: int, new: int, is_due: bool
) -> None:
    """Five at least, and a tenth of what the last run had: of 190, 19."""
    verdict = is_training_due(replace(BY_GAIN, approved=approved, approved_new=new), NOON)
    assert isinstance(verdict, Due) is is_due


@pytest.mark.parametrize(
    ("different", "expected"),
    [
        ({"train_after_examples": 0}, Hindrance.BY_HAND_ONLY),
        ({"from_hour": 1, "to_hour": 5}, Hindrance.OUTSIDE_HOURS),
        ({"is_terms_accepted": False}, Hindrance.TERMS_NOT_ACCEPTED),
        ({"approved": 39, "approved_new": 39}, Hindrance.TOO_FEW_EXAMPLES),
    ],
)
def test_an_expected_gain_overrules_nothing_else(different: dict[str, object], expected: Hindrance) -> None:
    assert why(replace(BY_GAIN, **different)) is expected  # type: ignore[arg-type]


MEASURE_OWED = replace(
    MET,
    approved_new=0,
    owed=Owed(kind=RunKind.MEASURE, cause=RunCause.CHANGED_INSTRUCTIONS, since=NOON),
)


def test_an_owed_measurement_is_due_whatever_the_number_of_new_examples_and_once_after_each_run() -> None:
    verdict = is_training_due(replace(MEASURE_OWED, train_after_examples=0, is_terms_accepted=False), NOON)
    assert isinstance(verdict, Due)
    assert (verdict.kind, verdict.cause) == (RunKind.MEASURE, RunCause.CHANGED_INSTRUCTIONS)
    assert verdict.slot == "changed_instructions:measure:after:run_1"


def test_training_that_is_due_anyhow_answers_for_the_measurement_too_but_not_for_another_base_model() -> None:
    both = is_training_due(replace(MEASURE_OWED, approved_new=50), NOON)
    assert isinstance(both, Due) and both.kind is RunKind.TRAIN and both.cause is RunCause.NEW_EXAMPLES
    base = Owed(kind=RunKind.TRAIN, cause=RunCause.CHANGED_BASE, since=NOON, base_model="new", slot="base:bas_1")
    other = is_training_due(replace(MEASURE_OWED, approved_new=50, owed=base), NOON)
    assert isinstance(other, Due)
    assert (other.base_model, other.slot) == ("new", "base:bas_1:train:after:run_1")


def test_a_clean_retrain_comes_before_anything_else_that_is_owed() -> None:
    verdict = is_training_due(replace(MEASURE_OWED, clean_retrain_owed_at=NOON), NOON)
    assert isinstance(verdict, Due) and verdict.cause is RunCause.WITHDRAWAL


@pytest.mark.parametrize(
    ("different", "expected"),
    [
        ({"is_run_active": True}, Hindrance.RUN_ACTIVE),
        ({"approved": 39}, Hindrance.TOO_FEW_EXAMPLES),
        ({"last_cancelled_at": NOON + timedelta(minutes=1)}, Hindrance.OWED_CANCELLED),
        ({"from_hour": 22, "to_hour": 6}, Hindrance.OUTSIDE_HOURS),
        ({"failures_in_a_row": 1, "last_failed_at": NOON + timedelta(seconds=1)}, Hindrance.BACKING_OFF),
    ],
)
def test_what_holds_an_owed_measurement_back(different: dict[str, object], expected: Hindrance) -> None:
    assert why(replace(MEASURE_OWED, **different)) is expected  # type: ignore[arg-type]


def test_training_that_pays_still_asks_for_the_statement() -> None:
    owed = Owed(kind=RunKind.TRAIN, cause=RunCause.DRIFT, since=NOON)
    assert why(replace(MEASURE_OWED, owed=owed, is_terms_accepted=False)) is Hindrance.TERMS_NOT_ACCEPTED
