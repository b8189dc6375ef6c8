"""Asking for a draft, from the person's side: commands, mentions and direct messages in, one streamed answer out."""

from __future__ import annotations

import re
from typing import Any

import pytest

from bot.app import Bot
from bot.domain import throttle
from bot.rehearsal.seed import BRAND, GENERAL, GUEST, LEADS, MIA, NOOR, PARTNERS, RANDOM, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from db.adapters import Adapter
from db.base import new_id, now_in_database
from db.drafts import Draft, DraftStatus
from db.examples import ExampleStatus
from db.styles import Style
from tests.support.clock import lapse_leases
from tests.support.factories import make_example, make_promotion, make_run, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

Json = dict[str, Any]
BUTTONS = ["use_draft", "keep_draft", "edit_draft", "discard_draft", "more_draft"]


@pytest.fixture
def style(bot: Bot) -> Style:
    """A workspace-wide style with its first champion: retrieved."""
    with bot.services.database.write() as session:
        found = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, found, rung=Rung.RETRIEVED)
    return found


def approve(bot: Bot, style: Style, prompt: str, completion: str, **different: Any) -> str:
    with bot.services.database.write() as session:
        return make_example(
            session, style, prompt=prompt, completion=completion, status=ExampleStatus.APPROVED, **different
        ).example_id


def drafts_of(bot: Bot) -> list[Draft]:
    with bot.services.database.read() as session:
        return list(session.query(Draft).order_by(Draft.draft_id))


def answers_in(workspace: Workspace, channel: str, thread_ts: str) -> list[Json]:
    """The bot's messages in a thread, without the thread's root."""
    thread = workspace.person(MIA).messages(channel, thread_ts)
    return [message for message in thread if message.get("bot_id") and message["ts"] != thread_ts]


def wait_for_end(bot: Bot, *statuses: DraftStatus, count: int = 1, seconds: float = 10) -> list[Draft]:
    wanted = statuses or (DraftStatus.SHOWN,)
    return wait_until(
        lambda: found if len(found := [d for d in drafts_of(bot) if d.status in wanted]) >= count else [],
        seconds=seconds,
        what=f"{count} drafts {wanted}",
    )


def answer_of(workspace: Workspace, channel: str, thread_ts: str, seconds: float = 5) -> Json:
    """The one answer in a thread, once it is not being streamed any more."""
    found = wait_until(
        lambda: [m for m in answers_in(workspace, channel, thread_ts) if m.get("streaming_state") != "in_progress"],
        seconds=seconds,
        what="an answer",
    )
    assert len(found) == 1
    return found[0]


