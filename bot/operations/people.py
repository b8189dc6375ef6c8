"""Roles at the door of an operation: who may not is told so, and the refusal is on record."""

from __future__ import annotations

from typing import NoReturn

from bot.domain.reviewing import is_reviewer
from bot.domain.values import Actor
from bot.errors import AdminsOnly, MembersOnly, Refused, ReviewersOnly
from db.audit import record
from db.session import Database
from db.styles import Style


def refuse(database: Database, actor: Actor, action: str, subject: str, error: Refused) -> NoReturn:
    """Write the refusal down in a transaction of its own, then raise it."""
    with database.write() as session:
        record(
            session, team_id=actor.team_id, actor=actor.user_id, action=action, subject=subject,
            error=type(error).__name__,
        )  # fmt: skip
    raise error


def require_admin(database: Database, actor: Actor, action: str, subject: str) -> None:
    """Raises MembersOnly or AdminsOnly, on record."""
    if not actor.is_full_member:
        refuse(database, actor, action, subject, MembersOnly())
    if not actor.is_admin:
        refuse(database, actor, action, subject, AdminsOnly())


def require_reviewer(
    database: Database, actor: Actor, style: Style, action: str, subject: str, *otherwise: str
) -> None:
    """Raises MembersOnly or ReviewersOnly (saying `otherwise`, where that is given), on record."""
    if not actor.is_full_member:
        refuse(database, actor, action, subject, MembersOnly())
    if not is_reviewer(actor, style.reviewer_ids):
        refuse(database, actor, action, subject, ReviewersOnly(*otherwise))
