"""Use, Shorter, Share, Not our style under faults: a bot killed in between, clicks that come twice. Each acts once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from bot.rehearsal.errors import PersonError
from bot.rehearsal.options import WorkspaceOptions
from bot.rehearsal.seed import BRAND, MIA, NOOR, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from db.drafts import Draft, DraftStatus
from db.preferences import Preference
from db.session import Database
from tests.acceptance.conftest import bot_settings, model  # noqa: F401 - fixtures
from tests.support.bot_process import inbox_is_done, socket_bot_process
from tests.support.factories import make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

pytestmark = pytest.mark.faults

Json = dict[str, Any]
TEXT = "Dear all, we close at noon on Friday. Team Office"
OTHER = "At noon on Friday we go home. Team Office"
#: Before anything is done; done but not noted; owed but not posted.
MOMENTS = ["inbox.after_commit", "listener.done", "reply.before_post"]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(options=WorkspaceOptions(ack_seconds=1.0)) as running:
        yield running


def drafts_of(database: Database) -> list[Draft]:
    with database.read() as session:
        return list(session.query(Draft).order_by(Draft.draft_id))


@pytest.fixture
def shown(bot_settings: Settings, workspace: Workspace, model: ScriptedModel, sqlite_database: Database) -> Json:  # noqa: F811
    """A complete draft in the channel; the bot that wrote it is gone."""
    with sqlite_database.write() as session:
        style = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, style, rung=Rung.RETRIEVED)
    model.enqueue(TEXT)
    with socket_bot_process(bot_settings, workspace):
        asked = workspace.person(MIA).mention_bot(BRAND, "announce that we close at noon")
        wait_until(lambda: [d for d in drafts_of(sqlite_database) if d.status is DraftStatus.SHOWN], seconds=20)
        wait_until(lambda: inbox_is_done(sqlite_database), seconds=10)
    return workspace.person(MIA).messages(BRAND, asked["ts"])[-1]


def click_and_die(
    settings: Settings, workspace: Workspace, failpoint: str, message: Json, action: str, **more: Any
) -> None:
    """Click three times at a bot that dies of the first.

    Slack takes no post meanwhile: one that dies between a post and its note posts again, as everything is that we owe,
    and which of the two threads is faster is not the question here.
    """
    workspace.fail("chat.postMessage", times=1_000, status=503)
    with socket_bot_process(settings, workspace, failpoint) as process:
        for _ in range(3):
            with suppress(PersonError):
                workspace.person(NOOR).click(BRAND, message["ts"], action, **more)
        wait_until(lambda: not process.is_alive(), seconds=20, what="the bot is killed")
    workspace.heal()


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_draft_is_posted_once_though_the_bot_is_killed_while_it_is_used(
    bot_settings: Settings,  # noqa: F811
    workspace: Workspace,
    sqlite_database: Database,
    shown: Json,
    moment: str,
) -> None:
    click_and_die(bot_settings, workspace, moment, shown, "use_draft")
    with socket_bot_process(bot_settings, workspace):
        posted = lambda: [m for m in workspace.person(MIA).messages(BRAND) if "Chosen by" in str(m.get("blocks"))]  # noqa: E731
        wait_until(posted, seconds=20)
        wait_until(lambda: inbox_is_done(sqlite_database), seconds=20)
        assert len(posted()) == 1
    assert [draft.used_by for draft in drafts_of(sqlite_database)] == [NOOR]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_version_is_written_once_though_the_bot_is_killed_after_the_click(
    bot_settings: Settings,  # noqa: F811
    workspace: Workspace,
    model: ScriptedModel,  # noqa: F811
    sqlite_database: Database,
    shown: Json,
    moment: str,
) -> None:
    model.default = type(model.default)(text=OTHER)
    draft_id = drafts_of(sqlite_database)[0].draft_id
    click_and_die(bot_settings, workspace, moment, shown, "more_draft", selected=f"shorter:{draft_id}")
    with socket_bot_process(bot_settings, workspace):
        # What was visible when the bot died is marked incomplete; what was not is written from the start.
        ends = (DraftStatus.SHOWN, DraftStatus.FAILED) if moment == "listener.done" else (DraftStatus.SHOWN,)
        wait_until(
            lambda: len(drafts_of(sqlite_database)) == 2 and drafts_of(sqlite_database)[1].status in ends, seconds=20
        )
        wait_until(lambda: inbox_is_done(sqlite_database), seconds=20)
    assert len(drafts_of(sqlite_database)) == 2
    thread = workspace.person(MIA).messages(BRAND, shown["thread_ts"])
    assert len(thread) == 3  # the request, the draft, one version


def test_what_is_turned_down_is_one_pair_though_the_bot_is_killed_after_the_submission(
    bot_settings: Settings,  # noqa: F811
    workspace: Workspace,
    sqlite_database: Database,
    shown: Json,
) -> None:
    noor = workspace.person(NOOR)
    values = {"reasons": ["tone"], "better": OTHER}
    with socket_bot_process(bot_settings, workspace, "listener.done:2") as process:
        noor.click(BRAND, shown["ts"], "discard_draft")
        modal = noor.wait_for_modal()
        with suppress(PersonError):
            noor.submit(modal, values)
        wait_until(lambda: not process.is_alive(), seconds=20, what="the bot is killed")
    with socket_bot_process(bot_settings, workspace):
        wait_until(lambda: "noor says: not our style" in str(workspace.person(MIA).messages(BRAND, shown["thread_ts"])))
    with sqlite_database.read() as session:
        (preference,) = session.query(Preference).all()
    assert (preference.chosen, preference.rejected) == (OTHER, TEXT)
