"""The weekly digest: owed to a style's channel once a week, whichever clock notices and however late.

A digest's slot is a style's week, and the outbox takes a slot once. What it tells is the seven days before it was
due, so one that comes late tells the same week.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from bot.blocks.digest import Digest, digest_message
from bot.domain.digest_time import DigestSlot, latest_slot
from bot.domain.effort import summarise
from bot.domain.spend import total_cost
from bot.operations.budget import bill_of, read_team_settings
from bot.operations.efforts import measure_efforts
from bot.operations.languages import speaking_in_channel
from bot.operations.overview import (
    compare_efforts,
    count_drafts,
    name_contributors,
    read_overview,
)  # fmt: skip
from bot.operations.runs import home_channel
from config.settings import Settings
from db import audit
from db.drafts import list_outcomes
from db.examples import count_by_proposer, list_approval_times
from db.outbox import list_by_prefix, owe
from db.reviews import count_by_reviewer
from db.runs import list_runs_since
from db.session import Database, DatabaseUnavailable
from db.styles import Style, get_style, list_all_styles, lock_style

log = structlog.get_logger()

WEEK = timedelta(days=7)


def queue_due_digests(database: Database, settings: Settings, now: datetime) -> list[str]:
    """Owe a digest to every style whose week is due at `now` and has none yet; returns the styles' ids.

    Any number of clocks may do this at once. A style that cannot be looked at does not keep the others waiting.
    Raises DatabaseUnavailable.
    """
    with database.read() as session:
        style_ids = [style.style_id for style in list_all_styles(session)]
    queued = []
    for style_id in style_ids:
        try:
            if _queue_if_due(database, settings, style_id, now):
                queued.append(style_id)
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("digest.not_written", style_id=style_id)
    return queued


def digest_key(style_id: str, week: str) -> str:
    """The outbox's name for a style's digest of an ISO week."""
    return f"digest:{style_id}:{week}"


def _queue_if_due(database: Database, settings: Settings, style_id: str, now: datetime) -> bool:
    with database.read() as session:  # mostly there is nothing to do
        if _find_due_slot(session, settings, get_style(session, style_id), now) is None:
            return False
    with database.write() as session:
        style = lock_style(session, style_id)
        slot = _find_due_slot(session, settings, style, now)
        if slot is None:
            return False
        with speaking_in_channel(session, style):
            text, blocks = digest_message(read_digest(session, settings, style, slot, now))
        owed = owe(
            session, team_id=style.team_id, dedupe_key=digest_key(style_id, slot.week), verb="post_message",
            arguments={"channel_id": home_channel(style), "text": text, "blocks": blocks},
        )  # fmt: skip
        if owed:
            audit.record(
                session, team_id=style.team_id, actor="clock", action="digest.queued", subject=style_id,
                week=slot.week,
            )  # fmt: skip
            log.info("digest.queued", style_id=style_id, week=slot.week)
        return owed


def _find_due_slot(session: Session, settings: Settings, style: Style, now: datetime) -> DigestSlot | None:
    """The slot that is due and empty; a style gets none for a week that had ended before it was made."""
    if not style.is_digest_on or style.is_archived:
        return None
    team = read_team_settings(session, settings, style.team_id)
    slot = latest_slot(now, weekday=team.digest_weekday, hour=team.digest_hour, zone=team.zone)
    # Weeks only go forward: a weekday that was changed brings no digest of a week before the last one.
    sent = [one.dedupe_key.rsplit(":", 1)[1] for one in list_by_prefix(session, digest_key(style.style_id, ""))]
    return slot if slot.due_at > style.created_at and slot.week > max(sent, default="") else None


def read_digest(session: Session, settings: Settings, style: Style, slot: DigestSlot, now: datetime) -> Digest:
    """The seven days before the slot, and the style as it stands now."""
    since, until = slot.due_at - WEEK, slot.due_at
    outcomes = list_outcomes(session, style.style_id, since - timedelta(weeks=4))
    efforts = measure_efforts(outcomes)
    approvals = list_approval_times(session, style.style_id, style.scope, since)
    bills = [
        bill_of(run, now)
        for run in list_runs_since(session, style.team_id, since)
        if run.style_id == style.style_id and run.ended_at is not None and run.ended_at < until
    ]
    return Digest(
        overview=read_overview(session, settings, style, now),
        since=since,
        until=until,
        drafts=count_drafts([one for one in outcomes if since <= one.requested_at < until]),
        effort=summarise([value for at, value in efforts if since <= at < until]),
        trend=compare_efforts(efforts, since, until),
        new_examples=sum(at < until for at in approvals),
        taught=name_contributors(
            session, style, count_by_proposer(session, style.style_id, style.scope, since=since, until=until)
        ),
        reviewed=name_contributors(
            session, style, count_by_reviewer(session, style.style_id, style.scope, since=since, until=until)
        ),
        cost=total_cost(bills, settings.price_per_hour),
    )
