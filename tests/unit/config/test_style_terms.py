"""Whether a text holds a term: whole words, in any spelling of the same characters."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.prompts import build_instructions, prompt_hash
from config.style_terms import StyleTerms, find_terms, fold_term

#: Words of scripts with blanks between words, upper and lower case.
WORDS = st.text(alphabet="abcdefgxyzABCéßñÅøжЖλΛ0123", min_size=1, max_size=8)
TEXTS = st.text(max_size=60)
TERMS = TEXTS.filter(lambda text: fold_term(text) != "")


@pytest.mark.parametrize(
    ("term", "text", "is_there"),
    [
        ("login", "Your Login: see below.", True),
        ("login", "LOGIN", True),
        ("login", "Two logins, one relogin.", False),
        ("login", "The login-page, (login), *login*, “login”, login’s.", True),
        ("login", "An _login_ in Markdown", True),
        ("login", "Call login_form() or my_login.", False),
        ("old_api", "Call old_api() here", True),
        ("log in", "Please log\n   in here", True),
        ("log in", "Please blog in here", False),
        ("don't", "We don’t", True),
        ("Straße", "In der STRASSE", True),
        ("café", "a cafe\u0301", True),
        ("cafe", "a cafe\u0301", False),
        ("file", "the \ufb01le", True),
        ("login", "lo\u00adgin", True),
        ("C++", "We write C++17 and C++.", True),
        ("C++", "We write C.", False),
        ("—", "Short—and sweet", True),
        ("東京", "私は東京に住む", True),
        ("ログイン", "ここでログインする", True),
        ("สวัสดี", "พูดสวัสดีครับ", True),
        ("नमस्त", "नमस्ते", False),
        ("15", "In 2015", False),
        ("15", "At 15:00", True),
        ("aXa", "aXaXa aXa", True),
        ("", "anything", False),
        ("\u200b", "anything", False),
        ("login", "", False),
    ],
)
def test_a_term_is_found_as_a_whole_word(term: str, text: str, is_there: bool) -> None:
    assert find_terms(text, [term]) == ((term,) if is_there else ())


@given(WORDS, st.lists(WORDS), st.lists(WORDS))
def test_a_word_among_words_is_found_and_no_other_is(word: str, before: list[str], after: list[str]) -> None:
    text = " ".join([*before, word, *after])
    assert find_terms(text, [word]) == (word,)
    assert find_terms(text.upper(), [word]) == (word,)
    assert find_terms(text, [word + "q"]) == ()


@given(WORDS, st.text(alphabet=" .,;:!?()[]*“”\n-/", max_size=3), st.text(alphabet=" .,;:!?()[]*“”\n-/", max_size=3))
def test_punctuation_hides_no_word(word: str, before: str, after: str) -> None:
    assert find_terms(f"{before}{word}{after}", [word]) == (word,)


@given(WORDS, WORDS, WORDS)
def test_a_word_within_a_word_is_none(word: str, before: str, after: str) -> None:
    joined = before + word + after
    assert find_terms(joined, [word]) == (), "longer than the term, and one word"


@given(TEXTS, TERMS)
def test_how_a_text_is_encoded_changes_nothing(text: str, term: str) -> None:
    found = find_terms(text, [term])
    for form in ("NFC", "NFD", "NFKC"):
        assert find_terms(unicodedata.normalize(form, text), [term]) == found
        assert bool(find_terms(text, [unicodedata.normalize(form, term)])) is bool(found)


@given(TERMS)
def test_every_term_is_in_itself_and_in_a_text_around_it(term: str) -> None:
    assert find_terms(term, [term]) == (term,)
    assert find_terms(f"so: {term} .", [term]) == (term,)


@given(TEXTS, st.lists(TERMS, max_size=5))
def test_terms_are_found_each_by_itself_and_in_their_order(text: str, terms: list[str]) -> None:
    assert find_terms(text, terms) == tuple(term for term in terms if find_terms(text, [term]))


def test_the_terms_stand_after_the_instructions_and_change_the_prompts_hash() -> None:
    terms = StyleTerms(required=("sign in", "house style"), forbidden=("login",))
    full = build_instructions("Be brief.\n", terms)
    assert full.splitlines() == [
        "Be brief.", "Always use these terms for what they name: “sign in”; “house style”.",
        "Never use these terms: “login”.",
    ]  # fmt: skip
    assert build_instructions("", StyleTerms(forbidden=("login",))) == "Never use these terms: “login”."
    assert build_instructions("Be brief.\n", StyleTerms()) == "Be brief.\n", "a style without terms is as it was"
    swapped = StyleTerms(required=terms.forbidden, forbidden=terms.required)
    hashes = {prompt_hash(build_instructions("Be brief.", one)) for one in (terms, swapped, StyleTerms())}
    assert len(hashes) == 3
