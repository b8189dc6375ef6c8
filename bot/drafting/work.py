"""One draft in one worker's hands, until it has ended."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from bot.domain.drafting import SafeStream
from bot.drafting.model import Piece
from bot.drafting.rung import Plan
from db.claims import write_fenced
from db.drafts import Draft
from db.session import Database


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

    def so_far(self) -> dict[str, Any]:
        """The text until now, for whoever has to end this draft instead of us."""
        return {} if self.draft.completion else {"completion": self.raw}

    def facts(self) -> dict[str, Any]:
        """What shaped the draft, as far as it is known."""
        facts: dict[str, Any] = {}
        if self.plan is not None:
            facts = {
                "rung": self.plan.rung,
                "adapter_name": self.plan.adapter_name,
                "example_ids": [example.example_id for example in self.plan.examples],
                "passage_ids": [passage.passage_id for passage in self.plan.passages],
                "first_token_seconds": self.first_token_seconds,
            }
        if self.last is not None:
            facts |= {
                "prompt_tokens": self.last.prompt_tokens,
                "completion_tokens": self.last.completion_tokens,
                "model_fingerprint": self.last.fingerprint,
            }
        return facts

    def save(self, database: Database, *, only_if: Any = None, **changes: Any) -> None:
        """Write these columns of the draft. Raises ClaimLost where it is not ours any more."""
        with database.write() as session:
            write_fenced(session, Draft, self.draft.draft_id, self.draft.fence, only_if=only_if, **changes)
