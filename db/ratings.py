"""Ratings: what people say of a draft with one tap. One a person and draft; the last tap counts. Nothing is learnt
from a rating by itself."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import SLACK_ID, Base


class Rating(Base):
    __tablename__ = "ratings"

    draft_id: Mapped[str] = mapped_column(ForeignKey("drafts.draft_id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(SLACK_ID, primary_key=True)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"), index=True)
    #: Thumbs up, or thumbs down.
    is_good: Mapped[bool]
    rated_at: Mapped[datetime]


def save_rating(session: Session, rating: Rating) -> None:
    """Store what a person says; it takes the place of what they said before."""
    session.merge(rating)
