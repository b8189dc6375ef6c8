"""Working off the inbox: each stored delivery goes through Bolt's routing once more, this time to its listener.

A delivery is done when its effect is in the database. A worker that dies leaves its lease to lapse and the next
one takes over, so a listener may see a delivery twice: its operation finds that the work is done.
"""

from __future__ import annotations

from typing import Any

import structlog
from slack_bolt import App, BoltRequest
from sqlalchemy.orm import Session

from bot.deliveries import sender_of
from bot.ingress import FROM_INBOX, RightOfWay
from bot.operations.languages import speaking_to
from bot.texts import failures as texts
from bot.workers import Bell, Workers
from config.settings import Settings
from db.base import now_in_database
from db.claims import write_fenced
from db.inbox import InboxEvent, InboxStatus, claim_events
from db.outbox import owe
from db.session import Database

log = structlog.get_logger()

MAX_ATTEMPTS = 8


class InboxWorkers(Workers):
    """Threads that claim stored deliveries and run them."""

    NAME, BATCH, THREADS = "inbox", 20, 3

    def __init__(self, app: App, database: Database, settings: Settings, bell: Bell, right_of_way: RightOfWay) -> None:
        super().__init__(
            self.NAME, bell=bell, poll_seconds=settings.poll_seconds, threads=self.THREADS, stop_seconds=10.0
        )
        self._app = app
        self._database = database
        self._settings = settings
        self._right_of_way = right_of_way

    def work_once(self, owner: str) -> bool:
        with self._database.write() as session:
            events = self._claim(session, owner)
        if len(events) == self.BATCH:
            self._bell.ring()  # there may be more: another worker looks
        results = [(event, self._dispatch(event)) for event in events]
        if results:
            with self._database.write() as session:
                for event, (status, error) in results:
                    # What is worked off keeps its key and its time, and no text.
                    emptied: dict[str, Any] = {"body": {}} if status is InboxStatus.DONE else {}
                    write_fenced(
                        session, InboxEvent, event.inbox_id, event.fence,
                        status=status, error=error, finished_at=now_in_database(session), **emptied,
                    )  # fmt: skip
                    if status is InboxStatus.FAILED:
                        _owe_apology(session, event)
        return bool(results)

    def _claim(self, session: Session, owner: str) -> list[InboxEvent]:
        return claim_events(session, owner=owner, lease_seconds=self._settings.lease_seconds, limit=self.BATCH)

    def _dispatch(self, event: InboxEvent) -> tuple[InboxStatus, str | None]:
        """Run one delivery; a fault that passes puts it back, up to a limit."""
        self._right_of_way.give()
        request = BoltRequest(mode="socket_mode", body=_with_token(event.body), context={FROM_INBOX: True})
        response = self._app.dispatch(request)
        if response.status < 500:
            return InboxStatus.DONE, None
        if event.attempts < MAX_ATTEMPTS:
            return InboxStatus.PENDING, f"attempt {event.attempts} answered {response.status}"
        log.error("delivery.given_up", reference=event.inbox_id, event_key=event.event_key, kind=event.kind)
        return InboxStatus.FAILED, f"given up after {event.attempts} attempts"


class ReadingWorker(InboxWorkers):
    """One thread for what takes long, a document at a time: it may be fetched for a minute and read for half of one."""

    NAME, BATCH, THREADS = "reading", 1, 1
    #: Longer than fetching and reading may take together, or a second worker would do it once more.
    LEASE_SECONDS = 180.0

    def _claim(self, session: Session, owner: str) -> list[InboxEvent]:
        return claim_events(session, owner=owner, lease_seconds=self.LEASE_SECONDS, limit=self.BATCH, is_reading=True)


def _owe_apology(session: Session, event: InboxEvent) -> None:
    """Whoever caused a delivery that was given up hears of it in a direct message: giving up is never quiet."""
    user_id = sender_of(event.body)
    if not user_id:
        return
    with speaking_to(session, event.team_id, user_id):
        text = texts.given_up(event.inbox_id)
    owe(
        session, team_id=event.team_id, dedupe_key=f"given_up:{event.inbox_id}", verb="post_direct",
        arguments={"user_id": user_id, "text": text, "blocks": None},
    )  # fmt: skip


def _with_token(body: dict[str, Any]) -> dict[str, Any]:
    """Bolt looks at the type of a few fields that the stored row leaves out."""
    return {"token": "", **body}
