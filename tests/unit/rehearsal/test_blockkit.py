"""Block Kit's shapes and limits: each one exactly at, and one beyond."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from slack_sdk.models.blocks import (
    ActionsBlock,
    ButtonElement,
    ContextActionsBlock,
    ContextBlock,
    DividerBlock,
    FeedbackButtonObject,
    FeedbackButtonsElement,
    HeaderBlock,
    MarkdownBlock,
    MarkdownTextObject,
    Option,
    PlainTextInputElement,
    SectionBlock,
    StaticSelectElement,
)

from bot.rehearsal.blockkit import BlocksTooLong, InvalidBlocks, Surface, validate_blocks, validate_view

Json = dict[str, Any]


def plain(chars: int) -> Json:
    return {"type": "plain_text", "text": "x" * chars}


def mrkdwn(chars: int) -> Json:
    return {"type": "mrkdwn", "text": "x" * chars}


def section(chars: int) -> Json:
    return {"type": "section", "text": mrkdwn(chars)}


def button(**fields: Any) -> Json:
    return {"type": "button", "text": plain(3), **fields}


def actions(*elements: Json) -> Json:
    return {"type": "actions", "elements": list(elements)}


def field(**element: Any) -> Json:
    inside = {"type": "plain_text_input", "action_id": "in", **element}
    return {"type": "input", "label": plain(3), "element": inside}


def select(count: int, text: int = 5, value: int = 5, **fields: Any) -> Json:
    options = [{"text": plain(text), "value": f"{n:0{value}d}"} for n in range(count)]
    return {"type": "static_select", "action_id": "s", "options": options, **fields}


def feedback(text: int = 3, value: int = 3) -> Json:
    side = {"text": plain(text), "value": "v" * value}
    element = {"type": "feedback_buttons", "action_id": "f", "positive_button": side, "negative_button": side}
    return {"type": "context_actions", "elements": [element]}


def icon(**fields: Any) -> Json:
    return {"type": "context_actions", "elements": [{"type": "icon_button", "text": plain(3), **fields}]}


def image(**fields: Any) -> Json:
    return {"type": "image", "image_url": "https://example.com/a.png", "alt_text": "a", **fields}


CONFIRM = {"title": plain(100), "text": mrkdwn(300), "confirm": plain(30), "deny": plain(30)}

#: name -> (what Slack takes, what it refuses), in a message.
LIMITS: dict[str, tuple[list[Json], list[Json]]] = {
    "section text": ([section(3000)], [section(3001)]),
    "section text empty": ([section(1)], [section(0)]),
    "section fields": (
        [{"type": "section", "fields": [mrkdwn(10)] * 10}],
        [{"type": "section", "fields": [mrkdwn(10)] * 11}],
    ),
    "section field": (
        [{"type": "section", "fields": [mrkdwn(2000)]}],
        [{"type": "section", "fields": [mrkdwn(2001)]}],
    ),
    "header": ([{"type": "header", "text": plain(150)}], [{"type": "header", "text": plain(151)}]),
    "header is plain": ([{"type": "header", "text": plain(1)}], [{"type": "header", "text": mrkdwn(1)}]),
    "markdown": ([{"type": "markdown", "text": "x" * 12_000}], [{"type": "markdown", "text": "x" * 12_001}]),
    "markdown together": (
        [{"type": "markdown", "text": "x" * 6_000}] * 2,
        [{"type": "markdown", "text": "x" * 6_001}] * 2,
    ),
    "blocks": ([{"type": "divider"}] * 50, [{"type": "divider"}] * 51),
    "context elements": (
        [{"type": "context", "elements": [mrkdwn(9)] * 10}],
        [{"type": "context", "elements": [mrkdwn(9)] * 11}],
    ),
    "context is not empty": (
        [{"type": "context", "elements": [mrkdwn(1)]}],
        [{"type": "context", "elements": []}],
    ),
    "actions elements": ([actions(*[button()] * 25)], [actions(*[button()] * 26)]),
    "button text": ([actions(button(text=plain(75)))], [actions(button(text=plain(76)))]),
    "button value": ([actions(button(value="v" * 2000))], [actions(button(value="v" * 2001))]),
    "button style": ([actions(button(style="danger"))], [actions(button(style="loud"))]),
    "button label": (
        [actions(button(accessibility_label="l" * 75))],
        [actions(button(accessibility_label="l" * 76))],
    ),
    "button url": (
        [actions(button(url="https://e.com/" + "u" * 2986))],
        [actions(button(url="https://e.com/" + "u" * 2987))],
    ),
    "confirm title": (
        [actions(button(confirm=CONFIRM))],
        [actions(button(confirm=CONFIRM | {"title": plain(101)}))],
    ),
    "action id": ([actions(button(action_id="a" * 255))], [actions(button(action_id="a" * 256))]),
    "action ids are unique": (
        [actions(button(action_id="a"), button(action_id="b"))],
        [actions(button(action_id="a")), actions(button(action_id="a"))],
    ),
    "block ids are unique": (
        [{"type": "divider", "block_id": "1"}, {"type": "divider", "block_id": "2"}],
        [{"type": "divider", "block_id": "1"}] * 2,
    ),
    "block id": (
        [{"type": "divider", "block_id": "b" * 255}],
        [{"type": "divider", "block_id": "b" * 256}],
    ),
    "options": ([actions(select(100))], [actions(select(101))]),
    "option text": ([actions(select(1, text=75))], [actions(select(1, text=76))]),
    "option value": ([actions(select(1, value=150))], [actions(select(1, value=151))]),
    "initial option": (
        [actions(select(2, initial_option={"text": plain(5), "value": "00001"}))],
        [actions(select(2, initial_option={"text": plain(5), "value": "00002"}))],
    ),
    "placeholder": (
        [actions(select(1, placeholder=plain(150)))],
        [actions(select(1, placeholder=plain(151)))],
    ),
    "max_length": ([field(max_length=3000)], [field(max_length=3001)]),
    "min above max": ([field(min_length=5, max_length=5)], [field(min_length=6, max_length=5)]),
    "initial value": ([field(initial_value="x" * 3000)], [field(initial_value="x" * 3001)]),
    "initial value under max_length": (
        [field(initial_value="xx", max_length=2)],
        [field(initial_value="xxx", max_length=2)],
    ),
    "input label": (
        [field() | {"label": plain(2000)}],
        [field() | {"label": plain(2001)}],
    ),
    "feedback text": ([feedback(text=75)], [feedback(text=76)]),
    "feedback value": ([feedback(value=2000)], [feedback(value=2001)]),
    "icon": ([icon(icon="trash")], [icon(icon="rocket")]),
    "icon's viewers": (
        [icon(icon="trash", visible_to_user_ids=["U1"] * 10)],
        [icon(icon="trash", visible_to_user_ids=["U1"] * 11)],
    ),
    "context_actions elements": (
        [{"type": "context_actions", "elements": icon(icon="trash")["elements"] * 5}],
        [{"type": "context_actions", "elements": icon(icon="trash")["elements"] * 6}],
    ),
    "image alt text": ([image(alt_text="a" * 2000)], [image(alt_text="a" * 2001)]),
    "image source": ([image()], [image(slack_file={"id": "F1"})]),
    "image needs alt text": ([image()], [{"type": "image", "image_url": "https://example.com/a.png"}]),
    "rich text": (
        [{"type": "rich_text", "elements": [{"type": "rich_text_section", "elements": []}]}],
        [{"type": "rich_text", "elements": [{"type": "text", "text": "bare"}]}],
    ),
    "file": (
        [{"type": "file", "external_id": "x", "source": "remote"}],
        [{"type": "file", "external_id": "x", "source": "here"}],
    ),
    "unknown type": ([{"type": "divider"}], [{"type": "marquee"}]),
    "misplaced element": ([actions(button())], [actions({"type": "plain_text_input", "action_id": "x"})]),
    "stray field of a text": ([section(1)], [{"type": "section", "text": mrkdwn(1) | {"emoji": True}}]),
    "table rows": (
        [{"type": "table", "rows": [[{"type": "raw_text", "text": "a"}]]}],
        [{"type": "table", "rows": []}],
    ),
}


@pytest.mark.parametrize("name", LIMITS)
def test_slack_takes_blocks_up_to_the_limit_and_refuses_one_beyond(name: str) -> None:
    taken, refused = LIMITS[name]
    validate_blocks(taken, "message")
    with pytest.raises(InvalidBlocks) as caught:
        validate_blocks(refused, "message")
    assert caught.value.errors


def test_blocks_that_are_fine_alone_can_be_too_much_text_together() -> None:
    validate_blocks([section(2640)] * 5)
    with pytest.raises(BlocksTooLong):
        validate_blocks([section(2641)] * 5)


@pytest.mark.parametrize(
    ("block", "surface"),
    [({"type": "markdown", "text": "x"}, "modal"), (feedback(), "home"), (feedback(), "modal")],
)
def test_some_blocks_are_for_messages_alone(block: Json, surface: Surface) -> None:
    validate_blocks([block], "message")
    with pytest.raises(InvalidBlocks, match="unsupported type"):
        validate_blocks([block], surface)


def test_a_view_may_hold_twice_as_many_blocks() -> None:
    validate_blocks([{"type": "divider"}] * 100, "modal")
    with pytest.raises(InvalidBlocks):
        validate_blocks([{"type": "divider"}] * 101, "home")


def modal(**fields: Any) -> Json:
    base = {"type": "modal", "title": plain(24), "submit": plain(24), "close": plain(24), "blocks": [field()]}
    return {**base, "private_metadata": "m" * 3000, "callback_id": "c" * 255, **fields}


@pytest.mark.parametrize(
    "fields",
    [
        {"title": plain(25)},
        {"title": None},
        {"title": mrkdwn(3)},
        {"submit": plain(25)},
        {"submit": None},
        {"close": plain(25)},
        {"private_metadata": "m" * 3001},
        {"callback_id": "c" * 256},
        {"blocks": []},
        {"blocks": None},
        {"blocks": [section(3001)]},
        {"type": "home"},
        {"type": "nonsense"},
    ],
)
def test_a_modal_one_beyond_its_limits_is_refused(fields: Json) -> None:
    validate_view(modal(), "modal")
    with pytest.raises(InvalidBlocks):
        validate_view(modal(**fields), "modal", "home")


@pytest.mark.parametrize("blocks", [None, "blocks", {}, [None], [[]], [{}], [{"type": 3}], [{"type": None}]])
def test_what_is_no_list_of_blocks_is_refused(blocks: Any) -> None:
    with pytest.raises(InvalidBlocks):
        validate_blocks(blocks)


texts = st.text(min_size=1, max_size=75)
SDK_KINDS = ("section", "header", "divider", "markdown", "context", "actions", "select", "rate")
FIELD_NAMES = ("type", "text", "elements", "element", "label", "fields", "accessory", "options", "value")
BLOCK_KINDS = ("section", "header", "context", "actions", "context_actions", "input", "image", "rich_text")
RARE_BLOCK_KINDS = ("file", "table", "task_card", "plan", "video")
ELEMENT_KINDS = ("button", "static_select", "plain_text_input", "feedback_buttons", "overflow", "checkboxes")


@st.composite
def blocks_of_the_sdk(draw: st.DrawFn) -> list[Json]:
    """Blocks made with slack_sdk's own models, within their limits."""
    ids = iter(range(10_000))

    def one() -> Any:
        kind = draw(
            st.sampled_from(["section", "header", "divider", "markdown", "context", "actions", "select", "rate"])
        )
        if kind == "section":
            return SectionBlock(text=MarkdownTextObject(text=draw(texts)))
        if kind == "header":
            return HeaderBlock(text=draw(texts))
        if kind == "divider":
            return DividerBlock()
        if kind == "markdown":
            return MarkdownBlock(text=draw(texts))
        if kind == "context":
            return ContextBlock(elements=[MarkdownTextObject(text=draw(texts))])
        if kind == "actions":
            count = draw(st.integers(1, 5))
            buttons = [
                ButtonElement(text=draw(texts), action_id=f"b{next(ids)}", value=draw(texts)) for _ in range(count)
            ]
            return ActionsBlock(elements=buttons)
        if kind == "select":
            options = [Option(value=str(n), text=draw(texts)) for n in range(draw(st.integers(1, 5)))]
            return ActionsBlock(elements=[StaticSelectElement(options=options, action_id=f"s{next(ids)}")])
        sides = [FeedbackButtonObject(text=draw(texts), value=value) for value in ("up", "down")]
        element = FeedbackButtonsElement(action_id=f"f{next(ids)}", positive_button=sides[0], negative_button=sides[1])
        return ContextActionsBlock(elements=[element])

    return [one().to_dict() for _ in range(draw(st.integers(1, 8)))]


