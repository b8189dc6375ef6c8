"""Length and form of drafts, beside what was approved."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.style_forms import Form
from config.style_terms import StyleTerms
from trainer.metrics import PairScore, Scorecard
from trainer.style_features import form_of, house_form, keeps_terms, look_at_drafts, style_features


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
        StyleTerms(),
    )
    assert found["n"] == 4
    assert found["length"][0] == pytest.approx(1.0), "twice as long and half as long even out"
    assert found["length"][1] < 1.0 < found["length"][2]
    assert found["kept"] == {"opening": 0.75, "ending": 0.75}
    assert found["in_form"] == 0.5
    assert found["house"] == {"opening": "capital", "ending": "sentence"}
    assert found["terms"] is None, "no terms were set"


def test_without_drafts_or_without_a_house_form_there_is_nothing_to_keep() -> None:
    assert style_features([], {}, StyleTerms()) == {}
    assert style_features([("", "One two.")], {}, StyleTerms())["in_form"] is None


TERMS = StyleTerms(required=("sign in", "workspace"), forbidden=("login", "utilise"))
ONLY_REQUIRED = StyleTerms(required=TERMS.required)
PIECES = st.lists(st.sampled_from(["sign in", "workspace", "login", "utilise", "we", "do", "signal", "logins"]))


@pytest.mark.parametrize(
    ("draft", "approved", "terms", "is_kept"),
    [
        ("Sign in to it.", "To begin, sign in.", TERMS, True),
        ("Log on to it.", "To begin, sign in.", TERMS, False),
        ("Log on to it.", "We close at noon.", TERMS, True),
        ("Log on to it.", "We close at noon.", ONLY_REQUIRED, None),
        ("Sign in here.", "Sign in to your workspace.", ONLY_REQUIRED, False),
        ("The login is there: sign in.", "To begin, sign in.", TERMS, False),
        ("The login is there.", "The login is there.", TERMS, False),
        ("", "We close at noon.", TERMS, True),
        ("Anything: login.", "Anything: login.", StyleTerms(), None),
    ],
)
def test_a_draft_owes_the_terms_of_its_approved_text_and_no_forbidden_one(
    draft: str, approved: str, terms: StyleTerms, is_kept: bool | None
) -> None:
    assert keeps_terms(draft, approved, terms) is is_kept


@given(PIECES, PIECES)
def test_keeping_to_terms_holds_for_every_draft(draft: list[str], approved: list[str]) -> None:
    one, other = " ; ".join(draft), " ; ".join(approved)
    assert keeps_terms(f"{one} ; login", other, TERMS) is False, "a forbidden term counts whatever was approved"
    kept = keeps_terms(one, other, TERMS)
    assert kept is (not {"login", "utilise"} & set(draft) and set(TERMS.required) & set(approved) <= set(draft))
    if kept:
        assert keeps_terms(f"{one} ; sign in ; workspace", other, TERMS), "saying more of them never hurts"
    asks_nothing = not set(TERMS.required) & set(approved)
    assert (keeps_terms(one, other, ONLY_REQUIRED) is None) is asks_nothing
    assert keeps_terms(other, other, TERMS) is (not {"login", "utilise"} & set(approved))


def test_the_share_that_keeps_to_the_terms_counts_those_of_whom_something_is_asked() -> None:
    drafts = [("Sign in.", "Sign in."), ("Log on.", "Sign in."), ("We close.", "We close."), ("A login.", "We close.")]
    assert style_features(drafts, {}, TERMS)["terms"] == {"n": 4, "kept": 2}
    assert style_features(drafts, {}, ONLY_REQUIRED)["terms"] == {"n": 2, "kept": 1}
    assert style_features(drafts[2:], {}, ONLY_REQUIRED)["terms"] == {"n": 0, "kept": 0}


def test_each_draft_of_a_scorecard_says_what_it_keeps() -> None:
    drafts = {"a": "Sign in.", "b": "log on", "c": "We close.", "d": None}
    pairs = [
        PairScore(example_id=one, nll_nats=1.0, reference_bytes=8, prompt_tokens=1, draft=draft)
        for one, draft in drafts.items()
    ]
    card = Scorecard(rung="lora", pairs=tuple(pairs), seconds_per_draft=0.1, scoring_seconds=0.1)
    approved = {"a": "Sign in.", "b": "Sign in.", "c": "We close.", "d": "We close."}
    house = {Form.OPENING: "capital", Form.ENDING: "sentence"}

    def looked_at(card: Scorecard, house: dict[Form, str], terms: StyleTerms) -> list[tuple[bool | None, bool | None]]:
        return [(one.in_form, one.keeps_terms) for one in look_at_drafts(card, approved, house, terms).pairs]

    assert looked_at(card, house, ONLY_REQUIRED) == [(True, True), (False, False), (True, None), (None, None)]
    assert looked_at(card, {}, StyleTerms()) == [(None, None)] * 4, "there is nothing to keep"
    labels = replace(card, calibration={"threshold": 0.5})
    assert looked_at(labels, house, TERMS) == [(None, None)] * 4, "a label has no form"
