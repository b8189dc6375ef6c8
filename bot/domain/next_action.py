"""What would help a style most right now: one action, by rules in order. Pure: facts in, an action with figures out.

The order is the rule: first what keeps others waiting, then what is broken, then what a measurement has shown, then
what is missing for the next step, and last what may be left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

#: With fewer approved examples than this, a prompt has hardly anything to retrieve.
ENOUGH_TO_RETRIEVE = 10
#: So many runs in a row that moved nothing say that training is not what this style needs.
FRUITLESS_RUNS = 3
#: Above this, people rewrite more than a third of what they keep.
HIGH_EFFORT = 0.35
MIN_EFFORT_DRAFTS = 5
#: A measurement is old when the style has this share of examples that it has not seen.
UNSEEN_SHARE = 0.5
#: Weeks without a draft or an example after which a digest only makes noise.
QUIET_WEEKS = 4


class Action(StrEnum):
    """What to do next."""

    REVIEW = "review"  #: Proposals wait.
    LOOK_AT_FAILURES = "look_at_failures"  #: Runs failed until the clock stopped trying.
    ACCEPT_STATEMENT = "accept_statement"  #: Only the statement on training data is missing.
    RAISE_BUDGET = "raise_budget"  #: The month's budget keeps the next run back.
    ENLARGE_BUDGET = "enlarge_budget"  #: No month's budget is enough for the next run.
    WAIT_FOR_RUN = "wait_for_run"  #: A run is under way.
    PROMOTE = "promote"  #: Something measured better than what serves.
    MOVE_DOWN = "move_down"  #: A lower rung measured as good as what serves.
    SWITCH_OFF_TRAINING = "switch_off_training"  #: Several runs in a row moved nothing, and cost money.
    SWITCH_OFF_DIGEST = "switch_off_digest"  #: Nobody has used the style for weeks.
    TEACH = "teach"  #: Too few examples even for retrieval.
    MEASURE_AGAIN = "measure_again"  #: The champion was never measured, or on much less than there is now.
    EDIT_INSTRUCTIONS = "edit_instructions"  #: People rewrite most of what they keep.
    MORE_EXAMPLES = "more_examples"  #: So many until the next training.
    WAIT_FOR_HOURS = "wait_for_hours"  #: The next run is due and waits for its hour, or for its turn.
    ASK_FOR_DRAFTS = "ask_for_drafts"  #: All is well, and nobody asked for a draft this week.
    NOTHING = "nothing"  #: All is well.


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A style at this moment."""

    approved: int
    proposed: int
    #: Approved examples that no finished run has looked at.
    approved_new: int
    #: The policy: 0 is by hand only.
    train_after_examples: int
    #: Fewer than this cannot be trained on.
    minimum_examples: int
    #: Why no run is due (`bot.domain.policy.Hindrance`), "" when one is.
    hindrance: str
    failures_in_a_row: int = 0
    #: Finished runs in a row that moved nothing, and what they cost together.
    fruitless_runs: int = 0
    fruitless_cost: float = 0.0
    is_champion_measured: bool = False
    #: The candidate that the last measurement put above the champion beyond the noise, and by how many bits a byte.
    better_candidate: str = ""
    better_by: float = 0.0
    #: The candidate on a lower rung that it found to be as good as the champion.
    lower_candidate: str = ""
    #: Mean edit effort of the last four weeks, and of how many drafts.
    effort: float | None = None
    effort_drafts: int = 0
    drafts_this_week: int = 0
    #: Whole weeks since a draft was asked for or an example proposed.
    quiet_weeks: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAction:
    """The action, and the figures that its sentence needs."""

    action: Action
    count: int = 0
    amount: float = 0.0
    name: str = ""


def choose_next_action(facts: Facts) -> NextAction:
    """The first rule that applies."""
    return _waiting(facts) or _measured(facts) or _missing(facts) or _all_well(facts)


def _waiting(f: Facts) -> NextAction | None:
    """Somebody or something waits for a person."""
    if f.proposed:
        return NextAction(action=Action.REVIEW, count=f.proposed)
    if f.hindrance == "failed_too_often":
        return NextAction(action=Action.LOOK_AT_FAILURES, count=f.failures_in_a_row)
    if f.hindrance == "terms_not_accepted":
        return NextAction(action=Action.ACCEPT_STATEMENT)
    if f.hindrance == "budget_spent":
        return NextAction(action=Action.RAISE_BUDGET)
    if f.hindrance == "budget_too_small":
        return NextAction(action=Action.ENLARGE_BUDGET)
    if f.hindrance == "run_active":
        return NextAction(action=Action.WAIT_FOR_RUN)
    return None


def _measured(f: Facts) -> NextAction | None:
    """A measurement says something."""
    if f.better_candidate:
        return NextAction(action=Action.PROMOTE, name=f.better_candidate, amount=f.better_by)
    if f.lower_candidate:
        return NextAction(action=Action.MOVE_DOWN, name=f.lower_candidate)
    if f.fruitless_runs >= FRUITLESS_RUNS and f.train_after_examples > 0:
        return NextAction(action=Action.SWITCH_OFF_TRAINING, count=f.fruitless_runs, amount=f.fruitless_cost)
    if f.quiet_weeks >= QUIET_WEEKS:
        return NextAction(action=Action.SWITCH_OFF_DIGEST, count=f.quiet_weeks)
    return None


def _missing(f: Facts) -> NextAction | None:
    """Something is missing for the next step."""
    if f.approved < ENOUGH_TO_RETRIEVE:
        return NextAction(action=Action.TEACH, count=ENOUGH_TO_RETRIEVE - f.approved)
    is_trainable = f.approved >= f.minimum_examples
    if is_trainable and (not f.is_champion_measured or f.approved_new >= UNSEEN_SHARE * f.approved):
        by_itself = f.train_after_examples > 0 and f.approved_new >= f.train_after_examples
        if not by_itself:
            return NextAction(action=Action.MEASURE_AGAIN, count=f.approved_new)
    if f.effort is not None and f.effort_drafts >= MIN_EFFORT_DRAFTS and f.effort > HIGH_EFFORT:
        return NextAction(action=Action.EDIT_INSTRUCTIONS, amount=f.effort)
    if not is_trainable:
        return NextAction(action=Action.MORE_EXAMPLES, count=f.minimum_examples - f.approved)
    if f.train_after_examples > f.approved_new and f.hindrance != "gain_too_small":
        return NextAction(action=Action.MORE_EXAMPLES, count=f.train_after_examples - f.approved_new)
    return None


def _all_well(f: Facts) -> NextAction:
    if f.train_after_examples > 0 and f.hindrance != "gain_too_small":
        return NextAction(action=Action.WAIT_FOR_HOURS, count=f.approved_new)
    if not f.drafts_this_week:
        return NextAction(action=Action.ASK_FOR_DRAFTS)
    return NextAction(action=Action.NOTHING)
