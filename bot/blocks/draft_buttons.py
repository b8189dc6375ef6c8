"""What can be done with a draft, as its buttons and its menu. Each carries the draft's id and a word, nothing more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.blocks.text import Block, plain
from bot.texts import drafting as texts
from bot.texts import variants
from config.variants import Variant

COMPARE, KEEP = "compare", "keep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Buttons:
    """What is still open about a draft."""

    draft_id: str
    #: Nobody has said what they make of it.
    is_open: bool = True
    #: Somebody said that it is not our style.
    is_discarded: bool = False
    is_used: bool = False
    #: Only its requester sees it.
    is_private: bool = False
    #: There is an earlier version to compare it with.
    has_previous: bool = False
    #: Of an answer that is a label: the likeliest with their probabilities. None: it is a text.
    offered: tuple[tuple[str, float], ...] | None = None
    #: The answer stands there; otherwise a person is asked.
    is_sure: bool = True

    @property
    def is_asking(self) -> bool:
        """Is it for a person to say the label?"""
        return self.is_open and not self.is_sure


def buttons_block(buttons: Buttons) -> Block:
    elements = []
    if not buttons.is_used and not buttons.is_discarded and not buttons.is_asking:
        elements.append(_button("use_draft", variants.USE(), buttons.draft_id, style="primary"))
    if buttons.is_private and not buttons.is_discarded and not buttons.is_asking:
        elements.append(_button("share_draft", variants.SHARE(), buttons.draft_id))
    if buttons.is_open and not buttons.is_private and not buttons.is_asking:
        elements.append(_button("keep_draft", texts.KEEP(), buttons.draft_id))
    if buttons.is_open:
        elements.append(_button("edit_draft", texts.EDIT(), buttons.draft_id))
    if buttons.is_open and not buttons.is_asking:
        elements.append(_button("discard_draft", texts.DISCARD(), buttons.draft_id))
    if options := _menu_options(buttons):
        elements.append({"type": "overflow", "action_id": "more_draft", "options": options})
    state = "".join("1" if flag else "0" for flag in (buttons.is_open, buttons.is_used, buttons.is_private))
    return {"type": "actions", "block_id": f"draft:{buttons.draft_id}:{state}", "elements": elements}


def _menu_options(buttons: Buttons) -> list[dict[str, Any]]:
    choices = [variant.value for variant in Variant] if buttons.offered is None else []  # a label has no variants
    if buttons.has_previous:
        choices.append(COMPARE)
    if buttons.is_open and buttons.is_private and not buttons.is_asking:
        choices.append(KEEP)
    return [{"text": plain(variants.MENU[one](), 75), "value": f"{one}:{buttons.draft_id}"} for one in choices]


def read_choice(value: str) -> tuple[str, str]:
    """The word of a menu's choice and the draft's id."""
    choice, _, draft_id = value.partition(":")
    return choice, draft_id


def _button(action_id: str, label: str, value: str, **more: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "text": plain(label, 75), "value": value, **more}
