"""Reviews: who said what about which proposed example. One vote a person, so a quorum counts people."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Text, delete, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import ID, SLACK_ID, Base, now_in_database, words
from db.examples import Example
from db.scope import Scope


class ReviewDecision(StrEnum):
    APPROVE = "approve"  #: Counts towards the quorum.
    REJECT = "reject"  #: Ends the proposal.


class Review(Base):
    __tablename__ = "reviews"

    example_id: Mapped[str] = mapped_column(ID, ForeignKey("examples.example_id"), primary_key=True)
    reviewer_id: Mapped[str] = mapped_column(SLACK_ID, primary_key=True)
    decision: Mapped[ReviewDecision] = mapped_column(words(ReviewDecision))
    #: The example's version that this person saw; a later edit voids the vote.
    seen_version: Mapped[int]
    reason: Mapped[str | None] = mapped_column(Text, default=None)
    reviewed_at: Mapped[datetime]


def list_reviews(session: Session, example_id: str) -> list[Review]:
    query = select(Review).where(Review.example_id == example_id).order_by(Review.reviewed_at)
    return list(session.scalars(query))


def count_by_reviewer(
    session: Session, style_id: str, scope: Scope, *, since: datetime, until: datetime
) -> list[tuple[str, int]]:
    """Who reviewed examples of this style in that time, and how many; most first."""
    query = (
        select(Review.reviewer_id, func.count())
        .join(Example, Example.example_id == Review.example_id)
        .where(Example.style_id == style_id, Example.scope_key == scope.key, Review.reviewed_at.between(since, until))
        .group_by(Review.reviewer_id)
        .order_by(func.count().desc(), Review.reviewer_id)
    )
    return [(user_id, int(count)) for user_id, count in session.execute(query).all()]


def save_review(
    session: Session,
    example_id: str,
    reviewer_id: str,
    decision: ReviewDecision,
    *,
    seen_version: int,
    reason: str | None = None,
) -> None:
    """This person's vote, in place of an earlier one of theirs."""
    session.merge(
        Review(
            example_id=example_id, reviewer_id=reviewer_id, decision=decision, seen_version=seen_version,
            reason=reason, reviewed_at=now_in_database(session),
        )
    )  # fmt: skip
    session.flush()


def void_reviews(session: Session, example_id: str) -> None:
    """The text they were about has changed."""
    session.execute(delete(Review).where(Review.example_id == example_id))
