"""What a reviewer is shown beside a proposal: what should not be learnt, and what clashes with it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.clashes import ClashKind, find_clashes
from bot.domain.redaction import Sensitive, find_sensitive, redact_pair
from bot.domain.similarity import normal_pair

KEYS = [
    "AKIAIOSFODNN7EXAMPLE", "ghp_abcdefghijklmnopqrstuvwxyz0123456789", "github_pat_11ABCDEFG0abcdefghijkl_mnopqrst",
    "xoxb-123456789012-AbCdEfGhIj", "xapp-1-A0123456789-abcdef", "sk-proj-abcdefghijklmnopqrstuv1234",
    "sk-ant-api03-abcdefghijklmnopqrst", "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH", "glpat-abcdefghijklmnopqrst",
    "AIzaSyA1234567890abcdefghijklmnopqrstuvw", "sk_live_abcdefghijklmnop1234",
    "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N", "dop_v1_" + "a1" * 32,
    "SG.abcdefghijklmnop.abcdefghijklmnopqrstuvwx",
    "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXX",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nabc\n-----END RSA PRIVATE KEY-----",
]  # fmt: skip


@pytest.mark.parametrize("key", KEYS)
def test_a_key_is_taken_out_of_either_text_also_when_it_is_split_by_invisible_characters(key: str) -> None:
    split = f"{key[:6]}\u200b{key[6:]}"
    cleaned = redact_pair(f"use {key} please", f"The key is {split} for now")
    assert cleaned.counts.get(Sensitive.SECRET)
    assert key[8:] not in cleaned.prompt + cleaned.completion


@pytest.mark.parametrize(
    ("text", "kind", "left"),
    [
        ("Mail jan.de-vries+x@mail.example.co.uk!", Sensitive.EMAIL, "Mail [email]!"),
        ("Bel 06-12345678 voor vragen", Sensitive.PHONE, "Bel [phone number] voor vragen"),
        ("Call +31 20 123 4567 now", Sensitive.PHONE, "Call [phone number] now"),
        ("Pay to NL91 ABNA 0417 1643 00 before June", Sensitive.IBAN, "Pay to [IBAN] before June"),
        ("Card 4111 1111 1111 1111 expired", Sensitive.CARD, "Card [card number] expired"),
        ("Haar BSN is 123456782.", Sensitive.CITIZEN, "Haar BSN is [BSN]."),
        ("Het wachtwoord is Zomer2026!", Sensitive.SECRET, "Het wachtwoord is [secret]!"),
        ("postgres://app:s3cret@db/x", Sensitive.SECRET, "postgres://app:[secret]@db/x"),
        ("Ｍail ｊan@example.com", Sensitive.EMAIL, "Ｍail [email]"),
    ],
)
def test_each_kind_is_found_by_its_form_and_check_digits(text: str, kind: Sensitive, left: str) -> None:
    cleaned = redact_pair("What now?", text)
    assert (cleaned.completion, dict(cleaned.counts)) == (left, {kind: 1})


@pytest.mark.parametrize(
    "text",
    [
        "See you at 12:30 on 24-12-2026 in room 4.12.", "Invoice 20260011 of 1,250,000 euro, order 1234567890.",
        "The password is kept in the vault.", "Card 4111 1111 1111 1112 has a wrong check digit.",
        "Version 10.0.19045.3570 costs 19.99; call us when you are @ the office.", "Ask ana or mail us (see below).",
        "Het wachtwoord staat in de kluis.",
    ],
)  # fmt: skip
def test_plain_sentences_are_left_alone(text: str) -> None:
    assert find_sensitive(text) == ()


def test_one_value_has_one_placeholder_in_both_texts() -> None:
    cleaned = redact_pair("Write to a@example.com and b@example.com", "Sent to B@example.com, copy to a@example.com")
    assert cleaned.prompt == "Write to [email 1] and [email 2]"
    assert cleaned.completion == "Sent to [email 2], copy to [email 1]"


@given(st.text(max_size=80), st.sampled_from(KEYS), st.text(max_size=80))
def test_taking_out_twice_changes_nothing_more(before: str, key: str, after: str) -> None:
    once = redact_pair(f"{before} {key} {after}", after)
    twice = redact_pair(once.prompt, once.completion)
    assert (twice.prompt, twice.completion) == (once.prompt, once.completion)


KNOWN = [
    normal_pair("a", "Say that we close early on Friday", "Heads up: we close at noon this Friday."),
    normal_pair("b", "Remind people of the lorries", "No lorries in week 32, please send everything before that."),
]


def test_the_same_request_with_another_output_is_a_contradiction() -> None:
    [clash] = find_clashes(normal_pair("x", "On Friday, say that we close early", "Bring cake and a good mood!"), KNOWN)
    assert (clash.key, clash.kind) == ("a", ClashKind.CONTRADICTION)


def test_the_same_again_is_a_lookalike_and_itself_is_nothing() -> None:
    [clash] = find_clashes(
        normal_pair("x", "Say that we close early on a Friday", "Heads up: we close at one this Friday!"), KNOWN
    )
    assert (clash.key, clash.kind) == ("a", ClashKind.LOOKALIKE)
    assert find_clashes(KNOWN[0], KNOWN) == []


def test_another_label_for_the_same_ticket_contradicts() -> None:
    known = [normal_pair("a", "My invoice is wrong, please help", "billing")]
    [clash] = find_clashes(normal_pair("x", "My invoice is wrong please help", "billings"), known, labels=True)
    assert clash.kind is ClashKind.CONTRADICTION
