"""The way in: every delivery is a row in the inbox before Slack hears "received", and is worked on from there.

Bolt by itself acknowledges first, forgets a delivery whose listener dies, and runs a repeated one again.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import structlog
from slack_bolt import BoltRequest, BoltResponse

from bot import deliveries
from config import failpoints
from db.base import new_id, now_in_database
from db.inbox import InboxStatus, store_events
from db.session import Database

log = structlog.get_logger()

#: Set in a request's context when it comes from the inbox and not from Slack.
FROM_INBOX = "huisstijl_from_inbox"
#: Answered on the spot, because a modal waits for its errors; the row is written all the same.
ANSWERED_AT_ONCE = frozenset({"view_submission"})


class InboxWriter:
    """Stores deliveries, many to a commit: while one commit waits for the disk, the next batch gathers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: queue.SimpleQueue[tuple[dict[str, Any], Future[bool]] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="inbox-writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._waiting.put(None)
        if self._thread.ident is not None:
            self._thread.join(timeout=10)

    def store(self, row: dict[str, Any]) -> bool:
        """True when the delivery is new, False when it is stored already. Returns only after the commit."""
        done: Future[bool] = Future()
        self._waiting.put((row, done))
        return done.result(timeout=20)

    def _run(self) -> None:
        while (first := self._waiting.get()) is not None:
            batch = [first]
            while len(batch) < 200 and not self._waiting.empty():
                following = self._waiting.get()
                if following is None:
                    self._commit(batch)
                    return
                batch.append(following)
            self._commit(batch)

    def _commit(self, batch: list[tuple[dict[str, Any], Future[bool]]]) -> None:
        try:
            failpoints.visit("inbox.before_commit")
            rows = {row["event_key"]: row for row, _ in batch}  # one statement may not insert a key twice
            with self._database.write(goes_first=True) as session:
                received_at = now_in_database(session)
                new = store_events(session, [row | {"received_at": received_at} for row in rows.values()])
            failpoints.visit("inbox.after_commit")
        except BaseException as error:
            for _, done in batch:
                done.set_exception(error)
            return
        for row, done in batch:
            done.set_result(row["event_key"] in new)
            new.discard(row["event_key"])


class RightOfWay:
    """Who acknowledges goes first: working off what is stored waits a moment, because threads of one process share
    one interpreter and a worker's job costs ten times an acknowledgement."""

    #: At most this many seconds before each piece of work, so that a stream of deliveries cannot hold it up for good.
    SECONDS = 0.05

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._under_way = 0
        self._free = threading.Event()
        self._free.set()

    def __enter__(self) -> None:
        with self._lock:
            self._under_way += 1
            self._free.clear()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._under_way -= 1
            if not self._under_way:
                self._free.set()

    def give(self) -> None:
        """Let acknowledgements that are under way pass."""
        self._free.wait(self.SECONDS)


class Ingress:
    """Bolt middleware that stands before everything else: store, ring, acknowledge."""

    def __init__(self, writer: InboxWriter, ring: Callable[[], None], right_of_way: RightOfWay) -> None:
        self._writer = writer
        self._ring = ring
        self._right_of_way = right_of_way

    def receive(self, req: BoltRequest, resp: BoltResponse, next: Callable[[], BoltResponse]) -> BoltResponse:
        if req.context.get(FROM_INBOX) or not _is_delivery(req.body):
            return next()
        at_once = req.body.get("type") in ANSWERED_AT_ONCE
        try:
            row = _as_row(req.body, at_once=at_once)
        except (KeyError, TypeError, AttributeError, IndexError):
            log.warning("delivery.unreadable", kind=str(req.body.get("type")))
            return BoltResponse(status=400, body="unreadable")
        try:
            with self._right_of_way:
                is_new = self._writer.store(row)
        except Exception as error:
            # No acknowledgement: Slack delivers again, and the person who waits sees that it did not work.
            log.error("delivery.not_stored", error=type(error).__name__)
            return BoltResponse(status=503, body="")
        if at_once and is_new:
            return next()
        self._ring()
        return BoltResponse(status=200, body="")


def _is_delivery(body: dict[str, Any]) -> bool:
    return "command" in body or body.get("type") in (
        "event_callback", "block_actions", "message_action", "shortcut", "view_submission",
    )  # fmt: skip


def _as_row(body: dict[str, Any], *, at_once: bool) -> dict[str, Any]:
    return {
        "inbox_id": new_id("in"),
        "event_key": deliveries.event_key(body),
        "team_id": deliveries.team_of(body),
        "kind": deliveries.kind_of(body),
        # What is answered at once is not worked off from here, so its texts need not be kept.
        "body": {} if at_once else {key: value for key, value in body.items() if key != "token"},
        "status": InboxStatus.DONE if at_once else InboxStatus.PENDING,
        "fence": 0,
        "attempts": 0,
    }
