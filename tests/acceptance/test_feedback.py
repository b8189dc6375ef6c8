"""Keep, Edit, Not our style: what a person makes of a draft, and what the style learns from it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.app import Bot
from bot.rehearsal.people import Submitted
from bot.rehearsal.seed import BRAND, GUEST, LEADS, MIA, NOOR, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from db.drafts import Draft, DraftStatus
from db.examples import Example, ExampleSource, ExampleStatus
from db.preferences import Preference, list_approved_pairs
from db.styles import Style, StyleReviewer
from tests.support.factories import make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.steps import cards, wait_for_card
from tests.support.wait import wait_until

Json = dict[str, Any]
TEXT = "Dear all, we close at noon on Friday. Team Office"


@pytest.fixture
def style(bot: Bot) -> Style:
    with bot.services.database.write() as session:
        found = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        session.add(StyleReviewer(style_id=found.style_id, user_id=RAVI))
        make_promotion(session, found, rung=Rung.RETRIEVED)
    return found


@pytest.fixture
def shown(bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style) -> Json:
    """A complete draft in the channel, asked for by Mia."""
    return draft_in_channel(bot, workspace, model, TEXT)


def draft_in_channel(bot: Bot, workspace: Workspace, model: ScriptedModel, text: str) -> Json:
    model.enqueue(text, chunks=4)
    asked = workspace.person(MIA).mention_bot(BRAND, "announce that we close at noon")
    wait_until(lambda: draft_of(bot).status is DraftStatus.SHOWN, seconds=10)
    return workspace.person(MIA).messages(BRAND, asked["ts"])[-1]


def draft_of(bot: Bot) -> Draft:
    with bot.services.database.read() as session:
        return session.query(Draft).order_by(Draft.draft_id.desc()).first() or Draft(status=DraftStatus.REQUESTED)


def rows(bot: Bot, kind: type[Any]) -> list[Any]:
    with bot.services.database.read() as session:
        return list(session.query(kind))


def shown_again(workspace: Workspace, message: Json) -> Json:
    thread = workspace.person(MIA).messages(BRAND, message["thread_ts"])
    return next(one for one in thread if one["ts"] == message["ts"])


def test_keep_proposes_the_draft_as_an_example_and_the_message_says_by_whom(
    bot: Bot, workspace: Workspace, shown: Json
) -> None:
    workspace.person(NOOR).click(BRAND, shown["ts"], "keep_draft")
    wait_until(lambda: "Kept as it is by noor" in str(shown_again(workspace, shown)["blocks"]), seconds=5)
    (example,) = rows(bot, Example)
    assert (example.prompt, example.completion) == ("announce that we close at noon", TEXT)
    assert (example.source, example.status) == (ExampleSource.DRAFT_KEPT, ExampleStatus.PROPOSED)
    assert draft_of(bot).status is DraftStatus.KEPT
    again = shown_again(workspace, shown)
    assert TEXT in again["blocks"][0]["text"]
    assert [e["action_id"] for e in again["blocks"][-1]["elements"]] == ["use_draft", "more_draft"]
    wait_until(lambda: workspace.person(NOOR).ephemerals(BRAND), seconds=5)


def test_a_reviewer_who_keeps_a_draft_approves_it_and_it_shapes_the_next_one(
    bot: Bot, workspace: Workspace, model: ScriptedModel, shown: Json
) -> None:
    workspace.person(RAVI).click(BRAND, shown["ts"], "keep_draft")
    wait_until(lambda: [e for e in rows(bot, Example) if e.status is ExampleStatus.APPROVED], seconds=5)
    workspace.person(MIA).mention_bot(BRAND, "announce that we close at four")
    wait_until(lambda: len(model.prompts) == 2, seconds=5)
    assert TEXT in str(model.prompts[-1])


def test_an_edit_is_proposed_and_remembered_as_a_preference(bot: Bot, workspace: Workspace, shown: Json) -> None:
    noor = workspace.person(NOOR)
    noor.click(BRAND, shown["ts"], "edit_draft")
    modal = noor.wait_for_modal()
    assert modal["blocks"][0]["element"]["initial_value"] == TEXT
    submitted = noor.submit(modal, {"text": "We close at noon on Friday. Have a good weekend! Team Office"})
    assert submitted.errors is None
    (example,) = rows(bot, Example)
    assert example.completion.endswith("Have a good weekend! Team Office")
    assert (example.source, example.author_id) == (ExampleSource.DRAFT_EDITED, NOOR)
    (preference,) = rows(bot, Preference)
    assert (preference.chosen, preference.rejected) == (example.completion, TEXT)
    draft = draft_of(bot)
    assert (draft.status, draft.decided_by, draft.edited_completion) == (DraftStatus.EDITED, NOOR, example.completion)
    wait_until(lambda: "Kept with changes by noor" in str(shown_again(workspace, shown)["blocks"]), seconds=5)
    assert "good weekend" in shown_again(workspace, shown)["blocks"][0]["text"]


@pytest.mark.parametrize("redacts", [True, False])
def test_a_preference_teaches_only_what_the_reviewer_let_stand(
    bot: Bot, workspace: Workspace, shown: Json, redacts: bool
) -> None:
    noor, ravi = workspace.person(NOOR), workspace.person(RAVI)
    noor.click(BRAND, shown["ts"], "edit_draft")
    noor.submit(noor.wait_for_modal(), {"text": "We close at noon on Friday. Mail jan.de.vries@example.com to get in."})
    ravi.click(BRAND, wait_for_card(ravi)["ts"], "approve_example")
    ravi.click_view(ravi.wait_for_modal(), "approve_example", values={"redact_choice": ["yes"] if redacts else []})
    wait_until(lambda: [e for e in rows(bot, Example) if e.status is ExampleStatus.APPROVED], seconds=5)
    with bot.services.database.read() as session:
        (style,) = session.query(Style).where(Style.name == "brand-voice")
        taught = [preference.chosen for preference, _ in list_approved_pairs(session, style.style_id, style.scope)]
    assert [text for text in taught if "jan.de.vries" in text] == ([] if redacts else taught)
    assert len(taught) == (not redacts)


def test_an_empty_edit_is_not_taken(bot: Bot, workspace: Workspace, shown: Json) -> None:
    noor = workspace.person(NOOR)
    noor.click(BRAND, shown["ts"], "edit_draft")
    submitted = noor.submit(noor.wait_for_modal(), {"text": "\u200b"})
    assert submitted.errors and "text" in submitted.errors
    assert draft_of(bot).status is DraftStatus.SHOWN
    assert rows(bot, Example) == []


def test_a_long_draft_is_edited_in_several_inputs(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    long = " ".join(f"word{number}" for number in range(900))
    shown = draft_in_channel(bot, workspace, model, long)
    noor = workspace.person(NOOR)
    noor.click(BRAND, shown["ts"], "edit_draft")
    modal = noor.wait_for_modal()
    assert len(modal["blocks"]) == 3
    noor.submit(modal, {"text": "The new beginning"})
    wait_until(lambda: rows(bot, Example), seconds=5)
    completion = rows(bot, Example)[0].completion
    assert completion.startswith("The new beginning")
    assert completion.endswith("word899")


def turn_down(workspace: Workspace, shown: Json, **values: Any) -> Submitted:
    noor = workspace.person(NOOR)
    noor.click(BRAND, shown["ts"], "discard_draft")
    return noor.submit(noor.wait_for_modal(), values)


def test_not_our_style_keeps_the_reasons_and_learns_nothing_else(bot: Bot, workspace: Workspace, shown: Json) -> None:
    turn_down(workspace, shown, reasons=["tone", "length"], reason="Far too formal")
    wait_until(lambda: "noor says: not our style" in str(shown_again(workspace, shown)["blocks"]), seconds=5)
    (preference,) = rows(bot, Preference)
    assert (preference.chosen, preference.rejected, preference.reason) == ("", TEXT, "Far too formal")
    assert preference.reasons == ["tone", "length"]
    assert rows(bot, Example) == []
    assert draft_of(bot).status is DraftStatus.DISCARDED
    assert [e["action_id"] for e in shown_again(workspace, shown)["blocks"][-1]["elements"]] == ["more_draft"]


def test_not_our_style_with_the_text_as_it_should_be_is_a_pair_and_a_proposal(
    bot: Bot, workspace: Workspace, shown: Json
) -> None:
    turn_down(workspace, shown, reasons=["tone"], better="We stop at noon on Friday. Enjoy the sun! Team Office")
    (preference,) = rows(bot, Preference)
    assert (preference.prompt, preference.rejected) == ("announce that we close at noon", TEXT)
    assert preference.chosen == "We stop at noon on Friday. Enjoy the sun! Team Office"
    (example,) = rows(bot, Example)
    assert (example.completion, example.author_id) == (preference.chosen, NOOR)
    wait_until(lambda: "Enjoy the sun" in str(cards(workspace.person(MIA))), seconds=5, what="a review card")


def test_not_our_style_without_any_reason_is_asked_again(bot: Bot, workspace: Workspace, shown: Json) -> None:
    noor = workspace.person(NOOR)
    noor.click(BRAND, shown["ts"], "discard_draft")
    window = noor.wait_for_modal()
    assert "reasons" in (noor.submit(window, {}).errors or {})
    assert "better" in (noor.submit(window, {"reasons": ["tone"], "better": TEXT}).errors or {})
    assert draft_of(bot).status is DraftStatus.SHOWN
    assert rows(bot, Preference) == []


def test_what_is_turned_down_becomes_a_pair_when_another_version_is_kept(
    bot: Bot, workspace: Workspace, model: ScriptedModel, shown: Json
) -> None:
    turn_down(workspace, shown, reasons=["tone"])
    model.enqueue("At noon we are off. Team Office")
    workspace.person(NOOR).click(BRAND, shown["ts"], "more_draft", selected=f"another:{draft_of(bot).draft_id}")
    wait_until(lambda: draft_of(bot).completion == "At noon we are off. Team Office", seconds=5)
    wait_until(lambda: draft_of(bot).status is DraftStatus.SHOWN, seconds=5)
    again = workspace.person(MIA).messages(BRAND, shown["thread_ts"])[-1]
    workspace.person(MIA).click(BRAND, again["ts"], "keep_draft")
    (preference,) = wait_until(lambda: [p for p in rows(bot, Preference) if p.chosen], seconds=5)
    assert (preference.chosen, preference.rejected) == ("At noon we are off. Team Office", TEXT)


def test_what_is_turned_down_in_a_private_channel_stays_there(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    ravi = workspace.person(RAVI)
    ravi.invite_bot(LEADS)
    model.enqueue(TEXT)
    asked = ravi.mention_bot(LEADS, "announce that we close at noon")
    wait_until(lambda: draft_of(bot).status is DraftStatus.SHOWN, seconds=10)
    answer = ravi.messages(LEADS, asked["ts"])[-1]
    ravi.click(LEADS, answer["ts"], "discard_draft")
    ravi.submit(ravi.wait_for_modal(), {"reasons": ["tone"], "reason": "not us"})
    wait_until(lambda: draft_of(bot).status is DraftStatus.DISCARDED, seconds=5)
    assert rows(bot, Preference) == []


def test_of_two_decisions_at_once_the_first_counts_and_the_second_person_is_told(
    bot: Bot, workspace: Workspace, shown: Json
) -> None:
    noor, ravi = workspace.person(NOOR), workspace.person(RAVI)
    ravi.click(BRAND, shown["ts"], "discard_draft")
    modal = ravi.wait_for_modal()
    noor.click(BRAND, shown["ts"], "keep_draft")
    wait_until(lambda: draft_of(bot).status is DraftStatus.KEPT, seconds=5)
    answer = ravi.submit(modal, {"reason": "no"})
    assert "kept this draft already" in str(answer.view)
    assert draft_of(bot).status is DraftStatus.KEPT
    assert rows(bot, Preference) == []


def test_a_guest_decides_nothing(bot: Bot, workspace: Workspace, shown: Json) -> None:
    workspace.person(GUEST).click(BRAND, shown["ts"], "keep_draft")
    wait_until(lambda: "Guests" in str(workspace.person(GUEST).ephemerals(BRAND)), seconds=5)
    assert draft_of(bot).status is DraftStatus.SHOWN


def test_a_draft_for_one_person_alone_may_be_kept_for_the_whole_workspaces_style(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    noor = workspace.person(NOOR)
    asked = noor.dm_bot("thank a customer")
    wait_until(lambda: draft_of(bot).status is DraftStatus.SHOWN, seconds=10)
    answer = noor.messages(asked["channel"], asked["ts"])[-1]
    noor.click(asked["channel"], answer["ts"], "keep_draft")
    wait_until(lambda: rows(bot, Example), seconds=5)
    assert rows(bot, Example)[0].prompt == "thank a customer"
