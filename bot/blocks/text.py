"""Inputs for long texts: one text over as many of Slack's inputs as it needs, and the text again from their values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bot.domain.long_text import INPUT_CHARS, MAX_INPUTS, Part, join_parts, read_joint, split_long_text, write_joint
from bot.domain.safe_text import clip
from bot.texts import learning as texts

Block = dict[str, Any]


def plain(text: str, most: int = 3_000) -> dict[str, Any]:
    """A text element that shows its text as it is: no mentions, no links, no emoji codes."""
    return {"type": "plain_text", "text": clip(text, most) or " ", "emoji": False}


def markdown(text: str, most: int = 3_000) -> dict[str, Any]:
    """Slack's mrkdwn: only for our own sentences and escaped text."""
    return {"type": "mrkdwn", "text": clip(text, most)}


def section(text: str) -> Block:
    return {"type": "section", "text": markdown(text)}


def context(text: str) -> Block:
    return {"type": "context", "elements": [markdown(text)]}


def notice(title: str, sentence: str) -> dict[str, Any]:
    """A modal that only says something."""
    return {
        "type": "modal",
        "title": plain(title, 24),
        "close": plain(texts.CLOSE(), 24),
        "blocks": [{"type": "section", "text": plain(sentence)}],
    }


def long_input(
    block_id: str, label: str, text: str = "", *, hint: str = "", parts: int | None = None, optional: bool = False
) -> list[Block]:
    """Inputs `block_id`, `block_id_2~…`, … that hold the whole text, cut between paragraphs; the first is required.

    The white space of a cut stands in the block_id of the input after it. Raises ValueError for a text that does not
    fit into MAX_INPUTS inputs: callers say so before they open a modal.
    """
    pieces = split_long_text(text)
    pieces += [Part(text="")] * ((parts or 0) - len(pieces))
    if len(pieces) > MAX_INPUTS:
        raise ValueError(f"{len(text)} characters do not fit into {MAX_INPUTS} inputs")
    blocks = []
    for number, piece in enumerate(pieces, start=1):
        element: dict[str, Any] = {
            "type": "plain_text_input",
            "action_id": _part_id(block_id, number),  # unique in a view, like the block_id
            "multiline": True,
            "max_length": INPUT_CHARS,
        }
        if piece.text:
            element["initial_value"] = piece.text
        block: Block = {
            "type": "input",
            "block_id": _part_id(block_id, number) + (f"~{write_joint(piece.joint)}" if number > 1 else ""),
            "label": plain(texts.part_label(label, number, len(pieces)), 2_000),
            "element": element,
            "optional": optional or number > 1,
        }
        if hint and number == 1:
            block["hint"] = plain(hint, 2_000)
        blocks.append(block)
    return blocks


def read_long_input(values: Mapping[str, str | tuple[str, ...]], block_id: str) -> str:
    """The text that a person left in the inputs of `long_input`: untouched, it is the text that was put in."""
    joints = {name: joint for name, _, joint in (key.partition("~") for key in values)}
    typed = {key.partition("~")[0]: value for key, value in values.items()}
    parts = []
    for number in range(1, MAX_INPUTS + 1):
        part_id = _part_id(block_id, number)
        value = typed.get(part_id, "")
        parts.append(Part(text=value if isinstance(value, str) else "", joint=read_joint(joints.get(part_id, ""))))
    return join_parts(parts)


def _part_id(block_id: str, number: int) -> str:
    return block_id if number == 1 else f"{block_id}_{number}"
