"""A change of the base model: measured beside the old pair, which serves until the new one is signed off."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from bot.base_terminal import change
from bot.domain.values import Actor
from bot.errors import OnOtherBase
from bot.operations.base_change import (
    BaseChangeRefused,
    StyleState,
    abandon_change,
    ask_for_change,
    notice_base_setting,
    plan_change,
    read_progress,
    sign_off,
)
from bot.operations.owed import find_owed
from bot.operations.promotions import find_candidate, roll_back
from bot.operations.runs import queue_due_runs
from bot.operations.status import get_status
from config.run_kinds import RunCause, RunKind
from config.rungs import Rung
from config.settings import Settings
from db import runs
from db.adapters import Adapter, AdapterStatus
from db.audit import AuditEntry
from db.base import now_in_database
from db.base_changes import BaseChange, BaseChangeStatus, OtherChangeOpen, find_open_change
from db.examples import ExampleStatus, get_example, transition
from db.outbox import list_by_prefix
from db.promotions import PromotionKind, find_promotion
from db.runs import Run, RunStatus
from db.session import Database
from db.styles import get_style, lock_style
from tests.integration.test_clock import finish, prepare_style
from tests.support import factories
from tests.support.base_changes import (
    serving_of,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ADMIN = Actor(team_id="T1", user_id="U_ADMIN", name="admin", is_admin=True)
OLD, NEW = "embedded:smollm2-135m-instruct", "/models/other"


def served_style(database: Database, *, rung: Rung = Rung.RETRIEVED, **different: Any) -> str:
    """A style that a prompt, or an adapter of no run's, serves on the old base model."""
    with database.write() as session:
        values: dict[str, Any] = {"name": "support", "train_after_examples": 0} | different
        style = prepare_style(session, **values)
        adapter_id = None
        if rung.needs_adapter:
            run = factories.make_run(session, style, status=RunStatus.SUCCEEDED)
            adapter = Adapter(
                adapter_id="ada_1", name="support-v1", version=1, team_id="T1", style_id=style.style_id,
                scope_key=style.scope_key, run_id=run.run_id, rung=rung, base_model=OLD, manifest_digest="sha256:0",
                published_at=run.queued_at,
            )  # fmt: skip
            session.add(adapter)
            session.flush()
            adapter_id = adapter.adapter_id
        factories.make_promotion(session, style, rung=rung, adapter_id=adapter_id, base_model=OLD)
        return style.style_id


def verdict(
    standing: str, *, champion: str = "retrieved", rung: str = "retrieved", adapter: str = ""
) -> dict[str, Any]:
    """What a run on the new base model leaves."""
    return {
        "sentence": f"The new pair is {standing}.",
        "champion": {"rung": champion, "base_model": OLD, "adapter_name": "support-v1" if champion == "lora" else ""},
        "pair": {"standing": standing, "rung": rung, "base_model": NEW, "adapter_name": adapter},
    }


def measure(database: Database, settings: Settings, standing: str, **different: Any) -> str:
    """The clock queues the change's run, and it ends with this."""
    (run_id,) = queue_due_runs(database, settings, NOON)
    with database.write() as session:
        finish(session, run_id, verdict=verdict(standing, **different))
    return run_id


def state(database: Database, settings: Settings) -> tuple[StyleState, str, str]:
    _, (style,) = read_progress(database, settings)
    return style.state, style.standing, style.said


def test_a_change_queues_one_run_a_style_on_the_new_base_model_within_the_hours(
    database: Database, settings: Settings
) -> None:
    # The progress is read by the database's own clock: hours that are hours away from it, at any time of day.
    opens = (datetime.now(UTC) + timedelta(hours=3)).replace(minute=0)
    closed, opens_at = opens - timedelta(hours=3), opens.hour
    style_id = served_style(
        database, train_from_hour=opens_at, train_to_hour=(opens_at + 8) % 24, channel_id="C_HOME"
    )  # fmt: skip
    (planned,) = plan_change(database, settings, NEW)
    assert (planned.kind, planned.left_out) == (RunKind.MEASURE, "")
    change_id = ask_for_change(database, NEW)
    assert ask_for_change(database, NEW) == change_id
    with pytest.raises(OtherChangeOpen):
        ask_for_change(database, "/models/third")
    assert queue_due_runs(database, settings, closed) == []
    assert state(database, settings)[0] is StyleState.WAITING
    assert f"between {opens_at:02}:00 and {(opens_at + 8) % 24:02}:00 UTC" in state(database, settings)[2]
    (run_id,) = queue_due_runs(database, settings, opens)
    assert queue_due_runs(database, settings, opens) == []
    with database.read() as session:
        run = runs.get_run(session, run_id)
        assert (run.base_model, run.kind, run.cause) == (NEW, RunKind.MEASURE, RunCause.CHANGED_BASE)
        assert "another base model is asked about" in run.reason
        (entry,) = [one for one in session.scalars(select(AuditEntry)) if one.action == "base.change_asked"][:1]
        assert (entry.actor, entry.detail["base_model"]) == ("operator", NEW)
    assert state(database, settings)[0] is StyleState.QUEUED
    assert serving_of(database, style_id)[1] == OLD


