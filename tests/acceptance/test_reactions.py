"""Flagging any message with an emoji, for who turned it on: who flags is asked, alone, and confirms in the window."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bot.app import Bot
from bot.rehearsal.options import InstalledApp
from bot.rehearsal.seed import BRAND, GUEST, LEADS, MIA, NOOR, PARTNERS, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from config.slack_manifest import build_manifest
from db.examples import Example, ExampleStatus
from db.inbox import count_unfinished_events
from db.styles import Style
from tests.support.factories import make_promotion, make_style
from tests.support.wait import wait_until

TEXT = "We close at noon on Friday. Enjoy the weekend! Team Office"


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    app = InstalledApp.from_manifest(build_manifest(with_reactions=True))
    with Workspace(app=app) as running:
        yield running


@pytest.fixture
def bot_settings(bot_settings: Settings) -> Settings:
    return bot_settings.model_copy(update={"flag_reaction": "star2"})


@pytest.fixture
def style(bot: Bot) -> Style:
    with bot.services.database.write() as session:
        found = make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice",
        )  # fmt: skip
        make_promotion(session, found, rung=Rung.RETRIEVED)
    return found


def examples(bot: Bot) -> list[Example]:
    with bot.services.database.read() as session:
        return list(session.query(Example))


def wait_until_worked_off(bot: Bot, workspace: Workspace, count: int) -> None:
    def is_done() -> bool:
        heard = [delivery for delivery in workspace.deliveries("reaction_added") if delivery.state == "acked"]
        with bot.services.database.read() as session:
            return len(heard) >= count and count_unfinished_events(session) == 0

    wait_until(is_done, seconds=5)


def asked(workspace: Workspace, user: str, channel: str = BRAND) -> list[dict[str, Any]]:
    return [m for m in workspace.person(user).ephemerals(channel) if "teach_flagged" in str(m.get("blocks"))]


def test_who_flags_a_message_teaches_it_in_the_window(bot: Bot, workspace: Workspace, style: Style) -> None:
    mia, noor = workspace.person(MIA), workspace.person(NOOR)
    root = mia.post(BRAND, "who writes the announcement?")
    said = mia.post(BRAND, TEXT, thread_ts=root["ts"])
    noor.react(BRAND, said["ts"], "star2::skin-tone-3")
    question = wait_until(lambda: asked(workspace, NOOR), seconds=5)[0]
    assert TEXT in str(question["blocks"])
    assert asked(workspace, MIA) == []
    assert examples(bot) == []  # a tap teaches nothing by itself
    noor.click(BRAND, question["ts"], "teach_flagged")
    view = noor.wait_for_modal()
    assert TEXT in str(view["blocks"])
    noor.submit(view, {"prompt": "announce that we close at noon"})
    proposed = wait_until(lambda: examples(bot), seconds=5)[0]
    assert (proposed.status, proposed.completion) == (ExampleStatus.PROPOSED, TEXT)
    assert (proposed.proposed_by, proposed.author_id, proposed.message_ts) == (NOOR, MIA, said["ts"])
    reads = workspace.calls("conversations.replies")
    # The one message that was flagged, and the one that it answers; each by itself, never a thread.
    assert {call.args["ts"] for call in reads} <= {said["ts"], root["ts"]}
    assert all(call.args["latest"] == call.args["oldest"] and str(call.args["limit"]) == "1" for call in reads)
    assert not workspace.calls("conversations.history")


def test_flagging_twice_asks_once(bot: Bot, workspace: Workspace, style: Style) -> None:
    mia = workspace.person(MIA)
    said = mia.post(BRAND, TEXT)
    for _ in range(3):
        mia.react(BRAND, said["ts"], "star2")
        mia.unreact(BRAND, said["ts"], "star2")
    wait_until_worked_off(bot, workspace, 3)
    wait_until(lambda: asked(workspace, MIA), seconds=5)
    assert len(asked(workspace, MIA)) == 1


def test_other_emojis_guests_and_shared_channels_are_left_alone(bot: Bot, workspace: Workspace, style: Style) -> None:
    mia = workspace.person(MIA)
    said = mia.post(BRAND, TEXT)
    mia.react(BRAND, said["ts"], "heart")
    workspace.person(GUEST).react(BRAND, said["ts"], "star2")
    elsewhere = mia.post(PARTNERS, TEXT)
    mia.react(PARTNERS, elsewhere["ts"], "star2")
    workspace.person(RAVI).invite_bot(LEADS)  # private: no style may learn there
    secret = workspace.person(RAVI).post(LEADS, TEXT)
    workspace.person(RAVI).react(LEADS, secret["ts"], "star2")
    wait_until_worked_off(bot, workspace, 4)
    assert not workspace.calls("conversations.replies")  # not even read
    assert asked(workspace, GUEST) == asked(workspace, MIA) == asked(workspace, MIA, PARTNERS) == []
    assert asked(workspace, RAVI, LEADS) == []


def test_a_flagged_message_that_is_gone_says_so(bot: Bot, workspace: Workspace, style: Style) -> None:
    mia = workspace.person(MIA)
    said = mia.post(BRAND, TEXT)
    mia.react(BRAND, said["ts"], "star2")
    question = wait_until(lambda: asked(workspace, MIA), seconds=5)[0]
    mia.delete(BRAND, said["ts"])
    mia.click(BRAND, question["ts"], "teach_flagged")
    wait_until(lambda: "was deleted" in str(mia.ephemerals(BRAND)), seconds=5)
    assert examples(bot) == []
