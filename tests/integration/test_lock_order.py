"""Transactions that need the same rows take them in one order (db/session.py), so that PostgreSQL need end none.

In each test two meet in the midst of their work, at a row that the first of them, or a third, holds until both wait.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from bot.app import build_app
from bot.domain.values import Actor
from bot.drafting.measuring import Measurer
from bot.operations.base_change import abandon_change, ask_for_change
from bot.operations.comparisons import choose_draft
from bot.operations.drafts import request_draft
from bot.operations.examples import withdraw_example, withdraw_examples_of_message
from bot.operations.reviews import approve_example
from bot.operations.runs import queue_due_runs
from bot.operations.set_aside import set_aside_pair
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from db import runs
from db.base_changes import BaseChange, BaseChangeStatus
from db.examples import ExampleStatus, get_example, lock_example
from db.prequential import PrequentialScore
from db.runs import ACTIVE, Run
from db.scorecards import list_scorecards
from db.session import Database
from db.set_aside_pairs import SetAsidePair
from db.styles import StyleReviewer, get_style, lock_style
from db.trials import Choice, Comparison, count_comparisons, lock_trial
from tests.integration.test_base_change import NEW, NOON, served_style
from tests.integration.test_set_aside_pairs import MIA, PUBLIC, a_pair
from tests.support import factories
from tests.support.trials import make_comparison, make_measured_style, make_trial
from tests.support.wait import wait_until
from trainer.hold import Hold
from trainer.metrics import PairScore, Scorecard
from trainer.registry import Standing, save_scorecard

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
AUTHOR = Actor(team_id="T1", user_id="U_AUTHOR", name="author")
RAVI = Actor(team_id="T1", user_id="U_RAVI", name="ravi")


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as running:
        yield running


def wait_for_waiters(database: Database, number: int, *unless: Future[Any]) -> None:
    """Until so many transactions wait for a lock, or one of these has got to its end."""

    def have_come() -> bool:
        with database.read() as session:
            return session.scalar(text(WAITING)) == number or any(one.done() for one in unless)

    wait_until(have_come, what=f"{number} transactions that wait for a lock")


def let_meet(
    database: Database, pool: ThreadPoolExecutor, hold: Callable[[Session], object],
    first: Callable[[], object], second: Callable[[], object],
) -> None:  # fmt: skip
    """Both come to where this row is held, the first one first, and go on when it is let go."""
    with database.write() as session:
        hold(session)
        one = pool.submit(first)
        wait_for_waiters(database, 1)
        other = pool.submit(second)
        wait_for_waiters(database, 2)
    one.result(timeout=60)
    other.result(timeout=60)


def claim(database: Database) -> Hold:
    """A trainer's hold on the next run, which has frozen its dataset."""
    with database.write() as session:
        run = runs.claim_run(session, owner="trainer", lease_seconds=600)
        assert run is not None
        factories.make_dataset(session, run, dataset_id="dat")
        return Hold(database, run.run_id, run.fence, heartbeat_seconds=60, lease_seconds=600)


def keep_scorecard(session: Session, run_id: str) -> None:
    """What a stage does with its hold on the run: it locks the style, and writes."""
    run = runs.get_run(session, run_id)
    pair = PairScore(example_id="e", nll_nats=1.0, reference_bytes=4, prompt_tokens=9)
    card = Scorecard(rung="retrieved", pairs=(pair,), seconds_per_draft=0.1, scoring_seconds=0.1)
    standing = Standing(rung=Rung.RETRIEVED, base_model=run.base_model)
    save_scorecard(session, run, "dat", standing, card, of="", features={})


def test_a_change_is_taken_back_while_a_trainer_writes_and_neither_has_to_give_way(
    postgres_database: Database, settings: Settings, pool: ThreadPoolExecutor
) -> None:
    database = postgres_database
    style_id = served_style(database)
    ask_for_change(database, NEW)
    (run_id,) = queue_due_runs(database, settings, NOON)
    hold = claim(database)
    with hold.write() as session:
        taking_back = pool.submit(abandon_change, database, settings)
        wait_for_waiters(database, 1)
        keep_scorecard(session, run_id)
    assert taking_back.result(timeout=60) == (NEW, [])
    with database.read() as session:
        assert runs.get_run(session, run_id).is_cancel_requested
        assert len(list_scorecards(session, run_id, get_style(session, style_id).scope)) == 1
        assert session.scalars(select(BaseChange.status)).all() == [BaseChangeStatus.ABANDONED]


