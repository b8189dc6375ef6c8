"""One tap on a draft. It counts for the style's quality; nothing is learnt from it."""

from __future__ import annotations

from bot.domain.values import Actor
from bot.errors import MembersOnly, NotYet
from bot.operations.people import refuse
from bot.texts import drafting as texts
from db.audit import record
from db.base import now_in_database
from db.drafts import OPEN, Draft, DraftNotFound, DraftStatus, get_draft
from db.ratings import Rating, save_rating
from db.session import Database


def rate_draft(database: Database, actor: Actor, draft_id: str, *, is_good: bool) -> Draft:
    """Keep what this person says of a draft; their last word counts. Raises DraftNotFound, MembersOnly, NotYet."""
    with database.read() as session:
        draft = get_draft(session, draft_id)
    if draft.team_id != actor.team_id:
        raise DraftNotFound
    if not actor.is_full_member:
        refuse(database, actor, "rating.refused", draft_id, MembersOnly())
    if draft.status in OPEN:
        raise NotYet(texts.NOT_YET_COMPLETE())
    with database.write() as session:
        rating = Rating(
            draft_id=draft_id, user_id=actor.user_id, style_id=draft.style_id, is_good=is_good,
            rated_at=now_in_database(session),
        )  # fmt: skip
        save_rating(session, rating)
        record(
            session, team_id=actor.team_id, actor=actor.user_id, action="draft.rated", subject=draft_id,
            style_id=draft.style_id, is_good=is_good,
        )  # fmt: skip
    return draft


def may_be_discarded(draft: Draft) -> bool:
    """Does nobody's decision stand yet?"""
    return draft.status is DraftStatus.SHOWN
