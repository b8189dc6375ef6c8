"""Text on its way from a model into a thread: released piece by piece, and no piece can call anybody.

What a piece may hold is decided by `safe_text.neutralise`, which needs whole tokens: a mention, a link or a code
span that has begun is held back until it is over. What has been held for too long is let go with its brackets
broken, so that nothing that follows can complete it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bot.domain.safe_text import ADDRESS, neutralise

#: A draft ends here: Slack takes about 13,000 characters of blocks in a message, and the closing needs some.
MAX_DRAFT_CHARS = 10_000
#: Earlier turns of a thread that a follow-up carries, at most.
MAX_HISTORY_TURNS = 6
#: Where the model server has counted nothing: few characters, so that the estimate is rather too high.
CHARS_PER_TOKEN = 3.0
#: The longest that text is held back while a token is unfinished.
MAX_HELD_CHARS = 400
MAX_BLANK_LINES = 2

_JOINER = "\u2060"
#: Something that the text to come may complete: `<…`, `[label](target`, `@wor`, code, an address.
_UNFINISHED = re.compile(
    r"(?:<[^<>]*|!?\[[^\]\n]*(?:\](?:\([^)]*)?)?|!|@\w*|(?<!`)`[^`\n]*|`+|\s+"
    # An address, whose host may turn out to be a user's name.
    r"|(?<!\w)(?i:h|ht|htt|https?|https?:|https?:/|https?://[^\s<>()\[\]]*))\Z"
)
_WHOLE_CODE = re.compile(r"```.*?```|(?<!`)`[^`\n]+`(?!`)", re.DOTALL)
_OPEN_TOKEN = re.compile(rf"<(?=[!@#])|<(?={ADDRESS}(?:[^<>]*\Z|[^>]*\|))", re.IGNORECASE)
#: What may stand before a link's definition on its line.
_MARKERS = re.compile(r"[ >\t*+-]*(?:\d{1,9}[.)])?[ \t]*")
#: Characters that reorder or hide text, and control characters other than tab and line feed.
_HIDDEN = re.compile("[\u202a-\u202e\u2066-\u2069\u200e\u200f\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")
_FENCE = "```"


class SafeStream:
    """Feeds on pieces of a model's text, gives out pieces that are safe to show."""

    def __init__(self) -> None:
        #: Everything given out so far.
        self.shown = ""
        self._held = ""
        self._in_fence = False
        self._line_feeds = MAX_BLANK_LINES + 1  # none at the beginning

    @property
    def held_chars(self) -> int:
        """How much of what was fed is not given out yet."""
        return len(self._held)

    @property
    def is_in_code(self) -> bool:
        """Does the text given out so far end inside a block of code?"""
        return self._in_fence

    def feed(self, text: str) -> str:
        """What may be shown now; empty while a token is unfinished."""
        self._held += self._tidy(text)
        # Code that is whole is looked at as if it were a word: nothing to come can change what it means.
        masked = _WHOLE_CODE.sub(lambda found: "x" * len(found[0]), self._held)
        unfinished = _UNFINISHED.search(masked)
        if unfinished is None:
            return self._release(len(self._held))
        if len(self._held) - unfinished.start() > MAX_HELD_CHARS:
            return self._release(len(self._held), is_cut=True)
        return self._release(unfinished.start())

    def finish(self) -> str:
        """The rest."""
        return self._release(len(self._held.rstrip()))

    def _tidy(self, text: str) -> str:
        text = _HIDDEN.sub("", text.replace("\r\n", "\n"))
        kept: list[str] = []
        for line_or_feed in re.split(r"(\n)", text):
            if line_or_feed == "\n":
                self._line_feeds += 1
                if self._line_feeds > MAX_BLANK_LINES + 1:
                    continue
            elif line_or_feed.strip():
                self._line_feeds = 0
            if not (self.shown or self._held or any(kept)):
                line_or_feed = line_or_feed.lstrip()  # no white space at the beginning
            kept.append(line_or_feed)
        return "".join(kept)

    def _release(self, length: int, *, is_cut: bool = False) -> str:
        text, self._held = self._held[:length], self._held[length:]
        if not text:
            return ""
        prefix = _FENCE if self._in_fence else ""
        line = self.shown.rpartition("\n")[2]
        safe = neutralise(prefix + text, is_line_start=bool(_MARKERS.fullmatch(line))).removeprefix(prefix)
        safe = _OPEN_TOKEN.sub(f"<{_JOINER}", safe)
        if not self._in_fence:
            safe = _without_link_marks(safe)
        if is_cut:
            safe += _JOINER  # nothing that follows can complete what was let go
        if (prefix + text).count(_FENCE) % 2:
            self._in_fence = True
        elif text.count(_FENCE):
            self._in_fence = False
        self.shown += safe
        return safe


def _without_link_marks(text: str) -> str:
    """Links within links, and halves of links, cannot become whole ones."""
    parts = re.split(r"(```.*?(?:```|\Z)|`[^`\n]+`)", text, flags=re.DOTALL)
    return "".join(part if index % 2 else part.replace("](", f"]{_JOINER}(") for index, part in enumerate(parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """An earlier request of a thread and what came of it."""

    request: str
    answer: str
    #: What the two take in a prompt: counted by the model server where it has, else estimated.
    tokens: int


def count_turn_tokens(request: str, answer: str, *, counted_text: str, counted_tokens: int | None) -> int:
    """Tokens of an earlier turn. The model server counted `counted_tokens` for `counted_text`, the draft as it was
    written; how many characters it takes for a token says what the rest of the thread, in the same language, takes."""
    is_counted = bool(counted_tokens and counted_text)
    chars_per_token = len(counted_text) / (counted_tokens or 1) if is_counted else CHARS_PER_TOKEN
    estimated = math.ceil(len(request) / chars_per_token)
    if is_counted and answer == counted_text:
        return estimated + (counted_tokens or 0)
    return estimated + math.ceil(len(answer) / chars_per_token)


def choose_history(turns: Sequence[Turn], max_tokens: int) -> list[Turn]:
    """The last turns that a follow-up carries, oldest first: as many as fit, and the very last one in any case, because
    without it "shorter, please" means nothing. With no tokens at all, none."""
    if max_tokens == 0:
        return []
    chosen: list[Turn] = []
    room = max_tokens
    for turn in reversed(turns[-MAX_HISTORY_TURNS:]):
        room -= turn.tokens
        if room < 0 and chosen:
            break
        chosen.append(turn)
    return chosen[::-1]


def search_text(request: str, history: Sequence[Turn]) -> str:
    """What examples are looked for with: a follow-up ("shorter, please") says little without what it follows."""
    return "\n".join([*(turn.request for turn in history[-1:]), request])
