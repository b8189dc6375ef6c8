"""A draft may be as long as it was measured, from Slack to what the model server is asked for."""

from __future__ import annotations

from typing import Any

import pytest

from bot.app import Bot
from bot.rehearsal.seed import BRAND, MIA, NOOR, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from db.drafts import DraftStatus
from db.examples import ExampleStatus
from db.runs import RunStatus
from db.styles import Style
from tests.acceptance.test_drafting import answer_of, make_adapter_champion, wait_for_end
from tests.support.factories import make_example, make_promotion, make_run, make_scorecard, make_style
from tests.support.model_server import ScriptedModel

BASE = "embedded:smollm2-135m-instruct"


@pytest.fixture
def style(bot: Bot) -> Style:
    """A style that an example, and the rung `retrieved`, serve."""
    with bot.services.database.write() as session:
        found = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, found, rung=Rung.RETRIEVED, base_model=BASE)
        make_example(session, found, prompt="greet the team", completion="Hi all!", status=ExampleStatus.APPROVED)
    return found


def measure(bot: Bot, style: Style, room: int | None, rung: Rung = Rung.RETRIEVED, **different: Any) -> None:
    summary = {"n": 1} if room is None else {"n": 1, "room_tokens": room}
    with bot.services.database.write() as session:
        run = make_run(session, style, base_model=BASE, status=RunStatus.SUCCEEDED)
        make_scorecard(session, run, rung, {"pairs": [], "summary": summary}, **different)


def ask(bot: Bot, workspace: Workspace, model: ScriptedModel, *, count: int = 1) -> int:
    """The tokens that the model server was allowed."""
    workspace.person(MIA).mention_bot(BRAND, "greet the team")
    wait_for_end(bot, count=count)
    return int(model.history[-1]["max_tokens"])


def test_a_draft_is_served_with_the_room_that_its_candidate_was_measured_with(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    assert ask(bot, workspace, model) == 256, "nothing was measured yet"
    measure(bot, style, None)
    assert ask(bot, workspace, model, count=2) == 256, "an earlier version measured"
    measure(bot, style, 700)
    measure(bot, style, 900, rung=Rung.ZERO_SHOT)
    measure(bot, style, 1200, base_model="another")
    measure(bot, style, 1500, adapter_name="brand-voice-v1")
    assert ask(bot, workspace, model, count=3) == 700, "not what others were measured with"
    measure(bot, style, 40)
    assert ask(bot, workspace, model, count=4) == 256, "the latest measurement counts, and no draft gets less"


def test_where_the_room_does_not_fit_it_is_halved_before_any_example_goes(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    measure(bot, style, 700)
    model.fail(400, code="context_length_exceeded", times=2)
    assert ask(bot, workspace, model) == 256
    assert [body["max_tokens"] for body in model.history] == [700, 350, 256]
    assert model.prompts[0] == model.prompts[2] and "Hi all!" in str(model.prompts[2])


def test_a_draft_that_may_be_longer_may_take_longer(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    words = "Good morning and welcome everybody to us"  # a word a second, and five seconds are allowed
    model.enqueue(words, delay=1.0, first_delay=0.0)
    workspace.person(MIA).mention_bot(BRAND, "greet the team")
    assert wait_for_end(bot, DraftStatus.FAILED, seconds=20)[0].completion != words
    measure(bot, style, 1024)  # four times 256
    model.enqueue(words, delay=1.0, first_delay=0.0)
    workspace.person(MIA).mention_bot(BRAND, "greet the team")
    assert wait_for_end(bot, seconds=20)[0].completion == words


def test_what_is_drafted_instead_of_a_refused_adapter_has_the_time_that_it_may_take_itself(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    make_adapter_champion(bot, style)
    measure(bot, style, 1024)  # `retrieved`, and nothing of the adapter, which would have five seconds
    model.adapters = set()
    words = "Good morning and welcome everybody to us"
    model.enqueue(words, delay=1.0, first_delay=0.0)
    workspace.person(MIA).mention_bot(BRAND, "greet the team")
    draft = wait_for_end(bot, DraftStatus.SHOWN, DraftStatus.FAILED, seconds=20)[0]
    assert (draft.status, draft.rung, draft.completion) == (DraftStatus.SHOWN, Rung.RETRIEVED, words)


def test_a_draft_that_was_cut_at_its_room_says_so(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    measure(bot, style, 1200)
    workspace.state.users[NOOR]["locale"] = "nl-NL"
    for person, said in ((MIA, "cut off at 1,200 tokens"), (NOOR, "afgekapt bij 1.200 tokens")):
        model.enqueue("Good morning and", reason="length")
        asked = workspace.person(person).mention_bot(BRAND, "greet the team")
        assert said in str(answer_of(workspace, BRAND, asked["ts"])["blocks"])
    model.enqueue("Good morning and welcome.")
    asked = workspace.person(MIA).mention_bot(BRAND, "greet the team")
    assert "cut off" not in str(answer_of(workspace, BRAND, asked["ts"])["blocks"])
