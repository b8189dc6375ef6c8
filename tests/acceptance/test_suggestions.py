"""What was asked, suggested while the modal is open: offered with a button, never put over what a person types."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bot.app import Bot
from bot.rehearsal.options import InstalledApp
from bot.rehearsal.people import Person
from bot.rehearsal.seed import BRAND, GENERAL, LEADS, MIA, NOOR, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.prompt_sources import PromptSource
from config.rungs import Rung
from config.settings import Settings
from config.slack_manifest import build_manifest
from db.examples import Example, ExampleStatus
from db.inbox import count_unfinished_events
from db.styles import Style, StyleKind
from tests.support.factories import make_draft, make_example, make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.steps import open_teach, wait_for_card
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(60)

GOOD = "Heads up: we close at noon this Friday. See you on Monday!"
SUGGESTED = "Tell the team that we close early on Friday"


@pytest.fixture
def bot_settings(bot_settings: Settings) -> Settings:
    return bot_settings.model_copy(update={"suggestion_deadline_seconds": 2.0, "first_token_deadline_seconds": 1.0})


@pytest.fixture
def style(bot: Bot) -> Style:
    with bot.services.database.write() as session:
        found = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, found, rung=Rung.RETRIEVED)
    return found


def examples(bot: Bot) -> list[Example]:
    with bot.services.database.read() as session:
        return list(session.scalars(select(Example).order_by(Example.example_id)))


def block(view: dict[str, Any], block_id: str) -> dict[str, Any]:
    """Empty where the modal has no such block."""
    return next((one for one in view["blocks"] if one["block_id"] == block_id), {})


def note(view: dict[str, Any]) -> str:
    found = block(view, "note")
    return found["elements"][0]["text"] if found else ""


def wait_for_note(person: Person, containing: str) -> dict[str, Any]:
    def changed() -> dict[str, Any] | None:
        view = person.open_view()
        return view if view is not None and containing in note(view) else None

    return wait_until(changed, seconds=10, what=f"the modal says {containing!r}; {person.open_view()}")


def test_a_suggestion_is_offered_used_and_noted_on_the_example_and_its_card(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.enqueue(f'Request: "{SUGGESTED}"\nand more of it')
    mia = workspace.person(MIA)
    message = mia.post(GENERAL, GOOD)
    open_teach(mia, GENERAL, message["ts"])
    offered = wait_for_note(mia, "my suggestion")
    assert block(offered, "offer")["text"]["text"] == SUGGESTED
    assert "initial_value" not in block(offered, "prompt")["element"]
    assert mia.click_view(offered, "use_offer").ok
    used = mia.wait_for_modal(after=offered)
    assert block(used, "prompt") == block(used, "offer") == {}
    assert mia.submit(used, {}).errors is None
    [example] = examples(bot)
    assert (example.prompt, example.completion) == (SUGGESTED, GOOD)
    assert (example.prompt_source, example.suggested_prompt) == (PromptSource.SUGGESTED, SUGGESTED)
    assert "suggested by me, and kept" in str(wait_for_card(workspace.person(RAVI)))


def test_what_a_person_typed_before_the_suggestion_came_stays(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.enqueue(SUGGESTED, first_delay=0.4)
    mia = workspace.person(MIA)
    view = open_teach(mia, GENERAL, mia.post(GENERAL, GOOD)["ts"])
    assert "You need not wait" in note(view)
    mia.type_in(view, {"prompt": "My own words for it", "completion": f"{GOOD} Bye!"})
    offered = wait_for_note(mia, "my suggestion")
    assert mia.submit(offered, {}).errors is None
    [example] = examples(bot)
    assert (example.prompt, example.completion) == ("My own words for it", f"{GOOD} Bye!")
    assert (example.prompt_source, example.suggested_prompt) == (PromptSource.TYPED, SUGGESTED)


def test_using_a_suggestion_keeps_what_was_typed_in_sight_and_a_correction_is_noted(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.enqueue(SUGGESTED)
    mia = workspace.person(MIA)
    long_text = "\n\n".join(f"Paragraph {n}: {GOOD} " + "word " * 80 for n in range(12))
    open_teach(mia, GENERAL, mia.post(GENERAL, long_text)["ts"])
    offered = wait_for_note(mia, "my suggestion")
    mia.type_in(offered, {"prompt": "Half a sentence of mi"})
    mia.click_view(offered, "use_offer")
    used = mia.wait_for_modal(after=offered)
    assert "Half a sentence of mi" in str(block(used, "offer"))
    assert mia.submit(used, {"offered_prompt": f"{SUGGESTED}, please"}).errors is None
    [example] = examples(bot)
    assert example.completion == long_text
    assert (example.prompt, example.prompt_source) == (f"{SUGGESTED}, please", PromptSource.SUGGESTED_EDITED)


@pytest.mark.parametrize("channel", [GENERAL, BRAND], ids=["the only style", "the style of this channel"])
def test_where_messages_are_sorted_the_message_is_what_was_asked_and_nothing_is_suggested(
    bot: Bot, workspace: Workspace, model: ScriptedModel, channel: str
) -> None:
    with bot.services.database.write() as session:
        if channel == BRAND:
            make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=GENERAL, name="letters")
        make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="tickets", kind=StyleKind.CLASSIFY
        )
    mia = workspace.person(MIA)
    view = open_teach(mia, channel, mia.post(channel, GOOD)["ts"])
    assert "the label" in note(view)
    assert block(view, "prompt")["element"]["initial_value"] == GOOD
    assert "initial_value" not in block(view, "completion")["element"]
    assert mia.submit(view, {"completion": "opening hours"}).errors is None
    (example,) = examples(bot)
    assert (example.prompt, example.completion, example.prompt_source) == (GOOD, "opening hours", PromptSource.TYPED)
    assert model.history == []


def two_kinds(bot: Bot) -> dict[str, str]:
    """A style that writes, at home in this channel, and one that sorts; their ids."""
    with bot.services.database.write() as session:
        place = {"team_id": TEAM_ID, "scope_key": TEAM_ID}
        letters = make_style(session, channel_id=GENERAL, name="letters", **place)
        tickets = make_style(session, channel_id=BRAND, name="tickets", kind=StyleKind.CLASSIFY, **place)
        return {"letters": letters.style_id, "tickets": tickets.style_id}


def choose_style(person: Person, view: dict[str, Any], style_id: str) -> None:
    assert person.click_view(view, "choose_taught_style", selected=style_id, values={"style": style_id}).ok


def test_a_style_that_sorts_takes_the_message_as_what_was_asked_when_it_is_chosen_by_hand(
    bot: Bot, workspace: Workspace, model: ScriptedModel
) -> None:
    styles = two_kinds(bot)
    model.enqueue(SUGGESTED)
    mia = workspace.person(MIA)
    open_teach(mia, GENERAL, mia.post(GENERAL, GOOD)["ts"])
    offered = wait_for_note(mia, "my suggestion")
    choose_style(mia, offered, styles["tickets"])
    sorting = mia.wait_for_modal(after=offered)
    assert "the label" in note(sorting)
    assert block(sorting, "offered_prompt")["element"]["initial_value"] == GOOD
    assert "initial_value" not in block(sorting, "swapped_completion")["element"]
    assert "use_offer" not in str(sorting["blocks"])

    choose_style(mia, sorting, styles["letters"])
    back = mia.wait_for_modal(after=sorting)
    assert block(back, "completion")["element"]["initial_value"] == GOOD
    assert "initial_value" not in block(back, "prompt")["element"]
    choose_style(mia, back, styles["tickets"])
    again = mia.wait_for_modal(after=back)
    refused = mia.submit(again, {"style": styles["tickets"], "swapped_completion": "\u200b"})
    assert refused.errors is not None and set(refused.errors) == {"swapped_completion"}
    done = mia.submit(again, {"style": styles["tickets"], "swapped_completion": "opening hours"})
    assert done.errors is None
    (example,) = examples(bot)
    assert (example.style_id, example.prompt, example.completion) == (styles["tickets"], GOOD, "opening hours")
    assert (example.prompt_source, example.suggested_prompt) == (PromptSource.TYPED, None)


@pytest.mark.parametrize("typed", [{"prompt": "My own words"}, {"completion": f"{GOOD} Bye!"}], ids=["asked", "said"])
def test_what_somebody_has_typed_stays_where_it_is_whatever_style_they_choose(
    bot: Bot, workspace: Workspace, model: ScriptedModel, typed: dict[str, Any]
) -> None:
    styles = two_kinds(bot)
    model.enqueue("")
    mia = workspace.person(MIA)
    open_teach(mia, GENERAL, mia.post(GENERAL, GOOD)["ts"])
    view = wait_for_note(mia, "no good suggestion")
    mia.type_in(view, typed)
    choose_style(mia, view, styles["tickets"])
    assert mia.submit(view, {"prompt": "My own words", "style": styles["tickets"]} | typed).errors is None
    (example,) = examples(bot)
    assert (example.prompt, example.completion) == ("My own words", typed.get("completion", GOOD))


def test_a_suggestion_that_was_thrown_away_counts_as_typed(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.enqueue(SUGGESTED)
    mia = workspace.person(MIA)
    open_teach(mia, GENERAL, mia.post(GENERAL, GOOD)["ts"])
    offered = wait_for_note(mia, "my suggestion")
    mia.click_view(offered, "use_offer")
    used = mia.wait_for_modal(after=offered)
    refused = mia.submit(used, {"offered_prompt": "\u200b\u200d."})
    assert refused.errors is not None and set(refused.errors) == {"offered_prompt"}
    assert mia.submit(used, {"offered_prompt": "Zeg dat de winkel vroeg dicht gaat"}).errors is None
    assert examples(bot)[0].prompt_source is PromptSource.TYPED


@pytest.mark.parametrize(
    "answer", ["", "  \n ", GOOD, "so and so on and so on and so on", "xw" * 9 + "xwish-" * 9, "w " * 700]
)
def test_rubbish_is_not_offered_and_the_modal_says_so(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style, answer: str
) -> None:
    model.enqueue(answer)
    mia = workspace.person(MIA)
    open_teach(mia, GENERAL, mia.post(GENERAL, GOOD)["ts"])
    view = wait_for_note(mia, "found no good suggestion")
    assert block(view, "offer") == {}
    assert mia.submit(view, {"prompt": "Say that we close early"}).errors is None
    assert examples(bot)[0].prompt_source is PromptSource.TYPED


def test_a_model_that_hangs_or_is_down_holds_up_nobody(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia = workspace.person(MIA)
    model.hang()
    view = open_teach(mia, GENERAL, mia.post(GENERAL, GOOD)["ts"])
    view = wait_for_note(mia, "took too long")
    mia.close_view(view)
    model.drip(seconds=0.3)
    view = open_teach(mia, GENERAL, mia.post(GENERAL, GOOD)["ts"])
    wait_for_note(mia, "took too long")
    mia.close_view(view)
    model.stop()
    view = open_teach(mia, GENERAL, mia.post(GENERAL, GOOD)["ts"])
    view = wait_for_note(mia, "not reachable")
    assert mia.submit(view, {"prompt": "Say that we close early"}).errors is None
    assert examples(bot)[0].status is ExampleStatus.PROPOSED


def test_while_a_model_hangs_other_clicks_are_heard(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    for _ in range(6):
        model.hang()
    mia, noor = workspace.person(MIA), workspace.person(NOOR)
    message = mia.post(GENERAL, GOOD)
    for _ in range(6):
        open_teach(mia, GENERAL, message["ts"])
    assert "You need not wait" in note(open_teach(noor, GENERAL, message["ts"]))
    shortcuts = [call for call in workspace.deliveries() if call.kind == "interactive"]
    assert shortcuts and all(call.state == "acked" for call in shortcuts)


def test_a_modal_that_was_closed_or_submitted_is_left_alone(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.enqueue(SUGGESTED, first_delay=0.5)
    mia = workspace.person(MIA)
    view = open_teach(mia, GENERAL, mia.post(GENERAL, GOOD)["ts"])
    assert mia.submit(view, {"prompt": "Say that we close early"}).errors is None
    wait_until(lambda: workspace.calls("views.update"), seconds=5)
    assert mia.open_view() is None
    [example] = examples(bot)
    assert (example.prompt_source, example.suggested_prompt) == (PromptSource.TYPED, None)


def test_the_style_s_own_examples_show_how_and_no_other_scope_s(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    with bot.services.database.write() as session:
        secret = make_style(
            session, team_id=TEAM_ID, scope_key=f"{TEAM_ID}:{LEADS}", channel_id=LEADS, name="board-notes"
        )
        approved = {"status": ExampleStatus.APPROVED, "team_id": TEAM_ID}
        make_example(session, style, prompt="Announce the picnic", completion="Picnic on Sunday!", **approved)
        make_example(
            session, style, prompt="A guess of the model", completion="Nobody asked.",
            prompt_source=PromptSource.SUGGESTED, **approved,
        )  # fmt: skip
        make_example(session, secret, prompt="Fire somebody", completion="We part ways.", **approved)
        make_example(session, style, prompt="Still waiting", completion="Not reviewed.", team_id=TEAM_ID)
    mia = workspace.person(MIA)
    open_teach(mia, GENERAL, mia.post(GENERAL, GOOD)["ts"])
    [messages] = wait_until(lambda: model.prompts, seconds=5)
    said = str(messages)
    assert "Announce the picnic" in said and "Picnic on Sunday!" in said and GOOD in said
    for absent in ("A guess of the model", "Fire somebody", "Still waiting"):
        assert absent not in said


def test_a_reply_to_a_request_of_ours_comes_with_that_request(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia = workspace.person(MIA)
    root = mia.post(BRAND, "We close at noon on Friday, who tells everybody?")
    with bot.services.database.write() as session:
        make_draft(
            session, style, team_id=TEAM_ID, channel_id=BRAND, thread_ts=root["ts"],
            request="announce that we close at noon", status="shown",
        )  # fmt: skip
    better = mia.post(BRAND, GOOD, thread_ts=root["ts"])
    view = open_teach(mia, BRAND, better["ts"])
    assert "request that I know" in note(view)
    assert mia.submit(view, {}).errors is None
    [example] = examples(bot)
    assert (example.prompt, example.prompt_source) == ("announce that we close at noon", PromptSource.PARENT)
    assert model.prompts == []  # nothing was left to guess


def test_a_reply_whose_parent_is_unknown_says_so_suggests_and_reads_no_history(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.enqueue(SUGGESTED)
    mia, noor = workspace.person(MIA), workspace.person(NOOR)
    root = mia.post(GENERAL, "How do we say that we close early?")
    reply = noor.post(GENERAL, GOOD, thread_ts=root["ts"])
    view = open_teach(mia, GENERAL, reply["ts"])
    assert "cannot read the message that it answers" in note(view)
    offered = wait_for_note(mia, "my suggestion")
    assert "cannot read the message that it answers" in note(offered)
    mia.click_view(offered, "use_offer")
    mia.submit(mia.wait_for_modal(after=offered), {})
    wait_until(lambda: examples(bot), seconds=5)

    def is_worked_off() -> bool:
        with bot.services.database.read() as session:
            return count_unfinished_events(session) == 0

    wait_until(is_worked_off, seconds=5)
    called = {call.method for call in workspace.calls()}
    assert {"views.open", "views.update"} <= called
    assert not called & {"conversations.history", "conversations.replies"}


class TestWithHistoryScopes:
    @pytest.fixture
    def workspace(self) -> Iterator[Workspace]:
        with Workspace(app=InstalledApp.from_manifest(build_manifest(with_reactions=True))) as running:
            yield running

    @pytest.fixture
    def bot_settings(self, bot_settings: Settings) -> Settings:
        return bot_settings.model_copy(update={"flag_reaction": "star2"})

    def test_the_message_that_a_reply_answers_is_offered_and_nothing_is_made_up(
        self, bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
    ) -> None:
        mia, noor = workspace.person(MIA), workspace.person(NOOR)
        question = "How do we say that we close early? " + "Think of <b> & everybody. " * 200
        root = mia.post(BRAND, question)
        reply = noor.post(BRAND, GOOD, thread_ts=root["ts"])
        open_teach(mia, BRAND, reply["ts"])
        offered = wait_for_note(mia, "the message that it answers")
        mia.click_view(offered, "use_offer")
        assert mia.submit(mia.wait_for_modal(after=offered), {}).errors is None
        [example] = examples(bot)
        assert (example.prompt, example.prompt_source) == (question.strip(), PromptSource.PARENT)
        assert model.prompts == []

    def test_a_parent_that_is_gone_makes_way_for_a_suggestion(
        self, bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
    ) -> None:
        model.enqueue(SUGGESTED)
        mia = workspace.person(MIA)
        root = mia.post(BRAND, "How do we say that?")
        reply = mia.post(BRAND, GOOD, thread_ts=root["ts"])
        mia.delete(BRAND, root["ts"])
        open_teach(mia, BRAND, reply["ts"])
        offered = wait_for_note(mia, "my suggestion")
        assert block(offered, "offer")["text"]["text"] == SUGGESTED