def test_an_adapter_is_trained_on_the_new_base_model_when_the_operator_asks(
    sqlite_database: Database, settings: Settings
) -> None:
    served_style(sqlite_database, rung=Rung.LORA)
    (planned,) = plan_change(sqlite_database, settings, NEW)
    assert planned.kind is RunKind.TRAIN and planned.quote is not None
    ask_for_change(sqlite_database, NEW)
    (run_id,) = queue_due_runs(sqlite_database, settings, NOON)
    with sqlite_database.read() as session:
        assert runs.get_run(session, run_id).kind is RunKind.TRAIN


@pytest.mark.training
def test_a_change_is_quoted_at_the_speed_on_the_new_base_model_or_says_that_nobody_knows_it(
    sqlite_database: Database, settings: Settings, tmp_path: Path
) -> None:
    from tests.support.tiny_model import make_tiny_model

    new = str(make_tiny_model(tmp_path / "other"))
    priced = settings.model_copy(update={"price_per_hour": 100.0})

    def planned() -> str:
        lines: list[str] = []
        assert change(priced, new, is_sure=False, say=lines.append, ask=lambda _: False) == 1
        return "\n".join(lines)

    style_id = served_style(sqlite_database, rung=Rung.LORA)
    assert "not known yet; at 300 tokens a second (assumed: nothing was measured yet)" in planned()
    ran(sqlite_database, style_id, OLD, 400.0)
    assert "not known yet; at 400 tokens a second (as on another base model) it takes about" in planned()
    assert "a larger base model takes more" in planned()
    ran(sqlite_database, style_id, new, 4.0)  # a hundred times slower
    ran(sqlite_database, style_id, OLD, 400.0)
    assert "not known" not in planned() and "a larger base model" not in planned()
    (planned_style,) = plan_change(sqlite_database, priced, new)
    ask_for_change(sqlite_database, new)
    (run_id,) = queue_due_runs(sqlite_database, priced, NOON)
    with sqlite_database.write() as session:
        quote = runs.get_run(session, run_id).quote
        assert quote is not None and planned_style.quote is not None
        assert quote["tokens_per_second"] == planned_style.quote.tokens_per_second == 4.0
        runs.request_cancel(session, run_id)
        lock_style(session, style_id).monthly_budget = quote["cost"] / 2
    ask_for_change(sqlite_database, new)
    assert queue_due_runs(sqlite_database, priced, NOON) == []  # nor does it slip past the budget at the old speed


def ran(database: Database, style_id: str, base_model: str, speed: float) -> None:
    with database.write() as session:
        factories.make_run(
            session, get_style(session, style_id), recipe="tiny-test", base_model=base_model,
            status=RunStatus.SUCCEEDED, receipt={"tokens_per_second": speed, "device": "cpu"},
        )  # fmt: skip


@pytest.mark.parametrize("pays", [True, False])
def test_a_changed_setting_measures_first_and_trains_only_where_that_pays(
    pays: bool, database: Database, settings: Settings
) -> None:
    style_id = served_style(database, rung=Rung.LORA)
    assert not notice_base_setting(database, settings)  # noted; what serves stands on it
    changed = settings.model_copy(update={"base_model": NEW})
    assert notice_base_setting(database, changed)
    assert not notice_base_setting(database, changed)
    with database.write() as session:
        lock_style(session, style_id).train_after_examples = 1000
    (run_id,) = queue_due_runs(database, changed, NOON)
    with database.write() as session:
        assert runs.get_run(session, run_id).kind is RunKind.MEASURE
        finish(session, run_id, verdict=verdict("worse", champion="lora") | {"retrain": {"is_worth_it": pays}})
    queued = queue_due_runs(database, changed, NOON)
    assert bool(queued) == pays
    if pays:
        with database.read() as session:
            run = runs.get_run(session, queued[0])
            assert (run.kind, run.base_model, run.cause) == (RunKind.TRAIN, NEW, RunCause.CHANGED_BASE)
    # Set back, nothing is asked for: everything stands on it. Nor is anything after an end.
    abandon_change(database, changed)
    assert not notice_base_setting(database, changed)
    assert not notice_base_setting(database, settings)


