"""Scorecards: what each candidate of a run scored on the run's unseen pairs, with every single score kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ForeignKey, Select, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config import draft_room
from config.rungs import Rung
from db.base import ID, Base, words
from db.scope import Scope

Found = TypeVar("Found")


class ScorecardRow(Base):
    __tablename__ = "scorecards"
    __table_args__ = (UniqueConstraint("run_id", "rung", "base_model", "adapter_name"),)

    scorecard_id: Mapped[str] = mapped_column(ID, primary_key=True)
    run_id: Mapped[str] = mapped_column(ID, ForeignKey("runs.run_id"))
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"), index=True)
    scope_key: Mapped[str] = mapped_column(String(160))
    dataset_id: Mapped[str] = mapped_column(ID, ForeignKey("datasets.dataset_id"))
    rung: Mapped[Rung] = mapped_column(words(Rung))
    base_model: Mapped[str] = mapped_column(String(255))
    #: Empty for a rung without adapter.
    adapter_name: Mapped[str] = mapped_column(String(128), default="")
    #: `trainer.evaluate.Scorecard` as JSON.
    card: Mapped[dict[str, Any]]
    scored_at: Mapped[datetime]


def find_latest_scorecard(
    session: Session, style_id: str, scope: Scope, *, rung: Rung, base_model: str, adapter_name: str = ""
) -> ScorecardRow | None:
    """What a candidate scored when it was measured last; None when it never was."""
    return session.scalar(_latest(select(ScorecardRow), style_id, scope, rung, base_model, adapter_name))


def find_measured_room(
    session: Session, style_id: str, scope: Scope, *, rung: Rung, base_model: str, adapter_name: str = ""
) -> int | None:
    """Tokens that a candidate's drafts were allowed for long texts' sake when it was measured last; None when it never
    was, its texts asked for none, or an earlier version measured it. Reads nothing else of the scorecard, which is
    long."""
    query = select(ScorecardRow.card["summary"][draft_room.KEY].as_integer())
    room: int | None = session.scalar(_latest(query, style_id, scope, rung, base_model, adapter_name))
    return room


def _latest(
    query: Select[Found], style_id: str, scope: Scope, rung: Rung, base_model: str, adapter_name: str
) -> Select[Found]:
    return (
        query.where(
            ScorecardRow.style_id == style_id, ScorecardRow.scope_key == scope.key, ScorecardRow.rung == rung,
            ScorecardRow.base_model == base_model, ScorecardRow.adapter_name == adapter_name,
        )
        .order_by(ScorecardRow.scored_at.desc(), ScorecardRow.scorecard_id.desc())
        .limit(1)
    )  # fmt: skip


def list_scorecards(session: Session, run_id: str, scope: Scope) -> list[ScorecardRow]:
    """In the order they were scored, which is the ladder's."""
    query = select(ScorecardRow).where(ScorecardRow.run_id == run_id, ScorecardRow.scope_key == scope.key)
    return list(session.scalars(query.order_by(ScorecardRow.scorecard_id)))
