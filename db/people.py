"""People of a workspace, as Slack last described them. A role read here is at most as old as `fetched_at`."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import SLACK_ID, Base, insert_new


class Person(Base):
    __tablename__ = "people"

    team_id: Mapped[str] = mapped_column(SLACK_ID, primary_key=True)
    user_id: Mapped[str] = mapped_column(SLACK_ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(255))
    locale: Mapped[str] = mapped_column(String(32), default="en-US")
    #: Workspace admin or owner.
    is_admin: Mapped[bool]
    is_bot: Mapped[bool]
    #: A guest, single- or multi-channel.
    is_guest: Mapped[bool]
    #: From another workspace, through Slack Connect.
    is_stranger: Mapped[bool]
    is_deactivated: Mapped[bool]
    fetched_at: Mapped[datetime]


def find_person(session: Session, team_id: str, user_id: str) -> Person | None:
    return session.get(Person, (team_id, user_id))


def list_people(session: Session, team_id: str, user_ids: Collection[str]) -> dict[str, Person]:
    """Those of them who are known, by user_id."""
    query = select(Person).where(Person.team_id == team_id, Person.user_id.in_(user_ids))
    return {person.user_id: person for person in session.scalars(query)}


def list_admins(session: Session, team_id: str) -> list[Person]:
    """The workspace's admins among the people whom we know, by name."""
    query = select(Person).where(Person.team_id == team_id, Person.is_admin, ~Person.is_deactivated, ~Person.is_guest)
    return list(session.scalars(query.order_by(Person.name, Person.user_id)))


def save_person(session: Session, person: Person) -> None:
    """Write what Slack said last; two processes that learn of one person at once both succeed."""
    values = {column.key: getattr(person, column.key) for column in Person.__table__.columns}
    known = {name: value for name, value in values.items() if value is not None}
    insert_new(session, Person, [known], unique=["team_id", "user_id"])
    session.merge(person)
