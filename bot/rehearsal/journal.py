"""What happened between app and workspace: calls and deliveries, for tests and for people who look."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from bot.rehearsal.options import Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One Web API call and its answer. `at` is Unix time in seconds."""

    method: str
    args: Json
    status: int
    result: Json
    at: float
    #: How long the answer took.
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return bool(self.result.get("ok"))

    @property
    def error(self) -> str | None:
        return None if self.ok else str(self.result.get("error"))


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One try to deliver. Times are Unix time; `acked_at` None means that no acknowledgement came (yet)."""

    envelope_id: str
    retry_attempt: int
    retry_reason: str
    sent_at: float
    acked_at: float | None = None
    failure: str | None = None
    response: Any = None


@dataclass(slots=True, kw_only=True)
class Delivery:
    """Something delivered to the app: an event, an interaction or a slash command, with every attempt."""

    id: str
    kind: str
    payload: Json
    attempts: list[Attempt] = field(default_factory=list)
    #: pending, acked or failed.
    state: str = "pending"
    settled: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def event_type(self) -> str:
        """The event's type, or the kind of interaction."""
        return str(self.payload.get("event", self.payload).get("type", self.kind))

    @property
    def ack_seconds(self) -> float | None:
        """From the first sending to the acknowledgement."""
        acked = [a.acked_at for a in self.attempts if a.acked_at is not None]
        return acked[0] - self.attempts[0].sent_at if acked else None

    @property
    def response(self) -> Any:
        """What the acknowledgement carried, if anything."""
        return next((a.response for a in self.attempts if a.acked_at is not None), None)

    def as_json(self) -> Json:
        return {
            "id": self.id,
            "kind": self.kind,
            "type": self.event_type,
            "state": self.state,
            "payload": self.payload,
            "attempts": [
                {
                    "retry_attempt": a.retry_attempt,
                    "retry_reason": a.retry_reason,
                    "sent_at": a.sent_at,
                    "acked_at": a.acked_at,
                    "failure": a.failure,
                }
                for a in self.attempts
            ],
        }


class Journal:
    """The last calls and deliveries. Thread-safe; lists come back as copies."""

    def __init__(self, entries: int) -> None:
        self._lock = threading.Lock()
        self._calls: deque[Call] = deque(maxlen=entries)
        self._deliveries: deque[Delivery] = deque(maxlen=entries)
        self._calls_ever = self._deliveries_ever = 0

    def add_call(self, call: Call) -> None:
        with self._lock:
            self._calls.append(call)
            self._calls_ever += 1

    def add_delivery(self, delivery: Delivery) -> None:
        with self._lock:
            self._deliveries.append(delivery)
            self._deliveries_ever += 1

    def calls(self, method: str | None = None) -> list[Call]:
        with self._lock:
            return [c for c in self._calls if method is None or c.method == method]

    def deliveries(self, event_type: str | None = None) -> list[Delivery]:
        with self._lock:
            return [d for d in self._deliveries if event_type is None or d.event_type == event_type]

    def calls_after(self, number: int) -> tuple[int, list[tuple[int, Call]]]:
        """(how many there ever were, those that came after the first `number` and are still kept, numbered)."""
        with self._lock:
            return self._calls_ever, _newest(self._calls, self._calls_ever, number)

    def deliveries_after(self, number: int) -> tuple[int, list[tuple[int, Delivery]]]:
        """The same of deliveries."""
        with self._lock:
            return self._deliveries_ever, _newest(self._deliveries, self._deliveries_ever, number)


def _newest(kept: deque[T], ever: int, number: int) -> list[tuple[int, T]]:
    wanted = min(ever - number, len(kept))
    newest = list(islice(reversed(kept), wanted))[::-1]
    return list(enumerate(newest, start=ever - wanted + 1))
