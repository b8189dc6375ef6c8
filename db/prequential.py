"""Prequential scores: how well a style's champion foretold each newly approved example, before it could learn from it
or show it. Figures alone, one row an example; the row goes with the example's texts.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.rungs import Rung
from db.base import ID, Base, insert_new, now_in_database, words
from db.examples import Example, ExampleSource, ExampleStatus
from db.scope import Scope
from db.styles import Style


class PrequentialScore(Base):
    __tablename__ = "prequential_scores"
    __table_args__ = (Index("ix_prequential_scores_style", "style_id", "scope_key", "scored_at"),)

    example_id: Mapped[str] = mapped_column(ID, ForeignKey("examples.example_id"), primary_key=True)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"))
    scope_key: Mapped[str] = mapped_column(String(160))
    #: The champion that was asked, and the rung and adapter that it really came down to.
    promotion_id: Mapped[str] = mapped_column(ID, ForeignKey("promotions.promotion_id"))
    rung: Mapped[Rung] = mapped_column(words(Rung))
    #: Empty for a rung without adapter.
    adapter_name: Mapped[str] = mapped_column(String(128), default="")
    #: Negative log-likelihood of the completion, end of turn included; of a label what the right one costs. None: it
    #: could not be had, because the prompt was too long, the champion had learnt from it already, and the like.
    nll_nats: Mapped[float | None] = mapped_column(default=None)
    #: The same in the prompt that a run would measure the example in: no example that is kin to it, and no passages but
    #: on the rung `knowledge`. So it is of one kind with what the champion was measured on. None also in older rows.
    as_measured_nats: Mapped[float | None] = mapped_column(default=None)
    completion_bytes: Mapped[int]
    #: Of a label: was the likeliest one the right one?
    is_right: Mapped[bool | None] = mapped_column(default=None)
    scored_at: Mapped[datetime]


def list_styles_to_score(session: Session, embedding_model: str, since: datetime) -> list[str]:
    """Styles with embedded examples approved since then that nobody has tried to score."""
    query = select(Example.style_id).distinct().join(Style, Style.style_id == Example.style_id)
    query = query.outerjoin(PrequentialScore, PrequentialScore.example_id == Example.example_id).where(
        Example.status == ExampleStatus.APPROVED, Example.approved_at >= since,
        Example.embedding_model == embedding_model, Example.scope_key == Style.scope_key, ~Style.is_archived,
        Style.champion_promotion_id.is_not(None), PrequentialScore.example_id.is_(None),
    )  # fmt: skip
    return sorted(session.scalars(query))


def find_example_to_score(
    session: Session, style_id: str, scope: Scope, embedding_model: str, since: datetime
) -> Example | None:
    """The style's oldest approval since then that nobody has tried to score."""
    query = (
        select(Example)
        .outerjoin(PrequentialScore, PrequentialScore.example_id == Example.example_id)
        .where(
            Example.style_id == style_id, Example.scope_key == scope.key, Example.status == ExampleStatus.APPROVED,
            Example.approved_at >= since, Example.embedding_model == embedding_model,
            PrequentialScore.example_id.is_(None),
        )
        .order_by(Example.approved_at, Example.example_id)
    )  # fmt: skip
    return session.scalars(query.limit(1)).first()


def count_scored_since(session: Session, style_id: str, scope: Scope, since: datetime) -> int:
    """How many of the style's examples were scored since then, or could not be."""
    query = select(func.count()).select_from(PrequentialScore)
    query = query.where(
        PrequentialScore.style_id == style_id, PrequentialScore.scope_key == scope.key,
        PrequentialScore.scored_at >= since,
    )  # fmt: skip
    return session.scalar(query) or 0


def save_score(
    session: Session, example: Example, *, promotion_id: str, rung: Rung, adapter_name: str, nll_nats: float | None,
    as_measured_nats: float | None, is_right: bool | None,
) -> bool:  # fmt: skip
    """Keep what an example scored. The first one to come counts; False when this was not it."""
    row = {
        "example_id": example.example_id, "style_id": example.style_id, "scope_key": example.scope_key,
        "promotion_id": promotion_id, "rung": rung, "adapter_name": adapter_name, "nll_nats": nll_nats,
        "as_measured_nats": as_measured_nats,
        "completion_bytes": len(example.completion.encode()), "is_right": is_right,
        "scored_at": now_in_database(session),
    }  # fmt: skip
    return bool(insert_new(session, PrequentialScore, [row], unique=["example_id"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredExample:
    """An approved example and what the champion made of it."""

    example_id: str
    source: ExampleSource
    approved_at: datetime
    nll_nats: float
    as_measured_nats: float | None
    completion_bytes: int
    is_right: bool | None


def list_scores(session: Session, style_id: str, scope: Scope, promotion_id: str) -> list[ScoredExample]:
    """What this champion foretold of the examples that are approved still, oldest approval first."""
    query = (
        select(
            Example.example_id, Example.source, Example.approved_at, PrequentialScore.nll_nats,
            PrequentialScore.as_measured_nats, PrequentialScore.completion_bytes, PrequentialScore.is_right,
        )
        .join(Example, Example.example_id == PrequentialScore.example_id)
        .where(
            PrequentialScore.style_id == style_id, PrequentialScore.scope_key == scope.key,
            PrequentialScore.promotion_id == promotion_id,
            Example.status == ExampleStatus.APPROVED,
        )
        .order_by(Example.approved_at, Example.example_id)
    )  # fmt: skip
    return [
        ScoredExample(
            example_id=example_id, source=source, approved_at=approved_at, nll_nats=nll,
            as_measured_nats=as_measured, completion_bytes=size, is_right=is_right,
        )
        for example_id, source, approved_at, nll, as_measured, size, is_right in session.execute(query)
        if approved_at is not None and nll is not None
    ]  # fmt: skip
