"""Runs: one execution of the pipeline each. A run is claimed with a fence and kept by heartbeat.

queued → claimed → freezing → training → evaluating → publishing → succeeded | failed | cancelled. A run whose
trainer dies stays in its stage with a lapsed lease; the next claim takes it up there. `succeeded` says nothing
about promotion.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    case,
    func,
    literal,
    select,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.run_kinds import RunCause, RunKind
from db.base import (
    ID,
    SLACK_ID,
    Base,
    UtcDateTime,
    insert_new,
    new_id,
    now_in_database,
    seconds_between,
    words,
)
from db.claims import Claimable, ClaimLost, claim_next, lease_lapsed, write_fenced


class RunStatus(StrEnum):
    QUEUED = "queued"  #: Waits for a trainer.
    CLAIMED = "claimed"  #: A trainer has it and is starting up.
    FREEZING = "freezing"  #: The dataset is being fixed.
    TRAINING = "training"  #: Gradient steps.
    EVALUATING = "evaluating"  #: Every candidate is scored on the same unseen pairs.
    PUBLISHING = "publishing"  #: Adapters are copied into the artifact store; then the gate decides.
    SUCCEEDED = "succeeded"  #: All stages done.
    FAILED = "failed"  #: Given up; `error` says why and what to do.
    CANCELLED = "cancelled"  #: Stopped on a person's wish.


ENDED = (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)
ACTIVE = tuple(status for status in RunStatus if status not in ENDED)
HELD = tuple(status for status in ACTIVE if status is not RunStatus.QUEUED)


class Run(Claimable, Base):
    __tablename__ = "runs"
    __table_args__ = (
        UniqueConstraint("style_id", "slot"),
        Index("ix_runs_work", "status", "queued_at"),
    )

    run_id: Mapped[str] = mapped_column(ID, primary_key=True)
    team_id: Mapped[str] = mapped_column(SLACK_ID)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"))
    scope_key: Mapped[str] = mapped_column(String(160))
    #: What made it due: a schedule slot or a command's delivery. Unique per style, so one cause is one run.
    slot: Mapped[str] = mapped_column(String(255))
    #: A user id, or None when the clock queued it.
    requested_by: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    reason: Mapped[str] = mapped_column(Text)
    kind: Mapped[RunKind] = mapped_column(words(RunKind), default=RunKind.TRAIN)
    #: `reason` in one word; None for runs of earlier versions.
    cause: Mapped[RunCause | None] = mapped_column(words(RunCause), default=None)
    status: Mapped[RunStatus] = mapped_column(words(RunStatus), default=RunStatus.QUEUED)
    recipe: Mapped[str] = mapped_column(String(255))
    base_model: Mapped[str] = mapped_column(String(255))
    #: Latest news: `{stage, rung, step, total_steps, loss, eval_loss, tokens_per_second, seconds_left}`.
    progress: Mapped[dict[str, Any]]
    #: Rises with every piece of news, so that a watcher knows what it has shown.
    progress_number: Mapped[int] = mapped_column(default=0)
    is_cancel_requested: Mapped[bool] = mapped_column(default=False)
    error: Mapped[str | None] = mapped_column(Text, default=None)
    #: The gate's sentence, and whether it moved the champion.
    verdict: Mapped[dict[str, Any] | None]
    #: What was foreseen: `{examples, minutes, cost, currency}`; and what it took.
    quote: Mapped[dict[str, Any] | None]
    receipt: Mapped[dict[str, Any] | None]
    #: Artifact-store path of the loss curve (PNG), relative to the store, and its text alternative.
    curve_path: Mapped[str | None] = mapped_column(String(255), default=None)
    curve_alt_text: Mapped[str | None] = mapped_column(Text, default=None)
    #: The version its adapters are published under; chosen once, so that a resumed run publishes the same names.
    adapter_version: Mapped[int | None] = mapped_column(default=None)
    queued_at: Mapped[datetime]
    started_at: Mapped[datetime | None] = mapped_column(default=None)
    #: The last sign of life of the trainer that holds it; None before the first, and once it was handed back.
    heartbeat_at: Mapped[datetime | None] = mapped_column(default=None)
    #: Seconds for which trainers have held it, up to `heartbeat_at`, or its end; read it with `seconds_held`.
    held_seconds: Mapped[float] = mapped_column(default=0.0)
    ended_at: Mapped[datetime | None] = mapped_column(default=None)
    #: Highest progress_number already shown in the channel, and whether the end was.
    shown_number: Mapped[int] = mapped_column(default=-1)
    is_end_shown: Mapped[bool] = mapped_column(default=False)


class RunNotFound(Exception):
    """There is no such run. `/huisstijl status` lists the latest ones."""


def get_run(session: Session, run_id: str) -> Run:
    run = session.get(Run, run_id)
    if run is None:
        raise RunNotFound
    return run


def queue_run(
    session: Session,
    *,
    team_id: str,
    style_id: str,
    scope_key: str,
    slot: str,
    reason: str,
    recipe: str,
    base_model: str,
    kind: RunKind = RunKind.TRAIN,
    cause: RunCause | None = None,
    requested_by: str | None = None,
    quote: dict[str, Any] | None = None,
) -> Run | None:
    """Queue a run for this cause; None when it was queued before, also by another process at this moment.

    A style's runs are in the order of `queued_at` also when the clock was set back between two of them.
    """
    now = now_in_database(session)
    latest = session.scalar(select(func.max(Run.queued_at)).where(Run.style_id == style_id))
    row = {
        "run_id": new_id("run"), "team_id": team_id, "style_id": style_id, "scope_key": scope_key, "slot": slot,
        "reason": reason, "recipe": recipe, "base_model": base_model, "requested_by": requested_by, "quote": quote,
        "kind": kind, "cause": cause, "progress": {},
        "queued_at": now if latest is None else max(now, latest + timedelta(milliseconds=1)),
    }  # fmt: skip
    if not insert_new(session, Run, [row], unique=["style_id", "slot"]):
        return None
    return get_run(session, str(row["run_id"]))


def find_active_run(session: Session, style_id: str) -> Run | None:
    query = select(Run).where(Run.style_id == style_id, Run.status.in_(ACTIVE))
    return session.scalars(query.order_by(Run.queued_at)).first()


def find_latest_run(
    session: Session, style_id: str, *statuses: RunStatus, kind: RunKind | None = None, base_model: str | None = None,
    for_other_base: bool | None = None,
) -> Run | None:  # fmt: skip
    """The run queued last, among those statuses, of that kind and on that base model (any, where none is named).

    `for_other_base`: among those that a change of the base model has made, or (False) among all others.
    """
    query = select(Run).where(Run.style_id == style_id)
    if statuses:
        query = query.where(Run.status.in_(statuses))
    if kind is not None:
        query = query.where(Run.kind == kind)
    if base_model is not None:
        query = query.where(Run.base_model == base_model)
    if for_other_base is not None:
        query = query.where(_made_by_change(for_other_base))
    return session.scalars(query.order_by(Run.queued_at.desc(), Run.run_id.desc())).first()


def _made_by_change(is_made: bool) -> ColumnElement[bool]:
    changed = RunCause.CHANGED_BASE
    return Run.cause == changed if is_made else Run.cause.is_distinct_from(changed)


def find_run_in_slot(session: Session, style_id: str, slot: str) -> Run | None:
    return session.scalar(select(Run).where(Run.style_id == style_id, Run.slot == slot))


def list_runs_to_watch(session: Session) -> list[Run]:
    """Runs with news, and those that wait: how long they have waited is news that no row tells."""
    has_news = (Run.progress_number > Run.shown_number) | (Run.status.in_(ENDED) & ~Run.is_end_shown)
    query = select(Run).where(has_news | Run.status.in_(ACTIVE))
    return list(session.scalars(query.order_by(Run.queued_at)))


def list_ended(session: Session, run_ids: Collection[str]) -> set[str]:
    """Those of these runs that have ended."""
    return set(session.scalars(select(Run.run_id).where(Run.run_id.in_(run_ids), Run.status.in_(ENDED))))


def list_runs_since(session: Session, team_id: str, since: datetime) -> list[Run]:
    """The team's runs that ended since then, or have not ended yet: what a month has cost so far."""
    query = select(Run).where(Run.team_id == team_id, (Run.ended_at >= since) | Run.status.in_(ACTIVE))
    return list(session.scalars(query.order_by(Run.queued_at, Run.run_id)))


