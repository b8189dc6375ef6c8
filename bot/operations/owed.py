"""What is owed to a style besides its policy and clean retrains: a measurement, and training where one said it pays."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.domain.policy import Owed
from config.run_kinds import RunCause, RunKind
from db.runs import Run, RunStatus, find_latest_run
from db.styles import Style


def find_owed(session: Session, style: Style) -> Owed | None:
    """The run that something other than new examples has made necessary; None where everything is answered."""
    if style.measurement_owed_at is not None and style.measurement_cause is not None:
        return Owed(kind=RunKind.MEASURE, cause=style.measurement_cause, since=style.measurement_owed_at)
    last = find_latest_run(session, style.style_id, RunStatus.SUCCEEDED)
    if last is None or last.kind is not RunKind.MEASURE or not pays(last) or last.ended_at is None:
        return None
    if style.train_after_examples <= 0:
        return None  # by hand only: the verdict says that it pays, and an admin decides
    return Owed(kind=RunKind.TRAIN, cause=last.cause or RunCause.BY_HAND, since=last.ended_at)


def pays(run: Run) -> bool:
    """Did this measurement say that training again is worth it?"""
    retrain = (run.verdict or {}).get("retrain") or {}
    return bool(retrain.get("is_worth_it"))
