"""What people changed of the drafts that they kept: of all of a style's, and of each candidate's that has served."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from bot.domain.effort import edit_effort, summarise
from bot.domain.weeks import WEEKS_SHOWN
from bot.texts.measured import effort_by_candidate
from db.base import now_in_database
from db.drafts import DraftOutcome, DraftStatus, list_outcomes
from db.styles import Style

_KEPT = (DraftStatus.KEPT, DraftStatus.EDITED)


def measure_efforts(outcomes: Sequence[DraftOutcome]) -> list[tuple[datetime, float]]:
    """How much people changed of each draft that they kept, by the time it was asked for."""
    return [(one.requested_at, effort_of(one)) for one in outcomes if one.status in _KEPT and one.had_text]


def effort_of(outcome: DraftOutcome) -> float:
    """0 to 1, of a draft that was kept or edited."""
    if outcome.status is not DraftStatus.EDITED:
        return 0.0
    return edit_effort(outcome.completion, outcome.edited_completion or "")


def say_efforts(session: Session, style: Style) -> str:
    """What people changed of each candidate's drafts in the weeks that are shown; empty where none was kept."""
    since = now_in_database(session) - timedelta(weeks=WEEKS_SHOWN)
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in list_outcomes(session, style.style_id, since):
        if one.status in _KEPT and one.had_text and one.rung is not None:
            found[one.rung.value, one.adapter_name].append(effort_of(one))
    efforts = [(*name, summary) for name, values in sorted(found.items()) if (summary := summarise(values))]
    return effort_by_candidate(efforts, weeks=WEEKS_SHOWN)
