"""The two windows in which a person says what is wrong with a draft."""

from __future__ import annotations

from typing import Any

from bot.blocks.text import long_input, plain
from bot.texts import drafting as texts
from bot.texts import variants

TEXT_BLOCK = "text"
REASON_BLOCK = "reason"
REASONS_BLOCK = "reasons"
BETTER_BLOCK = "better"


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
    """Why the draft is not in our style, and how it should be."""
    choices = {
        "type": "checkboxes",
        "action_id": "reasons",
        "options": [{"text": plain(reason(), 75), "value": word} for word, reason in variants.REASONS.items()],
    }
    own_words = {"type": "plain_text_input", "action_id": "own_words", "multiline": True, "max_length": 1_000}
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
                "block_id": REASONS_BLOCK,
                "label": plain(variants.REASONS_LABEL(), 2_000),
                "element": choices,
                "optional": True,
            },
            {
                "type": "input",
                "block_id": REASON_BLOCK,
                "label": plain(variants.OWN_WORDS_LABEL(), 2_000),
                "hint": plain(variants.OWN_WORDS_HINT(), 2_000),
                "element": own_words,
                "optional": True,
            },
            *long_input(BETTER_BLOCK, variants.BETTER_LABEL(), hint=variants.BETTER_HINT(), optional=True),
        ],
    }
