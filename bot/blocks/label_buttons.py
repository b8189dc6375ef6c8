"""The labels that a person may choose with one tap, under an answer that is a label."""

from __future__ import annotations

from collections.abc import Sequence

from bot.blocks.text import Block, context, plain, section
from bot.domain.safe_text import shorten
from bot.texts import labels as texts

#: Slack takes 75 characters on a button; the share of certainty needs some.
LABEL_CHARS = 60
#: Enough of a text to label it by.
TEXT_CHARS = 600


def label_blocks(draft_id: str, offered: tuple[tuple[str, float], ...], *, is_sure: bool) -> list[Block]:
    """Of an unsure answer the likeliest labels; of a sure one those that it might have been instead."""
    if len(offered) <= int(is_sure):
        return []
    said = context(texts.OTHERS()) if is_sure else section(texts.UNSURE())
    return [said, _row(draft_id, offered, begin=int(is_sure))]


def _row(draft_id: str, offered: tuple[tuple[str, float], ...], *, begin: int = 0) -> Block:
    buttons = [
        {
            "type": "button",
            "action_id": f"choose_label:{draft_id}:{number}",
            "text": plain(texts.label_button(shorten(label, LABEL_CHARS), share), 75),
            "value": f"{number}:{draft_id}",
        }
        for number, (label, share) in enumerate(offered)
        if number >= begin
    ]
    return {"type": "actions", "block_id": f"labels:{draft_id}", "elements": buttons}


def unsure_message(
    style_name: str, waiting: int, shown: Sequence[tuple[str, str, tuple[tuple[str, float], ...]]]
) -> tuple[str, list[Block]]:
    """Texts that wait for their label, as (draft id, text, likeliest labels), with a row of buttons each."""
    title = texts.unsure_title(style_name, waiting)
    blocks: list[Block] = [section(title)]
    for draft_id, request, offered in shown:
        blocks.append({"type": "section", "text": plain(shorten(request, TEXT_CHARS))})
        if offered:
            blocks.append(_row(draft_id, offered))
    return title, blocks


def read_label(value: str) -> tuple[int, str]:
    """Which of the offered labels, and the draft's id. Raises ValueError for anything else."""
    number, _, draft_id = value.partition(":")
    return int(number), draft_id
