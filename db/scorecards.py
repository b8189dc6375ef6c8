"""Scorecards: what each candidate of a run scored on the run's unseen pairs, with every single score kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.rungs import Rung
from db.base import ID, Base, words
from db.datasets import DatasetExample
from db.examples import Example, ExampleStatus
from db.scope import Scope


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
    query = select(ScorecardRow).where(
        ScorecardRow.style_id == style_id, ScorecardRow.scope_key == scope.key, ScorecardRow.rung == rung,
        ScorecardRow.base_model == base_model, ScorecardRow.adapter_name == adapter_name,
    )  # fmt: skip
    return session.scalar(query.order_by(ScorecardRow.scored_at.desc(), ScorecardRow.scorecard_id.desc()).limit(1))


def list_scorecards(session: Session, run_id: str, scope: Scope) -> list[ScorecardRow]:
    """In the order they were scored, which is the ladder's."""
    query = select(ScorecardRow).where(ScorecardRow.run_id == run_id, ScorecardRow.scope_key == scope.key)
    return list(session.scalars(query.order_by(ScorecardRow.scorecard_id)))


def drop_scorecards_of_withdrawn(session: Session, run_id: str) -> None:
    """For a run that ends without a result: one that went on measuring while a member of its dataset was withdrawn has
    kept what candidates wrote about it after the texts were erased.

    The last thing in its transaction, as whoever withdraws locks the style first and scorecards last. It locks no
    example: who withdraws one later empties what is there (db/erasure.py).
    """
    withdrawn = (
        select(DatasetExample.dataset_id)
        .join(Example, Example.example_id == DatasetExample.example_id)
        .where(Example.status == ExampleStatus.WITHDRAWN)
    )
    session.execute(delete(ScorecardRow).where(ScorecardRow.run_id == run_id, ScorecardRow.dataset_id.in_(withdrawn)))
