"""The half of a pair that nobody wrote: which suggestion is worth showing, and where the request came from in the end.

A suggestion is a help, never an answer: what is no request, or only the text again, is not shown at all.
"""

from __future__ import annotations

import re
from collections import Counter
from enum import StrEnum

from bot.domain.effort import edit_effort
from bot.domain.similarity import count_visible
from bot.domain.variants import essence
from config.prompt_sources import PromptSource

#: A request that somebody types is short; what is longer has lost its thread. It also has to fit into a modal.
MAX_SUGGESTION_CHARS = 600
#: What a model may write before its first line is over.
MAX_SUGGESTION_TOKENS = 80
#: With more than this changed, it is the person's own request and not ours with a correction.
REPLACED_FROM = 0.7
#: So many letters of the text in one piece, or the whole of a shorter one, are the text again and no request.
_COPIED_LETTERS = 60
#: So many words in a row that come so often are a loop.
_LOOP_WORDS, _LOOP_TIMES = 3, 3
_LOOP_LETTERS = re.compile(r"(.{3,20}?)\1{3,}")
#: What small models put before their answer.
_LABEL = re.compile(r"^(?:request|prompt|question|asked|verzoek|vraag)\s*:\s*", re.IGNORECASE)
_QUOTES = {'"': '"', "“": "”", "„": "”", "‘": "’", "'": "'", "`": "`", "«": "»"}


class Useless(StrEnum):
    """Why a suggestion is not shown."""

    EMPTY = "empty"
    TOO_LONG = "too_long"
    REPEATS = "repeats"  #: It is the text again, or a piece of it.
    LOOPS = "loops"  #: It says the same words over and over, as a lost model does.


def read_suggestion(written: str, completion: str) -> str | Useless:
    """The request in what a model wrote about `completion`, or why there is none."""
    first = next((line.strip() for line in written.splitlines() if line.strip()), "")
    request = _without_quotes(_LABEL.sub("", first))
    if count_visible(request) < 2:
        return Useless.EMPTY
    if len(request) > MAX_SUGGESTION_CHARS:
        return Useless.TOO_LONG
    if _repeats(request, completion):
        return Useless.REPEATS
    if _loops(request):
        return Useless.LOOPS
    return request


def find_prompt_source(offered: PromptSource | None, offer: str, prompt: str) -> PromptSource:
    """Where this request came from. `offered` and `offer` are what we put before the person, if anything."""
    if offered is None or not offer.strip():
        return PromptSource.TYPED
    if offer.strip() == prompt.strip():
        return offered
    if edit_effort(offer, prompt) > REPLACED_FROM:
        return PromptSource.TYPED
    return offered.edited


def _without_quotes(text: str) -> str:
    if len(text) > 2 and _QUOTES.get(text[0]) == text[-1]:
        return text[1:-1].strip()
    return text


def _repeats(request: str, completion: str) -> bool:
    asked, text = essence(request), essence(completion)
    if not asked or not text:
        return False
    return text in asked or (asked in text and len(asked) >= min(_COPIED_LETTERS, len(text) // 2))


def _loops(request: str) -> bool:
    words = request.casefold().split()
    runs = Counter(tuple(words[n : n + _LOOP_WORDS]) for n in range(len(words) - _LOOP_WORDS + 1))
    return any(times >= _LOOP_TIMES for times in runs.values()) or bool(_LOOP_LETTERS.search(request))
