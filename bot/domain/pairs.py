"""What can be learnt from: both texts present, visible, storable and not longer than a reviewer can read.

Texts are never trimmed or cut here. A pair is good as it stands, or a sentence says what is wrong with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bot.domain.similarity import count_visible
from bot.texts import learning as texts

#: Slack's limit for one text input.
INPUT_CHARS = 3_000
#: Inputs that one long text is spread over in a modal.
MAX_INPUTS = 4
#: Longer texts are refused everywhere, so that every example can be reviewed and edited in a modal.
MAX_TEXT_CHARS = INPUT_CHARS * MAX_INPUTS
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
    if len(split_for_inputs(text)) > MAX_INPUTS:
        return texts.too_long(field, len(text), MAX_TEXT_CHARS)
    if "\x00" in text or any("\ud800" <= c <= "\udfff" for c in text):
        return texts.UNSTORABLE[field]()
    return ""


def split_for_inputs(text: str) -> list[str]:
    """A text in pieces that fit Slack's text inputs; joined they are the text again.

    Slack may count in UTF-16 units, so a piece holds at most that many of those. Pieces neither begin nor end with
    white space where that can be had, because an input may lose it there.
    """
    pieces: list[str] = []
    to_spare = max(0, MAX_TEXT_CHARS - _utf16_units(text)) // MAX_INPUTS
    while _utf16_units(text) > INPUT_CHARS:
        cut = end = _fitting(text)
        while cut > end - to_spare and (text[cut - 1].isspace() or text[cut].isspace()):
            cut -= 1
        pieces.append(text[:cut])
        text = text[cut:]
    return [*pieces, text]


def _utf16_units(text: str) -> int:
    return len(text) + sum(c > "\uffff" for c in text)


def _fitting(text: str) -> int:
    """How many characters from the start fit into one input."""
    units = 0
    for index, c in enumerate(text):
        units += 2 if c > "\uffff" else 1
        if units > INPUT_CHARS:
            return index
    return len(text)
