"""Whatever a model writes and however it arrives, nothing of it calls anybody."""

from __future__ import annotations

import re
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.drafting import SafeStream, Turn, choose_history, search_text

LIVE_MENTION = re.compile(r"<[!@#][^>]*>|@(?:channel|here|everyone)\b", re.IGNORECASE)
LABELLED_LINK = re.compile(r"<https?://[^>|]*\|[^>]*>|\[[^\]\n]+\]\(\s*[^)\s]+\s*\)")
DEFINED_LINK = re.compile(r"^[ >]*\[[^\[\]]+\]:", re.MULTILINE)
NASTY = st.sampled_from(
    ["<!channel>", "<!here|here>", "<!here|\n", "<@U1>", "<@U1|bob", ">", "<!subteam^S1|team>", "@channel", "@ch",
     "annel", "@everyone", "<http://evil.example|", "bank>", "[bank](http://evil.example)", "[bank](", "](x)", "[",
     "\n", " ", "word", "<", "|", "@", "!", "\u202e", "\r\n", "[1]", ": ", "javascript:alert(1)", "&lt;", "> "]
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
    turns = [Turn(request=str(n), answer="a") for n in range(5)]
    assert [turn.request for turn in choose_history(turns)] == ["2", "3", "4"]
    assert choose_history([Turn(request="x" * 5_000, answer="")]) == []
    assert search_text("shorter", turns) == "4\nshorter"
    assert search_text("shorter", []) == "shorter"


def test_a_link_begun_inside_a_link_shows_no_label() -> None:
    assert not LABELLED_LINK.search(stream(["<http://evil.example|<http://evil.example|[bank](bank>"]))
