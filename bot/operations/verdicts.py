"""A run's verdict as it is true now: what it found on another base model waits for a sign-off, had one, or has none."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.texts import results as texts
from config.base_names import base_model_id
from db.base_changes import BaseChangeStatus, find_change_of_run
from db.promotions import find_serving_base, find_sign_off
from db.runs import Run
from db.styles import get_style


def say_verdict(session: Session, run: Run) -> str:
    """The verdict in one sentence, the same wherever it is shown; empty when nothing was judged."""
    return texts.verdict_said(run.verdict, run.receipt, _what_became(session, run))


def _what_became(session: Session, run: Run) -> str:
    """Of the new pair of a run on another base model than served; empty for other runs."""
    if not (run.verdict or {}).get("pair"):
        return ""
    change = find_change_of_run(session, run)
    serving = find_serving_base(session, get_style(session, run.style_id))
    # Before the sign-off: taking the change back undoes it, unless the style stands on the new base model all the same.
    if change is not None and change.status is BaseChangeStatus.ABANDONED and serving != run.base_model:
        return texts.TAKEN_BACK()
    if find_sign_off(session, run.run_id) is not None:
        return texts.SIGNED_OFF()
    if serving is None or serving == run.base_model:
        return ""  # it got there, or onto a rung that stands on none, in another way
    is_open = change is not None and change.status is BaseChangeStatus.OPEN
    return texts.goes_on_serving(base_model_id(serving), is_waiting=is_open)
