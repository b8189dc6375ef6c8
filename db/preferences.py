"""Preferences: a prompt with the text a person chose and the draft of ours they turned down.

One row for a draft. A row without `chosen` says only what is not wanted; it becomes a pair when somebody writes the
text as it should be, or keeps another draft for the same request.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from db.base import ID, SLACK_ID, Base
from db.scope import Scope


class Reason(StrEnum):
    TONE = "tone"  #: It does not sound like us.
    WORDS = "words"  #: Words that we do not use, or not those that we do.
    LENGTH = "length"  #: Too long or too short.
    STRUCTURE = "structure"  #: The order or the form is not ours.
    FACTS = "facts"  #: Something in it is not true.
    OTHER = "other"  #: Something else.


class Preference(Base):
    __tablename__ = "preferences"

    preference_id: Mapped[str] = mapped_column(ID, primary_key=True)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"), index=True)
    scope_key: Mapped[str] = mapped_column(String(160))
    draft_id: Mapped[str] = mapped_column(ID, unique=True)
    prompt: Mapped[str] = mapped_column(Text)
    #: Empty when a person only said "not our style".
    chosen: Mapped[str] = mapped_column(Text)
    rejected: Mapped[str] = mapped_column(Text)
    #: What is wrong with the draft: words of `Reason`, and the person's own.
    reasons: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    reason: Mapped[str | None] = mapped_column(Text, default=None)
    given_by: Mapped[str] = mapped_column(SLACK_ID)
    given_at: Mapped[datetime]


def choose_for_rejected(session: Session, draft_ids: Collection[str], chosen: str) -> None:
    """Somebody kept this text for the same request: what they had turned down is now half of a pair."""
    session.execute(
        update(Preference)
        .where(Preference.draft_id.in_(draft_ids), Preference.chosen == "", Preference.rejected != chosen)
        .values(chosen=chosen)
    )


def list_pairs(session: Session, style_id: str, scope: Scope) -> list[Preference]:
    """The whole pairs of a style, oldest first: what preference training can use."""
    query = select(Preference).where(
        Preference.style_id == style_id, Preference.scope_key == scope.key, Preference.chosen != ""
    )
    return list(session.scalars(query.order_by(Preference.preference_id)))
