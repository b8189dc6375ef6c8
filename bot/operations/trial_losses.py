"""What a blind trial has decided against: it is not made champion by hand without being told. So it is with what fails
a probe (`bot.operations.probes`)."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.errors import LostTrial
from bot.texts import trials as texts
from db.styles import Style
from db.trials import TrialCandidate, list_losses

#: Typed after a candidate: it is wanted although it lost, or fails a probe.
ANYWAY = "anyway"


def split_anyway(wanted: str) -> tuple[str, bool]:
    """The candidate's name, and whether it is wanted all the same."""
    name, _, last = wanted.strip().rpartition(" ")
    return (name.strip(), True) if name and last.casefold() == ANYWAY else (wanted, False)


def check_has_not_lost(
    session: Session, style: Style, candidate: TrialCandidate, champion: TrialCandidate, *, names: tuple[str, str],
    wanted: str,
) -> None:  # fmt: skip
    """Raises LostTrial when people preferred the one that serves now. `names`: of the candidate and of the champion."""
    for loss in list_losses(session, style.style_id, style.scope, to=champion):
        if loss.candidate == candidate:
            raise LostTrial(texts.lost_before(*names, style.name, wanted, loss.ended_at, loss.wins, loss.decided))