def list_newest_runs(session: Session, style_id: str, *statuses: RunStatus, kind: RunKind, limit: int) -> list[Run]:
    """Newest first, among those statuses."""
    query = select(Run).where(Run.style_id == style_id, Run.status.in_(statuses), Run.kind == kind)
    return list(session.scalars(query.order_by(Run.queued_at.desc(), Run.run_id.desc()).limit(limit)))


def list_receipts(
    session: Session, team_id: str, *, recipe: str, base_model: str, is_elsewhere: bool = False, limit: int = 20
) -> list[dict[str, Any]]:
    """What the team's trainings with this recipe took, on this base model or (`is_elsewhere`) on any other, of all its
    styles, newest first."""
    query = select(Run.receipt).where(
        Run.team_id == team_id, Run.recipe == recipe, Run.kind == RunKind.TRAIN, Run.status == RunStatus.SUCCEEDED,
        Run.base_model != base_model if is_elsewhere else Run.base_model == base_model,
    )  # fmt: skip
    found = session.scalars(query.order_by(Run.ended_at.desc(), Run.run_id.desc()).limit(limit))
    return [receipt for receipt in found if receipt]


def count_failures_in_a_row(
    session: Session, style_id: str, *, for_other_base: bool = False, since: datetime | None = None
) -> int:
    """Failed runs since the last one that ended in another way, of those queued since then. Those for another base
    model than serves count by themselves: what fails there says nothing about the style's own runs."""
    query = select(Run.status).where(Run.style_id == style_id, Run.status.in_(ENDED), _made_by_change(for_other_base))
    if since is not None:
        query = query.where(Run.queued_at >= since)
    count = 0
    for status in session.scalars(query.order_by(Run.queued_at.desc(), Run.run_id.desc()).limit(20)):
        if status is not RunStatus.FAILED:
            break
        count += 1
    return count


