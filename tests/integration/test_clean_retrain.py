"""What follows from a withdrawal, on real databases: one clean retrain, or adapters that are out of use."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.domain.values import Actor
from bot.errors import AdapterWithdrawn, NothingToRollBackTo
from bot.operations.examples import withdraw_example, withdraw_examples_of_message
from bot.operations.overview import read_overview
from bot.operations.promotions import promote_by_hand, roll_back
from bot.operations.runs import look_at_policy, queue_due_runs
from bot.operations.status import get_status
from config.rungs import Rung
from config.settings import Settings
from db import runs
from db.adapters import Adapter, AdapterStatus
from db.audit import AuditEntry
from db.base import new_id, now_in_database
from db.examples import ExampleStatus, get_example, list_approved_examples
from db.outbox import list_by_prefix
from db.promotions import PromotionKind, find_promotion
from db.runs import Run, RunStatus
from db.session import Database
from db.styles import Style, get_style, lock_style
from db.taint import list_tainted_adapters
from db.teams import get_team
from tests.integration.test_clock import freeze
from tests.support import factories

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
AUTHOR = Actor(team_id="T1", user_id="U_AUTHOR", name="author")
ADMIN = Actor(team_id="T1", user_id="U_ADMIN", name="admin", is_admin=True)
#: tiny-test needs 14.
ENOUGH = 17


def prepare(database: Database, **different: object) -> tuple[str, list[str]]:
    """A style that is trained by hand only, whose champion is an adapter trained on all its examples."""
    with database.write() as session:
        values = {"name": "support", "recipe": "tiny-test", "train_after_examples": 0, "channel_id": "C_HOME"}
        style = factories.make_style(session, **(values | different))
        for number in range(ENOUGH):
            factories.make_example(
                session, style, status=ExampleStatus.APPROVED, channel_id="C_HOME", message_ts=f"17.{number:04d}"
            )
        get_team(session, "T1").terms_accepted_at = now_in_database(session)
        factories.make_promotion(session, style, kind=PromotionKind.INITIAL, rung=Rung.RETRIEVED)
        for version in (1, 2):
            publish(session, style, version)
        ids = [one.example_id for one in list_approved_examples(session, style.style_id, style.scope)]
        return style.style_id, ids


def publish(session: Session, style: Style, version: int) -> None:
    """What a run that succeeded leaves: a frozen dataset, an adapter, the champion moved."""
    run = factories.make_run(session, style, status=RunStatus.SUCCEEDED, ended_at=now_in_database(session))
    freeze(session, run)
    adapter = Adapter(
        adapter_id=new_id("ada"), name=f"support-v{version}", version=version, team_id="T1", style_id=style.style_id,
        scope_key=style.scope_key, run_id=run.run_id, rung=Rung.LORA, base_model=run.base_model,
        manifest_digest="sha256:0", published_at=now_in_database(session),
    )  # fmt: skip
    session.add(adapter)
    session.flush()
    factories.make_promotion(session, style, rung=Rung.LORA, adapter_id=adapter.adapter_id, run_id=run.run_id)


def end(database: Database, run_id: str, status: RunStatus) -> None:
    with database.write() as session:
        run = runs.claim_run(session, owner="trainer", lease_seconds=60)
        assert run is not None
        assert run.run_id == run_id
        runs.end_run(session, run_id, run.fence, status)


def slots(database: Database) -> list[str]:
    with database.read() as session:
        return [one for one in session.scalars(select(Run.slot).order_by(Run.queued_at)) if "command" not in one]


def champion(database: Database, style_id: str) -> tuple[PromotionKind, Rung]:
    with database.read() as session:
        found = find_promotion(session, get_style(session, style_id).champion_promotion_id)
        assert found is not None
        return found.kind, found.rung


def waits_for(database: Database, settings: Settings, style_id: str, now: datetime = NOON) -> str:
    with database.read() as session:
        return look_at_policy(session, settings, get_style(session, style_id), now).reason


def lines_in_channel(database: Database) -> list[str]:
    with database.read() as session:
        return [row.arguments["text"] for row in list_by_prefix(session, "out_of_use:")]


def test_three_withdrawals_are_one_clean_retrain_also_of_a_style_trained_by_hand(
    database: Database, settings: Settings
) -> None:
    style_id, ids = prepare(database)
    assert queue_due_runs(database, settings, NOON) == []
    said = withdraw_example(database, settings, AUTHOR, ids[0])
    assert said.adapter_names == ("support-v2", "support-v1")
    assert "A clean retrain replaces them and starts by itself" in said.sentence
    withdraw_examples_of_message(database, settings, "T1", "C_HOME", "17.0001")
    with database.read() as session:
        style = get_style(session, style_id)
        assert "due now, something was withdrawn" in "\n".join(
            get_status(database, settings, ADMIN, "C_HOME", style.name, is_model_up=True)
        )
    (run_id,) = queue_due_runs(database, settings, NOON)
    withdraw_example(database, settings, AUTHOR, ids[2])
    assert queue_due_runs(database, settings, NOON) == []
    assert [one.partition(":")[0] for one in slots(database)] == ["withdrawal"]
    with database.read() as session:
        run = runs.get_run(session, run_id)
        assert (run.requested_by, "learns without it" in run.reason) == (None, True)
        queued = session.scalars(select(AuditEntry).where(AuditEntry.action == "run.queued")).all()
        assert [(entry.actor, entry.detail["slot"]) for entry in queued] == [("clock", run.slot)]
    assert champion(database, style_id) == (PromotionKind.GATE, Rung.LORA)  # until the clean one replaces it


def test_what_was_withdrawn_is_erased_from_its_row_and_its_card(database: Database, settings: Settings) -> None:
    _, ids = prepare(database)
    withdraw_example(database, settings, AUTHOR, ids[0])
    with database.read() as session:
        example = get_example(session, ids[0])
        assert (example.prompt, example.completion, example.content_hash, example.embedding) == ("", "", "erased", None)
        assert example.proposed_by == "U_MEMBER"


def test_no_adapter_that_learnt_from_it_can_become_the_champion_again(database: Database, settings: Settings) -> None:
    _, ids = prepare(database)
    withdraw_example(database, settings, AUTHOR, ids[0])
    with pytest.raises(AdapterWithdrawn, match="learnt from something that was withdrawn"):
        promote_by_hand(database, settings, ADMIN, "C_HOME", "support", "support-v1", request_key="p1")
    moved = roll_back(database, settings, ADMIN, "C_HOME", "support", request_key="r1")
    assert "`retrieved`" in moved.sentence and "support-v1" not in moved.sentence.partition(" to ")[2]
    with pytest.raises(NothingToRollBackTo):
        roll_back(database, settings, ADMIN, "C_HOME", "support", request_key="r2")


def test_an_owed_retrain_waits_for_the_styles_hours_and_says_so(database: Database, settings: Settings) -> None:
    style_id, ids = prepare(database, train_from_hour=22, train_to_hour=6)
    withdraw_example(database, settings, AUTHOR, ids[0])
    assert queue_due_runs(database, settings, NOON) == []
    reason = waits_for(database, settings, style_id)
    assert reason.startswith("a clean retrain is owed") and "between 22:00 and 06:00 UTC" in reason
    with database.read() as session:  # what the Home tab shows
        assert read_overview(session, settings, get_style(session, style_id), NOON).next_training == reason
    assert len(queue_due_runs(database, settings, NOON.replace(hour=23))) == 1


def spend_all(database: Database) -> datetime:
    """Another style uses up the workspace's budget, this month and the next ones."""
    with database.write() as session:
        now = now_in_database(session)
        other = factories.make_style(session, name="sales", train_after_examples=0)
        factories.make_run(
            session, other, status=RunStatus.SUCCEEDED, receipt={"cost": 1e6}, ended_at=now + timedelta(days=90)
        )  # fmt: skip
        get_team(session, "T1").monthly_budget = 1e6
        return now


