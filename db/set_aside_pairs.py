"""Pairs that a person has set aside, to propose them together with others of the same thread.

A note of one person's: nobody else sees it, nothing is learnt from it, and it is gone when it was proposed, when its
message was deleted, or after a week.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from sqlalchemy import ForeignKey, Index, Text, UniqueConstraint, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.prompt_sources import PromptSource
from db.base import ID, SLACK_ID, Base, now_in_database, words

KEPT_DAYS = 7


class SetAsidePair(Base):
    __tablename__ = "set_aside_pairs"
    __table_args__ = (
        UniqueConstraint("team_id", "user_id", "channel_id", "message_ts"),
        Index("ix_set_aside_pairs_thread", "team_id", "user_id", "channel_id", "thread_ts"),
    )

    pair_id: Mapped[str] = mapped_column(ID, primary_key=True)
    team_id: Mapped[str] = mapped_column(SLACK_ID)
    user_id: Mapped[str] = mapped_column(SLACK_ID)
    channel_id: Mapped[str] = mapped_column(SLACK_ID)
    thread_ts: Mapped[str] = mapped_column(SLACK_ID)
    message_ts: Mapped[str] = mapped_column(SLACK_ID)
    permalink: Mapped[str | None] = mapped_column(Text, default=None)
    author_id: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    draft_id: Mapped[str | None] = mapped_column(ID, default=None)
    #: The style that was chosen when it was set aside.
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"))
    prompt: Mapped[str] = mapped_column(Text)
    completion: Mapped[str] = mapped_column(Text)
    prompt_source: Mapped[PromptSource] = mapped_column(words(PromptSource))
    suggested_prompt: Mapped[str | None] = mapped_column(Text, default=None)
    set_aside_at: Mapped[datetime]


def save_pair(session: Session, pair: SetAsidePair) -> None:
    """In place of what this person had set aside of the same message; what is older than a week goes."""
    own = (
        SetAsidePair.team_id == pair.team_id,
        SetAsidePair.user_id == pair.user_id,
        SetAsidePair.channel_id == pair.channel_id,
        SetAsidePair.message_ts == pair.message_ts,
    )
    session.execute(delete(SetAsidePair).where(*own))
    session.execute(delete(SetAsidePair).where(SetAsidePair.set_aside_at < _oldest(session)))
    session.add(pair)
    session.flush()


def list_pairs_of_thread(
    session: Session, team_id: str, user_id: str, channel_id: str, thread_ts: str
) -> list[SetAsidePair]:
    """What this person has set aside there, in the thread's order."""
    query = select(SetAsidePair).where(
        SetAsidePair.team_id == team_id,
        SetAsidePair.user_id == user_id,
        SetAsidePair.channel_id == channel_id,
        SetAsidePair.thread_ts == thread_ts,
        SetAsidePair.set_aside_at >= _oldest(session),
    )
    return list(session.scalars(query.order_by(SetAsidePair.message_ts)))


def drop_pairs_of_person(session: Session, team_id: str, user_id: str) -> None:
    """What this person set aside, and what others set aside of theirs."""
    theirs = or_(SetAsidePair.user_id == user_id, SetAsidePair.author_id == user_id)
    session.execute(delete(SetAsidePair).where(SetAsidePair.team_id == team_id, theirs))


def drop_pairs(session: Session, pair_ids: Collection[str]) -> None:
    session.execute(delete(SetAsidePair).where(SetAsidePair.pair_id.in_(pair_ids)))


def drop_pairs_of_message(session: Session, team_id: str, channel_id: str, message_ts: str) -> None:
    """The message was deleted: nobody keeps a note of it."""
    session.execute(
        delete(SetAsidePair).where(
            SetAsidePair.team_id == team_id,
            SetAsidePair.channel_id == channel_id,
            SetAsidePair.message_ts == message_ts,
        )
    )


def _oldest(session: Session) -> datetime:
    return now_in_database(session) - timedelta(days=KEPT_DAYS)
