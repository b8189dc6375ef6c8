"""Is a training run due? Pure: what the database says in, a verdict with its reason out.

A run has a cause, not a time: "the policy was met after run X". Its slot is made of that cause, so two clocks, one
that was restarted, or one whose time jumped find the slot taken and queue nothing twice; and since due-ness is asked
again at every tick, no cause is missed. Hours are UTC, so no day has 23 or 25 of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.forecast import ExpectedGain
from bot.domain.spend import Spend
from bot.texts import policy as texts
from config.run_kinds import RunCause, RunKind

#: How long the clock leaves a style alone after its first, second, … failed run in a row. After the last of them it
#: waits for a person: what failed after a day's rest fails again, and somebody should look.
BACK_OFF = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))


#: Where the expected gain decides: so many new examples, and this share more than the last run had, come before a run.
LEAST_NEW, LEAST_GROWTH = 5, 0.1


class Hindrance(StrEnum):
    """Why no run is due."""

    CLEAN_RETRAIN_CANCELLED = "clean_retrain_cancelled"  #: It is owed, but an admin did not want it.
    OWED_CANCELLED = "owed_cancelled"  #: The same of a measurement, or of the training that followed from one.
    BY_HAND_ONLY = "by_hand_only"  #: The style's policy never trains by itself.
    RUN_ACTIVE = "run_active"  #: One at a time.
    TOO_FEW_EXAMPLES = "too_few_examples"  #: Fewer than any run needs.
    TOO_FEW_NEW = "too_few_new"  #: The policy asks for more new ones.
    GAIN_TOO_SMALL = "gain_too_small"  #: The forecast expects less of a run than the policy asks for.
    FAILED_TOO_OFTEN = "failed_too_often"  #: A person has to look.
    BACKING_OFF = "backing_off"  #: The last run failed a short while ago.
    OUTSIDE_HOURS = "outside_hours"  #: The policy's hours have not come yet.
    BUDGET_SPENT = "budget_spent"  #: The next run would go over the month's limit.
    BUDGET_TOO_SMALL = "budget_too_small"  #: It would in any month: the limit is less than one run costs.
    TERMS_NOT_ACCEPTED = "terms_not_accepted"  #: Everything else is met.


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A run that something has made necessary, whatever the number of new examples."""

    kind: RunKind
    cause: RunCause
    since: datetime
    #: The base model to run on; None: the one that serves the style.
    base_model: str | None = None
    #: Names the cause in the run's slot.
    slot: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """A style as the clock finds it."""

    approved: int
    #: Approved examples that the last finished run has not seen.
    approved_new: int
    #: The policy: 0 means only by hand.
    train_after_examples: int
    #: The policy: bits per byte that a run has to be expected to gain; None: the number of examples decides.
    train_on_gain_bits: float | None = None
    #: What the last run foresees of one now; None where there is no forecast, and the number of examples decides.
    expected_gain: ExpectedGain | None = None
    #: The policy: UTC hours [from, to) in which a run may start; equal means any.
    from_hour: int = 0
    to_hour: int = 0
    #: Fewer examples than this cannot be split into training, validation and unseen pairs.
    minimum: int = 1
    last_run_id: str | None = None
    is_run_active: bool = False
    failures_in_a_row: int = 0
    last_failed_at: datetime | None = None
    last_cancelled_at: datetime | None = None
    #: Since when a clean retrain is owed: something was withdrawn that an adapter had learnt from.
    clean_retrain_owed_at: datetime | None = None
    #: What is owed besides: a measurement, or training after one that said it pays.
    owed: Owed | None = None
    is_terms_accepted: bool = True
    #: This month's spending, where a limit is set, and what the next run is foreseen to cost.
    spend: Spend | None = None
    next_cost: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    #: Names the cause; unique per style, so that one cause is one run.
    slot: str
    reason: str
    kind: RunKind = RunKind.TRAIN
    cause: RunCause = RunCause.NEW_EXAMPLES
    #: None: the base model that serves the style.
    base_model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDue:
    why: Hindrance
    reason: str
    #: The run that has a cause and is held back; None where there is no cause for one.
    run: Due | None = None


def is_training_due(situation: Situation, now: datetime) -> Due | NotDue:
    """Is a run due at this moment? `now` is aware; its UTC hour counts."""
    s = situation
    if s.is_run_active:
        return NotDue(why=Hindrance.RUN_ACTIVE, reason=texts.RUN_ACTIVE())
    if s.clean_retrain_owed_at is not None:
        return _is_clean_retrain_due(s, now)
    if s.owed is None:
        return _is_policy_met(s, now)
    if s.owed.cause is not RunCause.CHANGED_BASE:
        met = _is_policy_met(s, now)
        if isinstance(met, Due):
            return met  # it measures everything, too
    return _is_owed_due(s, s.owed, now)


def _is_policy_met(s: Situation, now: datetime) -> Due | NotDue:
    if s.train_after_examples <= 0:
        return NotDue(why=Hindrance.BY_HAND_ONLY, reason=texts.BY_HAND_ONLY())
    if s.approved < s.minimum:
        return NotDue(why=Hindrance.TOO_FEW_EXAMPLES, reason=texts.too_few_examples(s.approved, s.minimum))
    if s.train_on_gain_bits is not None and s.expected_gain is not None:
        return _is_gain_due(s, s.train_on_gain_bits, s.expected_gain, now)
    if s.approved_new < s.train_after_examples:
        return NotDue(why=Hindrance.TOO_FEW_NEW, reason=texts.too_few_new(s.approved_new, s.train_after_examples))
    return _unless_hindered(Due(slot=slot_after(s.last_run_id), reason=texts.due(s.approved_new)), s, now)