def test_a_mention_is_answered_in_its_thread_and_says_what_shaped_it(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    near = approve(bot, style, "announce the summer party", "Come and dance! Team Office")
    approve(bot, style, "invoice reminder for a late customer", "Please pay. Team Finance")
    model.enqueue("Come to the winter party! Team Office", delay=0.02)
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    draft = wait_for_end(bot)[0]
    answer = answer_of(workspace, BRAND, asked["ts"])
    assert answer["blocks"][0]["text"] == "Come to the winter party! Team Office"
    shape = str(answer["blocks"][-2])
    assert "brand-voice" in shape
    assert "retrieved" in shape
    assert near in shape
    assert [e["action_id"] for e in answer["blocks"][-1]["elements"]] == BUTTONS
    assert near in draft.example_ids
    assert draft.rung is Rung.RETRIEVED
    assert draft.completion == "Come to the winter party! Team Office"
    assert draft.prompt_tokens and draft.completion_tokens and draft.first_token_seconds and draft.total_seconds
    assert draft.model_fingerprint == "sha256:scripted"
    prompt = model.prompts[-1]
    assert prompt[-1] == {"role": "user", "content": "announce the winter party"}
    assert prompt[-2]["content"] == "Come and dance! Team Office"  # the nearest stands next to the request


def test_a_command_opens_a_thread_in_the_channel_and_drafts_in_it(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia = workspace.person(MIA)
    mia.slash("/draft", "brand-voice: tell <!channel> and <@U0NOOR> that we close at noon", GENERAL)
    wait_for_end(bot)
    root = mia.messages(GENERAL)[-1]
    assert "mia" in root["text"].lower()
    assert "we close at noon" in root["text"]
    assert "<!" not in root["text"] and "<@" not in root["text"]
    answer = answer_of(workspace, GENERAL, root["ts"])
    assert "we close at noon" in answer["blocks"][0]["text"]
    assert "zero_shot" in str(answer["blocks"][-2])
    assert "no approved examples yet" in str(answer["blocks"][-2])


def test_a_draft_without_examples_says_that_none_is_like_the_request_or_fits(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia = workspace.person(MIA)

    def shape_of(text: str, count: int) -> str:
        asked = mia.mention_bot(BRAND, text)
        assert wait_for_end(bot, count=count)[-1].rung is Rung.ZERO_SHOT
        return str(answer_of(workspace, BRAND, asked["ts"])["blocks"][-2])

    approve(bot, style, "announce the summer party", "Come and dance! Team Office")
    assert "no examples, because no approved one is like this request" in shape_of("remind them of invoice 12", 1)
    with bot.services.database.write() as session:
        session.get_one(Style, style.style_id).recipe = "tiny-test"
    approve(bot, style, "remind them of invoice 11", "Please pay. " * 400)
    told = shape_of("remind them of invoice 12", 2)
    assert "no examples, because those that could be shown are too long for the prompt" in told
    assert "no approved examples yet" not in told


def test_a_draft_says_that_what_is_like_the_request_holds_a_forbidden_term(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    approve(bot, style, "remind them of invoice 11", "Kindly pay invoice 11.")
    approve(bot, style, "announce the summer party", "Come and dance! Team Office")
    with bot.services.database.write() as session:
        session.get_one(Style, style.style_id).forbidden_terms = ["kindly"]
    workspace.state.users[NOOR]["locale"] = "nl-NL"
    for person, said in (
        (MIA, "every approved one that is like this request holds a term that the style never uses"),
        (NOOR, "in elk goedgekeurd voorbeeld dat op dit verzoek lijkt staat een term die de stijl nooit gebruikt"),
    ):
        asked = workspace.person(person).mention_bot(BRAND, "remind them of invoice 12")
        told = str(answer_of(workspace, BRAND, asked["ts"])["blocks"][-2])
        assert said in told and "zero_shot" in told


@pytest.mark.parametrize("has_any", [True, False])
def test_where_none_is_like_the_request_it_is_said_that_only_words_were_compared(
    has_any: bool, bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.embedding_status = 500
    if has_any:
        approve(bot, style, "announce the summer party", "Come and dance!")
    asked = workspace.person(MIA).mention_bot(BRAND, "remind them of invoice 12")
    told = str(answer_of(workspace, BRAND, asked["ts"])["blocks"][-2])
    assert ("no approved one is like this request" if has_any else "no approved examples yet") in told
    assert ("compared by words" in told) is has_any, "without examples nothing was compared"


def test_a_direct_message_is_a_request(bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style) -> None:
    asked = workspace.person(NOOR).dm_bot("thank a customer for their patience")
    wait_for_end(bot)
    thread = workspace.person(NOOR).messages(asked["channel"], asked["ts"])
    assert "thank a customer" in thread[-1]["blocks"][0]["text"]


def test_a_follow_up_in_the_thread_carries_what_was_said_before(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia = workspace.person(MIA)
    model.enqueue("A long text about noon.")
    asked = mia.mention_bot(BRAND, "we close at noon")
    wait_for_end(bot)
    mia.mention_bot(BRAND, "shorter, please", thread_ts=asked["ts"])
    wait_for_end(bot, count=2)
    assert [turn["content"] for turn in model.prompts[-1][-3:]] == [
        "we close at noon", "A long text about noon.", "shorter, please",
    ]  # fmt: skip


def test_the_first_text_is_visible_while_the_model_still_writes(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.enqueue("one two three four five", delay=0.5, first_delay=0.0)
    asked = workspace.person(MIA).mention_bot(BRAND, "count")
    first = wait_until(lambda: answers_in(workspace, BRAND, asked["ts"]), seconds=2)[0]
    assert first["text"].strip() == "one"
    wait_for_end(bot)
    assert answer_of(workspace, BRAND, asked["ts"])["blocks"][0]["text"] == "one two three four five"


def test_nothing_a_model_writes_calls_anybody_or_unfurls(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    nasty = (
        "Dear <!channel> and <@U0NOOR>, see <http://evil.example|bank> or [bank](http://evil.example) @everyone\u202e"
    )
    model.enqueue(nasty, chunks=list(nasty))
    asked = workspace.person(MIA).mention_bot(BRAND, "greet")
    wait_for_end(bot)
    answer = answer_of(workspace, BRAND, asked["ts"])
    for text in (answer["text"], answer["blocks"][0]["text"]):
        assert not re.search(r"<[!@]|@everyone|<http[^>]*\||\]\(http|\u202e", text), text
    for call in workspace.calls("chat.postMessage"):
        assert str(call.args["unfurl_links"]).lower() in ("false", "0")


def test_a_huge_answer_ends_within_one_message(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.enqueue("word " * 12_000, chunks=30)
    asked = workspace.person(MIA).mention_bot(BRAND, "write a book")
    wait_for_end(bot)
    answer = answer_of(workspace, BRAND, asked["ts"])
    assert len(answer["blocks"][0]["text"]) <= 12_000
    assert "cut off" in str(answer["blocks"])


@pytest.mark.parametrize(
    ("channel", "text", "expected"),
    [
        (BRAND, "", "Tell me what to write"),
        (BRAND, "\u200b \u200b", "Tell me what to write"),
        (BRAND, "brand-voice:", "Tell me what to write"),
        (BRAND, "x" * 6_001, "6,001 characters"),
        (RANDOM, "hello there", "I am not in that channel"),
        (LEADS, "hello there", "I am not in that channel"),
        (PARTNERS, "hello there", "another company"),
    ],
)
def test_a_request_that_cannot_be_is_refused_in_a_sentence(
    bot: Bot, workspace: Workspace, style: Style, channel: str, text: str, expected: str
) -> None:
    person = workspace.person("U0RAVI" if channel == LEADS else MIA)
    person.slash("/draft", text, channel)
    found = wait_until(lambda: person.ephemerals(channel), seconds=5)
    assert len(found) == 1
    assert expected in found[0]["text"]
    assert drafts_of(bot) == []


def test_without_a_style_the_person_hears_how_to_get_one(bot: Bot, workspace: Workspace) -> None:
    asked = workspace.person(MIA).mention_bot(BRAND, "hello")
    assert "no style here yet" in answer_of(workspace, BRAND, asked["ts"])["text"]


def test_a_guest_gets_no_draft(bot: Bot, workspace: Workspace, style: Style) -> None:
    workspace.person(GUEST).slash("/draft", "hello", BRAND)
    found = wait_until(lambda: workspace.person(GUEST).ephemerals(BRAND), seconds=5)
    assert "full members" in found[0]["text"]


def test_a_private_channels_style_is_used_there_and_nowhere_else(
    bot: Bot, workspace: Workspace, model: ScriptedModel
) -> None:
    with bot.services.database.write() as session:
        style = make_style(
            session, team_id=TEAM_ID, scope_key=f"{TEAM_ID}/{LEADS}", channel_id=LEADS, name="leads-only"
        )  # fmt: skip
        make_promotion(session, style, rung=Rung.RETRIEVED)
    workspace.person("U0RAVI").invite_bot(LEADS)
    workspace.person(MIA).slash("/draft", "leads-only: hello", BRAND)
    wait_until(lambda: "no style here yet" in str(workspace.person(MIA).ephemerals(BRAND)), seconds=5)
    workspace.person("U0RAVI").mention_bot(LEADS, "leads-only: hello")
    assert wait_for_end(bot)[0].channel_id == LEADS


def test_an_event_delivered_twice_is_one_draft(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    asked = workspace.person(MIA).mention_bot(BRAND, "hello once")
    wait_for_end(bot)
    again = {
        "type": "app_mention", "user": MIA, "text": f"<@{workspace.seed.bot_user_id}> hello once", "ts": asked["ts"],
        "channel": BRAND, "event_ts": asked["ts"],
    }  # fmt: skip
    workspace.deliver(workspace.event_payload(again))
    workspace.person(MIA).mention_bot(BRAND, "and twice")
    wait_for_end(bot, count=2)
    assert len(answers_in(workspace, BRAND, asked["ts"])) == 1
    assert len(drafts_of(bot)) == 2


def test_who_asks_too_much_at_once_is_told_so_once(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    mia = workspace.person(MIA)
    for number in range(throttle.PER_PERSON + 3):
        mia.mention_bot(BRAND, f"hello {number}")
    wait_for_end(bot, count=throttle.PER_PERSON)
    notices = wait_until(lambda: mia.ephemerals(BRAND), seconds=5)
    assert "10 drafts within a minute" in notices[0]["text"]
    assert len(notices) <= 2  # at most one a minute, and a minute may end meanwhile
    assert len(drafts_of(bot)) == throttle.PER_PERSON


def test_while_embeddings_fail_examples_are_found_by_their_words(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.embedding_status = 500
    example_id = approve(bot, style, "announce the summer party", "Come and dance!")
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    assert wait_for_end(bot)[0].example_ids == [example_id]
    assert "compared by words" in str(answer_of(workspace, BRAND, asked["ts"])["blocks"])


def make_adapter_champion(bot: Bot, style: Style, rung: Rung = Rung.LORA, name: str = "brand-voice-v1") -> None:
    with bot.services.database.write() as session:
        run = make_run(session, style)
        adapter = Adapter(
            adapter_id=new_id("ada"), name=name, version=1, team_id=TEAM_ID, style_id=style.style_id,
            scope_key=style.scope_key, run_id=run.run_id, rung=rung, base_model="embedded:smollm2-135m-instruct",
            manifest_digest="sha256:x", published_at=now_in_database(session),
        )  # fmt: skip
        session.add(adapter)
        session.flush()
        make_promotion(session, session.get_one(Style, style.style_id), rung=rung, adapter_id=adapter.adapter_id)


def test_an_adapter_is_asked_for_by_its_name_and_gets_no_examples(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    approve(bot, style, "announce the summer party", "Come and dance!")
    make_adapter_champion(bot, style)
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    draft = wait_for_end(bot)[0]
    assert model.history[-1]["model"] == "brand-voice-v1"
    assert len(model.prompts[-1]) == 2
    assert (draft.rung, draft.adapter_name) == (Rung.LORA, "brand-voice-v1")
    assert "`brand-voice-v1`" in str(answer_of(workspace, BRAND, asked["ts"])["blocks"])


def test_lora_retrieved_gets_as_many_examples_as_its_recipe_trained_with(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    for number in range(5):
        approve(bot, style, f"announce the party number {number}", f"Come and dance {number}!")
    make_adapter_champion(bot, style, Rung.LORA_RETRIEVED)
    workspace.person(MIA).mention_bot(BRAND, "announce the party")
    assert len(wait_for_end(bot)[0].example_ids) == 2


def test_a_refused_adapter_is_replaced_by_retrieved_and_the_draft_says_so(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    approve(bot, style, "announce the summer party", "Come and dance!")
    make_adapter_champion(bot, style)
    model.adapters = set()
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    draft = wait_for_end(bot)[0]
    assert (draft.rung, draft.adapter_name) == (Rung.RETRIEVED, None)
    assert "was not available" in str(answer_of(workspace, BRAND, asked["ts"])["blocks"])


def test_a_whole_model_is_asked_for_by_its_name_with_the_prompt_of_an_adapter(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    approve(bot, style, "announce the summer party", "Come and dance!")
    make_adapter_champion(bot, style, Rung.FULL, name="brand-voice-v2-full")
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    draft = wait_for_end(bot)[0]
    assert model.history[-1]["model"] == "brand-voice-v2-full"
    assert len(model.prompts[-1]) == 2  # instructions and request, no examples
    assert (draft.rung, draft.adapter_name) == (Rung.FULL, "brand-voice-v2-full")
    assert "model `brand-voice-v2-full`" in str(answer_of(workspace, BRAND, asked["ts"])["blocks"])


def test_a_whole_model_that_the_server_has_no_room_for_leaves_the_former_champion_serving(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    approve(bot, style, "announce the summer party", "Come and dance!")
    make_adapter_champion(bot, style)
    make_adapter_champion(bot, style, Rung.FULL, name="brand-voice-v2-full")
    make_adapter_champion(bot, style, Rung.FULL, name="brand-voice-v3-full")
    model.fail(424, code="model_too_large")
    asked = workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    draft = wait_for_end(bot)[0]
    assert [body["model"] for body in model.history] == ["brand-voice-v3-full", "brand-voice-v1"]
    assert (draft.rung, draft.adapter_name) == (Rung.LORA, "brand-voice-v1")
    said = str(answer_of(workspace, BRAND, asked["ts"])["blocks"])
    assert "the model `brand-voice-v3-full` was not available, so the champion before it made this" in said


def test_where_the_former_champion_is_refused_too_retrieved_drafts(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    approve(bot, style, "announce the summer party", "Come and dance!")
    make_adapter_champion(bot, style)
    make_adapter_champion(bot, style, Rung.FULL, name="brand-voice-v2-full")
    model.adapters = set()
    workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    draft = wait_for_end(bot)[0]
    assert (draft.rung, draft.adapter_name) == (Rung.RETRIEVED, None)


def test_a_draft_that_another_worker_took_over_leaves_no_half_answer_behind(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    """As when the machine stands still for longer than a lease while Slack opens the stream."""
    workspace.fail("chat.startStream", status=200, hang_seconds=1.5)
    for text in ("What the first worker wrote.", "What the second worker wrote."):
        model.enqueue(text)
    asked = workspace.person(MIA).mention_bot(BRAND, "announce that we close at noon")
    wait_until(lambda: model.prompts, what="the first worker has an answer")
    with bot.services.database.write() as session:
        lapse_leases(session, Draft)
    bot.services.wakeups.drafts.ring()
    wait_for_end(bot)
    wait_until(lambda: workspace.calls("chat.delete"), what="the first worker's message is taken away")
    assert len(workspace.calls("chat.startStream")) == 2
    assert "second worker" in answer_of(workspace, BRAND, asked["ts"])["blocks"][0]["text"]
    assert [draft.completion for draft in drafts_of(bot)] == ["What the second worker wrote."]


def test_stop_ends_the_draft_and_keeps_what_was_shown(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    model.drip(seconds=0.1)
    asked = workspace.person(MIA).mention_bot(BRAND, "write on and on")
    streaming = wait_until(lambda: answers_in(workspace, BRAND, asked["ts"]), seconds=5)[0]
    workspace.person(MIA).stop_stream(BRAND, streaming["ts"])
    wait_for_end(bot, DraftStatus.STOPPED)
    answer = answer_of(workspace, BRAND, asked["ts"])
    assert "drop" in answer["blocks"][0]["text"]
    assert "Stopped" in str(answer["blocks"][-1])


def test_an_approved_example_is_embedded_and_found_within_two_seconds(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: Style
) -> None:
    example_id = approve(bot, style, "announce the summer party", "Come and dance!")
    bot.services.wakeups.embeddings.ring()
    wait_until(lambda: ["announce the summer party"] in model.embedded, seconds=2)
    workspace.person(MIA).mention_bot(BRAND, "announce the winter party")
    assert wait_for_end(bot)[0].example_ids == [example_id]
