"""A text that people have seen is held back; anything else passes, in order and whole, with other dice every time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.preview import split_private
from bot.domain.variants import MAX_TRIES, Gate, choose_sampling, essence
from config.prompts import build_prompt, build_variant_prompt
from config.variants import Variant

PIECES = st.lists(
    st.sampled_from(["We ", "close ", "at noon", ".", " ", "\n", "É", "👋", "we CLOSE at Noon", "ß"]), max_size=12
)


def pass_through(gate: Gate, pieces: list[str]) -> tuple[str, bool]:
    """What came out before the end, and whether the whole was a repetition."""
    return "".join(gate.feed(piece) for piece in pieces), gate.is_repetition


@given(PIECES, st.lists(PIECES.map("".join), max_size=4))
def test_everything_passes_in_order_unless_it_is_a_repetition(pieces: list[str], known: list[str]) -> None:
    gate = Gate(known)
    out, is_repetition = pass_through(gate, pieces)
    seen = {essence(text) for text in known if text.strip()}
    assert is_repetition == (essence("".join(pieces)) in seen)
    assert not (is_repetition and out)
    assert out + gate.finish() == "".join(pieces)


@given(st.text(max_size=60).filter(str.strip), st.integers(1, 9))
def test_a_repetition_shows_nothing_however_it_arrives(text: str, size: int) -> None:
    pieces = [text[i : i + size] for i in range(0, len(text), size)]
    assert pass_through(Gate([text]), pieces) == ("", True)


def test_a_text_is_released_at_the_first_letter_that_differs() -> None:
    gate = Gate(["We close at noon.", "We close at four."])
    assert gate.feed("We close at ") == ""
    assert gate.feed("n") == ""
    assert gate.feed("ine") == "We close at nine"
    assert gate.feed(" or later") == " or later"
    assert Gate([]).feed("We") == "We"


@pytest.mark.parametrize("variant", list(Variant))
def test_every_try_has_other_dice_and_the_same_ones_for_the_same_draft(variant: Variant) -> None:
    tries = [choose_sampling("dra_1", variant, attempt) for attempt in range(MAX_TRIES)]
    assert len(set(tries)) == MAX_TRIES
    assert tries == [choose_sampling("dra_1", variant, attempt) for attempt in range(MAX_TRIES)]
    assert tries[-1] != choose_sampling("dra_2", variant, MAX_TRIES - 1)
    assert (tries[0].temperature == 0) == (variant is not Variant.ANOTHER)


def test_a_variants_prompt_continues_the_prompt_that_the_draft_was_made_with() -> None:
    first = build_prompt("Be short.", "We close at noon")
    asked = build_variant_prompt("Be short.", "We close at noon", Variant.LONGER, ["one two three", "four five"])
    assert asked[: len(first)] == first
    assert [turn["role"] for turn in asked[len(first) :]] == ["assistant", "user"] * 2
    assert "about 5 words" in asked[-3]["content"] and "about 3 words" in asked[-1]["content"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("--private we close", (True, "we close")),
        ("brand-voice: we close --Private", (True, "brand-voice: we close")),
        ("—preview we close", (True, "we close")),
        ("–privé we close", (True, "we close")),
        ("--private", (True, "")),
        ("explain what --private does", (False, "explain what --private does")),
        ("--privately speaking", (False, "--privately speaking")),
    ],
)
def test_a_private_draft_is_asked_for_at_the_beginning_or_the_end(text: str, expected: tuple[bool, str]) -> None:
    assert split_private(text) == expected