def test_signing_off_moves_the_champion_once_and_a_rollback_brings_the_old_pair_back(
    database: Database, settings: Settings
) -> None:
    style_id = served_style(database, channel_id="C_HOME")
    ask_for_change(database, NEW)
    run_id = measure(database, settings, "as_good")
    assert state(database, settings) == (StyleState.MEASURED, "as_good", "The new pair is as_good.")
    with pytest.raises(BaseChangeRefused, match="does not offer other yet"):
        sign_off(database, settings, style_id, offered={"smollm2-135m-instruct"})
    done = sign_off(database, settings, style_id, offered={"other"})
    assert done.is_last
    with database.read() as session:
        champion = find_promotion(session, get_style(session, style_id).champion_promotion_id)
        assert champion is not None
        assert (champion.kind, champion.base_model, champion.run_id) == (PromotionKind.BASE, NEW, run_id)
        (told,) = list_by_prefix(session, "champion:base:")
        assert "`retrieved` on other, instead of `retrieved` on smollm2-135m-instruct" in told.arguments["text"]
        assert find_open_change(session) is None
        (change,) = session.scalars(select(BaseChange))
        assert change.status is BaseChangeStatus.DONE
    status = "\n".join(get_status(database, settings, ADMIN, "C_HOME", "support", is_model_up=True))
    assert "the operator signed off the base model other" in status and "<@operator>" not in status
    with pytest.raises(BaseChangeRefused, match="No change"):
        sign_off(database, settings, style_id, offered={"other"})
    roll_back(database, settings, ADMIN, "C_HOME", "support", request_key="r1")
    assert serving_of(database, style_id) == ("retrieved", OLD, None)


@pytest.mark.parametrize("standing", ["worse", "unsettled"])
def test_a_pair_that_is_not_as_good_is_signed_off_only_anyway(
    standing: str, sqlite_database: Database, settings: Settings
) -> None:
    style_id = served_style(sqlite_database)
    ask_for_change(sqlite_database, NEW)
    measure(sqlite_database, settings, standing)
    with pytest.raises(BaseChangeRefused, match=f"The new pair is {standing}. With --anyway it is"):
        sign_off(sqlite_database, settings, style_id, offered={"other"})
    assert serving_of(sqlite_database, style_id)[1] == OLD
    sign_off(sqlite_database, settings, style_id, offered={"other"}, is_anyway=True)
    assert serving_of(sqlite_database, style_id)[1] == NEW


def test_what_is_not_measured_or_measured_against_something_else_is_refused(
    sqlite_database: Database, settings: Settings
) -> None:
    database = sqlite_database
    style_id = served_style(database)
    ask_for_change(database, NEW)
    with pytest.raises(BaseChangeRefused, match="has not been measured"):
        sign_off(database, settings, style_id, offered={"other"})
    measure(database, settings, "better")
    with database.write() as session:
        style = lock_style(session, style_id)
        factories.make_promotion(session, style, kind=PromotionKind.COMMAND, rung=Rung.ZERO_SHOT, base_model=OLD)
    assert state(database, settings)[0] is StyleState.OVERTAKEN
    with pytest.raises(BaseChangeRefused, match="something else serves it by now"):
        sign_off(database, settings, style_id, offered={"other"}, is_anyway=True)
    measure(database, settings, "better", champion="zero_shot", rung="zero_shot")
    sign_off(database, settings, style_id, offered={"other"})
    assert serving_of(database, style_id) == ("zero_shot", NEW, None)


def test_an_adapter_that_learnt_from_what_was_withdrawn_is_not_signed_off(
    sqlite_database: Database, settings: Settings
) -> None:
    database = sqlite_database
    style_id = served_style(database, rung=Rung.LORA)
    ask_for_change(database, NEW)
    run_id = measure(database, settings, "better", champion="lora", rung="lora", adapter="support-v2")
    with database.write() as session:
        style = get_style(session, style_id)
        old = session.get_one(Adapter, "ada_1")
        values = {one: getattr(old, one) for one in ("team_id", "style_id", "scope_key", "rung", "manifest_digest")}
        session.add(
            Adapter(
                **values, adapter_id="ada_2", name="support-v2", version=2, run_id=run_id, base_model=NEW,
                published_at=old.published_at,
            )
        )  # fmt: skip
        session.flush()
        with pytest.raises(OnOtherBase):
            find_candidate(session, settings, style, "support-v2")
    offered = {"other", "support-v2"}
    with pytest.raises(BaseChangeRefused, match="does not offer support-v2 yet"):
        sign_off(database, settings, style_id, offered={"other"})
    with database.write() as session:
        example = factories_first_member(session, run_id)
        transition(session, example, ExampleStatus.WITHDRAWN, decided_by="U_AUTHOR")
    with pytest.raises(BaseChangeRefused, match="learnt from something that was withdrawn"):
        sign_off(database, settings, style_id, offered=offered)
    assert serving_of(database, style_id)[1] == OLD


