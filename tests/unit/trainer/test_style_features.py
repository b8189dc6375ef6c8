"""Length and form of drafts, beside what was approved."""

from __future__ import annotations

import pytest

from config.style_forms import Form
from trainer.style_features import form_of, house_form, style_features


@pytest.mark.parametrize(
    ("text", "opening", "ending", "layout"),
    [
        ("We close at noon.", "capital", "sentence", "line"),
        ("we close at noon", "small", "open", "line"),
        ("“Élan!”", "capital", "sentence", "line"),
        ("Two things:\n- one\n- two", "capital", "open", "list"),
        ("1. First\n2) Second.", "capital", "sentence", "list"),
        ("Dear all,\n\nWe close. *See you!*", "capital", "sentence", "lines"),
        ("2026-11-28", "neither", "open", "line"),
        ("- alone is no list", "small", "open", "line"),
        ("", "neither", "open", "line"),
    ],
)
def test_the_form_of_a_text(text: str, opening: str, ending: str, layout: str) -> None:
    assert form_of(text) == {Form.OPENING: opening, Form.ENDING: ending, Form.LAYOUT: layout}


def test_the_form_of_the_house_is_what_nearly_all_share() -> None:
    assert house_form(["We close."] * 9 + ["we close"]) == {
        Form.OPENING: "capital", Form.ENDING: "sentence", Form.LAYOUT: "line",
    }  # fmt: skip
    mixed = ["We close."] * 8 + ["We close"] * 2
    assert house_form(mixed) == {Form.OPENING: "capital", Form.LAYOUT: "line"}
    assert house_form(["We close."] * 9) == {}, "too few to speak of a form"


def test_length_is_a_multiple_of_the_approved_texts_and_form_is_counted_draft_by_draft() -> None:
    house = {Form.OPENING: "capital", Form.ENDING: "sentence"}
    found = style_features(
        [("One two three four.", "One two."), ("one.", "One two."), ("One two", "One two."), ("One two.", "One two.")],
        house,
    )
    assert found["n"] == 4
    assert found["length"][0] == pytest.approx(1.0), "twice as long and half as long even out"
    assert found["length"][1] < 1.0 < found["length"][2]
    assert found["kept"] == {"opening": 0.75, "ending": 0.75}
    assert found["in_form"] == 0.5
    assert found["house"] == {"opening": "capital", "ending": "sentence"}


def test_without_drafts_or_without_a_house_form_there_is_nothing_to_keep() -> None:
    assert style_features([], {}) == {}
    assert style_features([("", "One two.")], {})["in_form"] is None
