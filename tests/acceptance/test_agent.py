"""The agent's side of Slack: prompts that are offered, thread names, the line while it works, Stop, thumbs, and streams
that are longer than Slack lets one live."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bot.app import Bot
from bot.rehearsal.options import InstalledApp, WorkspaceOptions
from bot.rehearsal.seed import BRAND, GUEST, MIA, NOOR, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings
from config.slack_manifest import build_manifest
from db.drafts import Draft, DraftStatus
from db.examples import ExampleStatus
from db.preferences import Preference
from db.ratings import Rating
from db.styles import Style
from tests.support.factories import make_example, make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

Json = dict[str, Any]
#: How long Slack's stream lives, and how long the bot lets one be; between them a busy machine may stand still.
STREAM_SECONDS, MESSAGE_SECONDS = 3.0, 0.6
SENTENCES = [f"Sentence number {n} stands here." for n in range(1, 41)]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """Installed from our own manifest; a stream lives three seconds instead of five minutes."""
    app = InstalledApp.from_manifest(build_manifest())
    with Workspace(app=app, options=WorkspaceOptions(stream_seconds=STREAM_SECONDS)) as running:
        yield running


@pytest.fixture
def bot_settings(bot_settings: Settings) -> Settings:
    return bot_settings.model_copy(update={"stream_seconds": MESSAGE_SECONDS, "draft_deadline_seconds": 20.0})


@pytest.fixture
def style(bot: Bot) -> Style:
    with bot.services.database.write() as session:
        found = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, found, rung=Rung.RETRIEVED)
    return found


def drafts_of(bot: Bot) -> list[Draft]:
    with bot.services.database.read() as session:
        return list(session.query(Draft).order_by(Draft.draft_id))


def wait_for_end(bot: Bot, status: DraftStatus = DraftStatus.SHOWN, count: int = 1) -> list[Draft]:
    def ended() -> list[Draft]:
        found = [draft for draft in drafts_of(bot) if draft.status is status]
        return found if len(found) >= count else []

    return wait_until(ended, seconds=20, what=f"{count} drafts {status}")


def answers_in(workspace: Workspace, channel: str, thread_ts: str) -> list[Json]:
    thread = workspace.person(MIA).messages(channel, thread_ts)
    return [message for message in thread if message.get("bot_id") and message["ts"] != thread_ts]


def refused_calls(workspace: Workspace) -> list[str]:
    return [f"{call.method}: {call.result['error']}" for call in workspace.calls() if not call.result["ok"]]


# What is offered


def test_who_opens_the_direct_message_is_offered_what_each_style_does_well(
    bot: Bot, workspace: Workspace, style: Style
) -> None:
    with bot.services.database.write() as session:
        for prompt, status in (
            ("announce the summer party", ExampleStatus.APPROVED),
            ("announce the secret merger", ExampleStatus.PROPOSED),
            ("x" * 2_000, ExampleStatus.APPROVED),
        ):
            make_example(session, style, prompt=prompt, status=status)
    mia = workspace.person(MIA)
    mia.open_messages_tab()
    offered = wait_until(mia.suggested_prompts, seconds=5)
    assert offered["prompts"] == [
        {"title": "Draft in brand-voice", "message": "brand-voice: announce the summer party"}
    ]  # fmt: skip
    assert offered["title"]


def test_without_a_style_there_is_still_something_to_begin_with(bot: Bot, workspace: Workspace) -> None:
    mia = workspace.person(MIA)
    mia.open_messages_tab()
    assert len(wait_until(mia.suggested_prompts, seconds=5)["prompts"]) == 1


def test_a_private_styles_examples_are_never_offered_in_a_direct_message(bot: Bot, workspace: Workspace) -> None:
    with bot.services.database.write() as session:
        private = make_style(session, team_id=TEAM_ID, scope_key=f"{TEAM_ID}/C0LEADS", name="leads-only")
        make_example(session, private, prompt="announce the merger", status=ExampleStatus.APPROVED)
    mia = workspace.person(MIA)
    mia.open_messages_tab()
    offered = str(wait_until(mia.suggested_prompts, seconds=5))
    assert "merger" not in offered and "leads-only" not in offered


def test_a_guest_is_offered_nothing(bot: Bot, workspace: Workspace, style: Style) -> None:
    guest, mia = workspace.person(GUEST), workspace.person(MIA)
    guest.open_messages_tab()
    mia.open_messages_tab()
    wait_until(mia.suggested_prompts, seconds=5)  # the guest's came first, and was worked on first
    assert guest.suggested_prompts() is None


# While it works


def test_a_thread_is_named_after_its_first_request_and_shows_what_the_bot_does(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    with bot.services.database.write() as session:
        make_example(session, style, prompt="announce the summer party", status=ExampleStatus.APPROVED)
    mia = workspace.person(MIA)
    model.enqueue("Come and dance!", first_delay=1.0)
    asked = mia.dm_bot("announce the winter party,\nand mention that it begins at eight and that everybody is welcome")
    working = wait_until(
        lambda: found if (found := mia.session(asked["channel"], asked["ts"]))["line"] else None, seconds=5
    )
    assert working["line"] == "is reading 1 example…"
    assert working["status"] == "processing"
    assert working["title"] == "announce the winter party, and mention that it begins at ei…"
    wait_for_end(bot)
    mia.dm_bot("shorter, please", thread_ts=asked["ts"])
    wait_for_end(bot, count=2)
    after = wait_until(
        lambda: s if (s := mia.session(asked["channel"], asked["ts"]))["status"] == "active" else None, seconds=5
    )
    assert after["title"] == working["title"]  # a follow-up does not rename it
    assert after["line"] is None
    assert refused_calls(workspace) == []


def test_stop_works_before_the_first_word(bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style) -> None:
    model.hang()
    mia = workspace.person(MIA)
    asked = mia.mention_bot(BRAND, "write on and on")
    wait_until(lambda: mia.session(BRAND, asked["ts"]).get("status") == "processing", seconds=5)
    mia.stop_session(BRAND, asked["ts"])
    wait_for_end(bot, DraftStatus.STOPPED)
    wait_until(lambda: mia.session(BRAND, asked["ts"])["status"] == "active", seconds=5)
    assert answers_in(workspace, BRAND, asked["ts"]) == []
    again = mia.mention_bot(BRAND, "and again")
    wait_for_end(bot)
    assert len(answers_in(workspace, BRAND, again["ts"])) == 1


def test_a_failed_draft_leaves_no_session_that_seems_to_work(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.fail(500)
    mia = workspace.person(MIA)
    asked = mia.mention_bot(BRAND, "hello")
    wait_for_end(bot, DraftStatus.FAILED)
    wait_until(lambda: mia.session(BRAND, asked["ts"]).get("status") == "active", seconds=5)


# Streams and Slack's clock


def markdown_of(message: Json) -> str:
    return "".join(block["text"] for block in message["blocks"] if block["type"] == "markdown")


def test_a_draft_that_outlives_slacks_stream_goes_on_in_the_next_message(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    text = " ".join(SENTENCES)
    model.enqueue(text, chunks=[f"{sentence} " for sentence in SENTENCES], delay=0.1)
    asked = workspace.person(MIA).mention_bot(BRAND, "write long")
    draft = wait_for_end(bot)[0]
    found = answers_in(workspace, BRAND, asked["ts"])
    assert len(found) >= 3  # four seconds of text, which no stream outlives
    assert all(message["streaming_state"] == "completed" for message in found)
    assert " ".join(markdown_of(message).strip() for message in found) == text
    assert ["goes on" in str(message["blocks"]) for message in found] == [True] * (len(found) - 1) + [False]
    assert ["keep_draft" in str(message["blocks"]) for message in found] == [False] * (len(found) - 1) + [True]
    assert draft.completion == text
    assert draft.message_ts == found[-1]["ts"]
    assert draft.tail.strip() == markdown_of(found[-1]).strip()
    assert refused_calls(workspace) == []


def test_keeping_a_draft_of_several_messages_leaves_each_its_part(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.enqueue(" ".join(SENTENCES), chunks=[f"{sentence} " for sentence in SENTENCES], delay=0.06)
    asked = workspace.person(MIA).mention_bot(BRAND, "write long")
    wait_for_end(bot)
    with_buttons = wait_until(
        lambda: [m for m in answers_in(workspace, BRAND, asked["ts"]) if "keep_draft" in str(m.get("blocks"))]
    )
    before = [markdown_of(message).strip() for message in answers_in(workspace, BRAND, asked["ts"])]
    assert len(before) >= 2
    last = with_buttons[-1]
    workspace.person(MIA).click(BRAND, last["ts"], "keep_draft")
    wait_until(lambda: "Kept as it is" in str(answers_in(workspace, BRAND, asked["ts"])[-1]["blocks"]), seconds=5)
    assert [markdown_of(message).strip() for message in answers_in(workspace, BRAND, asked["ts"])] == before
    assert drafts_of(bot)[0].completion == " ".join(SENTENCES)


def test_code_that_is_cut_by_the_end_of_a_stream_is_code_in_both_messages(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    lines = [f"line_{n} = {n}\n" for n in range(30)]
    model.enqueue("", chunks=["```\n", *lines, "```\n", "That is all."], delay=0.06)
    asked = workspace.person(MIA).mention_bot(BRAND, "write code")
    wait_for_end(bot)
    found = [markdown_of(message) for message in answers_in(workspace, BRAND, asked["ts"])]
    assert len(found) >= 2
    assert all(text.count("```") == 2 for text in found), found
    assert [line for text in found for line in text.splitlines() if line.startswith("line_")] == [
        line.strip() for line in lines
    ]


def test_a_stream_that_slack_ends_all_the_same_is_put_right(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    """As after a laptop has slept: Slack's five minutes are over at once, and the message would stay half-finished."""
    model.enqueue("one two three four five six", delay=0.1)
    asked = workspace.person(MIA).mention_bot(BRAND, "count")
    wait_until(lambda: answers_in(workspace, BRAND, asked["ts"]), seconds=5)
    workspace.turn_clock(301)
    wait_for_end(bot)
    answer = wait_until(
        lambda: [m for m in answers_in(workspace, BRAND, asked["ts"]) if "keep_draft" in str(m.get("blocks"))],
        seconds=5,
    )[0]
    assert markdown_of(answer) == "one two three four five six"
    assert answer["streaming_state"] == "completed"
    assert len(answers_in(workspace, BRAND, asked["ts"])) == 1


