"""Whatever a model writes and however it arrives, nothing of it calls anybody."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.drafting import SafeStream, Turn, choose_history, count_turn_tokens, search_text

LIVE_MENTION = re.compile(r"<[!@#][^>]*>|@(?:channel|here|everyone)\b", re.IGNORECASE)
LABELLED_LINK = re.compile(r"<https?://[^>|]*\|[^>]*>|\[[^\]\n]+\]\(\s*[^)\s]+\s*\)")
DEFINED_LINK = re.compile(r"^[ >]*\[[^\[\]]+\]:", re.MULTILINE)
NASTY = st.sampled_from(
    ["<!channel>", "<!here|here>", "<!here|\n", "<@U1>", "<@U1|bob", ">", "<!subteam^S1|team>", "@channel", "@ch",
     "annel", "@everyone", "<http://evil.example|", "bank>", "[bank](http://evil.example)", "[bank](", "](x)", "[",
     "\n", " ", "word", "<", "|", "@", "!", "\u202e", "\r\n", "[1]", ": ", "javascript:alert(1)", "&lt;", "> ",
     "https", "://", "bank.example"]
)  # fmt: skip


def stream(chunks: list[str]) -> str:
    safe = SafeStream()
    out = "".join(safe.feed(chunk) for chunk in chunks) + safe.finish()
    assert out == safe.shown
    return out


@settings(max_examples=400, deadline=None)
@given(st.lists(NASTY, max_size=14).map("".join), st.lists(st.integers(0, 200), max_size=12))
def test_no_split_of_a_nasty_text_lets_a_mention_or_a_hidden_link_through(text: str, cuts: list[int]) -> None:
    borders = [0, *sorted(min(cut, len(text)) for cut in cuts), len(text)]
    chunks = [text[a:b] for a, b in pairwise(borders)]
    shown = stream(chunks)
    assert not LIVE_MENTION.search(shown), shown
    assert not LABELLED_LINK.search(shown), shown
    assert not DEFINED_LINK.search(shown), shown
    assert "<javascript:" not in shown
    assert not re.search(r"https?://[^/\s<>()\[\]@]*@\w", shown), shown


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ab \n`*_<>[]()@!", max_size=80))
def test_character_by_character_is_as_safe_as_at_once(text: str) -> None:
    assert not LIVE_MENTION.search(stream(list(text)))


def test_a_plain_text_is_shown_as_it_is_and_at_once() -> None:
    safe = SafeStream()
    assert safe.feed("Hello") == "Hello"
    assert safe.feed(", *team*. 5 > 3 & it costs 3 €.") == ", *team*. 5 > 3 & it costs 3 €."
    assert safe.finish() == ""


def test_code_keeps_its_brackets_across_pieces() -> None:
    text = "Use:\n```py\nfoo[bar](baz)\nx = a[0](1)\n```\nand `x[1](2)` too."
    assert stream(list(text)) == text


def test_a_mention_that_never_ends_is_let_go_broken() -> None:
    shown = stream(["<!here|" + "x" * 500, ">", " and on"])
    assert not LIVE_MENTION.search(shown)
    assert "and on" in shown


def test_hidden_characters_and_floods_of_lines_are_left_out() -> None:
    assert stream(["\n\n  Dear\u202e all,", "\n" * 10_000, "bye\n\n"]) == "Dear all,\n\n\nbye"


def test_a_follow_up_carries_the_last_turns_that_fit() -> None:
    turns = [Turn(request=str(n), answer="a", tokens=100) for n in range(9)]
    assert [turn.request for turn in choose_history(turns, 350)] == ["6", "7", "8"]
    assert [turn.request for turn in choose_history(turns, 10_000)] == ["3", "4", "5", "6", "7", "8"]
    assert search_text("shorter", turns) == "8\nshorter"
    assert search_text("shorter", []) == "shorter"


def test_a_follow_up_carries_the_last_turn_however_long_it_is() -> None:
    turns = [Turn(request="old", answer="a", tokens=5), Turn(request="long", answer="b" * 9_000, tokens=3_000)]
    assert [turn.request for turn in choose_history(turns, 1_000)] == ["long"]
    assert choose_history(turns, 0) == []


def test_an_earlier_draft_weighs_what_the_model_server_counted() -> None:
    draft = "Come and dance! " * 10  # 160 characters
    assert count_turn_tokens("x" * 40, draft, counted_text=draft, counted_tokens=80) == 20 + 80
    # A person's version was counted by nobody: estimated by what this thread's text took.
    assert count_turn_tokens("x" * 40, draft[:60], counted_text=draft, counted_tokens=80) == 20 + 30
    assert count_turn_tokens("x" * 30, "y" * 30, counted_text="y" * 30, counted_tokens=None) == 20


def test_a_link_begun_inside_a_link_shows_no_label() -> None:
    assert not LABELLED_LINK.search(stream(["<http://evil.example|<http://evil.example|[bank](bank>"]))
