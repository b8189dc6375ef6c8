"""A diff tells the whole of both texts, reads as one change where it is one, and fits into Slack's blocks."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.blocks.text_diff import MESSAGE_CHARS, diff_blocks
from bot.domain.text_diff import Change, abridge, count_words, diff_words
from bot.rehearsal.blockkit import validate_blocks

WORDS = st.lists(st.sampled_from(["the", "noon", "office", "We", "close", ",", ".", " ", "\n\n", "*", "日本", "é"]))
TEXTS = WORDS.map("".join) | st.text(max_size=80)


def marked(before: str, after: str) -> str:
    marks = {Change.SAME: "{}", Change.REMOVED: "~{}~", Change.ADDED: "*{}*"}
    return "".join(marks[piece.change].format(piece.text) for piece in diff_words(before, after))


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_back_from_the_pieces(before: str, after: str) -> None:
    pieces = diff_words(before, after)
    assert "".join(p.text for p in pieces if p.change is not Change.ADDED) == before
    assert "".join(p.text for p in pieces if p.change is not Change.REMOVED) == after
    assert all(piece.text for piece in pieces)


@given(TEXTS)
def test_a_text_and_itself_have_no_difference(text: str) -> None:
    assert all(piece.change is Change.SAME for piece in diff_words(text, text))


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        ("We close at noon.", "We close at four.", "We close at ~noon~*four*."),
        ("We close at noon.", "We close at noon. Enjoy!", "We close at noon.* Enjoy!*"),
        ("Dear all, bye", "bye", "~Dear all, ~bye"),
        ("the quick fox", "a slow fox", "~the quick~*a slow* fox"),
        ("", "new", "*new*"),
        ("old", "", "~old~"),
    ],
)
def test_a_change_is_shown_where_it_is(before: str, after: str, shown: str) -> None:
    assert marked(before, after) == shown


def test_a_rewritten_sentence_is_one_change() -> None:
    before = "The office will be closing at the hour of noon on the day of Friday. See you soon."
    after = "Everybody goes home at twelve o'clock when the week of work is done. See you soon."
    assert [piece.change for piece in diff_words(before, after)][-1] is Change.SAME
    assert len(diff_words(before, after)) <= 6


@given(TEXTS, TEXTS, st.integers(min_value=0, max_value=100))
def test_an_abridged_diff_keeps_within_its_limit_and_says_what_it_left_out(before: str, after: str, most: int) -> None:
    pieces = diff_words(before, after)
    kept, is_abridged = abridge(pieces, most)
    assert sum(len(piece.text) for piece in kept) <= most
    assert is_abridged == (sum(len(piece.text) for piece in pieces) > most)
    assert is_abridged or kept == pieces


def test_a_change_far_into_a_long_text_is_still_shown_when_it_is_abridged() -> None:
    long = "word " * 2_000
    kept, is_abridged = abridge(diff_words(long + "noon", long + "four"), 1_000)
    assert is_abridged
    assert (kept[-2].text, kept[-1].text) == ("noon", "four")


@pytest.mark.parametrize("most", [MESSAGE_CHARS, 22_000])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("a!" * 6_000, "b?" * 6_000),
        ("a " * 6_000, "a a" * 4_000),
        ("<!channel> *x* " * 800, "<@U1> ~y~ " * 1_200),
        ("x" * 12_000, "y" * 12_000),
    ],
)
def test_the_longest_texts_take_less_than_a_second_and_fit_into_slacks_blocks(
    before: str, after: str, most: int
) -> None:
    began = time.perf_counter()
    blocks = diff_blocks(before, after, most=most)
    assert time.perf_counter() - began < 1.0
    validate_blocks(blocks, "modal" if most > MESSAGE_CHARS else "message")
    assert len(blocks) <= 10


def test_a_difference_is_struck_and_bold_and_otherwise_literal() -> None:
    (block,) = diff_blocks("We close *today*", "We close <!here>")
    assert block["elements"][0]["elements"] == [
        {"type": "text", "text": "We close "},
        {"type": "text", "text": "*today*", "style": {"strike": True}},
        {"type": "text", "text": "<!here>", "style": {"bold": True}},
    ]


def test_words_are_counted_by_what_became_of_them() -> None:
    pieces = diff_words("We close at noon today", "We close at four")
    assert [count_words(pieces, change) for change in Change] == [3, 2, 1]
