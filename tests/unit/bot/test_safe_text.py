"""Shown text calls nobody and hides no link; typed text is read back as it was typed."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.safe_text import as_typed, clip, escape, neutralise, shorten, shorten_apart, unescape


@pytest.mark.parametrize(
    "text",
    [
        "<!channel>", "<!here|here>", "<!everyone>", "<@U123ABC>", "<@W1|bob>", "<!subteam^S123|@team>", "@channel",
        "@HERE", "`<!channel>`", "```\n<@U123ABC>\n```", "<!<!channel>>", "<[!channel>](https://a.example)",
        "[<!channel>](https://a.example)",
    ],
)  # fmt: skip
def test_no_mention_survives(text: str) -> None:
    safe = neutralise(f"Hello {text} there")
    assert "<!channel" not in safe and "<@" not in safe
    assert not any(f"@{word}" in safe.lower() for word in ("channel", "here", "everyone"))


@pytest.mark.parametrize(
    ("markdown", "shown"),
    [
        ("[your bank](https://evil.example/x)", "your bank (https://evil.example/x)"),
        ("<https://evil.example|https://bank.example>", "https://evil.example"),
        ("[bank.example](https://evil.example/x)", "https://evil.example/x"),
        ("[log in at BANK.example/login](https://evil.example)", "https://evil.example"),
        ("[bank.exam\u00adple](https://bank.example.evil.example)", "https://bank.example.evil.example"),
        ("[bank.example](https://bank.example@evil.example/)", "https://evil.example/"),
        ("[www.bank.example](https://bank.example/a)", "www.bank.example (https://bank.example/a)"),
        ("[you@bank.example](mailto:me@evil.example)", "mailto:me@evil.example"),
        ("<javascript:alert(1)|your bank>", "your bank (javascript:alert(1))"),
        ("[x](javascript:alert(1))", "x (javascript:alert(1))"),
        ("<javascript:alert(1)>", "<\u2060javascript:alert(1)>"),
        ("<zoommtg://evil.example|your bank>", "your bank (zoommtg://evil.example)"),
        ("[bank][1]\n\n[1]: https://evil.example", "[bank][1]\n\n[1]\u2060: https://evil.example"),
        ("> 1. [bank]: https://evil.example", "> 1. [bank]\u2060: https://evil.example"),
        ("x = dict[str]: int, vector<std::string>", "x = dict[str]: int, vector<std::string>"),
        ("&lt;!here&gt; &#60;@U1&#62;", "&lt;\u2060!here&gt; &#60;\u2060@U1&#62;"),
        ("[https://a.example](https://a.example)", "https://a.example"),
        ("![logo](https://a.example/l.png)", "logo (https://a.example/l.png)"),
        ("mail <mailto:a@b.example|a@b.example>", "mail mailto:a@b.example"),
        ("`[a](b)` stays", "`[a](b)` stays"),
        ("```\n[a](b)\n```", "```\n[a](b)\n```"),
        ("**bold** [ ] todo (x)", "**bold** [ ] todo (x)"),
    ],
)
def test_a_link_shows_where_it_goes(markdown: str, shown: str) -> None:
    assert neutralise(markdown) == shown


@given(st.text(alphabet=st.sampled_from("<>!@|[]()`chanelhrU1^ https:/.x"), max_size=60))
def test_neutralising_twice_changes_nothing_more(text: str) -> None:
    once = neutralise(text)
    assert re.search(r"<!(channel|here|everyone)|<@[UW][A-Z0-9]*>|@(channel|here)\b", once) is None
    assert neutralise(once) == once


@pytest.mark.parametrize(
    "text",
    ["<!" * 3_000 + "x" + ">" * 3_000, "[" * 5_000 + "](" * 2_500, "<http://e|" * 1_000, "a." * 5_000, "@here" * 2_000,
     "`" * 10_000, "[a-" * 3_000 + "](b)", "<@U" * 3_000 + "|>" * 500, "!" * 10_000, "\n" * 10_000, "&lt;" * 2_500],
)  # fmt: skip
def test_no_text_takes_long_to_make_safe(text: str) -> None:
    began = time.perf_counter()
    neutralise(text)
    assert time.perf_counter() - began < 1.0


@given(st.text(max_size=200))
def test_what_slack_escapes_is_read_back_as_typed(text: str) -> None:
    assert unescape(escape(text)) == text
    assert as_typed(escape(text)) == text


@pytest.mark.parametrize(
    ("slack", "typed"),
    [
        ("<https://x.example/a?b=1&amp;c=2>", "https://x.example/a?b=1&c=2"),
        ("<http://x.example|x.example>", "x.example"),
        ("<mailto:a@b.example|a@b.example>", "a@b.example"),
        ("see <#C1|general> and <@U1|mia> &lt;b&gt;", "see #general and @mia <b>"),
        ("<!here> &amp;lt;", "@here &lt;"),
    ],
)
def test_links_and_channels_are_written_out(slack: str, typed: str) -> None:
    assert as_typed(slack) == typed


@given(st.text(max_size=300), st.integers(min_value=1, max_value=80))
def test_shortened_text_keeps_within_its_limit(text: str, most: int) -> None:
    assert len(shorten(text, most)) <= most and len(clip(text, most)) <= most
    assert "\n" not in shorten(text, most)


@given(st.lists(st.text("ab-", min_size=1, max_size=30), max_size=6), st.integers(3, 40))
def test_names_that_differ_look_different_where_they_are_shortened(names: list[str], most: int) -> None:
    shown = shorten_apart(names, most)
    assert len(set(shown)) == len(set(names))
    assert all(one == name or len(one) < len(name) for one, name in zip(shown, names, strict=True))
    if len(set(names)) == 1:
        assert all(len(one) <= most for one in shown)


def test_a_shortened_name_keeps_its_beginning_and_its_end() -> None:
    assert shorten_apart(["retrieved @a-long-name-2507", "short"], 13) == ["retrie…e-2507", "short"]
    assert shorten_apart(["an-a-name", "an-b-name"], 5) == ["an-a…ame", "an-b…ame"]
