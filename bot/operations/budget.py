"""What this month's runs have cost, against the limits that admins set. A limit is hard: nothing is queued over it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from bot.domain.overview import TeamSettings
from bot.domain.spend import RunBill, Spend, month_of, total_cost
from config.settings import Settings
from db.runs import Run, list_runs_since, seconds_held
from db.styles import Style
from db.teams import find_team


def read_team_settings(session: Session, settings: Settings, team_id: str) -> TeamSettings:
    team = find_team(session, team_id)
    weekday, hour = (team.digest_weekday, team.digest_hour) if team else (None, None)
    return TeamSettings(
        zone=ZoneInfo((team.time_zone if team else None) or settings.time_zone),
        digest_weekday=settings.digest_weekday if weekday is None else weekday,
        digest_hour=settings.digest_hour if hour is None else hour,
        monthly_budget=team.monthly_budget if team else None,
    )


def read_spend(session: Session, settings: Settings, style: Style, now: datetime) -> Spend:
    """This calendar month's spending, of the style and of all the workspace's styles."""
    team = read_team_settings(session, settings, style.team_id)
    start, renews_at = month_of(now, team.zone)
    runs = list_runs_since(session, style.team_id, start)
    bills = [(run.style_id, bill_of(run, now)) for run in runs]
    return Spend(
        spent=total_cost((bill for owner, bill in bills if owner == style.style_id), settings.price_per_hour),
        limit=style.monthly_budget,
        team_spent=total_cost((bill for _, bill in bills), settings.price_per_hour),
        team_limit=team.monthly_budget,
        currency=settings.currency,
        renews_at=renews_at,
    )


def bill_of(run: Run, now: datetime) -> RunBill:
    return RunBill(
        receipt=run.receipt, quote=run.quote, held_seconds=seconds_held(run, now), is_ended=run.ended_at is not None
    )
