"""One draft in one worker's hands, until it has ended."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from bot.domain.drafting import SafeStream
from bot.drafting.model import Piece
from bot.drafting.rung import Plan
from db.drafts import Draft


@dataclass(slots=True)
class Work:
    """One draft in one worker's hands."""

    draft: Draft
    began: float = field(default_factory=time.monotonic)
    raw: str = ""
    safe: SafeStream = field(default_factory=SafeStream)
    plan: Plan | None = None
    #: Ids of the examples and passages that stood in any prompt of this draft's.
    shown: set[str] = field(default_factory=set)
    first_token_seconds: float | None = None
    last: Piece | None = None
    was_cut: bool = False
    #: How many times a variant has come out as a text that people have seen.
    repetitions: int = 0
    #: Set when a person pressed Stop, or when another worker took over.
    is_over: threading.Event = field(default_factory=threading.Event)
    #: Has Slack been told that we work in this thread, and that we do no more?
    has_session: bool = False
    has_ended: bool = False
    #: What stands in the thread while nothing is visible, and when Slack was told last.
    status: str = ""
    said_status_at: float = 0.0
    #: Held while Slack is told, so that the line which is told last is the one that holds.
    status_lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def shows_nothing(self) -> bool:
        return self.draft.message_ts is None and not self.draft.continued_at and not self.has_ended

    @property
    def tail(self) -> str:
        """The part that stands in the last message, or will."""
        return self.raw[self.draft.continued_at :]
