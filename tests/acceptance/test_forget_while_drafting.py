"""Somebody is forgotten while a draft is being written for them: it ends, and nothing of it stays anywhere."""

from __future__ import annotations

from typing import Any

import pytest

from bot.app import Bot
from bot.drafting.worker import DraftWorkers
from bot.operations.examples import withdraw_examples_of_message
from bot.rehearsal.people import Person
from bot.rehearsal.seed import BRAND, GENERAL, MIA, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from db.drafts import Draft, DraftStatus
from db.examples import ExampleStatus
from db.styles import Style
from tests.acceptance.test_forget import files_with, is_quiet
from tests.support.factories import make_example, make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.steps import wait_for_ephemeral
from tests.support.wait import wait_until

Json = dict[str, Any]
CANARY, ASKED = "zeppelin-quixotic", "marzipan-quixotic"
#: A draft that is never through: a sentence at once, the others one by one.
SENTENCES = [f"The {CANARY} number {number} lands.\n" for number in range(400)]


@pytest.fixture
def bot_settings(bot_settings: Settings) -> Settings:
    """A draft goes on in another message every second; nobody gives up on the model; prompts are written down."""
    return bot_settings.model_copy(
        update={
            "stream_seconds": 1.0, "draft_deadline_seconds": 120.0, "first_token_deadline_seconds": 120.0,
            "prompt_log": bot_settings.data_dir / "prompts.jsonl",
        }
    )  # fmt: skip


@pytest.fixture(autouse=True)
def style(bot: Bot) -> None:
    with bot.services.database.write() as session:
        made = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="support")
        make_promotion(session, made, rung=Rung.RETRIEVED)


def draft_of(bot: Bot) -> Draft:
    with bot.services.database.read() as session:
        return session.query(Draft).one()


def answers_in(mia: Person, thread_ts: str) -> list[Json]:
    return [m for m in mia.messages(BRAND, thread_ts) if m.get("bot_id")]


def forget(mia: Person) -> None:
    assert mia.slash("/huisstijl", "forget", GENERAL).ok
    quote = wait_for_ephemeral(mia, GENERAL, "confirm_forget")
    assert "1 draft" in str(quote)
    assert mia.click(GENERAL, quote["ts"], "confirm_forget").ok
    wait_for_ephemeral(mia, GENERAL, "1 draft were erased")


def assert_nothing_is_left(bot: Bot, workspace: Workspace, mia: Person, thread_ts: str, settings: Settings) -> None:
    wait_until(lambda: answers_in(mia, thread_ts) == [], what="no message of the draft's")
    wait_until(lambda: mia.session(BRAND, thread_ts).get("status") == "active", what="nothing seems to work there")
    wait_until(lambda: is_quiet(bot.services.database), what="everything owed is sent")
    draft = draft_of(bot)
    assert (draft.status, draft.request, draft.completion, draft.error) == (DraftStatus.STOPPED, "", "", None)
    # The model's thread has hung up, and whatever was in hand is through: nothing comes after this.
    workers = next(part for part in bot.parts if isinstance(part, DraftWorkers))
    wait_until(lambda: not workers._held, what="no draft in hand")
    assert (draft_of(bot).completion, answers_in(mia, thread_ts)) == ("", [])
    assert CANARY not in str([mia.messages(channel) for channel in (BRAND, GENERAL)])
    assert files_with(settings.data_dir, [CANARY, ASKED]) == []


def test_a_draft_that_is_streamed_goes_with_all_of_its_messages(
    bot: Bot, workspace: Workspace, model: ScriptedModel, bot_settings: Settings
) -> None:
    mia = workspace.person(MIA)
    model.enqueue("", chunks=SENTENCES, delay=0.1)
    asked = mia.mention_bot(BRAND, f"tell them about the {ASKED}")
    wait_until(lambda: len(answers_in(mia, asked["ts"])) >= 2, what="a draft that goes on in a second message")
    wait_until(lambda: CANARY in draft_of(bot).completion, what="a row with text")
    assert {text for _, text in files_with(bot_settings.data_dir, [CANARY, ASKED])} == {CANARY, ASKED}
    forget(mia)
    assert_nothing_is_left(bot, workspace, mia, asked["ts"], bot_settings)


