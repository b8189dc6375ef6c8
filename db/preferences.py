"""Preferences: a prompt with the text a person chose and the draft of ours they turned down."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from db.base import ID, SLACK_ID, Base


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
    reason: Mapped[str | None] = mapped_column(Text, default=None)
    given_by: Mapped[str] = mapped_column(SLACK_ID)
    given_at: Mapped[datetime]