def test_an_owed_retrain_waits_for_the_budget_and_says_so(database: Database, settings: Settings) -> None:
    dear = settings.model_copy(update={"price_per_hour": 1000.0})
    style_id, ids = prepare(database)
    now = spend_all(database)
    withdraw_example(database, dear, AUTHOR, ids[0])
    assert queue_due_runs(database, dear, now) == []
    reason = waits_for(database, dear, style_id, now)
    assert reason.startswith("a clean retrain is owed") and "this month's budget has €0.00 left" in reason
    with database.read() as session:
        (told,) = (row.arguments["text"] for row in list_by_prefix(session, "budget:"))
    assert told.startswith("Training *support* now takes about ") and "Enough examples" not in told
    assert "It is due: something was withdrawn that an adapter had learnt from, so this run learns without it." in told
    assert champion(database, style_id) == (PromotionKind.GATE, Rung.LORA)
    with database.write() as session:
        get_team(session, "T1").monthly_budget = None
    assert len(queue_due_runs(database, dear, now)) == 1


def test_what_the_next_months_budget_does_not_allow_either_ends_with_the_adapters_out_of_use(
    database: Database, settings: Settings
) -> None:
    dear = settings.model_copy(update={"price_per_hour": 1000.0})
    style_id, ids = prepare(database)
    now = spend_all(database)
    withdraw_example(database, dear, AUTHOR, ids[0])
    assert queue_due_runs(database, dear, now + timedelta(days=35)) == []
    assert champion(database, style_id) == (PromotionKind.WITHDRAWAL, Rung.RETRIEVED)
    (told,) = lines_in_channel(database)
    assert "the next month's budget did not suffice either to train without it" in told
    with database.read() as session:
        assert list_tainted_adapters(session, style_id) == []


