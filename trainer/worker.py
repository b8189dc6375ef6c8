"""The trainer process: looks for a run, claims it with a fence, has a child process execute it, and supervises.

One run at a time. The worker never touches a run's results: it only claims, and lets go of a run whose child died
without ending it. It does not import torch, so it survives what a training does not.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType

import structlog
from sqlalchemy.orm import Session

from config import failpoints
from config.logs import configure_logging
from config.sentences import Note, note
from config.settings import Settings, load_settings
from db import audit, runs, trainers
from db.adapters import list_names_to_delete
from db.claims import ClaimLost
from db.runs import HELD, Run, RunStatus
from db.session import Database, DatabaseUnavailable
from db.upgrade import check_revision
from trainer.artifacts.store import delete_adapter
from trainer.errors import RunError
from trainer.launchers import Launcher, RunningChild
from trainer.launchers.local import LocalLauncher
from trainer.leftovers import clear_leftovers

log = structlog.get_logger()

#: How long a child that was asked to stop may take; a training step and a checkpoint fit in.
SECONDS_TO_STOP = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A run that this worker has claimed, and the child that executes it."""

    run_id: str
    fence: int
    child: RunningChild


class Worker:
    """One trainer of an installation; there may be several, on several hosts."""

    def __init__(self, database: Database, settings: Settings, launcher: Launcher, *, trainer_id: str = "") -> None:
        self.database, self.settings, self.launcher = database, settings, launcher
        self.host = socket.gethostname()
        self.trainer_id = trainer_id or f"{self.host}:{os.getpid()}"
        self.claimed: Claimed | None = None
        self._is_registered = False
        self._beat_due = 0.0
        self._deleted: set[str] = set()
        self._has_cleared_up = False

    def work_until(self, stop: threading.Event) -> None:
        """Execute runs until asked to stop; then hand back what is not finished. A database that is away is waited
        for, since a trainer that gave up would have to be started by a person."""
        while not stop.is_set():
            try:
                if self._announce():
                    self._clear_store()
                    self._clear_up()
                self._step(stop)
            except DatabaseUnavailable as error:
                log.warning("trainer.database_unavailable", error=type(error).__name__)
                stop.wait(self.settings.poll_seconds)
        with suppress(DatabaseUnavailable):
            self._leave()

    def _announce(self) -> bool:
        """Say that this trainer is there, at every heartbeat; True when it was time for it."""
        if time.monotonic() < self._beat_due:
            return False
        with self.database.write() as session:
            if not self._is_registered:
                trainers.register_trainer(session, self.trainer_id, self.host)
            trainers.beat_trainer(session, self.trainer_id)
        self._is_registered = True
        self._beat_due = time.monotonic() + self.settings.heartbeat_seconds
        return True

    def _clear_store(self) -> None:
        """Delete the weights that learnt from what was withdrawn; the model server then lets go of them, too."""
        with self.database.read() as session:
            names = [name for name in list_names_to_delete(session) if name not in self._deleted]
        for name in names:
            try:
                delete_adapter(self.settings.resolved_artifact_url, name)
            except OSError as error:  # the store is away: at the next heartbeat
                log.warning("adapter.not_deleted", adapter=name, error=type(error).__name__)
                return
            self._deleted.add(name)
            log.info("adapter.deleted", adapter=name)

    def _clear_up(self) -> None:
        """At the start, and after each run: what ended runs have left here goes."""
        if self._has_cleared_up:
            return
        try:
            clear_leftovers(self.database, self.settings)
        except DatabaseUnavailable:
            raise
        except Exception as error:  # stores fail in ways of their own; again at the next heartbeat
            log.warning("leftovers.not_cleared", error=type(error).__name__)
        else:
            self._has_cleared_up = True

    def _step(self, stop: threading.Event) -> None:
        if self.claimed is None:
            self.claimed = self._claim()
            if self.claimed is None:
                stop.wait(self.settings.poll_seconds)
            return
        exit_code = self.claimed.child.exit_code(self.settings.poll_seconds)
        if exit_code is not None:
            self._settle(self.claimed, exit_code)
            self.claimed, self._has_cleared_up = None, False

    def _claim(self) -> Claimed | None:
        with self.database.write() as session:
            run = runs.claim_run(session, owner=self.trainer_id, lease_seconds=self.settings.lease_seconds)
            if run is None:
                return None
            if run.attempts > self.settings.max_run_attempts:
                self._give_up(session, run, None)
                self._has_cleared_up = False
                return None
        failpoints.visit("job.claimed")
        log.info("run.claimed", run_id=run.run_id, fence=run.fence, attempt=run.attempts)
        return Claimed(run_id=run.run_id, fence=run.fence, child=self.launcher.launch(run.run_id, run.fence))

    def _settle(self, claimed: Claimed, exit_code: int, *, is_attempt_counted: bool = True) -> None:
        """A child has ended. If its run has not, and is still ours, the run goes back or, after the last attempt,
        ends with a sentence."""
        with self.database.write() as session, suppress(ClaimLost):
            run = runs.get_run(session, claimed.run_id)
            if run.fence != claimed.fence or run.status not in HELD:
                return
            log.warning("run.child_died", run_id=run.run_id, exit_code=exit_code, stage=run.status.value)
            if is_attempt_counted and run.attempts >= self.settings.max_run_attempts:
                self._give_up(session, run, exit_code)
            else:
                runs.hand_back(session, run.run_id, claimed.fence, is_attempt_counted=is_attempt_counted)

    def _give_up(self, session: Session, run: Run, exit_code: int | None) -> None:
        """`exit_code` is None for a process that stopped answering."""
        stage = str(run.progress.get("stage", run.status.value))
        error = RunError(_why_given_up(exit_code, self.settings.max_run_attempts, stage))
        runs.end_run(
            session, run.run_id, run.fence, RunStatus.FAILED, error=str(error), verdict={"failure": error.as_json()}
        )
        audit.record(
            session, team_id=run.team_id, actor="trainer", action="run.failed", subject=run.run_id, exit_code=exit_code
        )
        log.error("run.failed", run_id=run.run_id, exit_code=exit_code, attempts=run.attempts)

    def _leave(self) -> None:
        """Stop the child, hand its run back without counting the attempt, and sign off."""
        if self.claimed is not None:
            child = self.claimed.child
            child.ask_to_stop()
            exit_code = child.exit_code(SECONDS_TO_STOP)
            if exit_code is None:
                child.kill()
                exit_code = child.exit_code(SECONDS_TO_STOP) or -signal.SIGKILL
            self._settle(self.claimed, exit_code, is_attempt_counted=False)
            self.claimed = None
        with self.database.write() as session:
            trainers.stop_trainer(session, self.trainer_id)
        log.info("trainer.stopped", trainer_id=self.trainer_id)


