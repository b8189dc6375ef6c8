"""What an edit of an example changed, shown word by word: struck is out, bold is in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.blocks.text import context, section
from bot.blocks.text_diff import diff_blocks
from bot.domain.text_diff import Change, count_words, diff_words
from bot.texts import review as texts

#: Both texts' diffs together stay far within a message.
DIFF_CHARS = 2_000
Block = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The texts before the last edit."""

    prompt: str
    completion: str
    edited_by: str


def changes_blocks(before: Before, prompt: str, completion: str) -> list[Block]:
    """Who edited it and what that changed. Empty when nothing did."""
    every = [*diff_words(before.prompt, prompt), *diff_words(before.completion, completion)]
    added, removed = count_words(every, Change.ADDED), count_words(every, Change.REMOVED)
    blocks = diff_pair((before.prompt, before.completion), (prompt, completion), block_id="changed")
    return [section(texts.edited(f"<@{before.edited_by}>", added, removed)), *blocks] if blocks else []


def diff_pair(old: tuple[str, str], new: tuple[str, str], *, block_id: str) -> list[Block]:
    """The diffs of those of the two texts that differ, each under its heading."""
    blocks: list[Block] = []
    headings = (texts.CHANGED_REQUEST(), texts.CHANGED_OUTPUT())
    for number, (heading, was, now) in enumerate(zip(headings, old, new, strict=True), start=1):
        if was != now:
            blocks += [context(heading), *diff_blocks(was, now, most=DIFF_CHARS, block_id=f"{block_id}:{number}")]
    return blocks
