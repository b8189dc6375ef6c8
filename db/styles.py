"""A style: a house style with its instructions, scope, reviewers, policy, and a pointer to its champion."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from config.prompts import build_instructions
from config.run_kinds import RunCause
from config.style_terms import StyleTerms
from db.base import ID, SLACK_ID, Base, words
from db.scope import Scope


class StyleKind(StrEnum):
    DRAFT = "draft"  #: Free text in the team's voice.
    CLASSIFY = "classify"  #: One label out of the team's own.
    CODE = "code"  #: Code in an in-house framework.


class Style(Base):
    __tablename__ = "styles"
    __table_args__ = (UniqueConstraint("team_id", "name"),)

    style_id: Mapped[str] = mapped_column(ID, primary_key=True)
    team_id: Mapped[str] = mapped_column(SLACK_ID)
    #: What people type: lower case, digits and hyphens, unique in the workspace.
    name: Mapped[str] = mapped_column(String(64))
    instructions: Mapped[str] = mapped_column(Text)
    #: What its texts must say where they speak of it, and what they never say (`config.style_terms`).
    required_terms: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    forbidden_terms: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    kind: Mapped[StyleKind] = mapped_column(words(StyleKind))
    #: `Scope.key`: the workspace, or one private channel.
    scope_key: Mapped[str] = mapped_column(String(160), index=True)
    #: Where review cards, run progress and results are posted.
    channel_id: Mapped[str] = mapped_column(SLACK_ID)
    approvals_required: Mapped[int] = mapped_column(default=1)
    may_approve_own: Mapped[bool] = mapped_column(default=False)
    #: Trigger policy: a run is due after this many newly approved examples; 0 means only by hand.
    train_after_examples: Mapped[int] = mapped_column(default=50)
    #: Trigger policy: where a forecast is at hand, a run is due when it expects so many bits per byte over the champion
    #: instead; None: the number of examples decides.
    train_on_gain_bits: Mapped[float | None] = mapped_column(default=None)
    #: Trigger policy: UTC hours in which a run may start, [from, to); equal means any hour.
    train_from_hour: Mapped[int] = mapped_column(default=0)
    train_to_hour: Mapped[int] = mapped_column(default=0)
    #: What its runs may cost in a calendar month, in the installation's currency; None: no limit.
    monthly_budget: Mapped[float | None] = mapped_column(default=None)
    #: Post the weekly digest in its channel.
    is_digest_on: Mapped[bool] = mapped_column(default=True)
    #: Name of a recipe, or empty for the installation's.
    recipe: Mapped[str] = mapped_column(String(255), default="")
    #: The promotion that made the candidate now serving; moved by compare-and-swap only.
    champion_promotion_id: Mapped[str | None] = mapped_column(ID, default=None)
    #: Since when a clean retrain is owed: something was withdrawn that an adapter had learnt from (db/taint.py).
    clean_retrain_owed_at: Mapped[datetime | None] = mapped_column(default=None)
    #: Since when a measurement is owed, and why: what was measured last is not what serves now (db/measurements.py).
    measurement_owed_at: Mapped[datetime | None] = mapped_column(default=None)
    measurement_cause: Mapped[RunCause | None] = mapped_column(words(RunCause), default=None)
    created_by: Mapped[str] = mapped_column(SLACK_ID)
    created_at: Mapped[datetime]
    is_archived: Mapped[bool] = mapped_column(default=False)

    reviewers: Mapped[list[StyleReviewer]] = relationship(lazy="selectin", cascade="all, delete-orphan")

    @property
    def scope(self) -> Scope:
        return Scope.from_key(self.scope_key)

    @property
    def terms(self) -> StyleTerms:
        return StyleTerms(required=tuple(self.required_terms), forbidden=tuple(self.forbidden_terms))

    @property
    def full_instructions(self) -> str:
        """Its instructions with its terms: what a prompt has, what is measured, and what a dataset freezes."""
        return build_instructions(self.instructions, self.terms)

    @property
    def home_channel_id(self) -> str:
        """Where what concerns it is said: a private style never speaks outside its own channel."""
        return self.scope.channel_id or self.channel_id

    @property
    def reviewer_ids(self) -> frozenset[str]:
        return frozenset(reviewer.user_id for reviewer in self.reviewers)


class StyleReviewer(Base):
    __tablename__ = "style_reviewers"

    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"), primary_key=True)
    user_id: Mapped[str] = mapped_column(SLACK_ID, primary_key=True)


class StyleNotFound(Exception):
    """There is no such style here. `/huisstijl styles` lists the ones you can use."""


def get_style(session: Session, style_id: str) -> Style:
    style = session.get(Style, style_id)
    if style is None:
        raise StyleNotFound
    return style


def lock_style(session: Session, style_id: str) -> Style:
    """The style as it is now; other writers of it wait until this transaction ends. Raises StyleNotFound."""
    query = select(Style).where(Style.style_id == style_id).with_for_update().execution_options(populate_existing=True)
    style = session.scalars(query).first()
    if style is None:
        raise StyleNotFound
    return style


def keep_style(session: Session, style_id: str) -> None:
    """Lock the style as storing a row of it does: beside others who only store, and after whoever has locked it."""
    session.execute(select(Style.style_id).where(Style.style_id == style_id).with_for_update(read=True, key_share=True))


def is_name_taken(session: Session, team_id: str, name: str, *, by_other_than: str = "") -> bool:
    """True also when an archived style has the name: its adapters keep it."""
    query = select(Style.style_id).where(Style.team_id == team_id, Style.name == name, Style.style_id != by_other_than)
    return session.scalar(query) is not None


def find_style_by_name(session: Session, team_id: str, name: str) -> Style | None:
    return session.scalar(select(Style).where(Style.team_id == team_id, Style.name == name, ~Style.is_archived))


def list_styles(session: Session, team_id: str) -> list[Style]:
    query = select(Style).where(Style.team_id == team_id, ~Style.is_archived).order_by(Style.name)
    return list(session.scalars(query))


def list_usable_styles(session: Session, team_id: str, channel_id: str) -> list[Style]:
    """The styles whose scope covers this channel, those of the channel itself first."""
    styles = [style for style in list_styles(session, team_id) if style.scope.covers(team_id, channel_id)]
    return sorted(styles, key=lambda style: (style.scope.channel_id is None, style.name))


def list_all_styles(session: Session) -> list[Style]:
    """Every style of every workspace: what the clock goes through."""
    return list(session.scalars(select(Style).where(~Style.is_archived).order_by(Style.style_id)))


def swap_champion(session: Session, style_id: str, *, seen: str | None, new: str) -> bool:
    """Point the style at another promotion, if it still points where the caller saw it point."""
    swapped = session.execute(
        update(Style)
        .where(Style.style_id == style_id, Style.champion_promotion_id.is_not_distinct_from(seen))
        .values(champion_promotion_id=new)
    )
    return bool(swapped.rowcount == 1)  # type: ignore[attr-defined]
