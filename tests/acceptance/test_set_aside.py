"""Several pairs of one thread, taught at once: set aside message by message, proposed together, each for itself."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from bot.app import Bot
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, GENERAL, MIA, NOOR
from bot.rehearsal.workspace import Workspace
from config.prompt_sources import PromptSource
from db.examples import Example
from db.set_aside_pairs import SetAsidePair
from tests.support.steps import cards, create_style, open_teach, teach, wait_for_card, wait_for_direct
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(60)

ANSWERS = (
    "Heads up: we close at noon this Friday. See you on Monday!",
    "The parking garage is shut for repairs until the tenth.",
    "Lunch is on us today, because the new site is live.",
)


def examples(bot: Bot) -> list[Example]:
    with bot.services.database.read() as session:
        return list(session.scalars(select(Example).order_by(Example.example_id)))


def waiting(bot: Bot) -> list[SetAsidePair]:
    with bot.services.database.read() as session:
        return list(session.scalars(select(SetAsidePair).order_by(SetAsidePair.pair_id)))


def start_thread(workspace: Workspace) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """A thread of questions and answers, in a channel that any style of the workspace may learn from."""
    noor = workspace.person(NOOR)
    root = noor.post(GENERAL, "Questions about announcements, please.")
    return root, [noor.post(GENERAL, text, thread_ts=root["ts"]) for text in ANSWERS]


def set_aside(person: Person, ts: str, prompt: str, channel: str = GENERAL) -> None:
    done = person.submit(open_teach(person, channel, ts), {"prompt": prompt, "later": ["later"]})
    assert done.errors is None, done.errors


def block(view: dict[str, Any], block_id: str) -> dict[str, Any]:
    return next((one for one in view["blocks"] if one["block_id"] == block_id), {})


def test_pairs_set_aside_in_a_thread_are_proposed_together_each_with_its_own_card(
    bot: Bot, workspace: Workspace
) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    teach(workspace.person(NOOR), GENERAL, ANSWERS[1], prompt="Say where not to park")
    root, messages = start_thread(workspace)
    set_aside(mia, messages[0]["ts"], "Say that we close early")
    wait_for_direct(mia, "Set aside: 1 pair")
    set_aside(mia, messages[1]["ts"], "Say where not to park")
    wait_for_direct(mia, "Set aside: 2 pairs")
    assert len(examples(bot)) == 1  # nothing of the thread is proposed yet
    view = open_teach(mia, GENERAL, messages[2]["ts"])
    options = block(view, "pairs")["element"]["options"]
    assert [one["text"]["text"] for one in options] == ["Say that we close early", "Say where not to park"]
    assert ANSWERS[0].startswith(options[0]["description"]["text"][:40])
    assert mia.submit(view, {"prompt": "Say that lunch is free"}).errors is None
    said = str(wait_for_direct(mia, "Pairs of this thread"))
    assert "2 proposed, 1 was there already" in said and "Say where not to park" in said
    made = examples(bot)[1:]
    assert {(one.prompt, one.completion) for one in made} == {
        ("Say that we close early", ANSWERS[0]), ("Say that lunch is free", ANSWERS[2]),
    }  # fmt: skip
    by_text = {message["text"]: message["ts"] for message in messages}
    for one in made:
        assert (one.author_id, one.proposed_by, one.thread_ts) == (NOOR, MIA, root["ts"])
        assert one.message_ts == by_text[one.completion] and one.permalink
        assert one.prompt_source is PromptSource.TYPED
        wait_for_card(mia, containing=one.example_id)
    assert len(cards(mia)) == 3 and waiting(bot) == []
    assert not {call.method for call in workspace.calls()} & {"conversations.history", "conversations.replies"}


def test_what_is_not_ticked_stays_and_a_pair_that_cannot_be_used_stops_no_other(bot: Bot, workspace: Workspace) -> None:
    ana = workspace.person(ANA)
    create_style(ana, name="labels", kind="classify")
    create_style(ana)
    mia = workspace.person(MIA)
    _, messages = start_thread(workspace)
    view = open_teach(mia, GENERAL, messages[0]["ts"])
    mia.submit(view, {"style": "labels", "prompt": "Which kind?", "completion": "no", "later": ["later"]})
    set_aside_view = open_teach(mia, GENERAL, messages[1]["ts"])
    mia.submit(set_aside_view, {"style": "labels", "prompt": "Say where not to park", "later": ["later"]})
    view = open_teach(mia, GENERAL, messages[2]["ts"])
    too_short = block(view, "pairs")["element"]["options"][0]["value"]
    mia.submit(view, {"style": "brand-voice", "prompt": "Say that lunch is free", "pairs": [too_short]})
    said = str(wait_for_direct(mia, "Pairs of this thread"))
    assert "1 proposed, 1 could not be proposed and stays set aside" in said and "at least 4 are needed" in said
    assert [one.prompt for one in examples(bot)] == ["Say that lunch is free"]
    assert [one.prompt for one in waiting(bot)] == ["Which kind?", "Say where not to park"]


def test_what_is_not_ticked_can_be_thrown_away_in_the_same_step(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    _, messages = start_thread(workspace)
    set_aside(mia, messages[0]["ts"], "Say that we close early")
    set_aside(mia, messages[1]["ts"], "Say where not to park")
    wait_for_direct(mia, "Set aside: 2 pairs")
    view = open_teach(mia, GENERAL, messages[2]["ts"])
    kept = block(view, "pairs")["element"]["options"][0]["value"]
    mia.submit(view, {"prompt": "Say that lunch is free", "pairs": [kept], "later": ["later"], "discard": ["discard"]})
    said = str(wait_for_direct(mia, "thrown away"))
    assert "Set aside: 2 pairs" in said and "1 set-aside pair is thrown away." in said
    assert [one.prompt for one in waiting(bot)] == ["Say that we close early", "Say that lunch is free"]
    view = open_teach(mia, GENERAL, messages[2]["ts"])
    mia.submit(view, {"prompt": "Say that lunch is free", "pairs": [], "discard": ["discard"]})
    wait_for_direct(mia, "proposed")
    assert waiting(bot) == [] and [one.prompt for one in examples(bot)] == ["Say that lunch is free"]


def test_a_pair_set_aside_again_is_shown_as_it_was_left_and_replaces_itself(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    _, messages = start_thread(workspace)
    set_aside(mia, messages[0]["ts"], "Say that we close early")
    view = open_teach(mia, GENERAL, messages[0]["ts"])
    assert "this is how you left it" in str(view) and block(view, "pairs") == {}
    assert mia.submit(view, {"prompt": "Say that we close early on Friday", "later": ["later"]}).errors is None
    assert [one.prompt for one in waiting(bot)] == ["Say that we close early on Friday"]
    assert mia.submit(open_teach(mia, GENERAL, messages[0]["ts"]), {}).errors is None
    assert [one.prompt for one in examples(bot)] == ["Say that we close early on Friday"]
    assert waiting(bot) == []


def test_unusable_texts_are_refused_beside_their_inputs_before_they_are_set_aside(
    bot: Bot, workspace: Workspace
) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    _, messages = start_thread(workspace)
    view = open_teach(mia, GENERAL, messages[0]["ts"])
    done = mia.submit(view, {"prompt": "\u200b.", "completion": "ok", "later": ["later"]})
    assert done.errors is not None and set(done.errors) == {"prompt", "completion"}
    assert waiting(bot) == []


def test_nobody_else_and_no_other_thread_is_offered_the_pair(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia, noor = workspace.person(MIA), workspace.person(NOOR)
    _, messages = start_thread(workspace)
    set_aside(mia, messages[0]["ts"], "Say that we close early")
    assert block(open_teach(noor, GENERAL, messages[1]["ts"]), "pairs") == {}
    _, elsewhere = start_thread(workspace)
    assert block(open_teach(mia, GENERAL, elsewhere[1]["ts"]), "pairs") == {}
    alone = noor.post(GENERAL, ANSWERS[0])  # a message without a thread has nothing to be gathered with
    noor.close_view(noor.wait_for_modal())
    assert block(open_teach(noor, GENERAL, alone["ts"]), "later") == {}


def test_a_deleted_message_takes_the_pair_that_was_set_aside_with_it(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    root, messages = start_thread(workspace)
    set_aside(mia, messages[0]["ts"], "Say that we close early")
    event = {
        "type": "message", "subtype": "message_deleted", "hidden": True, "channel": GENERAL,
        "deleted_ts": messages[0]["ts"], "previous_message": messages[0], "event_ts": root["ts"],
    }  # fmt: skip
    workspace.deliver(workspace.event_payload(event))
    wait_until(lambda: waiting(bot) == [])


def test_a_channel_that_became_private_meanwhile_gives_nothing_away(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    _, messages = start_thread(workspace)
    set_aside(mia, messages[0]["ts"], "Say that we close early")
    view = open_teach(mia, GENERAL, messages[1]["ts"])
    workspace.change_channel(GENERAL, is_private=True)
    done = mia.submit(view, {"prompt": "Say where not to park"})
    assert "What is said in a private place stays there" in str(done.view)
    assert examples(bot) == []
