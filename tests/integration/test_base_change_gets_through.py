"""A change of the base model does not get stuck, does not run for ever, and holds nothing else back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.clock import Clock
from bot.operations.base_change import (
    BaseChangeRefused,
    StyleState,
    abandon_change,
    ask_for_change,
    notice_base_setting,
    plan_change,
    sign_off,
)
from bot.operations.promotions import promote_by_hand
from bot.operations.runs import queue_due_runs
from config.run_kinds import RunCause, RunKind
from config.rungs import Rung
from config.settings import Settings
from db import runs
from db.adapters import Adapter, withdraw_adapter
from db.base import now_in_database
from db.base_changes import BaseChange, BaseChangeStatus
from db.measurements import owe_measurement
from db.promotions import PromotionKind
from db.runs import Run, RunStatus
from db.session import Database
from db.styles import get_style, lock_style
from db.taint import owe_clean_retrain
from tests.integration.test_base_change import ADMIN, NEW, NOON, OLD, measure, served_style, state, verdict
from tests.integration.test_clock import finish
from tests.support import factories
from tests.support.base_changes import serving_of


def fail(database: Database, run_id: str) -> None:
    with database.write() as session:
        finish(session, run_id, RunStatus.FAILED, error="It did not fit.")


def get_run(database: Database, run_id: str) -> Run:
    with database.read() as session:
        return runs.get_run(session, run_id)


def now(database: Database) -> Any:
    with database.read() as session:
        return now_in_database(session)


def publish_there(database: Database, run_id: str, name: str = "support-v2") -> None:
    """The adapter that a run trained on the new base model."""
    with database.write() as session:
        run = runs.get_run(session, run_id)
        session.add(
            Adapter(
                adapter_id=f"ada_{name}", name=name, version=2, team_id="T1", style_id=run.style_id,
                scope_key=run.scope_key, run_id=run_id, rung=Rung.LORA, base_model=NEW, manifest_digest="sha256:0",
                published_at=run.queued_at,
            )
        )  # fmt: skip


def test_training_that_fails_after_a_measurement_is_given_up_and_what_was_measured_can_be_signed_off(
    database: Database, settings: Settings
) -> None:
    style_id = served_style(database, train_after_examples=1000)
    assert not notice_base_setting(database, settings)
    changed = settings.model_copy(update={"base_model": NEW})
    assert notice_base_setting(database, changed)
    (run_id,) = queue_due_runs(database, changed, NOON)
    with database.write() as session:
        finish(session, run_id, verdict=verdict("as_good") | {"retrain": {"is_worth_it": True}})
    begun = now(database)
    for hours in (0, 2, 9, 34):
        (run_id,) = queue_due_runs(database, changed, begun + timedelta(hours=hours))
        assert get_run(database, run_id).kind is RunKind.TRAIN, "it is not measured again between two tries"
        fail(database, run_id)
        assert queue_due_runs(database, changed, begun + timedelta(hours=hours, minutes=5)) == []
    assert queue_due_runs(database, changed, begun + timedelta(days=30)) == []
    assert sign_off(database, changed, style_id, offered={"other"}).is_last
    assert serving_of(database, style_id)[:2] == ("retrieved", NEW)


def test_what_failed_before_a_change_was_asked_for_does_not_count_against_it(
    database: Database, settings: Settings
) -> None:
    served_style(database)
    ask_for_change(database, NEW)
    begun = now(database)
    for hours in (0, 2, 9, 34):
        (run_id,) = queue_due_runs(database, settings, begun + timedelta(hours=hours))
        fail(database, run_id)
    assert queue_due_runs(database, settings, begun + timedelta(days=30)) == []
    abandon_change(database, settings)
    ask_for_change(database, "/models/third")
    for hours in (0, 2, 9, 34):
        (run_id,) = queue_due_runs(database, settings, begun + timedelta(hours=hours))
        fail(database, run_id)
    assert queue_due_runs(database, settings, begun + timedelta(days=30)) == []


def test_a_clean_retrain_that_fails_while_a_change_is_open_waits_between_its_tries(
    database: Database, settings: Settings
) -> None:
    style_id = served_style(database)
    ask_for_change(database, NEW)
    with database.write() as session:
        owe_clean_retrain(session, style_id)
    begun = now(database)
    (run_id,) = queue_due_runs(database, settings, begun)
    assert get_run(database, run_id).cause is RunCause.WITHDRAWAL
    fail(database, run_id)
    assert queue_due_runs(database, settings, begun + timedelta(minutes=5)) == []
    (again,) = queue_due_runs(database, settings, begun + timedelta(hours=2))
    assert get_run(database, again).cause is RunCause.WITHDRAWAL


@pytest.mark.parametrize("owed", [RunCause.WITHDRAWAL, RunCause.DRIFT])
def test_abandoning_a_change_cancels_nothing_that_is_owed_besides(
    owed: RunCause, database: Database, settings: Settings
) -> None:
    style_id = served_style(database)
    ask_for_change(database, NEW)
    assert len(queue_due_runs(database, settings, NOON)) == 1
    with database.write() as session:
        if owed is RunCause.WITHDRAWAL:
            owe_clean_retrain(session, style_id)
        else:
            owe_measurement(session, style_id, owed)
    abandon_change(database, settings)
    (run_id,) = queue_due_runs(database, settings, NOON)
    run = get_run(database, run_id)
    assert (run.cause, run.base_model) == (owed, OLD)


def test_a_pair_whose_adapter_is_out_of_use_is_made_anew(database: Database, settings: Settings) -> None:
    style_id = served_style(database, rung=Rung.LORA)
    ask_for_change(database, NEW)
    run_id = measure(database, settings, "better", champion="lora", rung="lora", adapter="support-v2")
    publish_there(database, run_id)
    assert state(database, settings)[0] is StyleState.MEASURED
    assert queue_due_runs(database, settings, NOON) == []
    with database.write() as session:
        withdraw_adapter(session, "ada_support-v2", "examples_withdrawn")
    with pytest.raises(BaseChangeRefused, match="The clock has one trained anew"):
        sign_off(database, settings, style_id, offered={"other", "support-v2"})
    assert state(database, settings)[0] is StyleState.OVERTAKEN
    (again,) = queue_due_runs(database, settings, NOON)
    run = get_run(database, again)
    assert (run.kind, run.base_model) == (RunKind.TRAIN, NEW)


def test_a_change_ends_when_the_last_style_got_there_by_an_admins_hand(database: Database, settings: Settings) -> None:
    style_id = served_style(database, rung=Rung.LORA, channel_id="C_HOME")
    ask_for_change(database, NEW)
    run_id = measure(database, settings, "better", champion="lora", rung="lora", adapter="support-v2")
    publish_there(database, run_id)
    clock = Clock(database, settings, now=lambda: NOON)
    clock.tick()
    assert change_status(database) is BaseChangeStatus.OPEN
    promote_by_hand(database, settings, ADMIN, "C_HOME", "support", "support-v2", request_key="r1")
    assert serving_of(database, style_id)[1] == NEW
    clock.tick()
    assert change_status(database) is BaseChangeStatus.DONE
    ask_for_change(database, "/models/third")


def change_status(database: Database) -> BaseChangeStatus:
    with database.read() as session:
        (change,) = session.scalars(select(BaseChange))
        return change.status


def test_an_admin_who_names_a_rung_gets_what_was_trained_for_it_where_the_style_serves(
    database: Database, settings: Settings
) -> None:
    style_id = served_style(database, rung=Rung.LORA, channel_id="C_HOME")
    ask_for_change(database, NEW)
    run_id = measure(database, settings, "better", champion="lora", rung="lora", adapter="support-v2")
    publish_there(database, run_id)
    with database.write() as session:
        style = lock_style(session, style_id)
        factories.make_promotion(session, style, kind=PromotionKind.COMMAND, rung=Rung.RETRIEVED, base_model=OLD)
    promote_by_hand(database, settings, ADMIN, "C_HOME", "support", "lora", request_key="r1")
    assert serving_of(database, style_id) == ("lora", OLD, "ada_1")


def test_a_change_to_where_everything_stands_is_refused(database: Database, settings: Settings) -> None:
    style_id = served_style(database)
    with pytest.raises(BaseChangeRefused, match="No style would be moved"):
        plan_change(database, settings, OLD)
    with database.write() as session:
        factories.make_promotion(session, get_style(session, style_id), rung=Rung.NEIGHBOURS, base_model=OLD)
    with pytest.raises(BaseChangeRefused, match="No style would be moved"):
        plan_change(database, settings, NEW)
