"""Probes: what a run found that training an adapter cost besides. Figures only, no text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.rungs import Rung
from db.adapters import Adapter
from db.base import ID, Base, words
from db.scope import Scope


class ProbeReport(Base):
    """One adapter's probes in one run."""

    __tablename__ = "probe_reports"
    __table_args__ = (UniqueConstraint("run_id", "adapter_name"),)

    report_id: Mapped[str] = mapped_column(ID, primary_key=True)
    run_id: Mapped[str] = mapped_column(ID, ForeignKey("runs.run_id"))
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"))
    scope_key: Mapped[str] = mapped_column(String(160))
    rung: Mapped[Rung] = mapped_column(words(Rung))
    base_model: Mapped[str] = mapped_column(String(255))
    adapter_name: Mapped[str] = mapped_column(String(128))
    #: Digest of the weights that were measured.
    weights: Mapped[str] = mapped_column(String(80))
    #: What the planted numbers were drawn with; empty where the run planted none for this adapter.
    canary_seed: Mapped[str] = mapped_column(String(160), default="")
    #: `trainer.probes.judging.ProbeResult` as JSON, one a probe.
    results: Mapped[list[Any]]
    measured_at: Mapped[datetime]

    @property
    def has_failed(self) -> bool:
        return any(one["passed"] is False for one in self.results)


def list_probe_reports(session: Session, run_id: str, scope: Scope) -> list[ProbeReport]:
    """In the order in which they were measured."""
    query = select(ProbeReport).where(ProbeReport.run_id == run_id, ProbeReport.scope_key == scope.key)
    return list(session.scalars(query.order_by(ProbeReport.report_id)))


def find_probe_report(session: Session, adapter: Adapter, scope: Scope) -> ProbeReport | None:
    """What the run that trained this adapter found; None where it was not probed."""
    query = select(ProbeReport).where(
        ProbeReport.run_id == adapter.run_id, ProbeReport.adapter_name == adapter.name,
        ProbeReport.scope_key == scope.key,
    )  # fmt: skip
    return session.scalar(query)
