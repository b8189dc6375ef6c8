"""Getting payloads to the app and its acknowledgement back, over Socket Mode or signed HTTP.

An event that is not acknowledged in time is delivered again on Slack's schedule; interactions and commands are
delivered once. What is pending is in the store, so a restarted workspace goes on delivering.
"""

from __future__ import annotations

import heapq
import itertools
import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from bot.rehearsal.journal import Attempt, Delivery, Journal
from bot.rehearsal.signed_http import Outcome, SignedPoster

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import InstalledApp, Json, WorkspaceOptions
    from bot.rehearsal.store import Store


class Sockets(Protocol):
    """The open Socket Mode connections."""

    def send(self, envelope: Json) -> bool:
        """Send to one connection; False when there is none."""
        ...


class Deliveries:
    """Sends, waits, and sends again. Thread-safe; one thread keeps the time."""

    def __init__(
        self, app: InstalledApp, options: WorkspaceOptions, journal: Journal, store: Store, secret: str
    ) -> None:
        self._app = app
        self._options = options
        self._journal = journal
        self._store = store
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[Delivery, Attempt]] = {}
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._wake = threading.Condition()
        self._stopped = False
        self._pool = ThreadPoolExecutor(options.http_connections, thread_name_prefix="workspace-http")
        self._poster = SignedPoster(app.request_url, secret, options.ack_seconds) if app.request_url else None
        self.sockets: Sockets | None = None
        self._timekeeper = threading.Thread(target=self._keep_time, name="workspace-delivery", daemon=True)

    def start(self, sockets: Sockets) -> None:
        """Begin, and take up what was pending when the workspace last stopped."""
        self.sockets = sockets
        self._timekeeper.start()
        for event_id, payload in self._store.items("pending"):
            self._begin(Delivery(id=event_id, kind="events_api", payload=payload))

    def stop(self) -> None:
        with self._wake:
            self._stopped = True
            self._wake.notify()
        self._timekeeper.join(timeout=5)
        if self._poster is not None:
            self._poster.close()
        self._pool.shutdown(wait=True, cancel_futures=True)

    # --- what others call --------------------------------------------------------------------------

    def event(self, payload: Json) -> Delivery:
        """Deliver an event_callback body, again and again if need be. Returns at once."""
        delivery = Delivery(id=payload["event_id"], kind="events_api", payload=payload)
        self._store.put("pending", delivery.id, payload)
        self._begin(delivery)
        return delivery

    def interaction(self, kind: str, payload: Json) -> Delivery:
        """Deliver an interaction or a slash command once. Wait for it on the returned delivery's `settled`."""
        delivery = Delivery(id=uuid.uuid4().hex, kind=kind, payload=payload)
        self._begin(delivery)
        return delivery

    def acknowledge(self, envelope_id: str, response: Any = None) -> None:
        """The app has acknowledged this envelope, possibly late or twice."""
        with self._lock:
            delivery, attempt = self._waiting.pop(envelope_id, (None, None))
            if delivery is None or attempt is None:
                return
            attempt.acked_at = time.time()
            attempt.response = response
        self._settle(delivery, "acked")

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Do this in `seconds`, on the timekeeper's thread; it must be quick."""
        with self._wake:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._count), action))
            self._wake.notify()

    # --- how it goes -------------------------------------------------------------------------------

    def _begin(self, delivery: Delivery) -> None:
        self._journal.add_delivery(delivery)
        self._attempt(delivery, 0, "")

    def _attempt(self, delivery: Delivery, number: int, reason: str) -> None:
        if self._stopped or delivery.state != "pending":
            return
        attempt = Attempt(envelope_id=str(uuid.uuid4()), retry_attempt=number, retry_reason=reason, sent_at=time.time())
        with self._lock:
            delivery.attempts.append(attempt)
            self._waiting[attempt.envelope_id] = (delivery, attempt)
        if self._poster is not None:
            self._pool.submit(self._post, delivery, attempt)
        else:
            self._send(delivery, attempt)

    def _send(self, delivery: Delivery, attempt: Attempt) -> None:
        envelope: Json = {
            "envelope_id": attempt.envelope_id,
            "type": delivery.kind,
            "payload": delivery.payload,
            "accepts_response_payload": delivery.kind != "events_api",
        }
        if delivery.kind == "events_api":
            envelope |= {"retry_attempt": attempt.retry_attempt, "retry_reason": attempt.retry_reason}
        if self.sockets is not None and self.sockets.send(envelope):
            self.later(self._options.ack_seconds, lambda: self._missed(delivery, attempt, "timeout"))
        else:
            self._missed(delivery, attempt, "connection_failed")

    def _post(self, delivery: Delivery, attempt: Attempt) -> None:
        assert self._poster is not None, "HTTP deliveries need a request URL"
        outcome: Outcome = self._poster.post(
            delivery.kind, delivery.payload, attempt.retry_attempt, attempt.retry_reason
        )
        if outcome.failure is None:
            self.acknowledge(attempt.envelope_id, outcome.response)
        else:
            self._missed(delivery, attempt, outcome.failure, may_retry=outcome.may_retry)

    def _missed(self, delivery: Delivery, attempt: Attempt, why: str, *, may_retry: bool = True) -> None:
        with self._lock:
            if attempt.acked_at is not None or attempt.failure is not None or delivery.state != "pending":
                return
            attempt.failure = why
        delays = self._options.retry_seconds
        if delivery.kind != "events_api" or not may_retry or attempt.retry_attempt >= len(delays):
            self._settle(delivery, "failed")
            return
        number = attempt.retry_attempt + 1
        self.later(delays[number - 1], lambda: self._attempt(delivery, number, why))

    def _settle(self, delivery: Delivery, state: str) -> None:
        with self._lock:
            if delivery.state == "pending" or state == "acked":
                delivery.state = state
            for attempt in delivery.attempts:
                # A late acknowledgement of an earlier attempt would change nothing any more.
                self._waiting.pop(attempt.envelope_id, None)
        if delivery.kind == "events_api":
            self._store.delete("pending", delivery.id)
            self._store.commit()
        delivery.settled.set()

    def _keep_time(self) -> None:
        while True:
            with self._wake:
                if self._stopped:
                    return
                now = time.monotonic()
                if not self._due or self._due[0][0] > now:
                    self._wake.wait(self._due[0][0] - now if self._due else None)
                    continue
                _, _, action = heapq.heappop(self._due)
            action()


def envelope_bytes(envelope: Json) -> str:
    """An envelope as the text of one websocket message."""
    return json.dumps(envelope, ensure_ascii=False)
