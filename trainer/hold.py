"""This process's hold on one run. It beats from a thread of its own, on database time, and is where a run learns
that a person cancelled it, that this trainer is being shut down, or that another trainer has taken it over.

Everything a run writes goes through its hold, under its fence. A hold that was lost writes nothing any more.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import structlog
from sqlalchemy.orm import Session

from db import runs
from db.claims import ClaimLost, write_fenced
from db.runs import Run, RunStatus
from db.session import Database, DatabaseUnavailable
from trainer.errors import StopReason, TrainingStopped

log = structlog.get_logger()

#: News of a run closer together than this are merged: people read them, and each is a write.
SECONDS_BETWEEN_NEWS = 1.0


class Hold:
    """The claim on `run_id` with `fence`; use it as a context, which is when it beats."""

    def __init__(
        self,
        database: Database,
        run_id: str,
        fence: int,
        *,
        heartbeat_seconds: float,
        lease_seconds: float,
        on_lost: Callable[[], None] = lambda: None,
    ) -> None:
        self.database, self.run_id, self.fence = database, run_id, fence
        self.heartbeat_seconds, self.lease_seconds = heartbeat_seconds, lease_seconds
        self._on_lost = on_lost
        self._stop_reason: StopReason | None = None
        self._parent = os.getppid()
        self._last_news = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat_until_done, name=f"beat-{run_id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join(timeout=self.lease_seconds)

    # ------------------------------------------------------------------------------------------ stopping

    def stop_reason(self) -> StopReason | None:
        """Why this run has to stop here, if it has to."""
        return self._stop_reason

    def request_stop(self, reason: StopReason) -> None:
        """Ask the run to stop at its next step; a lost lease outweighs every other reason."""
        if self._stop_reason is not StopReason.LEASE_LOST:
            self._stop_reason = reason

    def check(self) -> None:
        """Raises TrainingStopped when this run has to stop."""
        if self._stop_reason is not None:
            raise TrainingStopped(f"The run was stopped: {self._stop_reason.value}.")

    # ------------------------------------------------------------------------------------------ writing

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that commits only if the run is still ours when it ends. Raises ClaimLost."""
        with self.database.write() as session:
            # Touching the run first also locks its row on PostgreSQL, so nobody can claim it before we commit.
            write_fenced(session, Run, self.run_id, self.fence, heartbeat_at=Run.heartbeat_at)
            yield session

    def report(self, status: RunStatus, progress: dict[str, Any], *, is_news: bool = True) -> None:
        """Write where the run is. What is not news (a mere step) is left out when it comes too soon."""
        now = time.monotonic()
        if not is_news and now - self._last_news < SECONDS_BETWEEN_NEWS:
            return
        self._last_news = now
        with self.database.write() as session:
            runs.report(session, self.run_id, self.fence, status, progress)

    # ------------------------------------------------------------------------------------------ beating

    def _beat_until_done(self) -> None:
        while not self._done.is_set():
            try:
                with self.database.write() as session:
                    is_cancelled = runs.beat(session, self.run_id, self.fence, lease_seconds=self.lease_seconds)
                if is_cancelled:
                    self.request_stop(StopReason.CANCELLED)
            except ClaimLost:
                if self._done.is_set():  # the run has just ended, and with it the hold
                    return
                self._stop_reason = StopReason.LEASE_LOST
                log.warning("run.claim_lost", fence=self.fence)
                self._on_lost()
                return
            except DatabaseUnavailable as error:
                # The database may come back before the lease is over; if it does not, the next beat finds out.
                log.warning("run.heartbeat_failed", error=type(error).__name__)
            if os.getppid() != self._parent:
                self.request_stop(StopReason.SHUTDOWN)  # the worker is gone, and nobody would stop us any more
            self._done.wait(self.heartbeat_seconds)
