"""A draft once more, compared, used, shared: the buttons and the menu under a draft, from the person's side."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bot.app import Bot
from bot.operations.overview import count_drafts
from bot.rehearsal.seed import BRAND, GENERAL, GUEST, MIA, NOOR, PARTNERS, RANDOM, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.variants import Variant
from db.drafts import Draft, DraftStatus, list_outcomes
from db.examples import Example
from db.outbox import OutboxStatus, list_by_prefix
from db.styles import Style
from tests.support.factories import make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

Json = dict[str, Any]
TEXT = "Dear all, we close at noon on Friday. Team Office"
OTHER = "At noon on Friday we go home. Team Office"


@pytest.fixture
def style(bot: Bot) -> Style:
    with bot.services.database.write() as session:
        found = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, found, rung=Rung.RETRIEVED)
    return found


@pytest.fixture
def shown(bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style) -> Json:
    """A complete draft in the channel, asked for by Mia."""
    model.enqueue(TEXT, chunks=4)
    asked = workspace.person(MIA).mention_bot(BRAND, "announce that we close at noon")
    wait_for(bot, 1)
    return last_in(workspace, asked["ts"])


def drafts_of(bot: Bot) -> list[Draft]:
    with bot.services.database.read() as session:
        return list(session.query(Draft).order_by(Draft.draft_id))


def wait_for(bot: Bot, count: int, status: DraftStatus = DraftStatus.SHOWN) -> list[Draft]:
    """So many drafts, the last of them in this state."""
    return wait_until(
        lambda: found if len(found := drafts_of(bot)) >= count and found[-1].status is status else [],
        seconds=10,
        what=f"{count} drafts, the last one {status}",
    )


def last_in(workspace: Workspace, thread_ts: str, channel: str = BRAND) -> Json:
    thread = workspace.person(MIA).messages(channel, thread_ts)
    return next(m for m in reversed(thread) if m.get("bot_id"))


def text_of(message: Json) -> str:
    return "".join(block["text"] for block in message["blocks"] if block["type"] == "markdown")


def buttons_of(message: Json) -> list[str]:
    return [element["action_id"] for element in message["blocks"][-1]["elements"]]


def menu_of(message: Json) -> list[str]:
    return [option["value"].partition(":")[0] for option in message["blocks"][-1]["elements"][-1]["options"]]


def choose(workspace: Workspace, bot: Bot, message: Json, choice: str, who: str = NOOR, channel: str = BRAND) -> None:
    """Choose in the menu under the draft that this message shows."""
    options = message["blocks"][-1]["elements"][-1]["options"]
    value = next(option["value"] for option in options if option["value"].startswith(f"{choice}:"))
    workspace.person(who).click(channel, message["ts"], "more_draft", selected=value)


def top_level(workspace: Workspace, channel: str, containing: str) -> list[Json]:
    return [m for m in workspace.person(MIA).messages(channel) if m.get("bot_id") and containing in str(m["blocks"])]


# Variants


@pytest.mark.parametrize("variant", list(Variant))
def test_a_variant_is_written_in_the_thread_and_links_what_it_is_a_version_of(
    bot: Bot, workspace: Workspace, model: ScriptedModel, shown: Json, variant: Variant
) -> None:
    model.enqueue(OTHER)
    choose(workspace, bot, shown, variant.value)
    parent, draft = wait_for(bot, 2)
    assert (draft.parent_id, draft.root_id, draft.variant) == (parent.draft_id, parent.draft_id, variant)
    assert (draft.style_id, draft.request, draft.requested_by) == (parent.style_id, parent.request, NOOR)
    answer = last_in(workspace, shown["thread_ts"])
    assert text_of(answer) == OTHER
    assert f"version of <{draft.parent_link}|this draft>" in str(answer["blocks"])
    link = bot.services.slack.find_permalink(BRAND, shown["ts"])
    assert draft.parent_link == link
    assert menu_of(answer) == ["shorter", "longer", "another", "compare"]
    assert menu_of(shown) == ["shorter", "longer", "another"]


def test_the_model_is_shown_the_draft_and_told_what_is_wanted_instead(
    bot: Bot, workspace: Workspace, model: ScriptedModel, shown: Json
) -> None:
    first = model.prompts[-1]
    model.enqueue(OTHER)
    choose(workspace, bot, shown, "shorter")
    wait_for(bot, 2)
    assert model.prompts[-1][: len(first)] == first
    parent, wish = model.prompts[-1][len(first) :]
    assert parent == {"role": "assistant", "content": TEXT}
    assert wish["role"] == "user" and "at most 6 words" in wish["content"]
    assert model.history[-1]["temperature"] == 0
    model.enqueue("Off at noon.")
    choose(workspace, bot, last_in(workspace, shown["thread_ts"]), "another")
    wait_for(bot, 3)
    said = [turn["content"] for turn in model.prompts[-1] if turn["role"] == "assistant"]
    assert said == [TEXT, OTHER]
    assert model.history[-1]["temperature"] > 0
    assert model.history[-1]["seed"] is not None


def test_a_text_that_people_have_seen_is_never_shown_again(
    bot: Bot, workspace: Workspace, model: ScriptedModel, shown: Json
) -> None:
    for again in (TEXT, TEXT.upper(), f" {TEXT.replace(',', '')}\n"):
        model.enqueue(again, chunks=7)
    model.enqueue(OTHER, chunks=5)
    choose(workspace, bot, shown, "another")
    wait_for(bot, 2)
    thread = workspace.person(MIA).messages(BRAND, shown["thread_ts"])
    assert [text_of(m) for m in thread if m.get("bot_id")] == [TEXT, OTHER]
    dice = [(body["temperature"], body["seed"]) for body in model.history[-4:]]
    assert len(set(dice)) == 4


def test_a_model_that_only_repeats_itself_is_given_up_in_a_sentence(
    bot: Bot, workspace: Workspace, model: ScriptedModel, shown: Json
) -> None:
    for _ in range(10):
        model.enqueue(TEXT)
    choose(workspace, bot, shown, "another")
    wait_for(bot, 2, DraftStatus.FAILED)
    wait_until(lambda: "seen already" in str(last_in(workspace, shown["thread_ts"])["blocks"]), seconds=5)
    assert len(workspace.person(MIA).messages(BRAND, shown["thread_ts"])) == 3


def test_a_text_that_only_begins_like_the_one_before_is_another_text(
    bot: Bot, workspace: Workspace, model: ScriptedModel, shown: Json
) -> None:
    model.enqueue("Dear all, we close at noon.", chunks=6)
    choose(workspace, bot, shown, "shorter")
    wait_for(bot, 2)
    assert text_of(last_in(workspace, shown["thread_ts"])) == "Dear all, we close at noon."


def test_two_clicks_at_once_are_one_version(bot: Bot, workspace: Workspace, model: ScriptedModel, shown: Json) -> None:
    model.enqueue(OTHER, delay=0.05)
    choose(workspace, bot, shown, "shorter")
    choose(workspace, bot, shown, "shorter")
    choose(workspace, bot, shown, "shorter", who=MIA)
    wait_for(bot, 2)
    wait_until(lambda: "being written already" in str(workspace.person(NOOR).ephemerals(BRAND)), seconds=5)
    assert len(drafts_of(bot)) == 2


def test_a_follow_up_builds_on_the_version_that_people_settled_on(
    bot: Bot, workspace: Workspace, model: ScriptedModel, shown: Json
) -> None:
    model.enqueue(OTHER)
    choose(workspace, bot, shown, "another")
    wait_for(bot, 2)
    workspace.person(MIA).mention_bot(BRAND, "and in Dutch", thread_ts=shown["thread_ts"])
    wait_for(bot, 3)
    assert [turn["content"] for turn in model.prompts[-1][-3:]] == [drafts_of(bot)[0].request, OTHER, "and in Dutch"]


def test_a_guest_gets_no_version_and_uses_nothing(bot: Bot, workspace: Workspace, shown: Json) -> None:
    guest = workspace.person(GUEST)
    choose(workspace, bot, shown, "shorter", who=GUEST)
    wait_until(lambda: "full members" in str(guest.ephemerals(BRAND)), seconds=5)
    guest.click(BRAND, shown["ts"], "use_draft")
    wait_until(lambda: "Guests" in str(guest.ephemerals(BRAND)), seconds=5)
    (draft,) = drafts_of(bot)
    assert draft.used_by is None


# Comparing


def test_a_version_is_compared_with_the_one_before(
    bot: Bot, workspace: Workspace, model: ScriptedModel, shown: Json
) -> None:
    model.enqueue("Dear all, we close at four on Friday. Team Office")
    choose(workspace, bot, shown, "another")
    wait_for(bot, 2)
    choose(workspace, bot, last_in(workspace, shown["thread_ts"]), "compare")
    blocks = workspace.person(NOOR).wait_for_modal()["blocks"]
    pieces = [e for block in blocks if block["type"] == "rich_text" for e in block["elements"][0]["elements"]]
    assert [(p["text"], p.get("style")) for p in pieces if p.get("style")] == [
        ("noon", {"strike": True}), ("four", {"bold": True}),
    ]  # fmt: skip
    assert "Words that stayed: 9. Gone: 1. New: 1." in str(blocks)


def test_an_edit_is_compared_with_what_the_model_wrote(bot: Bot, workspace: Workspace, shown: Json) -> None:
    noor = workspace.person(NOOR)
    noor.click(BRAND, shown["ts"], "edit_draft")
    noor.submit(noor.wait_for_modal(), {"text": TEXT + " Enjoy!"})
    edited = wait_until(
        lambda: found if "compare" in menu_of(found := last_in(workspace, shown["thread_ts"])) else None, seconds=5
    )
    choose(workspace, bot, edited, "compare")
    assert " Enjoy!" in str(noor.wait_for_modal()["blocks"])


def test_the_longest_drafts_can_be_compared(bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style) -> None:
    model.enqueue("a! " * 4_000, chunks=20)
    asked = workspace.person(MIA).mention_bot(BRAND, "a long one")
    wait_for(bot, 1)
    model.enqueue("b? " * 4_000, chunks=20)
    choose(workspace, bot, last_in(workspace, asked["ts"]), "another")
    wait_for(bot, 2)
    choose(workspace, bot, last_in(workspace, asked["ts"]), "compare")
    assert len(workspace.person(NOOR).wait_for_modal()["blocks"]) < 100


# Using


def test_use_this_posts_the_draft_in_the_channel_as_the_persons_choice(
    bot: Bot, workspace: Workspace, shown: Json
) -> None:
    workspace.person(NOOR).click(BRAND, shown["ts"], "use_draft")
    (posted,) = wait_until(lambda: top_level(workspace, BRAND, "Chosen by"), seconds=5)
    assert text_of(posted) == TEXT
    assert "Chosen by *noor* · drafted in *brand-voice*" in str(posted["blocks"])
    assert f"<{bot.services.slack.find_permalink(BRAND, shown['ts'])}|what shaped it>" in str(posted["blocks"])
    assert "<@" not in str(posted)
    wait_until(lambda: "Used by noor." in str(last_in(workspace, shown["thread_ts"])["blocks"]), seconds=5)
    assert "use_draft" not in buttons_of(last_in(workspace, shown["thread_ts"]))
    (draft,) = drafts_of(bot)
    assert (draft.used_by, draft.used_in, draft.status) == (NOOR, BRAND, DraftStatus.SHOWN)
    with bot.services.database.read() as session:
        assert session.query(Example).count() == 0
        assert draft.used_at is not None
        counts = count_drafts(list_outcomes(session, draft.style_id, draft.requested_at))
        assert (counts.made, counts.kept, counts.posted, counts.used) == (1, 0, 1, 1)


def test_a_draft_is_used_once_whoever_clicks_and_however_often(bot: Bot, workspace: Workspace, shown: Json) -> None:
    noor, mia = workspace.person(NOOR), workspace.person(MIA)
    with ThreadPoolExecutor(6) as pool:  # before the message has changed
        clicks = [pool.submit(who.click, BRAND, shown["ts"], "use_draft") for who in (noor, noor, noor, mia, mia)]
    assert all(click.result().ok for click in clicks if not click.exception())
    wait_until(lambda: top_level(workspace, BRAND, "Chosen by"), seconds=5)
    loser = mia if drafts_of(bot)[0].used_by == NOOR else noor
    wait_until(lambda: "used already" in str(loser.ephemerals(BRAND)), seconds=5)
    assert len(top_level(workspace, BRAND, "Chosen by")) == 1


def test_a_draft_that_was_kept_can_still_be_used_and_one_that_was_used_kept(
    bot: Bot, workspace: Workspace, shown: Json
) -> None:
    noor = workspace.person(NOOR)
    noor.click(BRAND, shown["ts"], "use_draft")
    wait_until(lambda: drafts_of(bot)[0].used_by, seconds=5)
    noor.click(BRAND, shown["ts"], "keep_draft")
    wait_until(lambda: drafts_of(bot)[0].status is DraftStatus.KEPT, seconds=5)
    both = wait_until(
        lambda: found if "Kept" in (found := str(last_in(workspace, shown["thread_ts"])["blocks"])) else None, seconds=5
    )
    assert "Used by noor." in both


def test_an_update_that_slack_took_late_does_not_bring_back_what_is_past(
    bot: Bot, workspace: Workspace, shown: Json
) -> None:
    noor = workspace.person(NOOR)
    workspace.fail("chat.update", status=500)
    noor.click(BRAND, shown["ts"], "use_draft")
    wait_until(lambda: len(workspace.calls("chat.update")) >= 1, seconds=5, what="the update that fails")
    noor.click(BRAND, shown["ts"], "keep_draft")
    wait_until(lambda: [status for _, status in updates_of(bot)] == [OutboxStatus.SENT] * 2, seconds=20)
    said = str(last_in(workspace, shown["thread_ts"])["blocks"])
    assert "Used by noor." in said
    assert "Kept" in said


def updates_of(bot: Bot) -> list[tuple[str, OutboxStatus]]:
    with bot.services.database.read() as session:
        return [(row.outbox_id, row.status) for row in list_by_prefix(session, "draft_decided:")]


def test_an_edited_draft_is_used_as_the_person_wrote_it(bot: Bot, workspace: Workspace, shown: Json) -> None:
    noor = workspace.person(NOOR)
    noor.click(BRAND, shown["ts"], "edit_draft")
    noor.submit(noor.wait_for_modal(), {"text": TEXT + " Enjoy!"})
    wait_until(lambda: "Kept with changes" in str(last_in(workspace, shown["thread_ts"])["blocks"]), seconds=5)
    noor.click(BRAND, shown["ts"], "use_draft")
    (posted,) = wait_until(lambda: top_level(workspace, BRAND, "Chosen by"), seconds=5)
    assert text_of(posted) == TEXT + " Enjoy!"


def test_a_draft_asked_for_inside_a_conversation_is_posted_there(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia = workspace.person(MIA)
    question = mia.post(BRAND, "When do we close on Friday?")
    model.enqueue(TEXT)
    mia.mention_bot(BRAND, "answer this", thread_ts=question["ts"])
    wait_for(bot, 1)
    mia.click(BRAND, last_in(workspace, question["ts"])["ts"], "use_draft")
    wait_until(lambda: "Chosen by" in str(last_in(workspace, question["ts"])["blocks"]), seconds=5)
    assert top_level(workspace, BRAND, "Chosen by") == []


def test_from_a_direct_message_the_person_chooses_the_channel(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    noor = workspace.person(NOOR)
    model.enqueue(TEXT)
    asked = noor.dm_bot("announce that we close at noon")
    wait_for(bot, 1)
    answer = noor.messages(asked["channel"], asked["ts"])[-1]
    noor.click(asked["channel"], answer["ts"], "use_draft")
    modal = noor.wait_for_modal()
    assert "not in that channel" in str(noor.submit(modal, {"channel": RANDOM}).errors)
    assert "another company" in str(noor.submit(modal, {"channel": PARTNERS}).errors)
    assert noor.submit(modal, {"channel": GENERAL}).errors is None
    (posted,) = wait_until(lambda: top_level(workspace, GENERAL, "Chosen by"), seconds=5)
    assert text_of(posted) == TEXT
    assert "/archives/" not in str(posted["blocks"])  # a direct message is nobody else's


def test_a_private_channels_draft_is_not_posted_elsewhere(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    noor = workspace.person(NOOR)
    asked = noor.dm_bot("announce that we close at noon")
    wait_for(bot, 1)
    with bot.services.database.write() as session:
        session.get_one(Style, style.style_id).scope_key = f"{TEAM_ID}/{BRAND}"
    answer = noor.messages(asked["channel"], asked["ts"])[-1]
    noor.click(asked["channel"], answer["ts"], "use_draft")
    assert "private channel" in str(noor.submit(noor.wait_for_modal(), {"channel": GENERAL}).errors)
    assert drafts_of(bot)[0].used_by is None


# For one person's eyes


def preview(bot: Bot, workspace: Workspace, model: ScriptedModel, text: str = "--private we close at noon") -> Json:
    model.enqueue(TEXT)
    workspace.person(MIA).slash("/draft", text, BRAND)
    wait_for(bot, 1)
    return wait_for_preview(workspace, TEXT)


def wait_for_preview(workspace: Workspace, containing: str) -> Json:
    mia = workspace.person(MIA)
    return wait_until(
        lambda: next((m for m in mia.ephemerals(BRAND) if containing in str(m.get("blocks"))), None), seconds=5
    )


@pytest.mark.parametrize(
    "text", ["--private we close at noon", "—private we close at noon", "we close at noon --privé"]
)
def test_a_private_draft_is_seen_by_its_requester_alone(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style, text: str
) -> None:
    before = workspace.person(NOOR).messages(BRAND)
    shown = preview(bot, workspace, model, text)
    assert drafts_of(bot)[0].request == "we close at noon"
    assert "Only you can see this" in str(shown["blocks"])
    assert buttons_of(shown) == ["use_draft", "share_draft", "edit_draft", "discard_draft", "more_draft"]
    assert menu_of(shown) == ["shorter", "longer", "another", "keep"]
    assert workspace.person(NOOR).messages(BRAND) == before
    assert workspace.person(NOOR).ephemerals(BRAND) == []
    assert workspace.calls("chat.startStream") == []


def test_a_private_draft_is_shared_once_and_goes_on_as_any_other(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    shown = preview(bot, workspace, model)
    mia = workspace.person(MIA)
    with ThreadPoolExecutor(2) as pool:
        clicks = [pool.submit(mia.click, BRAND, shown["ts"], "share_draft") for _ in range(2)]
    assert all(click.result().ok for click in clicks if not click.exception())
    (shared,) = wait_until(lambda: top_level(workspace, BRAND, "shares a draft"), seconds=5)
    assert text_of(shared) == TEXT
    assert buttons_of(shared) == ["use_draft", "keep_draft", "edit_draft", "discard_draft", "more_draft"]
    wait_until(lambda: "You shared this draft" in str(mia.ephemerals(BRAND)), seconds=5)
    model.enqueue(OTHER)
    choose(workspace, bot, shared, "shorter")
    wait_for(bot, 2)
    assert text_of(last_in(workspace, shared["ts"])) == OTHER
    workspace.person(NOOR).click(BRAND, shared["ts"], "keep_draft")
    wait_until(lambda: drafts_of(bot)[0].status is DraftStatus.KEPT, seconds=5)
    assert len(top_level(workspace, BRAND, "shares a draft")) == 1


def test_a_version_of_a_private_draft_is_private_too(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    shown = preview(bot, workspace, model)
    model.enqueue(OTHER)
    choose(workspace, bot, shown, "shorter", who=MIA)
    wait_for(bot, 2)
    again = wait_for_preview(workspace, OTHER)
    assert "compare" in menu_of(again)
    assert drafts_of(bot)[1].is_private
    workspace.person(MIA).click(BRAND, again["ts"], "use_draft")
    (posted,) = wait_until(lambda: top_level(workspace, BRAND, "Chosen by *mia*"), seconds=5)
    assert text_of(posted) == OTHER


def test_a_private_draft_can_be_edited_and_kept_without_being_shown(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    shown = preview(bot, workspace, model)
    mia = workspace.person(MIA)
    mia.click(BRAND, shown["ts"], "edit_draft")
    mia.submit(mia.wait_for_modal(), {"text": TEXT + " Enjoy!"})
    edited = wait_until(
        lambda: next((m for m in mia.ephemerals(BRAND) if "Kept with changes" in str(m)), None), seconds=5
    )
    assert edited["ts"] == shown["ts"]  # in its place
    assert text_of(edited) == TEXT + " Enjoy!"
    with bot.services.database.read() as session:
        (example,) = session.query(Example).all()
    assert (example.completion, example.message_ts) == (TEXT + " Enjoy!", None)


def test_a_failed_private_draft_says_so_in_private(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.fail(500)
    workspace.person(MIA).slash("/draft", "--private we close at noon", BRAND)
    wait_for(bot, 1, DraftStatus.FAILED)
    wait_until(lambda: "model server" in str(workspace.person(MIA).ephemerals(BRAND)), seconds=5)
    assert workspace.person(NOOR).ephemerals(BRAND) == []
