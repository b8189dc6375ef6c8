"""Measuring again: owed when the instructions change, queued once by the clock, trains nothing, and what follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update

from bot.domain.values import Actor
from bot.operations.base_change import abandon_change, ask_for_change
from bot.operations.examples import withdraw_example
from bot.operations.ladder import list_ladders
from bot.operations.measurements import measure_as_operator
from bot.operations.overview import read_overview
from bot.operations.promotions import promote_by_hand
from bot.operations.runs import count_new_examples, look_at_policy, message_key, queue_due_runs
from bot.operations.status import get_status
from bot.operations.styles import StyleForm, change_style
from config.prompts import prompt_hash
from config.run_kinds import RunCause, RunKind
from config.rungs import Rung
from config.settings import Settings
from config.style_terms import StyleTerms
from db import runs
from db.adapters import Adapter, list_adapters
from db.base import now_in_database
from db.datasets import find_dataset_of_run
from db.examples import ExampleStatus
from db.measurements import owe_measurement
from db.outbox import find_by_dedupe_key
from db.promotions import PromotionKind, find_promotion
from db.runs import Run, RunStatus
from db.scorecards import list_scorecards
from db.session import Database
from db.styles import Style, get_style, lock_style
from db.teams import get_team
from tests.integration.test_clock import finish, prepare_style
from tests.support import factories
from tests.support.runs import execute_here, prepare_run, run_settings
from trainer.artifacts.store import list_adapters as list_stored
from trainer.registry import settle_measurements

NO_TERMS = StyleTerms()
OTHER = "/models/other"
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AUTHOR = Actor(team_id="T1", user_id="U_AUTHOR", name="author")
ADMIN = Actor(team_id="T1", user_id="U_ADMIN", name="admin", is_admin=True)


def measured_style(database: Database, settings: Settings, **different: Any) -> str:
    """A style whose policy was met once, and whose run has ended."""
    with database.write() as session:
        style_id = prepare_style(session, name="support", channel_id="C_HOME", **different).style_id
    (run_id,) = queue_due_runs(database, settings, NOON)
    with database.write() as session:
        finish(session, run_id, verdict={"sentence": "Stay."})
    return style_id


def change(database: Database, style_id: str, instructions: str, terms: StyleTerms = NO_TERMS) -> None:
    with database.read() as session:
        style = get_style(session, style_id)
        form = StyleForm(
            name=style.name, instructions=instructions, kind=style.kind, channel_id=style.channel_id,
            reviewer_ids=("U_REVIEWER",), train_after_examples=style.train_after_examples,
            train_from_hour=style.train_from_hour, train_to_hour=style.train_to_hour, recipe=style.recipe,
            monthly_budget=style.monthly_budget, terms=terms,
        )  # fmt: skip
    change_style(database, ADMIN, style_id, form)


def newest(database: Database) -> Run:
    with database.read() as session:
        return session.scalars(select(Run).order_by(Run.queued_at.desc())).all()[0]


def count(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Run)) or 0


def test_changed_instructions_owe_one_measurement_and_the_channel_reads_why(
    database: Database, settings: Settings
) -> None:
    style_id = measured_style(database, settings)
    change(database, style_id, "Answer in one line.")
    change(database, style_id, "Answer in one short line.")
    with database.read() as session:
        status = "\n".join(get_status(database, settings, ADMIN, "C_HOME", "support", is_model_up=True))
        assert "due now, the instructions were changed, so it is measured again" in status
    (run_id,) = queue_due_runs(database, settings, NOON)
    assert queue_due_runs(database, settings, NOON) == []
    run = newest(database)
    assert (run.run_id, run.kind, run.cause) == (run_id, RunKind.MEASURE, RunCause.CHANGED_INSTRUCTIONS)
    with database.read() as session:
        message = find_by_dedupe_key(session, message_key(run_id))
        assert message is not None and message.arguments["channel_id"] == "C_HOME"
        assert message.arguments["text"].startswith("Measuring support again")
        assert "Why: the instructions were changed" in str(message.arguments["blocks"])


def test_changed_terms_owe_a_measurement_as_instructions_do_and_none_once_they_are_as_they_were(
    database: Database, settings: Settings
) -> None:
    style_id = measured_style(database, settings)
    change(database, style_id, "", StyleTerms(forbidden=("login",)))
    with database.read() as session:
        assert get_style(session, style_id).measurement_cause is RunCause.CHANGED_INSTRUCTIONS
    change(database, style_id, "")  # as the last run froze them
    assert queue_due_runs(database, settings, NOON) == []
    change(database, style_id, "", StyleTerms(required=("sign in",)))
    (run_id,) = queue_due_runs(database, settings, NOON)
    assert (newest(database).run_id, newest(database).kind) == (run_id, RunKind.MEASURE)


def test_a_style_that_was_never_measured_owes_nothing(database: Database, settings: Settings) -> None:
    with database.write() as session:
        style_id = prepare_style(session, train_after_examples=0).style_id
    change(database, style_id, "Answer in one line.")
    assert queue_due_runs(database, settings, NOON) == []


def test_instructions_that_are_changed_back_before_it_is_measured_owe_nothing(
    database: Database, settings: Settings
) -> None:
    style_id = measured_style(database, settings)
    change(database, style_id, "Answer in one line.")
    change(database, style_id, "")  # as the last run froze them
    assert queue_due_runs(database, settings, NOON) == []


def served_style(database: Database, settings: Settings) -> str:
    """The same, served by a prompt on the base model that the run was on."""
    style_id = measured_style(database, settings)
    with database.write() as session:
        factories.make_promotion(session, lock_style(session, style_id), base_model=settings.base_model)
    return style_id


def end(database: Database, run_id: str, **verdict: Any) -> None:
    """The run ends; it froze the instructions of now, and settles what was owed where it ran."""
    with database.write() as session:
        finish(session, run_id, verdict={"sentence": "Stay."} | verdict)
        run, dataset = runs.get_run(session, run_id), find_dataset_of_run(session, run_id)
        assert dataset is not None
        style = lock_style(session, run.style_id)
        dataset.instructions = style.full_instructions
        session.flush()
        if run.base_model != OTHER:
            settle_measurements(session, run, style)


def measure_elsewhere(database: Database, settings: Settings) -> None:
    """A change of the base model has the style measured on the other one, and is abandoned."""
    ask_for_change(database, OTHER)
    (run_id,) = queue_due_runs(database, settings, NOON)
    assert newest(database).base_model == OTHER
    end(database, run_id)
    abandon_change(database, settings)


def test_what_was_measured_on_another_base_model_settles_nothing_on_the_one_that_serves(
    database: Database, settings: Settings
) -> None:
    style_id = served_style(database, settings)
    change(database, style_id, "Answer in one line.")
    measure_elsewhere(database, settings)
    change(database, style_id, "Answer at length.")
    change(database, style_id, "Answer in one line.")  # as they were measured, but elsewhere
    (run_id,) = queue_due_runs(database, settings, NOON)
    assert newest(database).run_id == run_id
    assert (newest(database).kind, newest(database).base_model) == (RunKind.MEASURE, settings.base_model)
    end(database, run_id)
    change(database, style_id, "Answer at length.")
    measure_elsewhere(database, settings)
    change(database, style_id, "Answer in one line.")  # as they were measured here
    assert queue_due_runs(database, settings, NOON) == []


def test_training_that_pays_is_owed_also_after_a_measurement_on_another_base_model(
    database: Database, settings: Settings
) -> None:
    style_id = served_style(database, settings)
    with database.write() as session:
        owe_measurement(session, style_id, RunCause.DRIFT)
    (run_id,) = queue_due_runs(database, settings, NOON)
    end(database, run_id, retrain={"is_worth_it": True})
    measure_elsewhere(database, settings)
    (run_id,) = queue_due_runs(database, settings, NOON)
    run = newest(database)
    assert (run.run_id, run.kind, run.cause, run.base_model) == (
        run_id, RunKind.TRAIN, RunCause.DRIFT, settings.base_model,
    )  # fmt: skip


def test_it_waits_for_the_hours_and_the_budget_but_not_for_the_statement_or_examples(
    database: Database, settings: Settings
) -> None:
    style_id = measured_style(database, settings, train_from_hour=10, train_to_hour=14)
    with database.write() as session:
        get_team(session, "T1").terms_accepted_at = None
        owe_measurement(session, style_id, RunCause.DRIFT)
    assert queue_due_runs(database, settings, NOON.replace(hour=9)) == []
    dear = settings.model_copy(update={"price_per_hour": 1000.0})
    with database.write() as session:
        lock_style(session, style_id).monthly_budget = 0.01
    assert queue_due_runs(database, dear, NOON) == []
    with database.read() as session:
        reason = look_at_policy(session, dear, get_style(session, style_id), NOON).reason
    assert reason.startswith("what people accept has changed") and "budget" in reason
    assert len(queue_due_runs(database, settings, NOON)) == 1


def test_a_cancelled_measurement_waits_for_an_admin(database: Database, settings: Settings) -> None:
    style_id = measured_style(database, settings)
    with database.write() as session:
        owe_measurement(session, style_id, RunCause.DRIFT)
    (run_id,) = queue_due_runs(database, settings, NOON)
    with database.write() as session:
        assert runs.request_cancel(session, run_id)
    assert queue_due_runs(database, settings, NOON) == []
    with database.read() as session:
        assert "it was cancelled" in look_at_policy(session, settings, get_style(session, style_id), NOON).reason


def test_a_measurement_hides_no_new_example_from_the_policy(database: Database, settings: Settings) -> None:
    style_id = measured_style(database, settings)
    with database.write() as session:
        style = get_style(session, style_id)
        for _ in range(4):
            factories.make_example(session, style, status=ExampleStatus.APPROVED)
    measure_as_operator(database, settings, style_id)
    with database.write() as session:
        finish(session, newest_id(session), verdict={"sentence": "Stay."})
        assert count_new_examples(session, get_style(session, style_id)) == 4


def newest_id(session: Any) -> str:
    return str(session.scalars(select(Run.run_id).order_by(Run.queued_at.desc())).all()[0])


@pytest.mark.parametrize(
    ("pays", "by_hand", "follows"), [(True, False, True), (False, False, False), (True, True, False)]
)
def test_training_follows_a_measurement_only_where_that_pays_and_the_style_trains_by_itself(
    pays: bool, by_hand: bool, follows: bool, sqlite_database: Database, settings: Settings
) -> None:
    database = sqlite_database
    style_id = measured_style(database, settings)
    with database.write() as session:
        lock_style(session, style_id).train_after_examples = 0 if by_hand else 10
        owe_measurement(session, style_id, RunCause.DRIFT)
    (run_id,) = queue_due_runs(database, settings, NOON)
    with database.write() as session:
        finish(session, run_id, verdict={"sentence": "Needed.", "retrain": {"is_worth_it": pays}})
        session.execute(update(Style).values(measurement_owed_at=None, measurement_cause=None))
    queued = queue_due_runs(database, settings, NOON)
    assert bool(queued) == follows
    if follows:
        run = newest(database)
        assert (run.kind, run.cause) == (RunKind.TRAIN, RunCause.DRIFT)
        assert "said that training again is worth it" in run.reason
        with database.write() as session:
            finish(session, queued[0], verdict={"sentence": "Stay."})
        assert queue_due_runs(database, settings, NOON + timedelta(days=1)) == []


@pytest.mark.parametrize(("rung", "is_measured"), [(Rung.LORA_RETRIEVED, True), (Rung.FEW_SHOT, False)])
def test_training_that_paid_beside_another_champion_is_measured_again_first_or_not_wanted(
    rung: Rung, is_measured: bool, database: Database, settings: Settings
) -> None:
    """A prompt promoted by hand has the id of the run that measured it last."""
    style_id = measured_style(database, settings)
    with database.write() as session:
        owe_measurement(session, style_id, RunCause.DRIFT)
    (run_id,) = queue_due_runs(database, settings, NOON)
    with database.write() as session:
        finish(session, run_id, verdict={"sentence": "Needed.", "retrain": {"is_worth_it": True}})
        session.execute(update(Style).values(measurement_owed_at=None, measurement_cause=None))
    with database.write() as session:
        factories.make_promotion(
            session, get_style(session, style_id), kind=PromotionKind.COMMAND, rung=rung, run_id=run_id,
            base_model=settings.base_model, actor=ADMIN.user_id,
        )  # fmt: skip
    if not is_measured:
        assert queue_due_runs(database, settings, NOON) == []
        return
    (run_id,) = queue_due_runs(database, settings, NOON)
    assert (newest(database).run_id, newest(database).kind, newest(database).cause) == (
        run_id, RunKind.MEASURE, RunCause.DRIFT,
    )  # fmt: skip
    with database.write() as session:
        finish(session, run_id, verdict={"sentence": "Needed.", "retrain": {"is_worth_it": True}})
    (run_id,) = queue_due_runs(database, settings, NOON)
    assert (newest(database).run_id, newest(database).kind) == (run_id, RunKind.TRAIN)


# ------------------------------------------------------------------------------------------- with a real (tiny) model


@pytest.mark.training
def test_a_measurement_trains_and_publishes_nothing_and_says_whether_the_adapter_is_still_needed(
    database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, database, base, price_per_hour=3.6)
    with database.write() as session:
        style_id = prepare_run(session, tiny).style_id
    first = execute_here(database, tiny)
    assert first.verdict is not None and first.verdict["promoted"], first.verdict
    stored, champion = list_stored(tiny.resolved_artifact_url), first.verdict["challenger"]["adapter_name"]
    with database.write() as session:
        get_team(session, "T1").terms_accepted_at = now_in_database(session)
        lock_style(session, style_id).recipe = tiny.recipe
        before = get_style(session, style_id).champion_promotion_id
    change(database, style_id, "Answer very briefly.", StyleTerms(forbidden=("login",)))
    (run_id,) = queue_due_runs(database, tiny, NOON)

    run = execute_here(database, tiny)

    assert (run.run_id, run.status, run.error, run.kind) == (run_id, RunStatus.SUCCEEDED, None, RunKind.MEASURE)
    assert run.adapter_version is None and list_stored(tiny.resolved_artifact_url) == stored
    with database.read() as session:
        style = get_style(session, style_id)
        cards = list_scorecards(session, run_id, style.scope)
        assert [(card.rung, card.adapter_name) for card in cards] == [
            (Rung.ZERO_SHOT, ""), (Rung.FEW_SHOT, ""), (Rung.RETRIEVED, ""),
            (Rung(first.verdict["challenger"]["rung"]), champion),
        ]  # fmt: skip
        assert style.measurement_owed_at is None  # settled, and
        assert style.champion_promotion_id == before
        assert len(list_adapters(session, style_id, style.scope)) == len(stored)
        overview = read_overview(session, tiny, style, NOON)
    assert run.verdict is not None
    assert run.verdict["sentence"].startswith("The adapter is still needed: without it, "), run.verdict["sentence"]
    assert f"({champion})" in run.verdict["sentence"] and "; train again: " in run.verdict["sentence"]
    retrain = run.verdict["retrain"]
    assert retrain["low"] < retrain["mean"] < retrain["high"] and retrain["minutes"] is not None
    said = "training again takes about"
    assert overview.verdict.startswith("Measured again, without training, because the instructions were changed.")
    assert said in overview.verdict
    (ladder,) = list_ladders(database, tiny, "support")
    assert said in ladder.verdict and "because the instructions were changed" in ladder.because
    assert run.receipt is not None and run.receipt["tokens"] == 0


@pytest.mark.training
@pytest.mark.parametrize("is_elsewhere", [False, True])
def test_a_champion_moved_while_it_is_measured_again_leaves_the_verdict_without_advice_about_the_one_that_is_gone(
    is_elsewhere: bool, sqlite_database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    from tests.support.tiny_model import make_tiny_model

    database, tiny = sqlite_database, run_settings(settings, sqlite_database, base)
    with database.write() as session:
        style_id = prepare_run(session, tiny).style_id
    first = execute_here(database, tiny)
    assert first.verdict is not None and first.verdict["promoted"], first.verdict
    if is_elsewhere:
        with database.write() as session:
            other = str(make_tiny_model(tmp_path / "other", seed=7))
            factories.make_run(
                session, get_style(session, style_id), recipe=tiny.recipe, base_model=other, kind=RunKind.MEASURE,
                cause=RunCause.CHANGED_BASE,
            )  # fmt: skip
    else:
        measure_as_operator(database, tiny, style_id)

    def meanwhile(stage: str, fraction: float) -> None:
        if fraction == 0.99:
            promote_by_hand(database, tiny, ADMIN, "C_HOME", "support", "few_shot", request_key="by hand")

    run = execute_here(database, tiny, meanwhile=meanwhile)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert run.verdict is not None and not run.verdict["promoted"]
    assert run.verdict["sentence"].startswith("Kept the champion: somebody changed it while this run was being judged")
    assert not {"retrain", "pair"} & set(run.verdict), "nor that training the old one again would pay"
    assert (run.verdict["champion"], run.verdict["lower"], run.verdict["challenger"]) == (None, None, None)
    with database.read() as session:
        champion = find_promotion(session, get_style(session, style_id).champion_promotion_id)
        assert champion is not None and champion.rung is Rung.FEW_SHOT
        overview = read_overview(session, tiny, get_style(session, style_id), NOON)
    gone = first.verdict["challenger"]["adapter_name"]
    assert "somebody changed it" in overview.verdict and gone not in overview.verdict


@pytest.mark.training
@pytest.mark.parametrize("changed", [{"instructions": "Answer at length."}, {"forbidden_terms": ["login"]}])
def test_instructions_or_terms_changed_while_it_measures_leave_it_owed(
    sqlite_database: Database, settings: Settings, base: Path, changed: dict[str, Any]
) -> None:
    database, tiny = sqlite_database, run_settings(settings, sqlite_database, base)
    with database.write() as session:
        style_id = prepare_run(session, tiny, kind=RunKind.MEASURE).style_id

    def meanwhile(stage: str, fraction: float) -> None:
        if stage == "evaluating":
            with database.write() as session:
                style = lock_style(session, style_id)
                for name, value in changed.items():
                    setattr(style, name, value)
                owe_measurement(session, style_id, RunCause.CHANGED_INSTRUCTIONS)

    assert execute_here(database, tiny, meanwhile=meanwhile).status is RunStatus.SUCCEEDED
    with database.read() as session:
        assert get_style(session, style_id).measurement_owed_at is not None


@pytest.mark.training
@pytest.mark.parametrize("cause", [RunCause.BY_HAND, RunCause.DRIFT])
def test_an_example_withdrawn_while_it_measures_has_it_measured_again_and_nothing_trained(
    cause: RunCause, database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, database, base)
    with database.write() as session:
        prepared = prepare_run(session, tiny, kind=RunKind.MEASURE, cause=cause)
        if cause is RunCause.DRIFT:
            owe_measurement(session, prepared.style_id, cause)
    withdrawn: list[str] = []

    def meanwhile(stage: str, fraction: float) -> None:
        if stage == "evaluating" and not withdrawn:
            withdrawn.append(prepared.example_ids[3])
            withdraw_example(database, tiny, AUTHOR, withdrawn[0])

    run = execute_here(database, tiny, meanwhile=meanwhile)

    assert run.status is RunStatus.FAILED
    assert run.error == "An example was withdrawn while the run was measuring with it; it is measured again without it."
    (run_id,) = queue_due_runs(database, tiny, NOON)
    again = newest(database)
    assert (again.run_id, again.kind, again.cause) == (run_id, RunKind.MEASURE, cause)
    assert "nothing is trained" in again.reason
    assert execute_here(database, tiny).status is RunStatus.SUCCEEDED
    assert queue_due_runs(database, tiny, NOON) == []


@pytest.mark.training
@pytest.mark.parametrize("kind", list(RunKind))
def test_an_example_withdrawn_while_a_run_is_on_another_base_model_owes_the_base_model_that_serves_nothing(
    kind: RunKind, sqlite_database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    from tests.support.tiny_model import make_tiny_model

    database, tiny = sqlite_database, run_settings(settings, sqlite_database, base)
    other = str(make_tiny_model(tmp_path / "other", seed=7))
    with database.write() as session:
        prepared = prepare_run(session, tiny, kind=kind, cause=RunCause.CHANGED_BASE)
        runs.get_run(session, prepared.run_id).base_model = other
    withdrawn: list[str] = []

    def meanwhile(stage: str, fraction: float) -> None:
        if stage == "evaluating" and not withdrawn:
            withdrawn.append(prepared.example_ids[3])
            withdraw_example(database, tiny, AUTHOR, withdrawn[0])

    assert execute_here(database, tiny, meanwhile=meanwhile).status is RunStatus.FAILED
    with database.read() as session:
        style = get_style(session, prepared.style_id)
        assert (style.clean_retrain_owed_at, style.measurement_owed_at) == (None, None)


@pytest.mark.training
def test_instructions_changed_before_it_freezes_are_what_it_measures(
    database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, database, base)
    with database.write() as session:
        style_id = prepare_run(session, tiny, kind=RunKind.MEASURE).style_id
        owe_measurement(session, style_id, RunCause.CHANGED_INSTRUCTIONS)
    changes = iter(["Answer at length.", "Answer at great length."])

    def meanwhile(stage: str, fraction: float) -> None:
        if stage == "freezing":
            change(database, style_id, next(changes))

    run = execute_here(database, tiny, meanwhile=meanwhile)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert next(changes) == "Answer at great length.", "it was changed once"
    with database.read() as session:
        dataset = find_dataset_of_run(session, run.run_id)
        assert dataset is not None and dataset.instructions == "Answer at length."
        assert dataset.prompt_hash == prompt_hash("Answer at length.")
        assert get_style(session, style_id).measurement_owed_at is None, "and nothing is owed for them any more"


@pytest.mark.training
def test_instructions_changed_while_the_first_run_goes_on_owe_a_measurement(
    database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, database, base)
    with database.write() as session:
        style_id = prepare_run(session, tiny, kind=RunKind.MEASURE).style_id
        lock_style(session, style_id).train_after_examples = 0
    stages: list[str] = []

    def meanwhile(stage: str, fraction: float) -> None:
        if stage == "evaluating" and stage not in stages:
            change(database, style_id, "Answer at length.")
        stages.append(stage)

    assert execute_here(database, tiny, meanwhile=meanwhile).status is RunStatus.SUCCEEDED
    (run_id,) = queue_due_runs(database, tiny, NOON)
    run = newest(database)
    assert (run.run_id, run.kind, run.cause) == (run_id, RunKind.MEASURE, RunCause.CHANGED_INSTRUCTIONS)


@pytest.mark.training
def test_a_run_on_another_base_model_moves_nothing_and_says_how_the_two_pairs_do(
    database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    from tests.support.tiny_model import make_tiny_model

    tiny = run_settings(settings, database, base)
    other = make_tiny_model(tmp_path / "other", seed=7)
    with database.write() as session:
        style_id = prepare_run(session, tiny).style_id
    first = execute_here(database, tiny)
    assert first.verdict is not None and first.verdict["promoted"]
    with database.write() as session:
        style = get_style(session, style_id)
        factories.make_run(session, style, recipe=tiny.recipe, base_model=str(other), cause=RunCause.CHANGED_BASE)
        before = style.champion_promotion_id

    run = execute_here(database, tiny)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert run.verdict is not None and not run.verdict["promoted"]
    pair = run.verdict["pair"]
    assert pair["base_model"] == str(other) and pair["adapter_name"].startswith("support-v2")
    assert "on other" in run.verdict["sentence"]
    with database.read() as session:
        style = get_style(session, style_id)
        assert style.champion_promotion_id == before
        adapters = {one.name: one.base_model for one in session.scalars(select(Adapter))}
        rows = [(row.rung, row.base_model) for row in list_scorecards(session, run.run_id, style.scope)]
    assert adapters["support-v2"] == str(other) and adapters["support-v1"] == str(base)
    assert len(set(rows)) == len(rows) == 6  # five on the new base model, and what serves


@pytest.mark.training
def test_a_prompt_is_scored_on_both_base_models_under_one_rung(
    sqlite_database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    from tests.support.tiny_model import make_tiny_model

    database, tiny = sqlite_database, run_settings(settings, sqlite_database, base)
    other = make_tiny_model(tmp_path / "other", seed=7)
    with database.write() as session:
        prepared = prepare_run(session, tiny)
        run = runs.get_run(session, prepared.run_id)
        run.base_model, run.kind, run.cause = str(other), RunKind.MEASURE, RunCause.CHANGED_BASE
    run = execute_here(database, tiny)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    with database.read() as session:
        style = get_style(session, prepared.style_id)
        cards = list_scorecards(session, run.run_id, style.scope)
        champion = find_promotion(session, style.champion_promotion_id)
    bits = {row.base_model: row.card["summary"]["bits_per_byte"] for row in cards if row.rung is Rung.ZERO_SHOT}
    assert set(bits) == {str(base), str(other)} and bits[str(base)] != bits[str(other)]
    assert champion is not None and champion.base_model == str(base)


@pytest.mark.training
@pytest.mark.parametrize(("forbidden", "are_shown"), [("sorry", False), ("sorr", True)])
def test_what_holds_a_forbidden_term_is_shown_in_no_prompt_that_is_measured(
    forbidden: str, are_shown: bool, sqlite_database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, sqlite_database, base)
    with sqlite_database.write() as session:
        style_id = prepare_run(session, tiny, kind=RunKind.MEASURE).style_id
        get_style(session, style_id).forbidden_terms = [forbidden]  # every approved text says "sorry"
    run = execute_here(sqlite_database, tiny)
    with sqlite_database.read() as session:
        cards = list_scorecards(session, run.run_id, get_style(session, style_id).scope)
    took = {card.rung: [pair["prompt_tokens"] for pair in card.card["pairs"]] for card in cards}
    assert (took[Rung.FEW_SHOT] != took[Rung.ZERO_SHOT]) == are_shown
    assert (took[Rung.RETRIEVED] != took[Rung.ZERO_SHOT]) == are_shown
