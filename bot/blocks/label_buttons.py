"""The labels that a person may choose with one tap, under an answer that is a label."""

from __future__ import annotations

from bot.blocks.text import Block, context, plain, section
from bot.domain.safe_text import shorten
from bot.texts import labels as texts

#: Slack takes 75 characters on a button; the share of certainty needs some.
LABEL_CHARS = 60


def label_blocks(draft_id: str, offered: tuple[tuple[str, float], ...], *, is_sure: bool) -> list[Block]:
    """Of an unsure answer the likeliest labels; of a sure one those that it might have been instead."""
    shown = [(number, *one) for number, one in enumerate(offered) if number or not is_sure]
    if not shown:
        return []
    buttons = [
        {
            "type": "button",
            "action_id": f"choose_label:{number}",
            "text": plain(texts.label_button(shorten(label, LABEL_CHARS), share), 75),
            "value": f"{number}:{draft_id}",
        }
        for number, label, share in shown
    ]
    said = context(texts.OTHERS()) if is_sure else section(texts.UNSURE())
    return [said, {"type": "actions", "block_id": f"labels:{draft_id}", "elements": buttons}]


def read_label(value: str) -> tuple[int, str]:
    """Which of the offered labels, and the draft's id. Raises ValueError for anything else."""
    number, _, draft_id = value.partition(":")
    return int(number), draft_id