# Thumbs


def shown_draft(bot: Bot, workspace: Workspace) -> tuple[str, Json]:
    asked = workspace.person(MIA).mention_bot(BRAND, "hello there")
    draft = wait_for_end(bot)[0]
    answer = wait_until(
        lambda: [m for m in answers_in(workspace, BRAND, asked["ts"]) if "rate_draft" in str(m.get("blocks"))],
        seconds=5,
    )[0]
    return draft.draft_id, answer


def ratings(bot: Bot) -> dict[str, bool]:
    with bot.services.database.read() as session:
        return {rating.user_id: rating.is_good for rating in session.scalars(select(Rating))}


def test_each_person_rates_a_draft_once_and_may_think_again(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    draft_id, answer = shown_draft(bot, workspace)
    mia, noor = workspace.person(MIA), workspace.person(NOOR)
    mia.click(BRAND, answer["ts"], "rate_draft", value=f"good:{draft_id}")
    wait_until(lambda: ratings(bot) == {MIA: True}, seconds=5)
    wait_until(lambda: "Keep" in str(mia.ephemerals(BRAND)), seconds=5)
    noor.click(BRAND, answer["ts"], "rate_draft", value=f"good:{draft_id}")
    mia.click(BRAND, answer["ts"], "rate_draft", value=f"bad:{draft_id}")
    wait_until(lambda: ratings(bot) == {MIA: False, NOOR: True}, seconds=5)
    assert drafts_of(bot)[0].status is DraftStatus.SHOWN  # a thumb decides nothing


def test_a_thumb_down_asks_what_is_wrong(bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style) -> None:
    draft_id, answer = shown_draft(bot, workspace)
    mia = workspace.person(MIA)
    mia.click(BRAND, answer["ts"], "rate_draft", value=f"bad:{draft_id}")
    mia.submit(mia.wait_for_modal(), {"reason": "too stiff"})
    wait_for_end(bot, DraftStatus.DISCARDED)
    with bot.services.database.read() as session:
        assert session.scalars(select(Preference)).one().reason == "too stiff"
    assert ratings(bot) == {MIA: False}


def test_a_guests_thumb_counts_for_nothing(bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style) -> None:
    draft_id, answer = shown_draft(bot, workspace)
    guest = workspace.person(GUEST)
    guest.click(BRAND, answer["ts"], "rate_draft", value=f"good:{draft_id}")
    wait_until(lambda: "full member" in str(guest.ephemerals(BRAND)), seconds=5)
    assert ratings(bot) == {}


# Silence


def test_what_is_not_said_to_the_bot_is_not_answered(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia = workspace.person(MIA)
    asked = mia.mention_bot(BRAND, "we close at noon")
    wait_for_end(bot)
    mia.post(BRAND, "thanks, that is good", thread_ts=asked["ts"])
    mia.post(BRAND, "who is in today?")
    assert workspace.deliveries("message") == []  # Slack does not even tell us
    said = {"type": "message", "channel_type": "channel", "user": MIA, "channel": BRAND, "text": "psst"}
    overheard = workspace.deliver(workspace.event_payload(said | {"ts": "1700000000.000001", "event_ts": "1.1"}))
    assert overheard.settled.wait(5)
    mia.mention_bot(BRAND, "shorter, please", thread_ts=asked["ts"])
    wait_for_end(bot, count=2)
    assert len(drafts_of(bot)) == 2
    assert len(answers_in(workspace, BRAND, asked["ts"])) == 2


def test_a_follow_up_builds_on_the_persons_own_version(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia = workspace.person(MIA)
    model.enqueue("We close at noon.")
    asked = mia.mention_bot(BRAND, "we close at noon")
    draft = wait_for_end(bot)[0]
    mia.click(BRAND, draft.message_ts or "", "edit_draft")
    mia.submit(mia.wait_for_modal(), {"text": "We close at noon, and wish you well."})
    wait_for_end(bot, DraftStatus.EDITED)
    mia.mention_bot(BRAND, "now for Friday", thread_ts=asked["ts"])
    wait_for_end(bot)
    assert [turn["content"] for turn in model.prompts[-1][-3:]] == [
        "we close at noon", "We close at noon, and wish you well.", "now for Friday",
    ]  # fmt: skip


def test_a_follow_up_carries_no_more_of_its_thread_than_its_budget(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia = workspace.person(MIA)
    budget = bot.services.settings.history_max_tokens
    words = "word " * (budget * 2 // 5)  # two drafts of this length fit, three do not
    for number in range(4):
        model.enqueue(f"{number} {words}")  # the server counts a token a word
    asked = mia.mention_bot(BRAND, "request 0")
    for number in range(1, 4):
        wait_for_end(bot, count=number)
        mia.mention_bot(BRAND, f"request {number}", thread_ts=asked["ts"])
    wait_for_end(bot, count=4)
    requests = [turn["content"] for turn in model.prompts[-1] if turn["role"] == "user"]
    assert requests == ["request 1", "request 2", "request 3"]
