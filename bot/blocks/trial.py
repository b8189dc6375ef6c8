"""Blind trials as messages: the quote, two drafts side by side, and what becomes of them after the tap.

Two drafts stand in one message where Slack's limit leaves room for both; longer ones in a message each, with the
question in a third. A button carries the comparison's id and a letter, nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.blocks.draft import Shape, closing_blocks, fallback_text, safe_whole, whole_blocks
from bot.blocks.draft_buttons import Buttons
from bot.blocks.text import Block, context, plain, section
from bot.domain.safe_text import shorten
from bot.language import Sentence
from bot.texts import trials as texts

#: Slack takes 12,000 characters of markdown in a message, and some 13,000 in all of its blocks.
BOTH_CHARS = 10_000
_ALOUD_CHARS = 1_400
CHOICES: dict[str, Sentence] = {"a": texts.A, "b": texts.B, "neither": texts.NEITHER}


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a comparison; `part` is `a` or `b` where it holds one draft alone, else empty."""

    part: str
    text: str
    blocks: list[Block]


def quote_message(quote_id: str, said: list[str]) -> tuple[str, list[Block]]:
    """Text and blocks of the quote; its first line is the headline."""
    elements = [
        _button("confirm_trial", texts.START_BUTTON(), quote_id) | {"style": "primary"},
        _button("cancel_trial", texts.CANCEL_BUTTON(), quote_id),
    ]
    return said[0], [*(section(one) for one in said), {"type": "actions", "elements": elements}]


def comparison_messages(comparison_id: str, style: str, text_a: str, text_b: str) -> list[Message]:
    """Both drafts with the question, in the order in which they are to be posted; the question stands in the last."""
    intro = texts.compare(style)
    question = [context(texts.HOW_TO_CHOOSE()), choice_block(comparison_id)]
    sides = [
        [section(texts.side("A")), *whole_blocks(text_a, [])],
        [section(texts.side("B")), *whole_blocks(text_b, [])],
    ]
    aloud = texts.read_aloud(intro, _aloud(text_a), _aloud(text_b))
    if len(safe_whole(text_a)) + len(safe_whole(text_b)) <= BOTH_CHARS:
        blocks = [section(intro), *sides[0], {"type": "divider"}, *sides[1], *question]
        return [Message(part="", text=aloud, blocks=blocks)]
    return [
        Message(part="a", text=fallback_text(text_a), blocks=sides[0]),
        Message(part="b", text=fallback_text(text_b), blocks=sides[1]),
        Message(part="", text=intro, blocks=[section(intro), *question]),
    ]


def choice_block(comparison_id: str) -> Block:
    elements = [_button(f"choose_draft:{word}", label(), comparison_id) for word, label in CHOICES.items()]
    return {"type": "actions", "block_id": f"comparison:{comparison_id}", "elements": elements}


def chosen_message(text: str, said: str, shape: Shape, buttons: Buttons) -> tuple[str, list[Block]]:
    """The draft that stays, as an ordinary one."""
    return fallback_text(text), whole_blocks(text, [context(said), *closing_blocks(shape, buttons)])


def note_message(said: str) -> tuple[str, list[Block]]:
    """In the place of what is gone."""
    return said, [context(said)]


def _aloud(text: str) -> str:
    return shorten(fallback_text(text), _ALOUD_CHARS)


def _button(action_id: str, label: str, value: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": plain(label, 75), "value": value}
