"""A change of the base model does not get stuck, does not run for ever, and holds nothing else back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from bot.clock import Clock
from bot.errors import OnOtherBase
from bot.operations.base_change import (
    BaseChangeRefused,
    StyleState,
    abandon_change,
    ask_for_change,
    notice_base_setting,
    plan_change,
    sign_off,
)
from bot.operations.promotions import promote_by_hand, roll_back
from bot.operations.runs import look_at_policy, queue_due_runs
from config.run_kinds import RunCause, RunKind
from config.rungs import Rung
from config.settings import Settings
from db import runs
from db.adapters import Adapter, withdraw_adapter
from db.base import now_in_database
from db.base_changes import BaseChange, BaseChangeStatus
from db.datasets import find_dataset_of_run
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
from trainer.metrics import PairScore, Scorecard
from trainer.registry import Standing, save_scorecard


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


def test_what_a_style_needs_where_it_serves_does_not_wait_for_a_change_that_waits_between_its_tries(
    database: Database, settings: Settings
) -> None:
    style_id = served_style(database, train_after_examples=5)
    ask_for_change(database, NEW)
    begun = now(database)

    def queue(hours: float) -> tuple[RunCause | None, str]:
        (run_id,) = queue_due_runs(database, settings, begun + timedelta(hours=hours))
        run = get_run(database, run_id)
        if run.base_model == NEW:
            fail(database, run_id)
        else:
            with database.write() as session:
                finish(session, run_id, verdict={"sentence": "Stay."})
        return run.cause, run.base_model

    assert queue(0) == (RunCause.CHANGED_BASE, NEW)
    assert queue(0.1) == (RunCause.NEW_EXAMPLES, OLD), "its own policy was met"
    assert queue_due_runs(database, settings, begun + timedelta(hours=0.2)) == []
    with database.write() as session:
        owe_measurement(session, style_id, RunCause.DRIFT)
    assert queue(0.3) == (RunCause.DRIFT, OLD)
    with database.write() as session:
        lock_style(session, style_id).measurement_owed_at = None
    with database.read() as session:
        reason = look_at_policy(session, settings, get_style(session, style_id), begun + timedelta(hours=0.4)).reason
    assert "another base model is asked about" in reason, "what is waited for is said"
    assert queue(2) == (RunCause.CHANGED_BASE, NEW), "and it comes first when its time has come"


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
    assert state(database, settings)[0] is StyleState.QUEUED
    run = get_run(database, again)
    assert (run.kind, run.base_model) == (RunKind.TRAIN, NEW)


def test_an_adapter_of_another_base_model_is_not_promoted_by_hand(database: Database, settings: Settings) -> None:
    style_id = served_style(database, rung=Rung.LORA, channel_id="C_HOME")
    ask_for_change(database, NEW)
    run_id = measure(database, settings, "better", champion="lora", rung="lora", adapter="support-v2")
    publish_there(database, run_id)
    for wanted in ("support-v2", "support-v2 anyway"):
        with pytest.raises(OnOtherBase, match=r"on the base model other, and .* is served on .*huisstijl base accept"):
            promote_by_hand(database, settings, ADMIN, "C_HOME", "support", wanted, request_key="r1")
    abandon_change(database, settings)
    with pytest.raises(OnOtherBase, match="`huisstijl base change`"):
        promote_by_hand(database, settings, ADMIN, "C_HOME", "support", "support-v2", request_key="r1")
    assert serving_of(database, style_id) == ("lora", OLD, "ada_1")


def test_after_a_change_the_old_pairs_prompt_is_not_what_its_rung_names(database: Database, settings: Settings) -> None:
    style_id = served_style(database, channel_id="C_HOME")
    ask_for_change(database, NEW)
    run_id = measure(database, settings, "better")
    with database.write() as session:
        run, style = runs.get_run(session, run_id), get_style(session, style_id)
        dataset = find_dataset_of_run(session, run_id)
        assert dataset is not None
        for rung, base_model in ((Rung.ZERO_SHOT, NEW), (Rung.RETRIEVED, NEW), (Rung.RETRIEVED, OLD)):
            standing = Standing(rung=rung, base_model=base_model, is_elsewhere=base_model == OLD)
            pair = PairScore(example_id="e", nll_nats=1.0, reference_bytes=4, prompt_tokens=9)
            card = Scorecard(rung=standing.key, pairs=(pair,), seconds_per_draft=0.1, scoring_seconds=0.1)
            save_scorecard(session, run, dataset.dataset_id, standing, card, of="", features={})
        factories.make_promotion(session, style, kind=PromotionKind.BASE, rung=Rung.ZERO_SHOT, base_model=NEW)
    promote_by_hand(database, settings, ADMIN, "C_HOME", "support", "retrieved", request_key="r1")
    assert serving_of(database, style_id)[:2] == ("retrieved", NEW)


def test_a_change_ends_when_the_last_style_got_there_by_an_admins_hand(database: Database, settings: Settings) -> None:
    style_id = served_style(database, channel_id="C_HOME")
    with database.write() as session:  # it stood there once
        style = lock_style(session, style_id)
        factories.make_promotion(session, style, kind=PromotionKind.BASE, rung=Rung.RETRIEVED, base_model=NEW)
        factories.make_promotion(session, style, kind=PromotionKind.BASE, rung=Rung.RETRIEVED, base_model=OLD)
    ask_for_change(database, NEW)
    clock = Clock(database, settings, now=lambda: NOON)
    clock.tick()
    assert change_status(database) is BaseChangeStatus.OPEN
    roll_back(database, settings, ADMIN, "C_HOME", "support", request_key="r1")
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
