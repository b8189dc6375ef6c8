"""Forecasts: what a run says about larger ones, the points it was made from, and what came true of it.

A forecast is settled by the first later run that measured the same candidate on clearly more pairs under the same
instructions, base model and recipe; until then it is open. It speaks of trainings from the base model, so whether it
held is counted over runs that started there; what one that went on from an earlier adapter measured is told beside it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.rungs import Rung
from db.base import ID, Base, words
from db.scope import Scope

#: A forecast is held against the first run on so many times the pairs that it was made from.
SETTLED_BY_GROWTH = 1.5


class CurvePoint(Base):
    """What one rung scored when it had only a part of the run's training pairs."""

    __tablename__ = "curve_points"
    __table_args__ = (UniqueConstraint("run_id", "rung", "train_pairs"),)

    point_id: Mapped[str] = mapped_column(ID, primary_key=True)
    run_id: Mapped[str] = mapped_column(ID, ForeignKey("runs.run_id"))
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"))
    scope_key: Mapped[str] = mapped_column(String(160))
    rung: Mapped[Rung] = mapped_column(words(Rung))
    train_pairs: Mapped[int]
    #: `trainer.metrics.Scorecard` as JSON, without drafts: it holds no text.
    card: Mapped[dict[str, Any]]
    scored_at: Mapped[datetime]


class ForecastRow(Base):
    """A run's forecast for one rung against the champion that served after the run."""

    __tablename__ = "forecasts"
    __table_args__ = (UniqueConstraint("run_id", "rung"),)

    forecast_id: Mapped[str] = mapped_column(ID, primary_key=True)
    run_id: Mapped[str] = mapped_column(ID, ForeignKey("runs.run_id"))
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"), index=True)
    scope_key: Mapped[str] = mapped_column(String(160))
    rung: Mapped[Rung] = mapped_column(words(Rung))
    #: The promotion it was compared with; None: nothing was ever promoted.
    champion_promotion_id: Mapped[str | None] = mapped_column(ID, default=None)
    #: It holds only for runs that are alike: instructions and prompt (a hash), base model, recipe.
    prompt_hash: Mapped[str] = mapped_column(String(80))
    base_model: Mapped[str] = mapped_column(String(255))
    recipe: Mapped[str] = mapped_column(String(255))
    train_pairs: Mapped[int]
    #: `trainer.forecast.Forecast` as JSON.
    forecast: Mapped[dict[str, Any]]
    made_at: Mapped[datetime]
    #: What came true: the run that measured it, at how many pairs, the score there and the one foreseen.
    settled_by: Mapped[str | None] = mapped_column(ID, default=None)
    settled_at: Mapped[datetime | None] = mapped_column(default=None)
    measured_pairs: Mapped[int | None] = mapped_column(default=None)
    measured: Mapped[float | None] = mapped_column(default=None)
    foreseen: Mapped[float | None] = mapped_column(default=None)
    #: Was the measured score within the stated interval?
    has_held: Mapped[bool | None] = mapped_column(default=None)
    #: The adapter that the run went on from; empty: it started from the base model, as was foreseen.
    went_on_from: Mapped[str] = mapped_column(String(128), default="", server_default="")

    @property
    def scope(self) -> Scope:
        return Scope.from_key(self.scope_key)

    def at(self, train_pairs: float) -> Expected:
        """What it says about so many training pairs; sizes outside its table are those at its ends."""
        return expected_at(self.forecast["table"], train_pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """At one size: (mean, low, high) of the score and of the gain over the champion, in bits per byte."""

    train_pairs: float
    score: tuple[float, float, float]
    gain: tuple[float, float, float]
    #: That the gain is above zero.
    chance: float


def expected_at(table: list[dict[str, Any]], train_pairs: float) -> Expected:
    """Between two rows, on a logarithmic scale: a power law is nearly straight there."""
    size = min(max(train_pairs, table[0]["train_pairs"]), table[-1]["train_pairs"])
    below = max((row for row in table if row["train_pairs"] <= size), key=lambda row: row["train_pairs"])
    above = min((row for row in table if row["train_pairs"] >= size), key=lambda row: row["train_pairs"])
    width = math.log(above["train_pairs"] / below["train_pairs"])
    share = math.log(size / below["train_pairs"]) / width if width else 0.0

    def between(a: float, b: float) -> float:
        return a + share * (b - a)

    def bounds(name: str) -> tuple[float, float, float]:
        mean, low, high = (between(below[name][key], above[name][key]) for key in ("mean", "low", "high"))
        return mean, low, high

    return Expected(
        train_pairs=size, score=bounds("score"), gain=bounds("gain"), chance=between(below["chance"], above["chance"])
    )


def list_points(session: Session, run_id: str, scope: Scope) -> list[CurvePoint]:
    query = select(CurvePoint).where(CurvePoint.run_id == run_id, CurvePoint.scope_key == scope.key)
    return list(session.scalars(query.order_by(CurvePoint.point_id)))


def find_forecast(session: Session, run_id: str, scope: Scope) -> ForecastRow | None:
    """The run's forecast; of several rungs' the one that overtakes first, then the likeliest."""
    query = select(ForecastRow).where(ForecastRow.run_id == run_id, ForecastRow.scope_key == scope.key)
    found = session.scalars(query.order_by(ForecastRow.forecast_id)).all()
    return min(found, key=_first_to_overtake, default=None)


def _first_to_overtake(row: ForecastRow) -> tuple[float, float]:
    overtakes = row.forecast.get("overtakes")
    return (math.inf if overtakes is None else overtakes, -float(row.forecast["chance"]))


def list_open(session: Session, style_id: str, scope: Scope) -> list[ForecastRow]:
    """Forecasts that nothing has been measured against yet."""
    query = select(ForecastRow).where(
        ForecastRow.style_id == style_id, ForecastRow.scope_key == scope.key, ForecastRow.settled_by.is_(None)
    )
    return list(session.scalars(query.order_by(ForecastRow.forecast_id)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """How a style's earlier forecasts came out."""

    settled: int
    held: int
    #: Mean of |measured − foreseen|, bits per byte; None while nothing is settled.
    mean_error: float | None
    #: How many were measured by runs that went on from an earlier adapter, and the same of these. Not in the others.
    went_on: int = 0
    mean_error_went_on: float | None = None


def read_record(session: Session, style_id: str, scope: Scope) -> Record:
    error = func.avg(func.abs(ForecastRow.measured - ForecastRow.foreseen))
    is_as_foreseen = ForecastRow.went_on_from == ""
    query = select(
        func.count().filter(is_as_foreseen), func.count().filter(is_as_foreseen, ForecastRow.has_held.is_(True)),
        error.filter(is_as_foreseen), func.count().filter(~is_as_foreseen), error.filter(~is_as_foreseen),
    ).where(
        ForecastRow.style_id == style_id, ForecastRow.scope_key == scope.key, ForecastRow.settled_by.is_not(None)
    )  # fmt: skip
    settled, held, mean, went_on, mean_went_on = session.execute(query).one()
    return Record(
        settled=settled, held=held, mean_error=None if mean is None else float(mean),
        went_on=went_on, mean_error_went_on=None if mean_went_on is None else float(mean_went_on),
    )  # fmt: skip