def _is_gain_due(s: Situation, wanted: float, expected: ExpectedGain, now: datetime) -> Due | NotDue:
    """A run that promised a gain and did not bring it is not made again for a handful of new examples."""
    least = max(LEAST_NEW, math.ceil(LEAST_GROWTH * (s.approved - s.approved_new)))
    if s.approved_new < least:
        return NotDue(why=Hindrance.TOO_FEW_NEW, reason=texts.too_few_new(s.approved_new, least))
    if expected.bits < wanted:
        return NotDue(why=Hindrance.GAIN_TOO_SMALL, reason=texts.gain_too_small(expected, wanted))
    return _unless_hindered(Due(slot=slot_after(s.last_run_id), reason=texts.due_by_gain(expected)), s, now)


def _is_clean_retrain_due(s: Situation, now: datetime) -> Due | NotDue:
    """Owed is owed: neither the number of new examples nor "by hand only" holds it back; hours and budget do."""
    if s.approved < s.minimum:
        return NotDue(why=Hindrance.TOO_FEW_EXAMPLES, reason=texts.too_few_examples(s.approved, s.minimum))
    if _came_after(s.last_cancelled_at, s.clean_retrain_owed_at):
        return NotDue(why=Hindrance.CLEAN_RETRAIN_CANCELLED, reason=texts.CLEAN_RETRAIN_CANCELLED())
    if not _came_after(s.last_failed_at, s.clean_retrain_owed_at):
        s = replace(s, failures_in_a_row=0)  # what failed before the withdrawal was another run's trouble
    due = Due(slot=clean_slot_after(s.last_run_id), reason=texts.CLEAN_RETRAIN_DUE(), cause=RunCause.WITHDRAWAL)
    verdict = _unless_hindered(due, s, now)
    if isinstance(verdict, Due):
        return verdict
    return replace(verdict, reason=texts.clean_retrain_owed(verdict.reason))


def _is_owed_due(s: Situation, owed: Owed, now: datetime) -> Due | NotDue:
    """Neither the number of new examples nor "by hand only" holds back what is owed; hours and budget do. Measuring
    trains nothing, so the statement on training data is not asked for."""
    why = texts.owed_because(owed.kind.value, owed.cause.value)
    if s.approved < s.minimum:
        return NotDue(why=Hindrance.TOO_FEW_EXAMPLES, reason=texts.too_few_examples(s.approved, s.minimum))
    if _came_after(s.last_cancelled_at, owed.since):
        return NotDue(why=Hindrance.OWED_CANCELLED, reason=texts.owed_cancelled(why))
    if not _came_after(s.last_failed_at, owed.since):
        s = replace(s, failures_in_a_row=0)
    if owed.kind is RunKind.MEASURE:
        s = replace(s, is_terms_accepted=True)
    slot = f"{owed.slot or owed.cause.value}:{owed.kind.value}:after:{s.last_run_id or 'nothing'}"
    due = Due(slot=slot, reason=why, kind=owed.kind, cause=owed.cause, base_model=owed.base_model)
    verdict = _unless_hindered(due, s, now)
    if isinstance(verdict, Due):
        return verdict
    return replace(verdict, reason=texts.owed_but(why, verdict.reason))


def _came_after(at: datetime | None, owed_at: datetime | None) -> bool:
    return at is not None and owed_at is not None and at > owed_at


def _unless_hindered(due: Due, s: Situation, now: datetime) -> Due | NotDue:
    hindered = _hindered(s, now)
    return replace(hindered, run=due) if hindered else due


def _hindered(s: Situation, now: datetime) -> NotDue | None:
    """What holds back any run that has a cause."""
    if s.failures_in_a_row > len(BACK_OFF):
        return NotDue(why=Hindrance.FAILED_TOO_OFTEN, reason=texts.failed_too_often(s.failures_in_a_row))
    again_at = _again_at(s)
    if again_at is not None and now < again_at:
        return NotDue(why=Hindrance.BACKING_OFF, reason=texts.backing_off(again_at))
    if not is_within_hours(now.hour, s.from_hour, s.to_hour):
        return NotDue(why=Hindrance.OUTSIDE_HOURS, reason=texts.outside_hours(s.from_hour, s.to_hour))
    if s.spend is not None and s.spend.is_never_enough_for(s.next_cost):
        return NotDue(why=Hindrance.BUDGET_TOO_SMALL, reason=texts.budget_too_small(s.spend, s.next_cost))
    if s.spend is not None and s.spend.is_over_with(s.next_cost):
        return NotDue(why=Hindrance.BUDGET_SPENT, reason=texts.budget_spent(s.spend, s.next_cost))
    if not s.is_terms_accepted:
        return NotDue(why=Hindrance.TERMS_NOT_ACCEPTED, reason=texts.TERMS_NOT_ACCEPTED())
    return None


def slot_after(last_run_id: str | None) -> str:
    """The slot of the one run that the clock may queue after that run (None: after no run at all)."""
    return f"policy:after:{last_run_id or 'nothing'}"


def clean_slot_after(last_run_id: str | None) -> str:
    """The slot of the one clean retrain that answers all withdrawals since that run."""
    return f"withdrawal:after:{last_run_id or 'nothing'}"


def is_within_hours(hour: int, from_hour: int, to_hour: int) -> bool:
    """Is this UTC hour in [from, to)? From 22 to 6 goes over midnight; equal bounds mean any hour."""
    if from_hour == to_hour:
        return True
    if from_hour < to_hour:
        return from_hour <= hour < to_hour
    return hour >= from_hour or hour < to_hour


def _again_at(situation: Situation) -> datetime | None:
    if situation.last_failed_at is None or not situation.failures_in_a_row:
        return None
    return situation.last_failed_at + BACK_OFF[situation.failures_in_a_row - 1]
