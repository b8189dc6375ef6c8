"""What a month has cost: what counts, when it begins anew, and when the next run no longer fits."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from bot.domain.policy import Due, Hindrance, NotDue, Situation, is_training_due
from bot.domain.spend import RunBill, Spend, cost_of, month_of, total_cost

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def bill(**different: Any) -> RunBill:
    values: dict[str, Any] = {"receipt": None, "quote": None, "held_seconds": 0.0, "is_ended": False}
    return RunBill(**(values | different))


def spend(**different: Any) -> Spend:
    values: dict[str, Any] = {
        "spent": 4.0, "limit": 5.0, "team_spent": 6.0, "team_limit": None, "currency": "EUR", "renews_at": NOW,
    }  # fmt: skip
    return Spend(**(values | different))


def test_a_month_begins_at_midnight_in_the_workspaces_own_time() -> None:
    start, following = month_of(datetime(2026, 11, 30, 23, 30, tzinfo=UTC), AMSTERDAM)
    assert (start.month, start.day, following.month) == (12, 1, 1)
    assert following.year == 2027


def test_a_run_costs_what_its_receipt_says() -> None:
    assert cost_of(bill(receipt={"cost": 1.5}, held_seconds=9 * 3600), 10.0) == 1.5


def test_a_run_that_failed_costs_the_hours_it_used() -> None:
    assert cost_of(bill(held_seconds=2 * 3600, is_ended=True), 3.0) == 6.0


def test_a_run_under_way_counts_with_its_quote_until_it_has_used_more() -> None:
    quoted = {"cost": 2.0}
    assert cost_of(bill(quote=quoted), 3.0) == 2.0
    assert cost_of(bill(quote=quoted, held_seconds=2 * 3600), 3.0) == 6.0
    assert total_cost([bill(quote=quoted), bill(receipt={"cost": 0.1 + 0.2})], 3.0) == 2.3


@pytest.mark.parametrize(
    ("values", "left"),
    [
        ({}, 1.0),
        ({"limit": None}, None),
        ({"limit": 3.0}, 0.0),
        ({"team_limit": 6.5}, 0.5),
        ({"limit": None, "team_limit": 10.0}, 4.0),
    ],
)
def test_the_narrower_of_the_two_limits_counts(values: dict[str, Any], left: float | None) -> None:
    assert spend(**values).left == left


def test_a_run_is_kept_back_only_when_it_goes_over() -> None:
    assert not spend().is_over_with(1.0)
    assert spend().is_over_with(1.01)
    assert not spend(limit=0.0).is_over_with(0.0)
    assert spend(limit=0.0).is_over_with(0.01)
    assert not spend(limit=None).is_over_with(1e9)


def test_a_due_run_that_goes_over_the_budget_is_not_due_and_says_why() -> None:
    due = Situation(approved=100, approved_new=60, train_after_examples=50, minimum=30)
    assert isinstance(is_training_due(due, NOW), Due)
    over = Situation(
        approved=100, approved_new=60, train_after_examples=50, minimum=30, spend=spend(), next_cost=2.0,
        is_terms_accepted=False,
    )  # fmt: skip
    verdict = is_training_due(over, NOW)
    assert isinstance(verdict, NotDue) and verdict.why is Hindrance.BUDGET_SPENT
    assert "€1.00 left" in verdict.reason and "€2.00" in verdict.reason
