"""The clock: notices that something is due, and nothing else. What is due it reads from the database at every tick.

APScheduler only wakes it up: jobs live in memory, and a tick that was late or missed costs nothing, since the next
one sees the same rows. Any number of clocks may run at once.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime

import structlog
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler

from bot.language import speaking
from bot.operations.base_change import end_finished_change, notice_base_setting
from bot.operations.digest import queue_due_digests
from bot.operations.drift import watch_for_drift
from bot.operations.runs import queue_due_runs
from bot.operations.trials import end_due_trials
from config.settings import Settings
from db.base import now_in_database
from db.inbox import purge_events
from db.session import Database, DatabaseUnavailable
from db.upgrade import check_revision

log = structlog.get_logger()

#: Longer than Slack could still deliver an event again, with a day to spare.
INBOX_KEPT_SECONDS = 48 * 3600.0
PURGE_EVERY_SECONDS = 3600.0
#: All figures since the last measurement are added up for it, and an hour more or less is nothing to a drift.
DRIFT_EVERY_SECONDS = 3600.0
_JOB = "tick"


class Clock:
    """Ticks in a thread of its own between `start` and `stop`."""

    def __init__(self, database: Database, settings: Settings, now: Callable[[], datetime] | None = None) -> None:
        """`now` replaces the database's time, for whoever turns the clock by hand."""
        self._database = database
        self._settings = settings
        self._now = now or self._database_time
        self._ticked_at = time.monotonic()
        self._purge_due = 0.0
        self._drift_due = 0.0
        self._stopping = threading.Event()
        self._watch = threading.Thread(target=self._watch_until_stopped, name="clock-watch", daemon=True)
        self.scheduler = BackgroundScheduler(jobstores={"default": MemoryJobStore()}, timezone=UTC, daemon=True)
        self.scheduler.add_job(
            self.tick,
            "interval",
            id=_JOB,
            seconds=settings.tick_seconds,
            next_run_time=datetime.now(UTC),
            coalesce=True,
            misfire_grace_time=None,
            max_instances=1,
        )

    def start(self) -> None:
        self.scheduler.start()
        self._watch.start()

    def stop(self) -> None:
        """Returns when the tick that may be under way has ended."""
        self._stopping.set()
        self._watch.join(timeout=10)
        self.scheduler.shutdown(wait=True)

    def tick(self) -> list[str]:
        """Queue what is due and put away what is old; returns the ids of the runs it queued.

        A database that is away is waited for: the next tick looks again, and what is due is still due.
        """
        self._ticked_at = time.monotonic()
        try:
            now = self._now()
            with speaking(self._settings.language, workspace=self._settings.language):
                self._look_for_drift()
                notice_base_setting(self._database, self._settings)
                end_finished_change(self._database)
                queued = queue_due_runs(self._database, self._settings, now)
                queue_due_digests(self._database, self._settings, now)
                end_due_trials(self._database, now)
            self._purge()
        except DatabaseUnavailable as error:
            log.warning("clock.database_unavailable", error=str(error))
            return []
        except Exception:
            log.exception("tick.failed")
            return []
        return queued

    def _look_for_drift(self) -> None:
        if time.monotonic() >= self._drift_due:
            watch_for_drift(self._database)
            self._drift_due = time.monotonic() + DRIFT_EVERY_SECONDS

    def _purge(self) -> None:
        if time.monotonic() < self._purge_due:
            return
        with self._database.write() as session:
            purged = purge_events(session, older_than_seconds=INBOX_KEPT_SECONDS)
        self._database.truncate_log()  # what was erased, and could not be taken out of SQLite's log at that moment
        self._purge_due = time.monotonic() + PURGE_EVERY_SECONDS
        log.info("inbox.purged", deliveries=purged)

    def _database_time(self) -> datetime:
        with self._database.read() as session:
            return now_in_database(session)

    def _watch_until_stopped(self) -> None:
        """APScheduler relies on the host's clock: set back by an hour, it would sleep for an hour. This does not."""
        while not self._stopping.wait(self._settings.tick_seconds):
            if time.monotonic() - self._ticked_at > 2 * self._settings.tick_seconds:
                log.warning("clock.overslept")
                self._ticked_at = time.monotonic()
                self.scheduler.modify_job(_JOB, next_run_time=datetime.now(UTC))


def run_clock(settings: Settings) -> None:
    """The `clock` process: ticks until SIGTERM or Ctrl-C. Raises WrongRevision."""
    database = Database(settings.resolved_database_url)
    check_revision(database)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    clock = Clock(database, settings)
    clock.start()
    log.info("clock.started", tick_seconds=settings.tick_seconds)
    stop.wait()
    clock.stop()
    database.dispose()
    log.info("clock.stopped")
