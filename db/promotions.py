"""Promotions: the ledger of every move of a style's champion. The style points at the row that is in force.

A rollback is a row too: it brings back the candidate that the current row replaced.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, String, Text, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.rungs import Rung
from db.adapters import Adapter, AdapterStatus
from db.base import ID, SLACK_ID, Base, new_id, now_in_database, words
from db.scope import Scope
from db.styles import Style, swap_champion


class PromotionKind(StrEnum):
    INITIAL = "initial"  #: What a new style starts with.
    GATE = "gate"  #: The gate found the challenger better beyond the noise.
    COMMAND = "command"  #: An admin promoted by hand.
    ROLLBACK = "rollback"  #: An admin went back.
    TRIAL = "trial"  #: People preferred the challenger in a blind trial, beyond the noise.
    BASE = "base"  #: The operator signed off another base model.
    WITHDRAWAL = "withdrawal"  #: What the champion had learnt from was withdrawn; a prompt took its place.


class Promotion(Base):
    __tablename__ = "promotions"

    promotion_id: Mapped[str] = mapped_column(ID, primary_key=True)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"), index=True)
    scope_key: Mapped[str] = mapped_column(String(160))
    kind: Mapped[PromotionKind] = mapped_column(words(PromotionKind))
    rung: Mapped[Rung] = mapped_column(words(Rung))
    base_model: Mapped[str] = mapped_column(String(255))
    adapter_id: Mapped[str | None] = mapped_column(ForeignKey("adapters.adapter_id"), default=None)
    #: The promotion this one replaced.
    replaced_id: Mapped[str | None] = mapped_column(ID, default=None)
    run_id: Mapped[str | None] = mapped_column(ID, default=None)
    #: A user id, or `gate`; for a withdrawal also `clock` and the like.
    actor: Mapped[str] = mapped_column(SLACK_ID)
    reason: Mapped[str] = mapped_column(Text)
    promoted_at: Mapped[datetime]


class ChampionMoved(Exception):
    """The champion was changed by somebody else at this moment. Look at `/huisstijl status` and try again."""


def list_champions_adapters(session: Session) -> list[Adapter]:
    """The adapters that serve a style now."""
    query = (
        select(Adapter)
        .join(Promotion, Promotion.adapter_id == Adapter.adapter_id)
        .join(Style, Style.champion_promotion_id == Promotion.promotion_id)
        .where(~Style.is_archived, Adapter.status == AdapterStatus.PUBLISHED)
    )
    return list(session.scalars(query.order_by(Adapter.name)))


def get_champion(session: Session, style: Style, scope: Scope) -> Promotion:
    """The promotion in force. Raises LookupError when the style has none in this scope."""
    promotion = session.get(Promotion, style.champion_promotion_id) if style.champion_promotion_id else None
    if promotion is None or promotion.scope_key != scope.key:
        raise LookupError(style.style_id)
    return promotion


def find_promotion(session: Session, promotion_id: str | None) -> Promotion | None:
    return session.get(Promotion, promotion_id) if promotion_id else None


def find_serving_base(session: Session, style: Style) -> str | None:
    """The base model that the champion stands on; None without a champion, and for a rung without a language model."""
    champion = find_promotion(session, style.champion_promotion_id)
    return None if champion is None or champion.rung.is_classifier else champion.base_model


def find_sign_off(session: Session, run_id: str) -> Promotion | None:
    """The move to another base model with which the operator took what this run had found there."""
    query = select(Promotion).where(Promotion.run_id == run_id, Promotion.kind == PromotionKind.BASE)
    return session.scalars(query.order_by(Promotion.promoted_at, Promotion.promotion_id)).first()


def promote(
    session: Session,
    style: Style,
    *,
    kind: PromotionKind,
    rung: Rung,
    base_model: str,
    adapter_id: str | None,
    actor: str,
    reason: str,
    run_id: str | None = None,
) -> Promotion:
    """Write the row and move the pointer, both or neither. Raises ChampionMoved when another move came first."""
    promotion = Promotion(
        promotion_id=new_id("pro"), style_id=style.style_id, scope_key=style.scope_key, kind=kind, rung=rung,
        base_model=base_model, adapter_id=adapter_id, replaced_id=style.champion_promotion_id, run_id=run_id,
        actor=actor, reason=reason, promoted_at=now_in_database(session),
    )  # fmt: skip
    session.add(promotion)
    session.flush()
    seen = style.champion_promotion_id
    if not swap_champion(session, style.style_id, seen=seen, new=promotion.promotion_id):
        raise ChampionMoved
    session.refresh(style)
    return promotion
