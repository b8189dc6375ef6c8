"""The two windows in which a person says what is wrong with a draft."""

from __future__ import annotations

from typing import Any

from bot.blocks.text import long_input, plain
from bot.texts import drafting as texts

TEXT_BLOCK = "text"
REASON_BLOCK = "reason"


def edit_draft_view(metadata: str, text: str) -> dict[str, Any]:
    """The draft to change. Raises ValueError when the text does not fit into a modal's inputs."""
    return {
        "type": "modal",
        "callback_id": "edit_draft",
        "private_metadata": metadata,
        "title": plain(texts.EDIT_TITLE(), 24),
        "submit": plain(texts.EDIT_SUBMIT(), 24),
        "close": plain(texts.CANCEL(), 24),
        "blocks": long_input(TEXT_BLOCK, texts.EDIT_LABEL(), text, hint=texts.EDIT_HINT()),
    }


def discard_draft_view(metadata: str) -> dict[str, Any]:
    """Why the draft is not in our style."""
    reason = {"type": "plain_text_input", "action_id": "text", "multiline": True, "max_length": 1_000}
    return {
        "type": "modal",
        "callback_id": "discard_draft",
        "private_metadata": metadata,
        "title": plain(texts.DISCARD_TITLE(), 24),
        "submit": plain(texts.DISCARD_SUBMIT(), 24),
        "close": plain(texts.CANCEL(), 24),
        "blocks": [
            {
                "type": "input",
                "block_id": REASON_BLOCK,
                "label": plain(texts.REASON_LABEL(), 2_000),
                "hint": plain(texts.REASON_HINT(), 2_000),
                "element": reason,
                "optional": True,
            }
        ],
    }
