"""What a style's champion foretold of newly approved examples."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.orm import Session

from bot.domain.prequential import Foretold, summarise
from bot.texts.measured import prequential_said
from db.examples import ExampleSource
from db.prequential import ScoredExample, list_scores
from db.styles import Style, StyleKind

#: Examples that were a draft of ours.
OWN_WORDS = (ExampleSource.DRAFT_KEPT, ExampleSource.DRAFT_EDITED)


def list_judging_scores(session: Session, style: Style) -> list[ScoredExample]:
    """What the champion foretold and may be judged by, oldest approval first (see bot/domain/prequential.py)."""
    if style.champion_promotion_id is None:
        return []
    found = list_scores(session, style.style_id, style.scope, style.champion_promotion_id)
    return found if style.kind is StyleKind.CLASSIFY else [one for one in found if one.source not in OWN_WORDS]


def say_prequential(session: Session, style: Style) -> str:
    """The figure since the champion serves, in a sentence; empty where it foretold nothing."""
    scores = list_judging_scores(session, style)
    return prequential_said(summarise(_as_foretold(scores), has_labels=style.kind is StyleKind.CLASSIFY))


def _as_foretold(scores: Sequence[ScoredExample]) -> list[Foretold]:
    return [
        Foretold(nll_nats=one.nll_nats, completion_bytes=one.completion_bytes, is_right=one.is_right) for one in scores
    ]
