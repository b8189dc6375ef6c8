"""A draft asked for while the model server loads its model waits for it, and says so; the rest is as always."""

from __future__ import annotations

import pytest

from bot.app import Bot
from bot.rehearsal.seed import BRAND, LEGAL, MIA, PIM, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from db.drafts import DraftStatus
from db.examples import ExampleStatus
from db.styles import Style
from tests.acceptance.test_drafting import answer_of, answers_in, wait_for_end
from tests.support.factories import make_example, make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until


@pytest.fixture
def bot_settings(bot_settings: Settings) -> Settings:
    """Patience as in production: nobody gives up here."""
    return bot_settings.model_copy(update={"first_token_deadline_seconds": 60.0, "draft_deadline_seconds": 90.0})


@pytest.fixture
def style(bot: Bot) -> Style:
    with bot.services.database.write() as session:
        found = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, found, rung=Rung.RETRIEVED)
        make_example(session, found, prompt="announce the summer party", status=ExampleStatus.APPROVED)
    return found


def wait_for_line(workspace: Workspace, who: str, thread_ts: str, line: str, channel: str = BRAND) -> None:
    person = workspace.person(who)
    wait_until(lambda: person.session(channel, thread_ts).get("line") == line, what=f"the line {line!r}")


def test_a_draft_waits_for_a_model_that_is_being_loaded_and_says_so(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.is_loading = True
    model.enqueue("Come and skate!", first_delay=2.0)
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    wait_for_line(workspace, MIA, asked["ts"], "is waiting for the model server to load its model…")
    assert answers_in(workspace, BRAND, asked["ts"]) == []
    model.is_loading = False
    wait_for_line(workspace, MIA, asked["ts"], "is reading 1 example…")
    assert wait_for_end(bot)[0].attempts == 1
    answer = answer_of(workspace, BRAND, asked["ts"])
    assert answer["blocks"][0]["text"] == "Come and skate!"
    # Its examples were chosen once embeddings were to be had.
    assert "compared by words" not in str(answer)
    assert ["announce the winter party"] in model.embedded


def test_who_has_slack_in_dutch_reads_in_dutch_what_is_waited_for(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.is_loading = True
    asked = workspace.person(PIM).mention_bot(LEGAL, "kondig het feest aan")
    wait_for_line(workspace, PIM, asked["ts"], "wacht tot de modelserver zijn model heeft geladen…", LEGAL)


def test_stop_is_heard_while_the_model_is_waited_for(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.is_loading = True
    mia = workspace.person(MIA)
    asked = mia.mention_bot(BRAND, "announce the winter party")
    wait_for_line(workspace, MIA, asked["ts"], "is waiting for the model server to load its model…")
    mia.stop_session(BRAND, asked["ts"])
    wait_for_end(bot, DraftStatus.STOPPED)
    wait_until(lambda: mia.session(BRAND, asked["ts"])["line"] is None)
    assert answers_in(workspace, BRAND, asked["ts"]) == []