def _why_given_up(exit_code: int | None, attempts: int, stage: str) -> Note:
    if exit_code is None:
        return note(
            "The trainer's process stopped answering, {attempts} times in a row, last while {stage}. Mostly the "
            "machine is short of memory: lower batch_size in the recipe or free some memory, look into the trainer's "
            "log, then train again.",
            attempts=attempts, stage=stage,
        )  # fmt: skip
    with suppress(ValueError):
        return note(
            "The trainer's process was killed ({signal}), {attempts} times in a row, last while {stage}. Mostly the "
            "machine is short of memory: lower batch_size in the recipe or free some memory, look into the trainer's "
            "log, then train again.",
            signal=signal.Signals(-exit_code).name, attempts=attempts, stage=stage,
        )  # fmt: skip
    return note(
        "The trainer's process ended unexpectedly (exit code {exit_code}), {attempts} times in a row, last while "
        "{stage}. Mostly the machine is short of memory: lower batch_size in the recipe or free some memory, look into "
        "the trainer's log, then train again.",
        exit_code=exit_code, attempts=attempts, stage=stage,
    )  # fmt: skip


def run_worker(settings: Settings) -> None:
    """The `trainer` process: works until SIGTERM or Ctrl-C. Raises WrongRevision."""
    database = Database(settings.resolved_database_url)
    check_revision(database)
    stop = threading.Event()

    def ask(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    worker = Worker(database, settings, LocalLauncher(settings))
    log.info("trainer.started", trainer_id=worker.trainer_id, recipe=settings.recipe, base_model=settings.base_model)
    worker.work_until(stop)
    database.dispose()


if __name__ == "__main__":
    loaded = load_settings()
    configure_logging(loaded)
    failpoints.arm(loaded.failpoint)
    run_worker(loaded)
