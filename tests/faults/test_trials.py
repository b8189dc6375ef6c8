"""Two drafts to compare under faults: a bot killed between them, after them, or at the tap. Never half, never twice."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from bot.rehearsal.errors import PersonError
from bot.rehearsal.options import WorkspaceOptions
from bot.rehearsal.seed import BRAND, MIA, NOOR
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from db.drafts import Draft, DraftStatus
from db.session import Database
from db.trials import Comparison, ComparisonStatus, Trial
from tests.acceptance.conftest import bot_settings, model  # noqa: F401 - fixtures
from tests.support.bot_process import inbox_is_done, socket_bot_process
from tests.support.model_server import Answer, ScriptedModel
from tests.support.trials import ADAPTER, make_measured_style, make_trial
from tests.support.wait import wait_until

pytestmark = pytest.mark.faults

Json = dict[str, Any]
OURS = "Dear all, we close at noon on Friday. Team Office"
THEIRS = "At noon on Friday we go home. Team Office"


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(options=WorkspaceOptions(ack_seconds=1.0)) as running:
        yield running


@pytest.fixture
def trial(sqlite_database: Database, model: ScriptedModel) -> Trial:  # noqa: F811
    model.by_model = {model.base_model: Answer(text=OURS), ADAPTER: Answer(text=THEIRS)}
    with sqlite_database.write() as session:
        return make_trial(session, make_measured_style(session))


def drafts_of(database: Database) -> list[Draft]:
    with database.read() as session:
        return list(session.query(Draft).order_by(Draft.draft_id))


def questions(workspace: Workspace, thread_ts: str) -> list[Json]:
    return [m for m in workspace.person(MIA).messages(BRAND, thread_ts) if "choose_draft:a" in str(m)]


@pytest.mark.parametrize("moment", ["comparison.settled", "comparison.settled:2", "reply.before_post"])
def test_a_bot_killed_between_two_drafts_leaves_one_whole_comparison(
    bot_settings: Settings,  # noqa: F811
    workspace: Workspace,
    sqlite_database: Database,
    trial: Trial,
    moment: str,
) -> None:
    with socket_bot_process(bot_settings, workspace, moment) as process:
        asked = workspace.person(MIA).mention_bot(BRAND, "announce that we close at noon")
        wait_until(lambda: not process.is_alive(), seconds=30, what="the bot is killed")
    assert questions(workspace, asked["ts"]) == []
    with socket_bot_process(bot_settings, workspace):
        wait_until(lambda: questions(workspace, asked["ts"]), seconds=30, what="the comparison")
        wait_until(lambda: inbox_is_done(sqlite_database), seconds=10)
        assert len(questions(workspace, asked["ts"])) == 1
    assert [draft.status for draft in drafts_of(sqlite_database)] == [DraftStatus.PAIRED] * 2


def test_a_bot_killed_at_the_tap_decides_once(
    bot_settings: Settings,  # noqa: F811
    workspace: Workspace,
    sqlite_database: Database,
    trial: Trial,
) -> None:
    with socket_bot_process(bot_settings, workspace):
        asked = workspace.person(MIA).mention_bot(BRAND, "announce that we close at noon")
        (question,) = wait_until(lambda: questions(workspace, asked["ts"]), seconds=30, what="the comparison")
        wait_until(lambda: inbox_is_done(sqlite_database), seconds=10)
    with socket_bot_process(bot_settings, workspace, "listener.done") as process:
        with suppress(PersonError):
            workspace.person(NOOR).click(BRAND, question["ts"], "choose_draft:b")
        wait_until(lambda: not process.is_alive(), seconds=30, what="the bot is killed")
    with socket_bot_process(bot_settings, workspace):
        wait_until(
            lambda: "chose this one of two" in str(workspace.person(MIA).messages(BRAND, asked["ts"])), seconds=30
        )
        wait_until(lambda: inbox_is_done(sqlite_database), seconds=10)
    with sqlite_database.read() as session:
        (comparison,) = session.query(Comparison).all()
    assert (comparison.status, comparison.choice, comparison.decided_by) == (ComparisonStatus.DECIDED, "b", NOOR)
    assert [draft.status for draft in drafts_of(sqlite_database)] == [DraftStatus.PASSED_OVER, DraftStatus.SHOWN]