def test_a_clock_makes_no_run_for_a_change_that_is_being_taken_back(
    postgres_database: Database, settings: Settings, pool: ThreadPoolExecutor
) -> None:
    database = postgres_database
    served_style(database)
    ask_for_change(database, NEW)
    (run_id,) = queue_due_runs(database, settings, NOON)
    served_style(database, name="sales")  # whose run is due as well
    hold = claim(database)
    with hold.write():
        taking_back = pool.submit(abandon_change, database, settings)
        wait_for_waiters(database, 1)
        clock = pool.submit(queue_due_runs, database, settings, NOON)
        wait_for_waiters(database, 2, clock)
    taking_back.result(timeout=60)
    assert clock.result(timeout=60) == []
    with database.read() as session:
        (held,) = session.scalars(select(Run).where(Run.status.in_(ACTIVE)))
        assert (held.run_id, held.is_cancel_requested) == (run_id, True)


def test_a_request_that_is_drafted_twice_meets_a_tap_of_the_same_trial(
    postgres_database: Database, pool: ThreadPoolExecutor
) -> None:
    database = postgres_database
    with database.write() as session:
        style = make_measured_style(session, team_id="T1", scope_key="T1", channel_id="C1")
        trial = make_trial(session, style)
        comparison = make_comparison(session, style, trial)
    let_meet(
        database, pool, lambda session: lock_trial(session, trial.trial_id),
        lambda: request_draft(database, MIA, request_key="r", channel=PUBLIC, text="we close at noon", max_chars=999),
        lambda: choose_draft(database, MIA, comparison.comparison_id, Choice.A, "C1"),
    )  # fmt: skip
    with database.read() as session:
        assert count_comparisons(session, trial.trial_id).made == 2
        assert session.get_one(Comparison, comparison.comparison_id).choice is Choice.A


def test_an_example_that_is_being_predicted_meets_its_withdrawal(
    postgres_database: Database, settings: Settings, pool: ThreadPoolExecutor
) -> None:
    database = postgres_database
    with database.write() as session:
        style = factories.make_style(session)
        # An adapter that is not there: nothing is asked of a model, and that there is no figure is kept.
        factories.make_promotion(session, style, rung=Rung.LORA)
        example_id = factories.make_example(
            session, style, status=ExampleStatus.APPROVED, embedding=b"", embedding_model=settings.embedding_model
        ).example_id
    with Workspace() as workspace:
        values = {
            "slack_bot_token": SecretStr(workspace.bot_token), "slack_app_token": SecretStr(workspace.app_token),
            "slack_api_url": workspace.api_url,
            "database_url": database.url.render_as_string(hide_password=False),
        }  # fmt: skip
        bot = build_app(settings.model_copy(update=values))
        (measurer,) = (part for part in bot.parts if isinstance(part, Measurer))
        let_meet(
            database, pool, lambda session: lock_example(session, example_id),
            measurer.work_once,
            lambda: withdraw_example(database, settings, AUTHOR, example_id),
        )  # fmt: skip
        bot.services.model.close()
        bot.services.database.dispose()
    with database.read() as session:
        assert get_example(session, example_id).status is ExampleStatus.WITHDRAWN
        assert session.get(PrequentialScore, example_id) is None  # kept, and erased again


def test_a_pair_that_is_set_aside_once_more_meets_the_deletion_of_its_message(
    postgres_database: Database, settings: Settings, pool: ThreadPoolExecutor
) -> None:
    database = postgres_database
    with database.write() as session:
        style_id = factories.make_style(session).style_id
        factories.make_example(
            session, get_style(session, style_id), channel_id="C1", message_ts="11.0",
            status=ExampleStatus.APPROVED,
        )  # fmt: skip
    set_aside_pair(database, MIA, PUBLIC, a_pair(style_id))
    let_meet(
        database, pool, lambda session: lock_style(session, style_id),
        lambda: set_aside_pair(database, MIA, PUBLIC, a_pair(style_id)),
        lambda: withdraw_examples_of_message(database, settings, "T1", "C1", "11.0"),
    )  # fmt: skip
    with database.read() as session:
        assert session.scalars(select(SetAsidePair)).all() == []


def test_an_approval_that_replaces_an_older_example_meets_whoever_holds_both(
    postgres_database: Database, pool: ThreadPoolExecutor
) -> None:
    database = postgres_database
    with database.write() as session:
        style = factories.make_style(session)
        style.reviewers = [StyleReviewer(user_id=RAVI.user_id)]
        old, new = sorted(factories.make_example(session, style).example_id for _ in range(2))
    with database.write() as session:  # as a run's freeze does, by their ids
        lock_example(session, old)
        approval = pool.submit(
            approve_example, database, RAVI, new, place="C1", seen_version=1, instead_of=old
        )  # fmt: skip
        wait_for_waiters(database, 1)
        lock_example(session, new)
    assert approval.result(timeout=60).replaced == old
    with database.read() as session:
        assert get_example(session, new).status is ExampleStatus.APPROVED
        assert get_example(session, old).status is ExampleStatus.REJECTED
