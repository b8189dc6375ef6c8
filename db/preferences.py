"""Preferences: a prompt with the text a person chose and the draft of ours they turned down.

One row for a draft. A row without `chosen` says only what is not wanted; it becomes a pair when somebody writes the
text as it should be, or keeps another draft for the same request.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, func, select, update
from sqlalchemy.orm import Mapped, Session, aliased, mapped_column

from db.base import ID, SLACK_ID, Base
from db.drafts import Draft
from db.examples import Example, ExampleStatus
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
    """The whole pairs of a style, oldest first, approved or not; see `list_approved_pairs` for what is trained on."""
    query = select(Preference).where(
        Preference.style_id == style_id, Preference.scope_key == scope.key, Preference.chosen != ""
    )
    return list(session.scalars(query.order_by(Preference.preference_id)))


def list_approved_pairs(session: Session, style_id: str, scope: Scope) -> list[tuple[Preference, frozenset[str]]]:
    """The whole pairs that a reviewer stands behind, oldest first: each with the approved examples that came of its
    draft, or of a variant of it.

    Anybody may say what they prefer; what is trained on was approved, here as everywhere. So one of those examples has
    to say what the pair says: a text that a reviewer changed, took something out of, or rejected beside a variant is
    still in the pair as it was.
    """
    rejected, kept = aliased(Draft), aliased(Draft)
    query = (
        select(Preference, Example.example_id, Example.prompt, Example.completion)
        .join(rejected, rejected.draft_id == Preference.draft_id)
        .join(
            kept,
            func.coalesce(kept.root_id, kept.draft_id) == func.coalesce(rejected.root_id, rejected.draft_id),
        )
        .join(Example, Example.draft_id == kept.draft_id)
        .where(
            Preference.style_id == style_id, Preference.scope_key == scope.key, Preference.chosen != "",
            Example.style_id == style_id, Example.scope_key == scope.key, Example.status == ExampleStatus.APPROVED,
        )
        .order_by(Preference.preference_id)
    )  # fmt: skip
    found: dict[str, tuple[Preference, set[str]]] = {}
    approved = set()
    for preference, example_id, prompt, completion in session.execute(query).all():
        found.setdefault(preference.preference_id, (preference, set()))[1].add(example_id)
        if (prompt, completion) == (preference.prompt, preference.chosen):
            approved.add(preference.preference_id)
    return [(preference, frozenset(examples)) for key, (preference, examples) in found.items() if key in approved]
