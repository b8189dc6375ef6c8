"""The statement on training data: an admin of the workspace accepts it once, on record, before the first run."""

from __future__ import annotations

import hashlib

from sqlalchemy.orm import Session

from bot.domain.values import Actor
from bot.language import spoken_language
from bot.texts.training import STATEMENT
from db.audit import record
from db.base import now_in_database
from db.teams import get_team


def accept_terms(session: Session, actor: Actor) -> None:
    """Keep who accepted, when, and the hash of the words that were shown. The first acceptance stays."""
    team = get_team(session, actor.team_id)
    if team.terms_accepted_at is not None:
        return
    team.terms_accepted_by, team.terms_accepted_at = actor.user_id, now_in_database(session)
    record(
        session, team_id=actor.team_id, actor=actor.user_id, action="terms.accepted", subject=actor.team_id,
        statement=statement_hash(), language=spoken_language(),
    )  # fmt: skip


def statement_hash() -> str:
    return f"sha256:{hashlib.sha256(STATEMENT().encode()).hexdigest()}"
