"""What is owed to a style besides its policy and clean retrains: a measurement, and training where one said it pays."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.domain.policy import BACK_OFF, Owed
from config.run_kinds import RunCause, RunKind
from db.adapters import AdapterStatus, find_adapter_by_name, get_adapter
from db.base_changes import BaseChange, BaseChangeOrigin, find_open_change, find_run_of_change
from db.promotions import Promotion, find_promotion, find_serving_base
from db.runs import Run, RunStatus, count_failures_in_a_row, find_latest_run
from db.styles import Style
from db.taint import is_tainted


def find_owed(session: Session, style: Style) -> Owed | None:
    """The run that something other than new examples has made necessary; None where everything is answered."""
    change = find_open_change(session)
    asked = _owed_to_change(session, change, style) if change else None
    return asked or find_own_owed(session, style)


def find_own_owed(session: Session, style: Style) -> Owed | None:
    """The same on the base model that serves the style, whatever is asked about another one."""
    if style.measurement_owed_at is not None and style.measurement_cause is not None:
        return Owed(kind=RunKind.MEASURE, cause=style.measurement_cause, since=style.measurement_owed_at)
    own = find_serving_base(session, style)  # a run on another one answers nothing that is owed here
    last = find_latest_run(session, style.style_id, RunStatus.SUCCEEDED, base_model=own)
    if last is None or last.kind is not RunKind.MEASURE or not pays(last) or last.ended_at is None:
        return None
    if last.cause is RunCause.CHANGED_BASE:
        return None  # that change is over, or it speaks for itself
    if style.train_after_examples <= 0:
        return None  # by hand only: the verdict says that it pays, and an admin decides
    cause, champion = last.cause or RunCause.BY_HAND, find_promotion(session, style.champion_promotion_id)
    if champion and champion.promoted_at > last.ended_at:
        # What it was measured against serves no longer. Whether training pays beside another adapter is to be seen
        # first; beside a prompt no measurement says that, and whoever chose it chose to do without.
        is_adapter = champion.rung.needs_adapter and not champion.rung.is_classifier
        return Owed(kind=RunKind.MEASURE, cause=cause, since=champion.promoted_at) if is_adapter else None
    return Owed(kind=RunKind.TRAIN, cause=cause, since=last.ended_at)


def _owed_to_change(session: Session, change: BaseChange, style: Style) -> Owed | None:
    """A run on the base model that is asked about: training where an adapter serves, or where a measurement said that
    it pays; again when it failed, or when something else serves by now than it was measured against."""
    champion = find_promotion(session, style.champion_promotion_id)
    if champion is None or champion.rung.is_classifier or champion.base_model == change.base_model:
        return None
    run = find_run_of_change(session, change, style.style_id)
    is_trained = champion.rung.needs_adapter and change.origin is BaseChangeOrigin.COMMAND
    kind, since = RunKind.TRAIN if is_trained else RunKind.MEASURE, change.asked_at
    if run is not None and run.ended_at is not None and run.ended_at > since and _is_given_up(session, run, change):
        return None  # until it is asked for again
    # What a later run failed at does not undo a measurement: else it would be made again between any two tries.
    answered = find_run_of_change(session, change, style.style_id, RunStatus.SUCCEEDED)
    if answered is not None and is_current(session, answered, style, champion):
        if answered.kind is not RunKind.MEASURE or not pays(answered) or answered.ended_at is None:
            return None
        if style.train_after_examples <= 0 and change.origin is BaseChangeOrigin.SETTING:
            return None
        kind, since = RunKind.TRAIN, max(answered.ended_at, since)
    return Owed(kind=kind, cause=RunCause.CHANGED_BASE, since=since, base_model=change.base_model, slot=change.slot)


def _is_given_up(session: Session, run: Run, change: BaseChange) -> bool:
    """Somebody cancelled it, or it failed as often as the clock tries, since it was asked for."""
    failures = count_failures_in_a_row(session, run.style_id, for_other_base=True, since=change.asked_at)
    return run.status is RunStatus.CANCELLED or (run.status is RunStatus.FAILED and failures > len(BACK_OFF))


def is_current(session: Session, run: Run, style: Style, champion: Promotion) -> bool:
    """Does the verdict of a run on another base model still hold: against what serves now, of something that could?"""
    name = str(((run.verdict or {}).get("pair") or {}).get("adapter_name") or "")
    return is_judged_against(session, run, style, champion) and (not name or may_serve(session, style, name))


def may_serve(session: Session, style: Style, adapter_name: str) -> bool:
    """Is this adapter published, and clean of what was withdrawn?"""
    adapter = find_adapter_by_name(session, adapter_name, style.scope)
    return adapter is not None and adapter.status is AdapterStatus.PUBLISHED and not is_tainted(session, adapter)


def is_judged_against(session: Session, run: Run, style: Style, champion: Promotion) -> bool:
    """Was the run's verdict made against what serves now?"""
    judged = (run.verdict or {}).get("champion") or {}
    adapter = get_adapter(session, champion.adapter_id, style.scope).name if champion.adapter_id else ""
    serving = {"rung": champion.rung.value, "base_model": champion.base_model, "adapter_name": adapter}
    return dict(judged) == serving


def pays(run: Run) -> bool:
    """Did this measurement say that training again is worth it?"""
    retrain = (run.verdict or {}).get("retrain") or {}
    return bool(retrain.get("is_worth_it"))
