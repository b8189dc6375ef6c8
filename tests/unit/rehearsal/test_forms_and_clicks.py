"""Filling in a view and clicking, as Slack's client does it."""

from __future__ import annotations

from typing import Any

import pytest

from bot.rehearsal.clicks import find_click
from bot.rehearsal.errors import PersonError
from bot.rehearsal.forms import fill

Json = dict[str, Any]


def plain(text: str) -> Json:
    return {"type": "plain_text", "text": text}


OPTIONS = [{"text": plain("Warm"), "value": "w"}, {"text": plain("Dry"), "value": "d"}]


def view(element: Json, **block: Any) -> Json:
    inside = {"action_id": "in", **element}
    blocks = [{"type": "input", "block_id": "b", "label": plain("L"), "element": inside, **block}]
    return {"blocks": blocks, "state": {"values": {}}}


@pytest.mark.parametrize(
    ("element", "value", "state"),
    [
        ({"type": "plain_text_input"}, "hé 👋", {"value": "hé 👋"}),
        ({"type": "static_select", "options": OPTIONS}, "d", {"selected_option": OPTIONS[1]}),
        ({"type": "static_select", "options": OPTIONS}, "Warm", {"selected_option": OPTIONS[0]}),
        ({"type": "radio_buttons", "options": OPTIONS}, OPTIONS[0], {"selected_option": OPTIONS[0]}),
        ({"type": "checkboxes", "options": OPTIONS}, ["w", "d"], {"selected_options": OPTIONS}),
        (
            {"type": "multi_static_select", "option_groups": [{"label": plain("g"), "options": OPTIONS}]},
            ["w"],
            {"selected_options": [OPTIONS[0]]},
        ),
        ({"type": "multi_users_select"}, ["U1"], {"selected_users": ["U1"]}),
        ({"type": "conversations_select"}, "C1", {"selected_conversation": "C1"}),
        ({"type": "number_input", "is_decimal_allowed": False}, 3, {"value": "3"}),
    ],
)
def test_each_kind_of_input_sends_the_state_that_slack_sends(element: Json, value: Any, state: Json) -> None:
    values, complaints = fill(view(element), {"b": value})
    assert values == {"b": {"in": {"type": element["type"], **state}}}
    assert complaints == {}


@pytest.mark.parametrize(
    ("element", "initial"),
    [
        ({"type": "plain_text_input", "initial_value": "was"}, {"value": "was"}),
        (
            {"type": "static_select", "options": OPTIONS, "initial_option": OPTIONS[0]},
            {"selected_option": OPTIONS[0]},
        ),
        ({"type": "users_select", "initial_user": "U1"}, {"selected_user": "U1"}),
        ({"type": "multi_users_select", "initial_users": ["U1"]}, {"selected_users": ["U1"]}),
    ],
)
def test_an_input_that_is_left_alone_keeps_its_initial_value(element: Json, initial: Json) -> None:
    values, complaints = fill(view(element), {})
    assert values["b"]["in"] == {"type": element["type"], **initial}
    assert complaints == {}


def test_an_optional_input_may_stay_empty_and_a_required_one_may_not() -> None:
    assert fill(view({"type": "plain_text_input"}, optional=True), {})[1] == {}
    assert fill(view({"type": "plain_text_input"}), {"in": "\u2003 "})[1] == {"b": "This is a required field"}
    assert fill(view({"type": "checkboxes", "options": OPTIONS}), {})[1] == {"b": "This is a required field"}


def test_a_choice_that_is_not_offered_cannot_be_made() -> None:
    with pytest.raises(PersonError, match="no option 'x'"):
        fill(view({"type": "static_select", "options": OPTIONS}), {"b": "x"})


BLOCKS: list[Json] = [
    {
        "type": "actions",
        "block_id": "one",
        "elements": [
            {"type": "button", "action_id": "go", "text": plain("Go"), "value": "v"},
            {"type": "static_select", "action_id": "pick", "options": OPTIONS},
            {"type": "overflow", "action_id": "more", "options": OPTIONS},
            {"type": "users_select", "action_id": "who"},
        ],
    },
    {
        "type": "context_actions",
        "block_id": "two",
        "elements": [{"type": "icon_button", "action_id": "bin", "text": plain("X"), "visible_to_user_ids": ["U1"]}],
    },
]


@pytest.mark.parametrize(
    ("action_id", "chosen", "sent"),
    [
        ("go", {}, {"type": "button", "value": "v", "text": plain("Go")}),
        ("pick", {"selected": "w"}, {"type": "static_select", "selected_option": OPTIONS[0]}),
        ("more", {"value": "d"}, {"type": "overflow", "selected_option": OPTIONS[1]}),
        ("who", {"selected": "U2"}, {"type": "users_select", "selected_user": "U2"}),
    ],
)
def test_a_click_sends_the_action_that_slack_sends(action_id: str, chosen: Json, sent: Json) -> None:
    action = find_click(BLOCKS, "U1", {"action_id": action_id, **chosen})
    assert action == {"action_id": action_id, "block_id": "one", **sent}


@pytest.mark.parametrize(
    ("user", "args", "reason"),
    [
        ("U2", {"action_id": "bin"}, "nothing to click"),
        ("U1", {"action_id": "none"}, "nothing to click"),
        ("U1", {"action_id": "go", "value": "forged"}, "this button's value"),
        ("U1", {"action_id": "pick", "selected": "zzz"}, "the options are"),
    ],
)
def test_what_is_not_on_the_screen_cannot_be_clicked(user: str, args: Json, reason: str) -> None:
    with pytest.raises(PersonError, match=reason):
        find_click(BLOCKS, user, args)