@settings(max_examples=60, deadline=None)
@given(blocks_of_the_sdk())
def test_whatever_slack_sdk_builds_within_its_limits_is_taken(blocks: list[Json]) -> None:
    before = copy.deepcopy(blocks)
    validate_blocks(blocks, "message")
    assert blocks == before


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
names = st.sampled_from(
    ["type", "text", "elements", "element", "label", "fields", "accessory", "options", "value", "rows"]
)
kinds = st.sampled_from(
    [
        "section",
        "header",
        "context",
        "actions",
        "context_actions",
        "input",
        "image",
        "rich_text",
        "file",
        "table",
        "task_card",
        "plan",
        "video",
        "button",
        "static_select",
        "plain_text_input",
        "feedback_buttons",
        "overflow",
        "checkboxes",
        "plain_text",
        "mrkdwn",
    ]
)
hostile = st.recursive(
    st.dictionaries(names, json_values, max_size=4),
    lambda inner: st.dictionaries(names, inner | st.lists(inner, max_size=3) | kinds, max_size=5),
    max_leaves=12,
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(hostile, kinds).map(lambda pair: {**pair[0], "type": pair[1]}), max_size=4))
def test_no_shape_makes_the_validator_fail_in_any_other_way(blocks: list[Json]) -> None:
    for surface in ("message", "modal", "home"):
        try:
            validate_blocks(blocks, surface)
        except InvalidBlocks as error:
            assert error.errors


def test_a_text_input_of_the_sdk_fits_into_a_modal() -> None:
    element = PlainTextInputElement(action_id="a", multiline=True, max_length=3000, initial_value="x")
    block = {"type": "input", "label": plain(3), "element": element.to_dict()}
    validate_view(modal(blocks=[block]), "modal")
