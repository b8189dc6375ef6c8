"""Watching for drift: what is approved costs the champion more than what it was measured on, or people change and turn
down more of its drafts. At an alarm the channel is told, once, and a measurement is owed.

Both sequences begin with the champion's last measurement, or with its promotion where it has none.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import structlog
from sqlalchemy.orm import Session

from bot.domain.drift import Alarm, Value, find_drift
from bot.operations.efforts import effort_of
from bot.operations.ladder import adapter_name
from bot.operations.languages import speaking_in_channel
from bot.operations.prequential import OWN_WORDS, list_judging_scores
from bot.texts.measured import drift_of_decisions, drift_of_labels, drift_of_losses
from config.run_kinds import RunCause
from db import audit
from db.drafts import DraftOutcome, DraftStatus, list_outcomes
from db.examples import list_sources
from db.measurements import owe_measurement
from db.outbox import find_by_dedupe_key, owe
from db.promotions import Promotion, find_promotion
from db.scorecards import ScorecardRow, find_latest_scorecard
from db.session import Database, DatabaseUnavailable
from db.styles import Style, StyleKind, get_style, list_all_styles, lock_style

log = structlog.get_logger()

_DECIDED = (DraftStatus.KEPT, DraftStatus.EDITED, DraftStatus.DISCARDED)


class Watched(StrEnum):
    """What has drifted."""

    LOSSES = "losses"  #: What the champion makes of newly approved examples.
    DECISIONS = "decisions"  #: What people make of its drafts.


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """An alarm that nobody was told of."""

    #: Names the sequence's beginning; one alarm each.
    anchor: str
    sequence: Watched
    alarm: Alarm


def watch_for_drift(database: Database) -> list[str]:
    """Look at every style; returns the ids of those that have drifted. Any number of clocks may do this at once.

    A style that cannot be looked at does not keep the others waiting. Raises DatabaseUnavailable.
    """
    with database.read() as session:
        style_ids = [style.style_id for style in list_all_styles(session)]
    drifted = []
    for style_id in style_ids:
        try:
            if _alarm_if_due(database, style_id):
                drifted.append(style_id)
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("drift.not_checked", style_id=style_id)
    return drifted


def _alarm_if_due(database: Database, style_id: str) -> bool:
    with database.read() as session:  # mostly there is nothing to do
        if _find_drift(session, get_style(session, style_id)) is None:
            return False
    with database.write() as session:
        style = lock_style(session, style_id)
        found = _find_drift(session, style)
        if found is None:
            return False
        with speaking_in_channel(session, style):
            told = _say(style, found)
        owe(
            session, team_id=style.team_id, dedupe_key=_key(style, found.anchor), verb="post_message",
            arguments={"channel_id": style.home_channel_id, "text": told, "blocks": None},
        )  # fmt: skip
        owe_measurement(session, style_id, RunCause.DRIFT)
        audit.record(
            session, team_id=style.team_id, actor="clock", action="style.drifted", subject=style_id,
            sequence=found.sequence.value, values=found.alarm.at, since_n=found.alarm.n, now=found.alarm.now,
            before=found.alarm.before,
        )  # fmt: skip
        log.info("style.drifted", style_id=style_id, sequence=found.sequence.value, values=found.alarm.at)
        return True


def _key(style: Style, anchor: str) -> str:
    """The outbox's name for the one alarm of a champion between two measurements."""
    return f"drift:{style.style_id}:{anchor}"


def _find_drift(session: Session, style: Style) -> Found | None:
    champion = find_promotion(session, style.champion_promotion_id)
    if champion is None or champion.scope_key != style.scope_key:
        return None
    adapter = adapter_name(session, style, champion)
    card = find_latest_scorecard(
        session, style.style_id, style.scope, rung=champion.rung, base_model=champion.base_model, adapter_name=adapter
    )
    anchor = f"{champion.promotion_id}:{card.scorecard_id if card else ''}"
    if find_by_dedupe_key(session, _key(style, anchor)) is not None:
        return None
    since = max(champion.promoted_at, card.scored_at) if card else champion.promoted_at
    for sequence, alarm in (
        (Watched.LOSSES, _find_in_losses(session, style, card, since)),
        (Watched.DECISIONS, _find_in_decisions(session, style, champion, adapter, since)),
    ):
        if alarm is not None:
            return Found(anchor=anchor, sequence=sequence, alarm=alarm)
    return None


def _find_in_losses(session: Session, style: Style, card: ScorecardRow | None, since: datetime) -> Alarm | None:
    """In bits per byte of each example, predicted as the unseen pairs were measured; of labels in bits for the right
    one."""
    has_labels = style.kind is StyleKind.CLASSIFY
    scores = [one for one in list_judging_scores(session, style) if one.approved_at > since]
    values = [
        Value(name=one.example_id, loss=_loss(one.as_measured_nats, one.completion_bytes, has_labels))
        for one in scores
        if one.as_measured_nats is not None
    ]
    pairs = card.card.get("pairs") or () if card else ()
    if not has_labels:  # as with the new ones: the champion's own words say little of other people's
        sources = list_sources(session, style.style_id, style.scope, [pair["example_id"] for pair in pairs])
        pairs = [pair for pair in pairs if sources.get(pair["example_id"]) not in OWN_WORDS]
    measured = [_loss(pair["nll_nats"], pair["reference_bytes"], has_labels) for pair in pairs]
    return find_drift(measured, values)


def _loss(nll_nats: float, size_bytes: int, has_labels: bool) -> float:
    return nll_nats / math.log(2) / (1 if has_labels else max(size_bytes, 1))


def _find_in_decisions(
    session: Session, style: Style, champion: Promotion, adapter: str, since: datetime
) -> Alarm | None:
    """0 for a draft kept as it was, 1 for one turned down, and in between what was changed."""
    outcomes = [
        one
        for one in list_outcomes(session, style.style_id, since)
        if one.status in _DECIDED and one.had_text and (one.rung, one.adapter_name) == (champion.rung, adapter)
    ]
    return find_drift([], [Value(name=one.draft_id, loss=_cost(one)) for one in outcomes])


def _cost(outcome: DraftOutcome) -> float:
    return 1.0 if outcome.status is DraftStatus.DISCARDED else effort_of(outcome)


def _say(style: Style, found: Found) -> str:
    alarm = found.alarm
    if found.sequence is Watched.DECISIONS:
        return drift_of_decisions(style.name, alarm)
    say = drift_of_labels if style.kind is StyleKind.CLASSIFY else drift_of_losses
    return say(style.name, alarm)
