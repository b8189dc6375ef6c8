"""A word diff as Slack shows it: what went is struck, what came is bold.

The texts stand in rich text elements, where they are literal: nothing in them can be markup, a mention or a link.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bot.blocks.text import Block
from bot.domain.text_diff import Change, Piece, abridge, diff_words

#: Characters in one rich text block, and in all of a diff: a modal takes a hundred blocks, a message some 13,000
#: characters.
BLOCK_CHARS = 2_800
MODAL_CHARS = 22_000
MESSAGE_CHARS = 6_000

_STYLES: dict[Change, dict[str, bool]] = {
    Change.SAME: {},
    Change.REMOVED: {"strike": True},
    Change.ADDED: {"bold": True},
}


def diff_blocks(before: str, after: str, *, most: int = MODAL_CHARS, block_id: str = "diff") -> list[Block]:
    """Rich text blocks `block_id`, `block_id_2`, … with the texts' difference in at most `most` characters."""
    pieces, _ = abridge(diff_words(before, after), most)
    return piece_blocks(pieces, block_id=block_id)


def piece_blocks(pieces: Sequence[Piece], *, block_id: str = "diff") -> list[Block]:
    """The pieces of a diff as rich text blocks."""
    blocks: list[Block] = []
    for number, elements in enumerate(_fill(pieces), start=1):
        blocks.append(
            {
                "type": "rich_text",
                "block_id": block_id if number == 1 else f"{block_id}_{number}",
                "elements": [{"type": "rich_text_section", "elements": elements}],
            }
        )
    return blocks


def _fill(pieces: Sequence[Piece]) -> Iterator[list[dict[str, Any]]]:
    """The elements of each block: a piece that does not fit goes on in the next one."""
    elements: list[dict[str, Any]] = []
    room = BLOCK_CHARS
    for piece in pieces:
        text = piece.text
        while text:
            if not room:
                yield elements
                elements, room = [], BLOCK_CHARS
            elements.append(_element(text[:room], piece.change))
            text, room = text[room:], room - len(text[:room])
    if elements:
        yield elements


def _element(text: str, change: Change) -> dict[str, Any]:
    element: dict[str, Any] = {"type": "text", "text": text}
    return element | {"style": _STYLES[change]} if _STYLES[change] else element