def test_what_a_command_has_posted_of_the_request_goes_too(
    bot: Bot, workspace: Workspace, model: ScriptedModel, bot_settings: Settings
) -> None:
    mia = workspace.person(MIA)
    model.enqueue("", chunks=SENTENCES, delay=0.1)
    assert mia.slash("/draft", f"tell them about the {ASKED}", BRAND).ok
    wait_until(lambda: model.history and CANARY in draft_of(bot).completion, what="a row with text")
    thread_ts = draft_of(bot).thread_ts
    assert ASKED in str(mia.messages(BRAND))
    forget(mia)
    wait_until(lambda: ASKED not in str(mia.messages(BRAND)), what="no word of the request in the channel")
    assert_nothing_is_left(bot, workspace, mia, thread_ts, bot_settings)


def test_a_draft_of_which_nothing_is_visible_never_appears(
    bot: Bot, workspace: Workspace, model: ScriptedModel, bot_settings: Settings
) -> None:
    mia = workspace.person(MIA)
    model.hang()
    asked = mia.mention_bot(BRAND, f"tell them about the {ASKED}")
    wait_until(lambda: model.history, what="a model that is asked")
    forget(mia)
    assert_nothing_is_left(bot, workspace, mia, asked["ts"], bot_settings)


def test_what_is_not_yet_asked_of_the_model_is_never_asked(
    bot: Bot, workspace: Workspace, model: ScriptedModel, bot_settings: Settings
) -> None:
    mia = workspace.person(MIA)
    model.may_embed.clear()
    asked = mia.mention_bot(BRAND, f"tell them about the {ASKED}")
    wait_until(lambda: model.embedded, what="a draft whose examples are being looked for")
    forget(mia)
    workers = next(part for part in bot.parts if isinstance(part, DraftWorkers))
    wait_until(lambda: all(work.is_over.is_set() for work in workers._held.values()), what="a worker that knows")
    model.may_embed.set()
    assert_nothing_is_left(bot, workspace, mia, asked["ts"], bot_settings)
    assert model.history == []


def test_a_draft_whose_last_word_is_on_its_way_to_slack_goes_too(
    bot: Bot, workspace: Workspace, model: ScriptedModel, bot_settings: Settings
) -> None:
    """The worker has the whole text in hand, and what Slack did not take it would owe: it must not any more."""
    mia = workspace.person(MIA)
    workspace.fail("chat.stopStream", status=500, hang_seconds=6.0)
    model.enqueue(SENTENCES[0])
    asked = mia.mention_bot(BRAND, f"tell them about the {ASKED}")
    wait_until(lambda: model.history and draft_of(bot).total_seconds is not None, what="a draft that is complete")
    forget(mia)
    assert draft_of(bot).status is DraftStatus.STOPPED, "the draft was through before anybody was forgotten"
    assert_nothing_is_left(bot, workspace, mia, asked["ts"], bot_settings)


def test_what_is_asked_of_a_model_that_is_still_loaded_is_asked_no_more(
    bot: Bot, workspace: Workspace, model: ScriptedModel, bot_settings: Settings
) -> None:
    mia = workspace.person(MIA)
    model.is_loading = True
    asked = mia.mention_bot(BRAND, f"tell them about the {ASKED}")
    wait_until(lambda: "waiting" in str(mia.session(BRAND, asked["ts"]).get("line")), what="a draft that waits")
    forget(mia)
    model.is_loading = False
    assert_nothing_is_left(bot, workspace, mia, asked["ts"], bot_settings)
    assert model.history == []


@pytest.mark.parametrize("is_long", [False, True])
def test_an_example_that_is_erased_while_another_persons_draft_shows_it_is_in_no_log(
    bot: Bot, workspace: Workspace, model: ScriptedModel, bot_settings: Settings, is_long: bool
) -> None:
    """The row of a draft of which nothing is visible does not say yet what its prompt holds; and its last prompt holds
    less than the first one where that was too long."""
    mia = workspace.person(MIA)
    services = bot.services
    with services.database.write() as session:
        style = session.query(Style).one()
        make_example(
            session, style, status=ExampleStatus.APPROVED, channel_id=BRAND, message_ts="17.1",
            prompt="tell them about the launch", completion=f"The {CANARY} has landed.",
        )  # fmt: skip
    if is_long:
        model.fail(400, code="context_length_exceeded")
    model.hang()
    asked = mia.mention_bot(BRAND, "tell them about the launch")
    wait_until(lambda: len(model.history) > is_long, what="a model that is asked")
    assert files_with(bot_settings.data_dir, [CANARY]) != []
    assert withdraw_examples_of_message(services.database, services.settings, TEAM_ID, BRAND, "17.1")
    assert files_with(bot_settings.data_dir, [CANARY]) == []
    mia.stop_session(BRAND, asked["ts"])
    wait_until(lambda: draft_of(bot).status is DraftStatus.STOPPED, what="nothing that the bot's end would wait for")
