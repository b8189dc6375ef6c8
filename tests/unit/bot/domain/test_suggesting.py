"""Which suggestion is worth showing, and where a request came from in the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.suggesting import MAX_SUGGESTION_CHARS, Useless, find_prompt_source, read_suggestion
from config.prompt_sources import PromptSource

TEXT = "Heads up: we close at noon this Friday. See you on Monday, and enjoy the long weekend with your families!"


@pytest.mark.parametrize(
    ("written", "request_"),
    [
        ("Say that we close early", "Say that we close early"),
        ("\n  Request: “Say that we close early”\n\nText: something else", "Say that we close early"),
        ("Vraag: 'Zeg dat we vroeg sluiten'", "Zeg dat we vroeg sluiten"),
        ("Write to the team that we close at noon this Friday", "Write to the team that we close at noon this Friday"),
    ],
)
def test_the_first_line_without_label_and_quotes_is_the_request(written: str, request_: str) -> None:
    assert read_suggestion(written, TEXT) == request_


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("", Useless.EMPTY),
        ("Request:\u200b", Useless.EMPTY),
        (TEXT, Useless.REPEATS),
        (f"Write this: {TEXT}", Useless.REPEATS),
        ("see you on monday and enjoy the long weekend with your families", Useless.REPEATS),
        ("word " * 200 + "x", Useless.TOO_LONG),
        ("The package is good. The package is bad. The package is here", Useless.LOOPS),
        ("Describe xyz-wish-wish-wish-wish-wish", Useless.LOOPS),
    ],
)
def test_rubbish_is_told_apart(written: str, why: Useless) -> None:
    assert read_suggestion(written, TEXT) == why


def test_a_short_request_that_stands_in_its_text_is_still_a_request() -> None:
    assert read_suggestion("Close at noon", TEXT) == "Close at noon"


@given(st.text(max_size=1_500), st.text(max_size=300))
def test_what_is_shown_is_one_short_line(written: str, completion: str) -> None:
    found = read_suggestion(written, completion)
    if not isinstance(found, Useless):
        assert found == found.strip() and len(found.splitlines()) == 1 and len(found) <= MAX_SUGGESTION_CHARS


@pytest.mark.parametrize(
    ("offered", "offer", "prompt", "source"),
    [
        (None, "", "Say it", PromptSource.TYPED),
        (PromptSource.SUGGESTED, "", "Say it", PromptSource.TYPED),
        (PromptSource.SUGGESTED, "Say it", " Say it ", PromptSource.SUGGESTED),
        (PromptSource.SUGGESTED, "Say that we close early", "Say that we close late", PromptSource.SUGGESTED_EDITED),
        (PromptSource.SUGGESTED, "Say that we close early", "Bel de klant terug", PromptSource.TYPED),
        (PromptSource.PARENT, "How do we say it?", "How do we say this?", PromptSource.PARENT_EDITED),
        (PromptSource.DRAFT, "announce it", "announce it", PromptSource.DRAFT),
    ],
)
def test_a_request_knows_where_it_came_from(
    offered: PromptSource | None, offer: str, prompt: str, source: PromptSource
) -> None:
    assert find_prompt_source(offered, offer, prompt) is source
