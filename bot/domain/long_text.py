"""One long text over several of Slack's inputs, cut where a reader would cut it, and the text again.

Joined with their joints the parts are the text, to the letter. A cut takes the white space at it out of the inputs,
because an input may lose what stands at its ends; so the text survives that too. Lengths are in UTF-16 units, in which
Slack may count.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

#: Slack's limit for one text input.
INPUT_CHARS = 3_000
#: No part but the last is shorter, so that a text of MAX_TEXT_CHARS always fits into MAX_INPUTS inputs.
_LEAST_CHARS = INPUT_CHARS // 2
MAX_TEXT_CHARS = 4 * INPUT_CHARS
MAX_INPUTS = MAX_TEXT_CHARS // _LEAST_CHARS
#: White space that a cut may take out; what there is more stays in the inputs.
_LONGEST_JOINT = 24
#: Where to cut, the best first: between paragraphs, lines, sentences, words.
_SEAMS = (re.compile(r"\n[^\S\n]*\n\s*"), re.compile(r"\n\s*"), re.compile(r"(?<=[.!?…:;])\s+"), re.compile(r"\s+"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a text, and the white space that stood between it and the part before."""

    text: str
    joint: str = ""


def utf16_units(text: str) -> int:
    return len(text) + sum(c > "\uffff" for c in text)


def split_long_text(text: str, most: int = INPUT_CHARS) -> list[Part]:
    """At least one part, of at most `most` units. With inputs' own limit, a text of at most MAX_TEXT_CHARS units has at
    most MAX_INPUTS parts."""
    parts: list[Part] = []
    joint = ""
    while utf16_units(text) > most:
        end, following = _choose_seam(text, _fitting(text, most // 2), _fitting(text, most))
        parts.append(Part(text=text[:end], joint=joint))
        joint, text = text[end:following], text[following:]
    return [*parts, Part(text=text, joint=joint)]


def join_parts(parts: Sequence[Part]) -> str:
    """The text again. A part that somebody emptied takes its joint with it."""
    text = ""
    for part in parts:
        text += part.joint + part.text if text and part.text else part.text
    return text


def _choose_seam(text: str, least: int, most: int) -> tuple[int, int]:
    """Where this part ends and the next begins, both between `least` and `most`: at the last of the best seams."""
    for seam in _SEAMS:
        found = [one for one in seam.finditer(text, least, most + 1) if one.start() <= most]
        if found:
            return found[-1].start(), min(found[-1].end(), found[-1].start() + _LONGEST_JOINT)
    return most, most


def _fitting(text: str, most: int) -> int:
    """How many characters from the start are at most so many units."""
    units = 0
    for index, c in enumerate(text):
        units += 2 if c > "\uffff" else 1
        if units > most:
            return index
    return len(text)


#: How a joint is written into a block_id, where only the inputs' values come back.
_LETTERS = {"\n": "n", " ": "s", "\t": "t", "\r": "r"}


def write_joint(joint: str) -> str:
    """A joint as a short word of letters and figures."""
    return "".join(_LETTERS.get(c) or f"u{ord(c):04x}" for c in joint)


def read_joint(word: str) -> str:
    """The joint that `write_joint` wrote."""
    blanks = {letter: c for c, letter in _LETTERS.items()}
    found = re.findall(r"u[0-9a-f]{4}|[nstr]", word)
    return "".join(blanks.get(part) or chr(int(part[1:], 16)) for part in found)
