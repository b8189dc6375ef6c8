"""Making a request a comparison while its style has a blind trial: a second draft beside the first.

Which of the two is the challenger's is a coin thrown here; nothing that leaves the server depends on it.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from bot.operations.trials import find_cause
from db.base import new_id, now_in_database
from db.drafts import Draft, DraftStatus, get_draft, move_draft
from db.styles import Style, keep_style
from db.trials import (
    Comparison,
    ComparisonStatus,
    Trial,
    TrialStatus,
    count_comparisons,
    find_running_trial,
    lock_comparison,
    lock_trial,
)  # fmt: skip

_FINENESS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedComparison:
    """A request that will be drafted twice."""

    comparison_id: str
    trial_id: str


def plan_comparison(session: Session, style: Style, has_room: Callable[[], bool]) -> PlannedComparison | None:
    """Is this request one of the trial's? `has_room`: may one more draft be asked for besides the first?

    The trial is locked until the transaction ends, so that requests at once do not go over its limit.
    """
    running = find_running_trial(session, style.style_id, style.scope)
    if running is None or not has_room():
        return None
    keep_style(session, style.style_id)
    trial = lock_trial(session, running.trial_id)
    is_full = count_comparisons(session, trial.trial_id).made >= trial.most
    if trial.status is not TrialStatus.RUNNING or is_full or find_cause(session, style, trial) is not None:
        return None
    if not _falls_in(trial):
        return None
    return PlannedComparison(comparison_id=new_id("cmp"), trial_id=trial.trial_id)


def _falls_in(trial: Trial) -> bool:
    return secrets.randbelow(_FINENESS) < trial.share * _FINENESS


def add_second_draft(session: Session, planned: PlannedComparison, first: dict[str, Any]) -> None:
    """The draft beside the one in the row `first`, which is stored, and the comparison of both."""
    second = Draft(**first | {"draft_id": new_id("dra"), "request_key": f"second:{planned.comparison_id}"})
    session.add(second)
    session.flush()
    session.add(
        Comparison(
            comparison_id=planned.comparison_id, trial_id=planned.trial_id, draft_a_id=first["draft_id"],
            draft_b_id=second.draft_id, is_challenger_a=bool(secrets.randbelow(2)), made_at=now_in_database(session),
        )
    )  # fmt: skip


def stop_comparison(session: Session, comparison_id: str) -> None:
    """A person pressed Stop before both were there: neither appears. The caller ends the drafts that are open."""
    comparison = lock_comparison(session, comparison_id)
    if comparison.status is ComparisonStatus.DRAFTING:
        comparison.status = ComparisonStatus.VOID
        for draft_id in comparison.draft_ids:
            move_draft(session, get_draft(session, draft_id), seen=(DraftStatus.PAIRED,), to=DraftStatus.STOPPED)
