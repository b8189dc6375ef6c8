"""The ends of a run without a result: cancelled, handed back, or failed with a sentence for people."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import Any

import structlog
from sqlalchemy.orm import Session

from config.run_kinds import RunCause, RunKind
from config.sentences import note
from config.settings import Settings
from db import runs
from db.claims import ClaimLost
from db.measurements import owe_measurement
from db.runs import Run, RunStatus
from db.styles import get_style
from db.taint import owe_clean_retrain
from trainer import registry
from trainer.artifacts.store import delete_adapter
from trainer.errors import ExampleWithdrawn, RunBroken, StopReason, TrainerError
from trainer.hold import Hold
from trainer.workspace import remove_workspace

log = structlog.get_logger()


def stop_run(hold: Hold, settings: Settings, run: Run) -> None:
    """The run was asked to stop: it ends if a person cancelled it, and goes back if only this trainer stops."""
    reason = hold.stop_reason()
    if reason is StopReason.CANCELLED:
        _end(hold, settings, run, RunStatus.CANCELLED)
        log.info("run.cancelled")
    elif reason is StopReason.SHUTDOWN:
        with suppress(ClaimLost), hold.database.write() as session:
            runs.hand_back(session, run.run_id, hold.fence, is_attempt_counted=False)
        log.info("run.handed_back")


def fail_run(hold: Hold, settings: Settings, run: Run, error: Exception) -> None:
    """End the run with a sentence for people; the traceback is for the log alone."""
    known = error if isinstance(error, TrainerError) else RunBroken()
    level = error.log_level if isinstance(error, TrainerError) else logging.ERROR
    log.log(level, "run.failed", error=type(error).__name__, sentence=str(known), exc_info=error)
    is_owed_again = isinstance(known, ExampleWithdrawn)
    if is_owed_again and run.kind is RunKind.MEASURE:
        known = ExampleWithdrawn(
            note("An example was withdrawn while the run was measuring with it; it is measured again without it.")
        )
    _end(
        hold, settings, run, RunStatus.FAILED, is_owed_again=is_owed_again,
        error=str(known), verdict={"failure": known.as_json()},
    )  # fmt: skip


def _end(
    hold: Hold, settings: Settings, run: Run, status: RunStatus, *, is_owed_again: bool = False, **changes: Any
) -> None:
    """End without a result: what was put into the store already goes, while the run is certainly still ours.

    `is_owed_again`: it ended because of a withdrawal, so another run without what was withdrawn is owed at once.
    """
    with suppress(ClaimLost), hold.write() as session:
        for name in registry.list_adapter_names(session, run.run_id):
            delete_adapter(settings.resolved_artifact_url, name)
        runs.end_run(session, run.run_id, hold.fence, status, **changes)
        error = {"error": changes["error"]} if "error" in changes else {}
        registry.record_end(session, run, f"run.{status.value}", **error)
        if is_owed_again:
            _owe_again(session, run)
    remove_workspace(settings.data_dir, run.run_id, up_to_fence=hold.fence)


def _owe_again(session: Session, run: Run) -> None:
    """What the run was to do is owed from now on. A change of the base model owes its own runs while it is open."""
    if run.cause is RunCause.CHANGED_BASE:
        return
    if run.kind is RunKind.MEASURE:
        cause = get_style(session, run.style_id).measurement_cause or run.cause or RunCause.BY_HAND
        owe_measurement(session, run.style_id, cause)
    else:
        owe_clean_retrain(session, run.style_id)