def factories_first_member(session: Any, run_id: str) -> Any:
    from db.datasets import find_dataset_of_run, list_dataset_examples

    dataset = find_dataset_of_run(session, run_id)
    assert dataset is not None
    return get_example(session, list_dataset_examples(session, dataset.dataset_id)[0][1].example_id)


def test_abandoning_takes_back_what_was_signed_off_and_cancels_what_is_under_way(
    database: Database, settings: Settings
) -> None:
    first = served_style(database)
    second = served_style(database, name="sales")
    with database.write() as session:
        before = find_promotion(session, get_style(session, first).champion_promotion_id)
        assert before is not None
        before.run_id = "run_measured"
    ask_for_change(database, NEW)
    for run_id in queue_due_runs(database, settings, NOON):
        with database.read() as session:
            is_first = runs.get_run(session, run_id).style_id == first
        if is_first:
            with database.write() as session:
                session.execute(update(Run).where(Run.run_id != run_id).values(queued_at=NOON + timedelta(days=900)))
            with database.write() as session:
                finish(session, run_id, verdict=verdict("better"))
    assert not sign_off(database, settings, first, offered={"other"}).is_last
    base_model, (back,) = abandon_change(database, settings)
    assert (base_model, back.style_name) == (NEW, "support")
    assert serving_of(database, first)[1] == serving_of(database, second)[1] == OLD
    with database.read() as session:
        champion = find_promotion(session, get_style(session, first).champion_promotion_id)
        assert champion is not None and champion.run_id == "run_measured"
        states = {run.style_id: run.status for run in session.scalars(select(Run))}
        assert states[second] is RunStatus.CANCELLED
        assert find_owed(session, get_style(session, second)) is None
    assert queue_due_runs(database, settings, NOON) == []
    with pytest.raises(BaseChangeRefused, match="No change"):
        abandon_change(database, settings)


def test_a_style_that_has_nothing_to_go_back_to_stays_and_is_still_said_to_be_signed_off(
    sqlite_database: Database, settings: Settings
) -> None:
    database = sqlite_database
    style_id = served_style(database, rung=Rung.LORA, channel_id="C_HOME")
    ask_for_change(database, NEW)
    (run_id,) = queue_due_runs(database, settings, NOON)
    with database.write() as session:
        finish(session, run_id, verdict=verdict("better", champion="lora") | {"also": []})
    served_style(database, name="sales")  # not signed off, so that the change stays open
    sign_off(database, settings, style_id, offered={"other"})
    with database.write() as session:
        session.get_one(Adapter, "ada_1").status = AdapterStatus.WITHDRAWN
    assert abandon_change(database, settings) == (NEW, [])
    status = "\n".join(get_status(database, settings, ADMIN, "C_HOME", "support", is_model_up=True))
    assert "The new pair is better; the operator signed it off." in status and "taken back" not in status


def test_a_cancelled_run_is_tried_again_only_when_it_is_asked_for_again(
    sqlite_database: Database, settings: Settings
) -> None:
    database = sqlite_database
    served_style(database)
    ask_for_change(database, NEW)
    (run_id,) = queue_due_runs(database, settings, NOON)
    with database.write() as session:
        runs.request_cancel(session, run_id)
    assert queue_due_runs(database, settings, NOON) == []
    assert state(database, settings)[0] is StyleState.CANCELLED
    ask_for_change(database, NEW)
    assert len(queue_due_runs(database, settings, NOON)) == 1


def test_runs_that_fail_on_the_new_base_model_do_not_hold_back_what_the_style_trains_by_itself(
    sqlite_database: Database, settings: Settings
) -> None:
    database = sqlite_database
    style_id = served_style(database, train_after_examples=10)
    ask_for_change(database, NEW)
    with database.read() as session:
        now = now_in_database(session)
    for hours in (0, 2, 9, 34):
        (run_id,) = queue_due_runs(database, settings, now + timedelta(hours=hours))
        with database.write() as session:
            assert runs.get_run(session, run_id).base_model == NEW
            finish(session, run_id, RunStatus.FAILED, error="It did not fit.")
    assert state(database, settings)[0] is StyleState.FAILED
    (own,) = queue_due_runs(database, settings, now + timedelta(hours=60))
    with database.read() as session:
        assert runs.get_run(session, own).base_model == OLD
        assert get_style(session, style_id).champion_promotion_id is not None


def test_two_models_of_one_name_are_refused_because_a_request_could_not_tell_them_apart(
    sqlite_database: Database, settings: Settings
) -> None:
    served_style(sqlite_database)
    with pytest.raises(BaseChangeRefused, match="both called smollm2-135m-instruct"):
        plan_change(sqlite_database, settings, "/models/smollm2-135m-instruct")
