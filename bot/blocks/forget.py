"""The quote before a person is forgotten, with its two buttons."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bot.blocks.text import section
from bot.texts import forget as texts

Blocks = list[dict[str, Any]]


def quote_message(quote_id: str, said: Sequence[str]) -> tuple[str, Blocks]:
    """Text and blocks: what would be erased, what follows, and a click to do it."""
    buttons = [
        _button("confirm_forget", texts.FORGET_BUTTON(), quote_id) | {"style": "danger"},
        _button("cancel_forget", texts.CANCEL_BUTTON(), quote_id),
    ]
    return said[0], [*(section(line) for line in said), {"type": "actions", "elements": buttons}]


def _button(action_id: str, text: str, value: str) -> dict[str, Any]:
    return {"type": "button", "action_id": action_id, "value": value, "text": {"type": "plain_text", "text": text}}
