"""Teams: a workspace the bot is installed in: the statement that an admin accepted, and what its admins have set.

None in a setting means: as the installation has it (config/settings.py).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import SLACK_ID, Base, insert_new


class Team(Base):
    __tablename__ = "teams"

    team_id: Mapped[str] = mapped_column(SLACK_ID, primary_key=True)
    #: The admin who accepted the statement on training data, and when; no run starts before.
    terms_accepted_by: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    terms_accepted_at: Mapped[datetime | None] = mapped_column(default=None)
    #: What the runs of all styles together may cost in a calendar month; None: no limit.
    monthly_budget: Mapped[float | None] = mapped_column(default=None)
    #: When the weekly digest comes: 0 is Monday; the hour is of this time zone (an IANA name).
    digest_weekday: Mapped[int | None] = mapped_column(default=None)
    digest_hour: Mapped[int | None] = mapped_column(default=None)
    time_zone: Mapped[str | None] = mapped_column(String(64), default=None)


def get_team(session: Session, team_id: str) -> Team:
    """The team's row, made when this is the first time it is asked for (inside a writing transaction)."""
    team = session.get(Team, team_id)
    if team is None:
        insert_new(session, Team, [{"team_id": team_id}], unique=["team_id"])
        team = session.get_one(Team, team_id)
    return team


def lock_team(session: Session, team_id: str) -> None:
    """Until this transaction ends others that lock the team wait. Whoever locks a style does that first."""
    session.execute(select(Team.team_id).where(Team.team_id == team_id).with_for_update())


def find_team(session: Session, team_id: str) -> Team | None:
    return session.get(Team, team_id)


def has_accepted_terms(session: Session, team_id: str) -> bool:
    team = session.get(Team, team_id)
    return team is not None and team.terms_accepted_at is not None