def save_shown(session: Session, run_id: str, number: int) -> None:
    """The channel shows the run's news up to this number."""
    session.execute(update(Run).where(Run.run_id == run_id, Run.shown_number < number).values(shown_number=number))


def take_end(session: Session, run_id: str) -> bool:
    """True for the one caller who is to show the run's end."""
    taken = session.execute(
        update(Run)
        .where(Run.run_id == run_id, Run.status.in_(ENDED), ~Run.is_end_shown)
        .values(is_end_shown=True, shown_number=Run.progress_number)
        .execution_options(synchronize_session=False)
    )
    return bool(taken.rowcount == 1)  # type: ignore[attr-defined]


def request_cancel(session: Session, run_id: str) -> bool:
    """Cancel a run: at once when no trainer holds it (any more), else at its next step. False when it has ended.

    A silent trainer's fence is raised, so that it cannot write if it wakes up.
    """
    now = now_in_database(session)
    ended = {
        "status": RunStatus.CANCELLED, "ended_at": now, "lease_expires_at": None, "held_seconds": _held_by(now),
    }  # fmt: skip
    is_nobodys = (Run.status == RunStatus.QUEUED) | (Run.status.in_(HELD) & lease_lapsed(session, Run))
    at_once = update(Run).where(Run.run_id == run_id, is_nobodys)
    at_once = at_once.values(**ended, is_cancel_requested=True, fence=Run.fence + 1)
    asked = update(Run).where(Run.run_id == run_id, Run.status.in_(ACTIVE)).values(is_cancel_requested=True)
    for statement in (at_once, asked):
        statement = statement.values(progress_number=Run.progress_number + 1)
        changed = session.execute(statement.execution_options(synchronize_session=False))
        if changed.rowcount == 1:  # type: ignore[attr-defined]
            return True
    return False


def claim_run(session: Session, *, owner: str, lease_seconds: float) -> Run | None:
    """The oldest run that waits, or whose trainer has gone silent past its lease."""
    now = now_in_database(session)
    claimed = claim_next(
        session,
        Run,
        where=(Run.status == RunStatus.QUEUED) | (Run.status.in_(HELD) & lease_lapsed(session, Run)),
        order_by=(Run.queued_at, Run.run_id),
        owner=owner,
        lease_seconds=lease_seconds,
        status=RunStatus.CLAIMED,
        heartbeat_at=now,
        held_seconds=_held_by(now),  # by a trainer that has gone silent
    )
    return claimed[0] if claimed else None


