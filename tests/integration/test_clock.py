"""The clock on real databases, turned by hand: one cause is one run, whoever asks, however often, and at what time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from bot.clock import Clock
from bot.operations.runs import message_key, queue_due_runs
from config.settings import Settings
from db import runs
from db.audit import list_audit
from db.base import new_id, now_in_database
from db.datasets import Dataset, DatasetExample, SplitName
from db.examples import Example, ExampleStatus, list_approved_examples
from db.inbox import InboxEvent, InboxStatus, store_events
from db.outbox import find_by_dedupe_key
from db.runs import Run, RunStatus
from db.session import Database
from db.styles import Style
from db.teams import get_team
from tests.support import factories
from tests.support.wait import wait_until

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
#: What the recipe `tiny-test` needs at least, and more.
ENOUGH = 20


def prepare_style(session: Session, *, approved: int = ENOUGH, accepted: bool = True, **different: object) -> Style:
    style = factories.make_style(session, recipe="tiny-test", **({"train_after_examples": 10} | different))
    approve(session, style, approved)
    if accepted:
        get_team(session, "T1").terms_accepted_at = now_in_database(session)
    return style


def approve(session: Session, style: Style, count: int) -> None:
    for _ in range(count):
        factories.make_example(session, style, status=ExampleStatus.APPROVED)


def finish(session: Session, run_id: str, status: RunStatus = RunStatus.SUCCEEDED, **changes: object) -> None:
    """What a trainer does, without the training: claim, freeze everything that is approved, end."""
    run = runs.claim_run(session, owner="trainer", lease_seconds=60)
    assert run is not None
    assert run.run_id == run_id
    if status is RunStatus.SUCCEEDED:
        freeze(session, run)
    runs.end_run(session, run_id, run.fence, status, **changes)


def freeze(session: Session, run: Run) -> None:
    dataset = Dataset(
        dataset_id=new_id("dat"), run_id=run.run_id, style_id=run.style_id, scope_key=run.scope_key,
        content_hash="sha256:0", seed=1, instructions="", prompt_hash="sha256:0", versions={}, skipped=[],
        frozen_at=now_in_database(session),
    )  # fmt: skip
    session.add(dataset)
    session.flush()
    for position, example in enumerate(list_approved_examples(session, run.style_id, runs_scope(session, run))):
        session.add(
            DatasetExample(
                dataset_id=dataset.dataset_id, example_id=example.example_id, split=SplitName.TRAIN,
                position=position, content_hash=example.content_hash,
            )
        )  # fmt: skip
    session.flush()


def runs_scope(session: Session, run: Run):
    return session.get_one(Style, run.style_id).scope


def count_runs(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Run)) or 0


def test_a_met_policy_queues_one_run_and_owes_the_channel_one_message(database: Database, settings: Settings) -> None:
    with database.write() as session:
        style = prepare_style(session, channel_id="C_HOME")
    (run_id,) = queue_due_runs(database, settings, NOON)
    assert queue_due_runs(database, settings, NOON) == []
    with database.read() as session:
        run = runs.get_run(session, run_id)
        message = find_by_dedupe_key(session, message_key(run_id))
        assert (run.style_id, run.status, run.recipe) == (style.style_id, RunStatus.QUEUED, "tiny-test")
        assert message is not None
        assert message.arguments["channel_id"] == "C_HOME"
        assert [(one.actor, one.action) for one in list_audit(session, run_id)] == [("clock", "run.queued")]


def test_many_clocks_queue_every_due_style_once(database: Database, settings: Settings) -> None:
    """Three clocks at the same moment, 20 due styles: 20 runs, none twice, none missed."""
    with database.write() as session:
        for _ in range(20):
            prepare_style(session)
    start = threading.Barrier(3)

    def one_clock() -> list[str]:
        start.wait()
        return queue_due_runs(database, settings, NOON)

    with ThreadPoolExecutor(3) as pool:
        queued = [run_id for clock in [pool.submit(one_clock) for _ in range(3)] for run_id in clock.result()]
    assert len(queued) == len(set(queued)) == 20
    with database.read() as session:
        per_style = session.execute(select(Run.style_id, func.count()).group_by(Run.style_id)).all()
    assert [count for _, count in per_style] == [1] * 20


def test_after_a_finished_run_only_examples_it_has_not_seen_count(database: Database, settings: Settings) -> None:
    with database.write() as session:
        style = prepare_style(session)
    (first,) = queue_due_runs(database, settings, NOON)
    with database.write() as session:
        finish(session, first)
        approve(session, style, 9)
    assert queue_due_runs(database, settings, NOON + timedelta(hours=1)) == []
    with database.write() as session:
        approve(session, style, 1)
    assert len(queue_due_runs(database, settings, NOON + timedelta(hours=1))) == 1
    assert count_runs(database) == 2


def test_a_clock_set_back_between_two_runs_neither_misses_nor_doubles_one(
    database: Database, settings: Settings
) -> None:
    """As if the database's clock had stood an hour ahead until now: all it wrote lies in the future."""
    with database.write() as session:
        style = prepare_style(session)
    (first,) = queue_due_runs(database, settings, NOON)
    with database.write() as session:
        finish(session, first)
        ahead = now_in_database(session) + timedelta(hours=1)
        session.execute(update(Run).values(queued_at=ahead, ended_at=ahead))
        session.execute(update(Dataset).values(frozen_at=ahead))
        approve(session, style, 10)
    earlier = NOON - timedelta(hours=1)
    (second,) = queue_due_runs(database, settings, earlier)
    with database.write() as session:
        finish(session, second)
        approve(session, style, 10)
    (third,) = queue_due_runs(database, settings, earlier)
    assert queue_due_runs(database, settings, earlier) == []
    assert len({first, second, third}) == 3
    assert count_runs(database) == 3


