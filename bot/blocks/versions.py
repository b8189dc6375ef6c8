"""Two versions of a draft beside each other, and where a draft is to be posted: the windows behind the menu."""

from __future__ import annotations

from typing import Any

from bot.blocks.text import context, plain
from bot.blocks.text_diff import MODAL_CHARS, piece_blocks
from bot.domain.text_diff import Change, abridge, count_words, diff_words
from bot.texts import variants as texts

CHANNEL_BLOCK = "channel"


def compare_view(before: str, after: str, *, is_edit: bool) -> dict[str, Any]:
    """A window with the words that went and came. `is_edit`: a person made `after` of it."""
    all_pieces = diff_words(before, after)
    pieces, is_abridged = abridge(all_pieces, MODAL_CHARS)
    blocks = [context(texts.EDITED_SINCE() if is_edit else texts.VARIED_SINCE())]
    if before == after:
        blocks.append(context(texts.SAME_TEXT()))
    else:
        counts = [count_words(all_pieces, change) for change in (Change.SAME, Change.REMOVED, Change.ADDED)]
        blocks += [context(texts.LEGEND()), context(texts.words_changed(*counts))]
    blocks += piece_blocks(pieces)
    if is_abridged:
        blocks.append(context(texts.ABRIDGED()))
    return {
        "type": "modal", "callback_id": "compare_draft", "title": plain(texts.COMPARE_TITLE(), 24),
        "close": plain(texts.CLOSE(), 24), "blocks": blocks,
    }  # fmt: skip


def use_view(metadata: str) -> dict[str, Any]:
    """Where a draft from a direct message is to be posted. Slack offers the channels that this person sees."""
    picker = {
        "type": "conversations_select",
        "action_id": "channel",
        "placeholder": plain(texts.USE_WHERE(), 150),
        "filter": {"include": ["public", "private"], "exclude_external_shared_channels": True},
    }
    return {
        "type": "modal", "callback_id": "use_draft", "private_metadata": metadata,
        "title": plain(texts.USE_TITLE(), 24),
        "submit": plain(texts.USE_SUBMIT(), 24),
        "close": plain(texts.CLOSE(), 24),
        "blocks": [
            {
                "type": "input", "block_id": CHANNEL_BLOCK, "label": plain(texts.USE_WHERE(), 2_000),
                "hint": plain(texts.USE_WHERE_HINT(), 2_000), "element": picker,
            }
        ],
    }  # fmt: skip
