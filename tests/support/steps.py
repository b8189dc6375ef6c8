"""What people do in the workspace, as steps of acceptance tests: make a style, teach a message, find a card."""

from __future__ import annotations

from typing import Any

from bot.rehearsal.people import Person, Submitted
from bot.rehearsal.seed import BRAND, GENERAL, RAVI
from bot.rehearsal.workspace import Workspace
from tests.support.wait import wait_until

Json = dict[str, Any]

STYLE: Json = {
    "name": "brand-voice",
    "instructions": "Write like we do: short, warm, concrete.",
    "channel": BRAND,
    "reviewers": [RAVI],
}


def open_style_form(admin: Person, channel: str = GENERAL) -> Json:
    admin.slash("/huisstijl", "style new", channel)
    return admin.wait_for_modal()


def create_style(admin: Person, typed_in: str = GENERAL, **different: Any) -> None:
    done = admin.submit(open_style_form(admin, typed_in), STYLE | different)
    assert done.errors is None, done.errors


def open_teach(person: Person, channel: str, ts: str) -> Json:
    person.shortcut("teach_style", channel, ts)
    return person.wait_for_modal()


def teach(
    person: Person, channel: str, text: str, prompt: str = "Say that we close early", **values: Any
) -> tuple[Json, Submitted]:
    """Post a message, use the shortcut on it, submit. Returns the message and what became of the modal."""
    message = person.post(channel, text)
    return message, person.submit(open_teach(person, channel, message["ts"]), {"prompt": prompt} | values)


def cards(person: Person, channel: str = BRAND) -> list[Json]:
    return [message for message in person.messages(channel) if "xample for " in message["text"]]


def wait_for_card(person: Person, channel: str = BRAND, *, containing: str = "", seconds: float = 20.0) -> Json:
    """The newest review card in the channel whose blocks contain this text."""

    def newest() -> Json | None:
        found = [card for card in cards(person, channel) if containing in str(card)]
        return found[-1] if found else None

    return wait_until(newest, seconds=seconds, what=f"a card with {containing!r}")


def value_of(card: Json, action_id: str) -> str:
    for block in card["blocks"]:
        for element in block.get("elements", ()):
            if element.get("action_id") == action_id:
                return str(element["value"])
    raise AssertionError(f"the card has no button {action_id}")


def example_id_of(card: Json) -> str:
    return value_of(card, "approve_example").partition("/")[0]


def wait_for_ephemeral(person: Person, channel: str, containing: str) -> Json:
    def found() -> Json | None:
        return next((m for m in person.ephemerals(channel) if containing in str(m)), None)

    return wait_until(found, what=f"{person.id} is told {containing!r}; was told {person.ephemerals(channel)}")


def wait_for_direct(person: Person, containing: str) -> Json:
    """What the bot said to this person alone."""
    channel = person.open_messages_tab()

    def found() -> Json | None:
        return next((m for m in person.messages(channel) if containing in str(m)), None)

    return wait_until(found, what=f"{person.id} reads {containing!r}; read {person.messages(channel)}")


def people(workspace: Workspace, *user_ids: str) -> list[Person]:
    return [workspace.person(user_id) for user_id in user_ids]
