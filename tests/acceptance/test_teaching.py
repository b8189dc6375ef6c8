"""Teach house style: a shortcut on a message proposes it, exactly as it was typed, where that is allowed."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bot.app import Bot
from bot.rehearsal.errors import PersonError
from bot.rehearsal.seed import ANA, BRAND, GENERAL, GUEST, LEADS, MIA, NOOR, PARTNERS, RAVI
from bot.rehearsal.workspace import Workspace
from db.examples import Example, ExampleSource, ExampleStatus
from tests.support.steps import cards, create_style, open_teach, teach, wait_for_card, wait_for_direct
from tests.support.steps import wait_for_ephemeral as wait_for_ephemeral
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(60)

GOOD = "Heads up: we close at noon this Friday. See you on Monday!"


def examples(bot: Bot) -> list[Example]:
    with bot.services.database.read() as session:
        return list(session.scalars(select(Example).order_by(Example.example_id)))


def test_a_taught_message_becomes_an_example_with_its_provenance(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia, noor = workspace.person(MIA), workspace.person(NOOR)
    root = noor.post(GENERAL, "How shall we say it?")
    message = noor.post(GENERAL, GOOD, root["ts"])
    done = mia.submit(open_teach(mia, GENERAL, message["ts"]), {"prompt": "Say that we close early"})
    assert done.errors is None
    [example] = examples(bot)
    assert (example.prompt, example.completion) == ("Say that we close early", GOOD)
    assert (example.author_id, example.proposed_by) == (NOOR, MIA)
    assert (example.channel_id, example.message_ts, example.thread_ts) == (GENERAL, message["ts"], root["ts"])
    assert example.permalink and example.source is ExampleSource.SHORTCUT
    said = str(wait_for_direct(mia, example.example_id))
    assert f"<@{RAVI}>" in said
    card = wait_for_card(mia)
    assert GOOD in str(card) and "0 of 1 approval" in str(card)


@pytest.mark.parametrize(
    "text",
    [
        "👩‍👩‍👧 Fijn dat jullie er zijn! 👋🏽",
        "\u202bשלום עולם\u202c — مرحبا بالعالم, together",
        "Zero\u200bwidth\u2060 text \ufeffstays",
        "Write <b>bold</b> & 1 < 2, see https://example.com/a?b=1&c=2 :tada:",
        "two\n\n  lines\tand tabs",
    ],
)
def test_texts_round_trip_exactly_as_typed(bot: Bot, workspace: Workspace, text: str) -> None:
    create_style(workspace.person(ANA))
    _, done = teach(workspace.person(MIA), GENERAL, text, prompt=f"Ask: {text}")
    assert done.errors is None
    [example] = examples(bot)
    assert example.completion == text
    assert example.prompt == f"Ask: {text}"
    wait_for_card(workspace.person(RAVI))


def test_a_long_message_is_spread_over_inputs_and_nothing_is_lost(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    text = " ".join(f"Sentence number {i} of a long text." for i in range(240))
    assert len(text) > 8_000
    _, done = teach(mia, GENERAL, text)
    assert done.errors is None
    assert examples(bot)[0].completion == text
    assert "Showing the first" in str(wait_for_card(mia))


def test_a_message_that_is_too_long_is_refused_with_a_sentence(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    message = mia.post(GENERAL, "word " * 3_000)
    assert "an example may have 12,000" in str(open_teach(mia, GENERAL, message["ts"]))


def test_invisible_and_short_texts_are_refused_beside_their_inputs(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    _, done = teach(mia, GENERAL, GOOD, prompt="\u200b\u200d", completion="ok")
    assert done.errors is not None and set(done.errors) == {"prompt", "completion"}
    assert examples(bot) == []


def test_the_same_pair_twice_names_the_example_there_is(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia, noor = workspace.person(MIA), workspace.person(NOOR)
    teach(mia, GENERAL, GOOD)
    teach(noor, GENERAL, f"{GOOD.upper()}\u200b")
    [example] = examples(bot)
    said = wait_for_direct(noor, example.example_id)
    assert "waits for its review" in str(said)


def test_nothing_is_learnt_from_private_or_shared_places(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    ravi = workspace.person(RAVI)
    for channel in (LEADS, PARTNERS):
        message = ravi.post(channel, GOOD)
        view = open_teach(ravi, channel, message["ts"])
        assert "No style may learn from this conversation" in str(view)
        ravi.close_view(view)
    direct = ravi.dm_bot(GOOD)
    view = open_teach(ravi, direct["channel"], direct["ts"])
    assert "No style may learn from this conversation" in str(view)


def test_a_style_of_a_private_channel_learns_there(bot: Bot, workspace: Workspace) -> None:
    ana = workspace.person(ANA)
    ana.invite_bot(LEADS)
    create_style(ana, LEADS, name="board-notes", scope="channel", channel=LEADS)
    _, done = teach(workspace.person(RAVI), LEADS, GOOD)
    assert done.errors is None
    wait_for_card(ana, LEADS)
    assert cards(ana) == []


def test_a_channel_that_became_private_meanwhile_is_not_learnt_from(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    message = mia.post(GENERAL, GOOD)
    view = open_teach(mia, GENERAL, message["ts"])
    workspace.change_channel(GENERAL, is_private=True)
    done = mia.submit(view, {"prompt": "Say that we close early"})
    assert "What is said in a private place stays there" in str(done.view)
    assert examples(bot) == []


def test_guests_cannot_teach(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    guest = workspace.person(GUEST)
    message = guest.post(BRAND, GOOD)
    guest.shortcut("teach_style", BRAND, message["ts"])
    wait_for_ephemeral(guest, BRAND, "Guests")
    with pytest.raises(PersonError):
        guest.wait_for_modal(seconds=0.2)


def test_a_message_deleted_before_it_was_submitted_is_not_proposed(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    message = mia.post(GENERAL, GOOD)
    view = open_teach(mia, GENERAL, message["ts"])
    mia.delete(GENERAL, message["ts"])
    done = mia.submit(view, {"prompt": "Say that we close early"})
    assert "was deleted" in str(done.view)
    assert examples(bot) == []


def test_a_deleted_message_takes_its_example_with_it(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia = workspace.person(MIA)
    message, _ = teach(mia, GENERAL, GOOD)
    wait_for_card(mia)
    event = {
        "type": "message", "subtype": "message_deleted", "hidden": True, "channel": GENERAL,
        "deleted_ts": message["ts"], "previous_message": message, "event_ts": message["ts"],
    }  # fmt: skip
    workspace.deliver(workspace.event_payload(event))
    wait_until(lambda: examples(bot)[0].status is ExampleStatus.WITHDRAWN)
    card = wait_for_card(mia, containing="withdrawn")
    assert GOOD not in str(card)
