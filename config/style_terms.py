"""The terms of a style: what its texts must say, what they never say, and whether a text holds one. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from config.likeness import is_unspaced, normalise


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleTerms:
    """As people typed them, each list in its order."""

    #: What things are called: said wherever a text is about them.
    required: tuple[str, ...] = ()
    forbidden: tuple[str, ...] = ()


def fold_term(text: str) -> str:
    """The copy that is compared: as `normalise` has it (NFKC, case folded, single blanks), apostrophes straight."""
    return normalise(text).replace("’", "'")


def find_terms(text: str, terms: Sequence[str]) -> tuple[str, ...]:
    """Those of the terms that stand in the text as whole words, in the terms' order and spelling.

    A word is letters, digits and their marks, and what underscores hold together: `login` is in “log-in or login-page”
    and in `_login_`, not in “logins” or `login_form`. Scripts that put no blanks between words have no such ends.
    """
    folded = fold_term(text)
    return tuple(term for term in terms if _has_word(folded, fold_term(term)))


def _has_word(text: str, term: str) -> bool:
    start = text.find(term) if term else -1
    while start != -1:
        if not _is_within_word(text, start) and not _is_within_word(text, start + len(term)):
            return True
        start = text.find(term, start + 1)
    return False


def _is_within_word(text: str, at: int) -> bool:
    """Does one word stand on both sides of this place?"""
    left, right = at - 1, at
    while left >= 0 and text[left] == "_":
        left -= 1
    while right < len(text) and text[right] == "_":
        right += 1
    return left >= 0 and right < len(text) and _is_of_word(text[left]) and _is_of_word(text[right])


def _is_of_word(character: str) -> bool:
    is_letter_or_mark = character.isalnum() or unicodedata.category(character).startswith("M")
    return is_letter_or_mark and not is_unspaced(character)