def test_turning_the_hand_over_two_days_and_back_queues_one_run(database: Database, settings: Settings) -> None:
    with database.write() as session:
        prepare_style(session, train_from_hour=22, train_to_hour=6)
    hours = [*range(-24, 48), *range(48, -24, -1)]
    queued = [run_id for hour in hours for run_id in queue_due_runs(database, settings, NOON + timedelta(hours=hour))]
    assert len(queued) == 1


def test_outside_its_hours_a_style_waits(database: Database, settings: Settings) -> None:
    with database.write() as session:
        prepare_style(session, train_from_hour=22, train_to_hour=6)
    assert queue_due_runs(database, settings, NOON) == []
    assert len(queue_due_runs(database, settings, NOON.replace(hour=23))) == 1


def test_without_accepted_terms_the_channel_is_asked_once_and_nothing_is_queued(
    database: Database, settings: Settings
) -> None:
    with database.write() as session:
        style = prepare_style(session, accepted=False, channel_id="C_HOME")
    for hour in range(3):
        assert queue_due_runs(database, settings, NOON + timedelta(hours=hour)) == []
    with database.write() as session:
        notice = find_by_dedupe_key(session, f"terms:{style.style_id}")
        assert notice is not None
        assert notice.arguments["channel_id"] == "C_HOME"
        assert "/huisstijl train" in notice.arguments["text"]
        get_team(session, "T1").terms_accepted_at = now_in_database(session)
    assert len(queue_due_runs(database, settings, NOON)) == 1


def test_a_failed_run_is_tried_again_after_a_rest(database: Database, settings: Settings) -> None:
    with database.write() as session:
        prepare_style(session)
        now = now_in_database(session)
    (first,) = queue_due_runs(database, settings, now)
    with database.write() as session:
        finish(session, first, RunStatus.FAILED, error="The disk was full.")
    assert queue_due_runs(database, settings, now + timedelta(minutes=30)) == []
    assert len(queue_due_runs(database, settings, now + timedelta(hours=2))) == 1


def test_a_cancelled_run_is_not_queued_again_for_the_same_examples(database: Database, settings: Settings) -> None:
    with database.write() as session:
        prepare_style(session)
    (run_id,) = queue_due_runs(database, settings, NOON)
    with database.write() as session:
        assert runs.request_cancel(session, run_id)
        assert runs.get_run(session, run_id).status is RunStatus.CANCELLED
        assert not runs.request_cancel(session, run_id)
    assert queue_due_runs(database, settings, NOON + timedelta(days=2)) == []


def test_examples_of_another_scope_make_nothing_due(database: Database, settings: Settings) -> None:
    with database.write() as session:
        style = prepare_style(session, approved=5)
        for _ in range(ENOUGH):
            factories.make_example(session, style, status=ExampleStatus.APPROVED, scope_key="T1/C_PRIVATE")
    assert queue_due_runs(database, settings, NOON) == []


def test_cancelling_a_run_whose_trainer_is_silent_ends_it_and_locks_the_trainer_out(
    database: Database, settings: Settings
) -> None:
    with database.write() as session:
        run = factories.make_run(session, prepare_style(session))
        held = runs.claim_run(session, owner="gone", lease_seconds=-1)
        assert held is not None
        fence = held.fence
        assert runs.request_cancel(session, run.run_id)
    with database.read() as session:
        run = runs.get_run(session, run.run_id)
        assert (run.status, run.fence > fence) == (RunStatus.CANCELLED, True)


def test_a_tick_survives_a_broken_database_and_the_next_one_queues(
    sqlite_database: Database, settings: Settings
) -> None:
    with sqlite_database.write() as session:
        prepare_style(session)
    clock = Clock(sqlite_database, settings)
    path = Path(str(sqlite_database.url.database))
    sqlite_database.dispose()
    aside = path.with_name("aside")
    path.rename(aside)
    path.mkdir()  # SQLite cannot open a folder
    assert clock.tick() == []
    path.rmdir()
    aside.rename(path)
    assert len(clock.tick()) == 1


def test_the_clock_ticks_by_itself_also_after_the_hosts_clock_was_set_back(
    sqlite_database: Database, settings: Settings
) -> None:
    with sqlite_database.write() as session:
        first = prepare_style(session)
    clock = Clock(sqlite_database, settings.model_copy(update={"tick_seconds": 0.1}))
    clock.start()
    try:
        wait_until(lambda: count_runs(sqlite_database) == 1, what="the first run")
        # What a clock that was set back by an hour leaves: the next tick lies an hour ahead.
        clock.scheduler.modify_job("tick", next_run_time=datetime.now(UTC) + timedelta(hours=1))
        with sqlite_database.write() as session:
            second = prepare_style(session)
        wait_until(lambda: count_runs(sqlite_database) == 2, what="the second run")
    finally:
        clock.stop()
    assert first.style_id != second.style_id


def test_old_deliveries_are_put_away_and_unfinished_ones_are_kept(database: Database, settings: Settings) -> None:
    with database.write() as session:
        now = now_in_database(session)
        for key, age, status in (("old", 50, InboxStatus.DONE), ("waiting", 50, InboxStatus.PENDING),
                                 ("new", 1, InboxStatus.DONE)):  # fmt: skip
            store_events(
                session,
                [{"inbox_id": new_id("inb"), "event_key": key, "team_id": "T1", "kind": "event", "body": {},
                  "status": status, "received_at": now - timedelta(hours=age)}],
            )  # fmt: skip
    Clock(database, settings).tick()
    with database.read() as session:
        assert set(session.scalars(select(InboxEvent.event_key))) == {"waiting", "new"}
        assert session.scalar(select(func.count()).select_from(Example)) == 0
