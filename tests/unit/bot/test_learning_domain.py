"""The pure decisions of learning: when two pairs are one, what can be learnt from, who may decide."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.long_text import MAX_TEXT_CHARS
from bot.domain.pairs import check_pair
from bot.domain.reviewing import (
    ReviewPolicy,
    has_quorum,
    is_reviewer,
    may_approve,
    may_approve_kept_draft,
    may_withdraw,
)  # fmt: skip
from bot.domain.similarity import are_near, collapse, normal_pair
from bot.domain.style_names import find_nearest, is_valid_name, split_request, suggest_name
from bot.domain.values import Actor
from config.likeness import normalise

RAVI = Actor(team_id="T1", user_id="U_RAVI", name="ravi")
ANA = Actor(team_id="T1", user_id="U_ANA", name="ana", is_admin=True)
MIA = Actor(team_id="T1", user_id="U_MIA", name="mia")
GUEST = Actor(team_id="T1", user_id="U_RAVI", name="ravi", is_full_member=False)
POLICY = ReviewPolicy(reviewer_ids=frozenset({"U_RAVI"}), approvals_required=2, may_approve_own=False)


@given(st.text(max_size=100))
def test_normalising_is_idempotent_for_what_it_compares(text: str) -> None:
    assert normalise(f" {text}\n") == normalise(text)


def test_white_space_case_width_and_form_do_not_tell_texts_apart() -> None:
    assert normalise(" Ｆｕｌｌ\u00a0WIDTH\u200b ﬁne ") == normalise("full width\nfine")


def all_near(pairs: list[Any], *, labels: bool = False) -> list[bool]:
    """What `collapse` says, by comparing every pair with every earlier one."""
    kept: list[Any] = []
    doubles = []
    for pair in pairs:
        double = any(other.content_hash == pair.content_hash or are_near(pair, other, labels=labels) for other in kept)
        doubles.append(double)
        if not double:
            kept.append(pair)
    return doubles


WORDS = st.lists(st.sampled_from(["the", "office", "closes", "at", "noon", "on", "friday", "again"]), max_size=14)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WORDS, WORDS, st.sampled_from(["", ".", "!", "x", " ."])), max_size=14), st.booleans())
def test_the_quick_search_finds_what_comparing_everything_finds(rows: list[Any], labels: bool) -> None:
    pairs = [normal_pair(str(i), " ".join(p) + end, " ".join(c)) for i, (p, c, end) in enumerate(rows)]
    assert [double is not None for double in collapse(pairs, labels=labels)] == all_near(pairs, labels=labels)


def test_a_text_of_exactly_the_limit_fits() -> None:
    assert check_pair("Say it", "x" * MAX_TEXT_CHARS, "draft") == []
    assert check_pair("Say it", "x" * (MAX_TEXT_CHARS + 1), "draft")[0].field == "completion"


def test_a_label_may_be_short_and_a_draft_may_not() -> None:
    assert check_pair("A ticket", "B", "classify") == []
    assert check_pair("A ticket", "B", "draft")[0].sentence.startswith("The good output has 1 visible character")


def test_roles_decide_and_guests_never_do() -> None:
    assert is_reviewer(RAVI, {"U_RAVI"}) and is_reviewer(ANA, set())
    assert not is_reviewer(MIA, {"U_RAVI"}) and not is_reviewer(GUEST, {"U_RAVI"})
    assert may_approve(RAVI, POLICY, "U_MIA") and not may_approve(RAVI, POLICY, "U_RAVI")
    assert may_approve_kept_draft(RAVI, POLICY, "U_MIA") and not may_approve_kept_draft(RAVI, POLICY, None)
    assert may_withdraw(MIA, set(), author_id="U_MIA", proposed_by="U_RAVI")
    assert may_withdraw(MIA, set(), author_id=None, proposed_by="U_MIA")
    assert not may_withdraw(MIA, {"U_RAVI"}, author_id=None, proposed_by="U_RAVI")


def test_a_quorum_counts_people() -> None:
    assert not has_quorum(["U1", "U1"], POLICY)
    assert has_quorum(["U1", "U2"], POLICY)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("brand-voice: announce it", ("brand-voice", "announce it")),
        ("Brand-Voice :announce\nit: now", ("brand-voice", "announce\nit: now")),
        ("Subject: hello", (None, "Subject: hello")),
        ("brand-voice", (None, "brand-voice")),
        ("  ", (None, "")),
    ],
)
def test_a_style_is_named_before_a_colon(text: str, expected: tuple[str | None, str]) -> None:
    assert split_request(text, {"brand-voice", "support"}) == expected


@given(st.text(max_size=80))
def test_a_suggested_name_is_valid_or_nothing(wish: str) -> None:
    suggestion = suggest_name(wish)
    assert suggestion == "" or is_valid_name(suggestion)


def test_names_are_what_people_can_type_and_files_can_be_called() -> None:
    assert is_valid_name("a") and is_valid_name("brand-voice-2")
    for name in ("", "-a", "a-", "A", "a b", "a.b", "ä", "x" * 41, "a\n"):
        assert not is_valid_name(name)


def test_a_slip_finds_the_nearest_word() -> None:
    assert find_nearest("exmaples", {"examples": 1, "styles": 2}) == "examples"
    assert find_nearest("qqq", ["examples"]) is None
