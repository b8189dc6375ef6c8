"""The next best action: each rule alone, and which comes first."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.domain.next_action import Action, Facts, NextAction, choose_next_action
from bot.texts import overview as texts

#: A style in order: trained, measured, used, with a run to come.
WELL = Facts(
    approved=100, proposed=0, approved_new=20, train_after_examples=50, minimum_examples=30, hindrance="too_few_new",
    is_champion_measured=True, effort=0.1, effort_drafts=20, drafts_this_week=8,
)  # fmt: skip


def chosen(**different: object) -> NextAction:
    return choose_next_action(replace(WELL, **different))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("different", "action", "count"),
    [
        ({"proposed": 7}, Action.REVIEW, 7),
        ({"hindrance": "failed_too_often", "failures_in_a_row": 4}, Action.LOOK_AT_FAILURES, 4),
        ({"hindrance": "terms_not_accepted", "approved_new": 60}, Action.ACCEPT_STATEMENT, 0),
        ({"hindrance": "budget_spent", "approved_new": 60}, Action.RAISE_BUDGET, 0),
        ({"hindrance": "budget_too_small", "approved_new": 60}, Action.ENLARGE_BUDGET, 0),
        ({"hindrance": "run_active"}, Action.WAIT_FOR_RUN, 0),
        ({"better_candidate": "support-v2", "better_by": 0.12}, Action.PROMOTE, 0),
        ({"lower_candidate": "retrieved"}, Action.MOVE_DOWN, 0),
        ({"fruitless_runs": 3, "fruitless_cost": 4.5}, Action.SWITCH_OFF_TRAINING, 3),
        ({"quiet_weeks": 4}, Action.SWITCH_OFF_DIGEST, 4),
        ({"approved": 4, "approved_new": 4}, Action.TEACH, 6),
        ({"approved_new": 49, "approved": 60, "is_champion_measured": True}, Action.MEASURE_AGAIN, 49),
        ({"is_champion_measured": False}, Action.MEASURE_AGAIN, 20),
        ({"effort": 0.5}, Action.EDIT_INSTRUCTIONS, 0),
        ({"approved": 20, "approved_new": 20, "is_champion_measured": False}, Action.MORE_EXAMPLES, 10),
        ({}, Action.MORE_EXAMPLES, 30),
        ({"approved_new": 38}, Action.MORE_EXAMPLES, 12),
        ({"approved_new": 55, "hindrance": "outside_hours"}, Action.WAIT_FOR_HOURS, 55),
        ({"train_after_examples": 0, "drafts_this_week": 0}, Action.ASK_FOR_DRAFTS, 0),
        ({"train_after_examples": 0}, Action.NOTHING, 0),
    ],
)
def test_each_rule_applies_when_nothing_more_urgent_does(
    different: dict[str, object], action: Action, count: int
) -> None:
    found = chosen(**different)
    assert (found.action, found.count) == (action, count)


def test_what_people_wait_for_comes_before_everything_else() -> None:
    assert chosen(proposed=1, better_candidate="x", quiet_weeks=9, fruitless_runs=5, approved=1).action is Action.REVIEW


def test_runs_that_moved_nothing_say_nothing_where_training_is_off_already() -> None:
    assert chosen(fruitless_runs=5, train_after_examples=0).action is not Action.SWITCH_OFF_TRAINING


def test_a_few_drafts_say_nothing_about_the_instructions() -> None:
    assert chosen(effort=0.9, effort_drafts=4).action is Action.MORE_EXAMPLES


def test_what_trains_by_itself_is_not_asked_for_by_hand() -> None:
    assert chosen(approved_new=80, hindrance="outside_hours").action is Action.WAIT_FOR_HOURS


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("count", [1, 3])
def test_every_action_is_a_sentence(action: Action, count: int) -> None:
    chosen = NextAction(action=action, count=count, amount=0.4, name="support-v2")
    said = texts.next_action(chosen, "support", "EUR")
    assert said.startswith("*Next best step:* ") and said.endswith(".")
    assert "1 examples" not in said and "1 proposals" not in said
