"""A draft once more, and never the same text twice.

What a model writes for a variant is held back for as long as it repeats a version that people have seen, and let
through from the first letter that differs. So a repetition is noticed before anybody reads it, and asked for again
with other dice.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from config.variants import Variant

#: How often a variant is asked for before it is given up.
MAX_TRIES = 4
#: Earlier versions that the prompt for another one carries.
MAX_VERSIONS = 3
#: Two clicks of one person within so many seconds are one wish.
DOUBLE_CLICK_SECONDS = 3.0

_TEMPERATURES = {
    Variant.SHORTER: (0.0, 0.7, 0.9, 1.1),
    Variant.LONGER: (0.0, 0.7, 0.9, 1.1),
    Variant.ANOTHER: (0.8, 0.9, 1.0, 1.2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next word is chosen. Temperature 0 is what a rung was measured with: always the likeliest."""

    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


GREEDY = Sampling()


def choose_sampling(draft_id: str, variant: Variant, attempt: int) -> Sampling:
    """The dice for an attempt (from 0), the same for the same draft, so that a bot that takes over writes the same."""
    temperature = _TEMPERATURES[variant][min(attempt, MAX_TRIES - 1)]
    if temperature == 0:
        return GREEDY
    seed = int.from_bytes(hashlib.sha256(f"{draft_id}:{attempt}".encode()).digest()[:4], "big") >> 1
    return Sampling(temperature=temperature, top_p=0.95, seed=seed)


def essence(text: str) -> str:
    """What makes two texts the same text to a reader: letters, figures and signs, without case, blanks or points."""
    return "".join(c for c in text.casefold() if unicodedata.category(c)[0] not in "ZCP")


class Gate:
    """Holds a text back while it is the beginning of a known one. Without known texts everything passes at once."""

    def __init__(self, known: Sequence[str]) -> None:
        self._candidates = [essence(text) for text in known if text.strip()]
        self._length = 0
        self._held = ""

    def feed(self, text: str) -> str:
        """What may be shown of the text so far."""
        new = essence(text)
        start, end = self._length, self._length + len(new)
        self._candidates = [known for known in self._candidates if known[start:end] == new]
        self._length = end
        self._held += text
        return "" if self._candidates else self._release()

    @property
    def is_repetition(self) -> bool:
        """Is the text, if it ends here, one of the known ones?"""
        return any(len(known) == self._length for known in self._candidates)

    def finish(self) -> str:
        """The rest: a text that only begins like a known one is another text."""
        return self._release()

    def _release(self) -> str:
        held, self._held = self._held, ""
        return held