@pytest.mark.parametrize("is_lowered_later", [False, True])
def test_a_retrain_that_no_months_budget_allows_does_not_leave_the_adapters_in_use(
    is_lowered_later: bool, database: Database, settings: Settings
) -> None:
    dear = settings.model_copy(update={"price_per_hour": 1000.0})
    style_id, ids = prepare(database, monthly_budget=None if is_lowered_later else 0.01)
    said = withdraw_example(database, dear, AUTHOR, ids[0]).sentence
    if is_lowered_later:
        assert champion(database, style_id) == (PromotionKind.GATE, Rung.LORA)
        with database.write() as session:
            lock_style(session, style_id).monthly_budget = 0.01
        assert queue_due_runs(database, dear, NOON) == []
    else:
        assert "Training without it costs more than a month's budget, so they are out of use." in said
    assert champion(database, style_id) == (PromotionKind.WITHDRAWAL, Rung.RETRIEVED)
    (told,) = lines_in_channel(database)
    assert "training without it costs more than a month's budget. `support-v2`, `support-v1` are out of use" in told
    with database.read() as session:
        assert list_tainted_adapters(session, style_id) == []


def test_too_few_examples_are_left_so_the_champion_falls_back_and_the_channel_is_told_once(
    database: Database, settings: Settings
) -> None:
    style_id, ids = prepare(database)
    said = [withdraw_example(database, settings, AUTHOR, one).sentence for one in ids[:4]]
    assert "Too few examples are left to train without it, so they are out of use" in said[-1]
    assert champion(database, style_id) == (PromotionKind.WITHDRAWAL, Rung.RETRIEVED)
    (told,) = lines_in_channel(database)
    assert "too few examples are left" in told and "`support-v2`, `support-v1` are out of use" in told
    assert "U_AUTHOR" not in told
    assert queue_due_runs(database, settings, NOON) == []
    with database.read() as session:
        assert {one.status for one in session.scalars(select(Adapter))} == {AdapterStatus.WITHDRAWN}
        assert get_style(session, style_id).clean_retrain_owed_at is None
        fell = session.scalars(select(AuditEntry).where(AuditEntry.action == "champion.fell_back")).one()
        assert fell.detail["replaced"] == "support-v2"
    status = "\n".join(get_status(database, settings, ADMIN, "C_HOME", "support", is_model_up=True))
    assert "what its predecessor had learnt from was withdrawn" in status
    assert lines_in_channel(database) == [told]


def test_a_retrain_that_fails_again_and_again_ends_with_the_adapters_out_of_use(
    database: Database, settings: Settings
) -> None:
    style_id, ids = prepare(database)
    withdraw_example(database, settings, AUTHOR, ids[0])
    with database.read() as session:
        now = now_in_database(session)
    for hours in (0, 2, 9, 34):
        (run_id,) = queue_due_runs(database, settings, now + timedelta(hours=hours))
        assert champion(database, style_id)[0] is PromotionKind.GATE
        end(database, run_id, RunStatus.FAILED)
    assert queue_due_runs(database, settings, now + timedelta(hours=60)) == []
    assert champion(database, style_id) == (PromotionKind.WITHDRAWAL, Rung.RETRIEVED)
    (told,) = lines_in_channel(database)
    assert "every try to train without it has failed" in told
    with database.read() as session:
        assert list_tainted_adapters(session, style_id) == []


def test_what_failed_before_the_withdrawal_does_not_hold_the_retrain_back(
    database: Database, settings: Settings
) -> None:
    style_id, ids = prepare(database)
    with database.write() as session:
        run = factories.make_run(session, get_style(session, style_id))
    end(database, run.run_id, RunStatus.FAILED)
    withdraw_example(database, settings, AUTHOR, ids[0])
    with database.read() as session:
        now = now_in_database(session)
    assert len(queue_due_runs(database, settings, now)) == 1


def test_a_cancelled_retrain_waits_for_an_admin_and_a_later_withdrawal_owes_one_anew(
    database: Database, settings: Settings
) -> None:
    style_id, ids = prepare(database)
    withdraw_example(database, settings, AUTHOR, ids[0])
    (run_id,) = queue_due_runs(database, settings, NOON)
    with database.write() as session:
        assert runs.request_cancel(session, run_id)
    assert queue_due_runs(database, settings, NOON + timedelta(days=2)) == []
    assert "it was cancelled" in waits_for(database, settings, style_id)
    withdraw_example(database, settings, AUTHOR, ids[1])
    assert len(queue_due_runs(database, settings, NOON)) == 1
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(Run)) == 4
