"""Two drafts to compare fit into Slack whatever they are, and their messages say nothing about what made them."""

from __future__ import annotations

import inspect

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.blocks.draft import safe_whole
from bot.blocks.trial import comparison_messages
from bot.domain.drafting import MAX_DRAFT_CHARS
from bot.language import LANGUAGES, speaking
from bot.rehearsal.blockkit import validate_blocks

#: A text that grows while it is made safe, one with code, one that calls people, and plain words.
PIECES = ["word ", "<!channel> ", "@everyone ", "```\ncode\n```\n", "[a](http://b.example) ", "é", "\n\n\n", "\u202e"]
texts = st.builds(
    lambda piece, times, tail: (piece * times + tail)[:MAX_DRAFT_CHARS],
    st.sampled_from(PIECES), st.integers(1, MAX_DRAFT_CHARS), st.text(max_size=50),
)  # fmt: skip


@settings(deadline=None)
@given(texts, texts, st.sampled_from(LANGUAGES))
def test_two_drafts_of_any_length_fit_into_messages_that_slack_takes(a: str, b: str, language: str) -> None:
    with speaking(language):
        messages = comparison_messages("cmp_1", "brand-voice", a, b)
    assert [message.part for message in messages] in ([""], ["a", "b", ""])
    for message in messages:
        validate_blocks(message.blocks)
        assert 0 < len(message.text) <= 4_000
    shown = [block["text"] for message in messages for block in message.blocks if block["type"] == "markdown"]
    assert shown == [text for text in (safe_whole(a), safe_whole(b)) if text]
    assert messages[-1].blocks[-1]["type"] == "actions"


def test_two_drafts_stand_in_one_message_where_there_is_room() -> None:
    assert len(comparison_messages("cmp_1", "brand-voice", "x" * 5_000, "y" * 5_000)) == 1
    assert len(comparison_messages("cmp_1", "brand-voice", "x" * 5_001, "y" * 5_000)) == 3


def test_what_a_message_is_made_from_does_not_hold_what_made_the_drafts() -> None:
    """The coin, the candidates and the drafts' ids are not among what the blocks are built from."""
    assert list(inspect.signature(comparison_messages).parameters) == ["comparison_id", "style", "text_a", "text_b"]
