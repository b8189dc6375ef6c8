"""When two texts say the same: both are normalised first, and only the copies are ever compared."""

from __future__ import annotations

import re
import unicodedata

#: Characters that take no room: zero-width spaces and joiners, direction marks, variation selectors, soft hyphens.
ZERO_WIDTH = re.compile(
    "[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
#: From how alike (0 to 100, rapidfuzz ratio) two normalised texts are one.
NEAR_DUPLICATE = 92.0

#: Characters of scripts that put no blanks between words, as a class of a pattern.
UNSPACED = "[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]"

_WHITE_SPACE = re.compile(r"\s+")
_UNSPACED = re.compile(UNSPACED)


def normalise(text: str) -> str:
    """The copy that is compared: NFKC, case folded, without zero-width characters, white space as single blanks."""
    text = ZERO_WIDTH.sub("", unicodedata.normalize("NFKC", text))
    return _WHITE_SPACE.sub(" ", text.casefold()).strip()


def is_unspaced(character: str) -> bool:
    """Is it of a script that puts no blanks between words?"""
    return _UNSPACED.match(character) is not None
