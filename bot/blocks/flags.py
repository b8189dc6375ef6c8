"""The question that who flagged a message gets: what was flagged, and the button that opens the window."""

from __future__ import annotations

from typing import Any

from bot.blocks.text import plain, section
from bot.domain.safe_text import escape, neutralise, shorten
from bot.texts import flags as texts

QUOTE_CHARS = 300


def flag_blocks(text: str, message_ts: str) -> list[dict[str, Any]]:
    quoted = texts.quoted(escape(neutralise(shorten(text, QUOTE_CHARS))))
    button = {
        "type": "button", "action_id": "teach_flagged", "text": plain(texts.TEACH(), 75), "value": message_ts,
        "style": "primary",
    }  # fmt: skip
    return [section(texts.QUESTION()), section(quoted), {"type": "actions", "elements": [button]}]
