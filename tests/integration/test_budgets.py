"""A monthly budget is hard, for the clock and for an admin alike, whatever happens between the quote and the click."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from bot.domain.next_action import Action
from bot.domain.quote import SpeedSource
from bot.domain.values import Actor
from bot.errors import OverBudget
from bot.operations.measurements import measure_as_operator
from bot.operations.overview import read_overview
from bot.operations.runs import confirm_training, look_at_policy, queue_due_runs, quote_training
from config.run_kinds import RunCause, RunKind
from config.settings import Settings
from db.audit import AuditEntry
from db.base import now_in_database
from db.examples import ExampleStatus
from db.measurements import owe_measurement
from db.outbox import list_by_prefix
from db.runs import Run, RunStatus
from db.session import Database
from db.styles import Style, get_style, lock_style
from db.teams import get_team, lock_team
from db.trainers import Trainer, register_trainer
from tests.support import factories
from tests.support.wait import wait_until

ADMIN = Actor(team_id="T1", user_id="U_ADMIN", name="Ana", is_admin=True)


@pytest.fixture
def priced(settings: Settings) -> Settings:
    return settings.model_copy(update={"price_per_hour": 100.0})


def make_style(session: Session, name: str, **different: object) -> Style:
    """A style that can be trained, in a workspace that has accepted the statement."""
    get_team(session, "T1").terms_accepted_at = now_in_database(session)
    style = factories.make_style(session, name=name, channel_id="C_HOME", recipe="tiny-test", **different)
    for _ in range(20):
        factories.make_example(session, style, status=ExampleStatus.APPROVED)
    session.flush()
    return style


def quoted_cost(database: Database, quote_id: str) -> float:
    with database.read() as session:
        return float(session.get_one(AuditEntry, quote_id).detail["quote"]["cost"])


def set_team_budget(database: Database, budget: float) -> None:
    with database.write() as session:
        get_team(session, "T1").monthly_budget = budget


def count_runs(database: Database) -> int:
    with database.read() as session:
        return len(session.scalars(select(Run.run_id)).all())


def test_a_budget_that_is_lowered_between_quote_and_click_refuses_and_says_how_to_raise_it(
    database: Database, priced: Settings
) -> None:
    with database.write() as session:
        style = make_style(session, "support")
    quote = quote_training(database, priced, ADMIN, "C_HOME", "support")
    cost = quoted_cost(database, quote.quote_id)
    assert cost > 0
    with database.write() as session:
        get_style(session, style.style_id).monthly_budget = cost / 2
    with pytest.raises(OverBudget, match="An admin can raise the budget in my Home tab under Settings"):
        confirm_training(database, priced, ADMIN, quote.quote_id)
    assert count_runs(database) == 0
    with database.write() as session:
        get_style(session, style.style_id).monthly_budget = cost * 2
    confirm_training(database, priced, ADMIN, quote.quote_id)
    assert count_runs(database) == 1


def test_a_run_that_has_become_dearer_since_its_quote_is_held_to_what_it_costs_now(
    database: Database, priced: Settings
) -> None:
    with database.write() as session:
        style = make_style(session, "support")
    quote = quote_training(database, priced, ADMIN, "C_HOME", "support")
    with database.write() as session:
        get_style(session, style.style_id).monthly_budget = quoted_cost(database, quote.quote_id) * 1.5
    dearer = priced.model_copy(update={"price_per_hour": 300.0})
    with pytest.raises(OverBudget):
        confirm_training(database, dearer, ADMIN, quote.quote_id)


def test_a_trainer_that_has_gone_since_the_quote_does_not_make_the_run_dearer(
    database: Database, priced: Settings
) -> None:
    with database.write() as session:
        style = make_style(session, "support")
        trainer = register_trainer(session, "host:1", "host")
        trainer.tokens_per_second = 30_000.0
    quote = quote_training(database, priced, ADMIN, "C_HOME", "support")
    with database.write() as session:
        session.delete(session.get_one(Trainer, "host:1"))
        get_style(session, style.style_id).monthly_budget = quoted_cost(database, quote.quote_id) * 1.5
    confirm_training(database, priced, ADMIN, quote.quote_id)
    assert count_runs(database) == 1


def test_a_quote_goes_by_the_speed_of_runs_with_its_own_recipe_and_base_model(
    database: Database, priced: Settings
) -> None:
    """A slow recipe that ran last says nothing of how long a quick one takes."""
    ran = {"status": RunStatus.SUCCEEDED, "kind": RunKind.TRAIN, "base_model": priced.base_model}
    with database.write() as session:
        make_style(session, "support")
        other = make_style(session, "reports")
        trainer = register_trainer(session, "host:1", "host")
        trainer.tokens_per_second, trainer.device = 20.0, "cpu"
        for speed, different in (
            (400.0, {"recipe": "tiny-test"}), (20.0, {"recipe": "slow"}),
            (9.0, {"recipe": "tiny-test", "base_model": "another"}),
        ):  # fmt: skip
            receipt = {"tokens_per_second": speed, "device": "cpu"}
            factories.make_run(session, other, **{**ran, "receipt": receipt, **different})
    shown = quote_training(database, priced, ADMIN, "C_HOME", "support")
    with database.read() as session:
        quote = session.get_one(AuditEntry, shown.quote_id).detail["quote"]
    assert (quote["speed_source"], quote["tokens_per_second"]) == (SpeedSource.RECIPE, 400.0)


def test_a_run_that_costs_less_than_a_cent_is_held_to_a_budget_that_is_spent(
    database: Database, settings: Settings
) -> None:
    cheap = settings.model_copy(update={"price_per_hour": 0.01})
    with database.write() as session:
        make_style(session, "support", monthly_budget=0.0)
    with pytest.raises(OverBudget):
        quote_training(database, cheap, ADMIN, "C_HOME", "support")


def kept_back(database: Database) -> list[str]:
    with database.read() as session:
        return [row.arguments["text"] for row in list_by_prefix(session, "budget:")]


def test_a_budget_below_one_run_promises_no_day_and_names_the_amount_that_suffices(
    database: Database, priced: Settings
) -> None:
    with database.write() as session:
        style = make_style(session, "support", train_after_examples=10, monthly_budget=0.001)
        now = now_in_database(session)
    assert queue_due_runs(database, priced, now) == []
    (told,) = kept_back(database)
    assert "so it never starts" in told and "starts by itself" not in told and "It is due: 20 new approved" in told
    found = re.search(r"Settings to at least €([\d.]+), or choose another recipe", told)
    assert found is not None
    with database.read() as session:
        reason = look_at_policy(session, priced, get_style(session, style.style_id), now).reason
        assert f"it never starts until an admin raises the budget in my Home tab to at least €{found[1]}" in reason
        overview = read_overview(session, priced, get_style(session, style.style_id), now)
    assert overview.next_action.action is Action.ENLARGE_BUDGET
    with pytest.raises(OverBudget, match=f"to at least €{found[1]}"):
        quote_training(database, priced, ADMIN, "C_HOME", "support")
    with database.write() as session:
        get_style(session, style.style_id).monthly_budget = float(found[1])
    assert len(queue_due_runs(database, priced, now)) == 1


def test_what_a_spent_budget_keeps_back_is_named_as_what_it_is_and_once_for_each_cause(
    database: Database, priced: Settings
) -> None:
    with database.write() as session:
        style = make_style(session, "support", monthly_budget=500.0)
        now = now_in_database(session)
        ran = {"status": RunStatus.SUCCEEDED, "ended_at": now, "receipt": {"cost": 500.0}}
        factories.make_run(session, style, kind=RunKind.TRAIN, **ran)
        owe_measurement(session, style.style_id, RunCause.DRIFT)
    for _ in range(2):
        assert queue_due_runs(database, priced, now) == []
    (told,) = kept_back(database)
    assert told.startswith("Measuring *support* again now takes about ")
    assert "It is due: what people accept has changed, so it is measured again" in told
    assert "This month's budget has €0.00 left. It starts by itself on 1 " in told
    with pytest.raises(OverBudget, match=r"Measuring \*support\* again now takes about .* else wait until 1 "):
        measure_as_operator(database, priced, style.style_id)
    with database.write() as session:
        style = get_style(session, style.style_id)
        style.measurement_owed_at, style.measurement_cause, style.train_after_examples = None, None, 10
        for _ in range(10):
            factories.make_example(session, style, status=ExampleStatus.APPROVED)
    assert queue_due_runs(database, priced, now) == []
    assert [text.partition(" ")[0] for text in kept_back(database)] == ["Measuring", "Training"]


def test_what_the_clock_queued_and_nobody_started_counts_against_the_workspaces_budget(
    database: Database, priced: Settings
) -> None:
    with database.write() as session:
        make_style(session, "support")
    cost = quoted_cost(database, quote_training(database, priced, ADMIN, "C_HOME", "support").quote_id)
    set_team_budget(database, cost * 1.5)
    with database.write() as session:
        for style in (get_style(session, one) for one in session.scalars(select(Style.style_id)).all()):
            style.train_after_examples = 10
        make_style(session, "sales", train_after_examples=10)
        now = now_in_database(session)
    assert len(queue_due_runs(database, priced, now)) == 1
    with database.read() as session:
        (run,) = session.scalars(select(Run)).all()
        assert run.quote is not None and run.quote["cost"] == pytest.approx(cost)


def test_a_run_that_waits_for_a_trainer_costs_what_it_is_quoted_at_however_long_it_waits(
    database: Database, priced: Settings
) -> None:
    """Sixty hours without a trainer are no machine time: another style's run finds the workspace's money there."""
    with database.write() as session:
        waiting = make_style(session, "support")
        make_style(session, "sales", train_after_examples=10)
        began = now_in_database(session) - timedelta(hours=60)
        factories.make_run(
            session, waiting, status=RunStatus.TRAINING, started_at=began, heartbeat_at=began,
            lease_expires_at=began + timedelta(seconds=30), quote={"cost": 1.0},
        )  # fmt: skip
        get_team(session, "T1").monthly_budget = 1000.0  # sixty hours at 100.00
        now = now_in_database(session)
    assert len(queue_due_runs(database, priced, now)) == 1


def test_two_runs_at_once_do_not_share_what_only_one_of_them_may_spend(database: Database, priced: Settings) -> None:
    with database.write() as session:
        make_style(session, "support")
        other = make_style(session, "sales")
    quote = quote_training(database, priced, ADMIN, "C_HOME", "support")
    cost = quoted_cost(database, quote.quote_id)
    set_team_budget(database, cost * 1.5)
    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:  # somebody confirms the other style's run, and has not committed yet
            lock_style(session, other.style_id)
            lock_team(session, "T1")
            factories.make_run(session, other, quote={"cost": cost})
            session.flush()
            mine = pool.submit(confirm_training, database, priced, ADMIN, quote.quote_id)
            if not database.is_sqlite:
                wait_until(lambda: mine.done() or _is_somebody_waiting(database))
        with pytest.raises(OverBudget):
            mine.result(timeout=30)
    assert count_runs(database) == 1


def _is_somebody_waiting(database: Database) -> bool:
    with database.read() as session:
        return bool(session.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted")))