def seconds_held(run: Run, now: datetime) -> float:
    """How long trainers have held the run by `now`, on database time: what the machine has worked for it.

    Waiting does not count, neither for the first trainer nor for one that goes on with it. A trainer that went silent
    counts until its lease was over, since nobody knows when in it it stopped.
    """
    if run.status not in HELD or run.heartbeat_at is None:
        return run.held_seconds
    until = min(now, run.lease_expires_at or now)
    return run.held_seconds + max((until - run.heartbeat_at).total_seconds(), 0.0)


def _held_by(now: datetime) -> ColumnElement[float]:
    """`seconds_held` of the row that a statement changes, as it was before."""
    moment = literal(now, UtcDateTime())
    until = case((Run.lease_expires_at < moment, Run.lease_expires_at), else_=moment)
    is_held = Run.status.in_(HELD) & (Run.heartbeat_at < until)
    return Run.held_seconds + case((is_held, seconds_between(Run.heartbeat_at, until)), else_=0.0)


def beat(session: Session, run_id: str, fence: int, *, lease_seconds: float) -> bool:
    """Keep hold of a run. Returns whether a person asked to cancel it. Raises ClaimLost when it is not ours.

    A run that we have ended or handed back ourselves is left as it is.
    """
    now = now_in_database(session)
    session.execute(
        update(Run)
        .where(Run.run_id == run_id, Run.fence == fence, Run.status.in_(HELD))
        .values(heartbeat_at=now, held_seconds=_held_by(now), lease_expires_at=now + timedelta(seconds=lease_seconds))
        .execution_options(synchronize_session=False)
    )
    found = session.execute(select(Run.fence, Run.is_cancel_requested).where(Run.run_id == run_id)).one_or_none()
    if found is None or found.fence != fence:
        raise ClaimLost
    return bool(found.is_cancel_requested)


def report(session: Session, run_id: str, fence: int, status: RunStatus, progress: dict[str, Any]) -> None:
    """Write the stage and the latest news, under our fence."""
    write_fenced(
        session, Run, run_id, fence, only_if=Run.status.in_(HELD),
        status=status, progress=progress, progress_number=Run.progress_number + 1,
    )  # fmt: skip


def end_run(session: Session, run_id: str, fence: int, status: RunStatus, **changes: Any) -> None:
    """Move a run to one of its ends, under our fence. Raises ClaimLost when it is not ours any more."""
    if status not in ENDED:
        raise ValueError(f"{status} is not an end")
    now = now_in_database(session)
    write_fenced(
        session, Run, run_id, fence, only_if=Run.status.in_(HELD),
        status=status, ended_at=now, progress_number=Run.progress_number + 1,
        lease_expires_at=None, held_seconds=_held_by(now), **changes,
    )  # fmt: skip


def hand_back(session: Session, run_id: str, fence: int, *, is_attempt_counted: bool = True) -> None:
    """Let go of a run that is not finished, for the next claim to resume.

    A trainer that is merely being shut down gives the attempt back with it.
    """
    held = _held_by(now_in_database(session))
    write_fenced(
        session, Run, run_id, fence, only_if=Run.status.in_(HELD),
        status=RunStatus.QUEUED, claimed_by=None, lease_expires_at=None, heartbeat_at=None, held_seconds=held,
        attempts=Run.attempts if is_attempt_counted else Run.attempts - 1,
    )  # fmt: skip


__all__ = [
    "ACTIVE", "ENDED", "HELD", "ClaimLost", "Run", "RunNotFound", "RunStatus", "beat", "claim_run",
    "count_failures_in_a_row", "end_run", "find_active_run", "find_latest_run", "find_run_in_slot", "get_run",
    "hand_back", "list_newest_runs", "list_runs_since", "list_runs_to_watch", "queue_run", "report",
    "request_cancel", "save_shown", "seconds_held", "take_end",
]  # fmt: skip
