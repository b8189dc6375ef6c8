"""Judgements: the grades that a judge model gave to drafts that people decided about. One a draft, no text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.rungs import Rung
from db.base import ID, Base, insert_new, now_in_database
from db.drafts import DECIDED, Draft, DraftStatus
from db.scope import Scope
from db.styles import Style, StyleKind


class Judgement(Base):
    __tablename__ = "judgements"
    __table_args__ = (Index("ix_judgements_style", "style_id", "scope_key", "judge"),)

    draft_id: Mapped[str] = mapped_column(ID, ForeignKey("drafts.draft_id"), primary_key=True)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"))
    scope_key: Mapped[str] = mapped_column(String(160))
    #: The judge model's name.
    judge: Mapped[str] = mapped_column(String(255))
    #: 1 to 5; None where its answer was no grade.
    grade: Mapped[int | None] = mapped_column(default=None)
    graded_at: Mapped[datetime]


def list_styles_to_judge(session: Session, since: datetime) -> list[str]:
    """Workspace-wide styles that write texts, with drafts asked for since then, decided about and not graded."""
    query = select(Style.style_id).distinct().join(Draft, Draft.style_id == Style.style_id)
    query = query.outerjoin(Judgement, Judgement.draft_id == Draft.draft_id).where(
        ~Style.is_archived, Style.kind != StyleKind.CLASSIFY, Style.scope_key == Style.team_id,
        Draft.status.in_(DECIDED), Draft.requested_at >= since, Draft.completion != "", Draft.request != "",
        ~Draft.is_private, Judgement.draft_id.is_(None),
    )  # fmt: skip
    return sorted(session.scalars(query))


def find_draft_to_judge(session: Session, style_id: str, scope: Scope, since: datetime) -> Draft | None:
    """The oldest such draft of a style, while the style has this scope."""
    query = (
        select(Draft)
        .join(Style, Style.style_id == Draft.style_id)
        .outerjoin(Judgement, Judgement.draft_id == Draft.draft_id)
        .where(
            Draft.style_id == style_id, Style.scope_key == scope.key, Draft.status.in_(DECIDED),
            Draft.requested_at >= since, Draft.completion != "", Draft.request != "", ~Draft.is_private,
            Judgement.draft_id.is_(None),
        )
        .order_by(Draft.draft_id)
    )  # fmt: skip
    return session.scalars(query.limit(1)).first()


def count_judged_since(session: Session, style_id: str, scope: Scope, since: datetime) -> int:
    query = select(func.count()).select_from(Judgement)
    query = query.where(
        Judgement.style_id == style_id, Judgement.scope_key == scope.key, Judgement.graded_at >= since
    )  # fmt: skip
    return session.scalar(query) or 0


def save_judgement(session: Session, draft: Draft, scope: Scope, *, judge: str, grade: int | None) -> bool:
    """Keep a grade. The first one to come counts; False when this was not it."""
    row = {
        "draft_id": draft.draft_id, "style_id": draft.style_id, "scope_key": scope.key, "judge": judge,
        "grade": grade, "graded_at": now_in_database(session),
    }  # fmt: skip
    return bool(insert_new(session, Judgement, [row], unique=["draft_id"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class GradedDraft:
    """A grade, and what people made of the same draft."""

    grade: int
    status: DraftStatus
    rung: Rung | None
    adapter_name: str
    completion: str
    edited_completion: str | None


def list_graded(session: Session, style_id: str, scope: Scope, judge: str, *, most: int) -> list[GradedDraft]:
    """What this judge graded, the newest `most`; without what was erased since."""
    query = (
        select(
            Judgement.grade, Draft.status, Draft.rung, Draft.adapter_name, Draft.completion, Draft.edited_completion
        )
        .join(Draft, Draft.draft_id == Judgement.draft_id)
        .where(
            Judgement.style_id == style_id, Judgement.scope_key == scope.key, Judgement.judge == judge,
            Draft.status.in_(DECIDED), Draft.completion != "", Judgement.grade.is_not(None),
        )
        .order_by(Judgement.draft_id.desc())
        .limit(most)
    )  # fmt: skip
    return [
        GradedDraft(
            grade=grade, status=status, rung=rung, adapter_name=adapter_name or "", completion=completion,
            edited_completion=edited,
        )
        for grade, status, rung, adapter_name, completion, edited in session.execute(query)
        if grade is not None
    ]  # fmt: skip
