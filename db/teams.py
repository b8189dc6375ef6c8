"""Teams: a workspace the bot is installed in, with the statement on training data that an admin accepted."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import SLACK_ID, Base, insert_new


class Team(Base):
    __tablename__ = "teams"

    team_id: Mapped[str] = mapped_column(SLACK_ID, primary_key=True)
    #: The admin who accepted the statement on training data, and when; no run starts before.
    terms_accepted_by: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    terms_accepted_at: Mapped[datetime | None] = mapped_column(default=None)


def get_team(session: Session, team_id: str) -> Team:
    """The team's row, made when this is the first time it is asked for (inside a writing transaction)."""
    team = session.get(Team, team_id)
    if team is None:
        insert_new(session, Team, [{"team_id": team_id}], unique=["team_id"])
        team = session.get_one(Team, team_id)
    return team


def has_accepted_terms(session: Session, team_id: str) -> bool:
    team = session.get(Team, team_id)
    return team is not None and team.terms_accepted_at is not None
