"""Slack's own thumbs under a draft. A side's value is the word and the draft's id, nothing more."""

from __future__ import annotations

from typing import Any

from bot.blocks.text import plain
from bot.texts import agent as texts

GOOD, BAD = "good", "bad"


def rating_block(draft_id: str) -> dict[str, Any]:
    thumbs = {
        "type": "feedback_buttons",
        "action_id": "rate_draft",
        "positive_button": _side(GOOD, draft_id, texts.RATE_GOOD(), texts.RATE_GOOD_LABEL()),
        "negative_button": _side(BAD, draft_id, texts.RATE_BAD(), texts.RATE_BAD_LABEL()),
    }
    return {"type": "context_actions", "elements": [thumbs]}


def read_rating(value: str) -> tuple[bool, str]:
    """Whether it was the thumb up, and the draft's id. Raises ValueError for anything else."""
    side, _, draft_id = value.partition(":")
    if side not in (GOOD, BAD):
        raise ValueError(f"no side of ours: {side[:20]}")
    return side == GOOD, draft_id


def _side(side: str, draft_id: str, label: str, accessible: str) -> dict[str, Any]:
    return {"text": plain(label, 75), "value": f"{side}:{draft_id}", "accessibility_label": accessible}
