"""What can be learnt from: both texts present, visible, storable and not longer than a reviewer can read.

Texts are never trimmed or cut here. A pair is good as it stands, or a sentence says what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.domain.long_text import MAX_TEXT_CHARS, utf16_units
from bot.domain.similarity import count_visible
from bot.texts import learning as texts

MIN_PROMPT_CHARS = 2
#: By kind of style: a label may be one character, a draft that short says nothing about a style.
MIN_COMPLETION_CHARS = {"draft": 4, "code": 2, "classify": 1}

Field = Literal["prompt", "completion"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is wrong with one of the two texts, as a sentence."""

    field: Field
    sentence: str


def check_pair(prompt: str, completion: str, kind: str) -> list[Problem]:
    """Every reason why this pair cannot be an example of a style of this kind; empty when it can."""
    found = [
        ("prompt", _check(prompt, "prompt", MIN_PROMPT_CHARS)),
        ("completion", _check(completion, "completion", MIN_COMPLETION_CHARS[kind])),
    ]
    return [Problem(field=field, sentence=sentence) for field, sentence in found if sentence]  # type: ignore[arg-type]


def _check(text: str, field: Field, least: int) -> str:
    visible = count_visible(text)
    if visible == 0:
        return texts.EMPTY[field]()
    if visible < least:
        return texts.too_short(field, visible, least)
    if is_too_long(text):
        return texts.too_long(field, len(text), MAX_TEXT_CHARS)
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        return texts.UNSTORABLE[field]()
    return ""


def is_too_long(text: str) -> bool:
    """Longer texts are refused everywhere, so that every example can be reviewed and edited in a modal."""
    return utf16_units(text) > MAX_TEXT_CHARS
