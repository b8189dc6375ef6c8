"""What runs found when they probed their adapters: shown with the ladder, and asked before one is promoted by hand."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.errors import FailedProbe
from bot.texts import probes as texts
from bot.texts.champion import candidate_name
from db.adapters import get_adapter
from db.probes import ProbeReport, find_probe_report, list_probe_reports
from db.runs import Run
from db.styles import Style


def list_reports(session: Session, style: Style, run: Run) -> dict[str, ProbeReport]:
    """What this run found, by the adapter's name."""
    return {row.adapter_name: row for row in list_probe_reports(session, run.run_id, style.scope)}


def say_report(report: ProbeReport) -> str:
    return texts.probes_said(candidate_name(report.rung.value, report.adapter_name), report.results)


def find_failed(session: Session, style: Style, adapter_id: str | None) -> ProbeReport | None:
    """The report of an adapter that failed a probe; None for one that did not, and for a prompt."""
    if adapter_id is None:
        return None
    report = find_probe_report(session, get_adapter(session, adapter_id, style.scope), style.scope)
    return report if report is not None and report.has_failed else None


def failed_names(report: ProbeReport | None) -> list[str]:
    """For the audit log."""
    return [one["probe"] for one in report.results if one["passed"] is False] if report else []


def check_has_passed(session: Session, style: Style, adapter_id: str | None, *, shown: str, wanted: str) -> None:
    """Raises FailedProbe before such an adapter is promoted. `wanted`: as it was typed."""
    report = find_failed(session, style, adapter_id)
    if report is not None:
        raise FailedProbe(texts.failed_before(shown, style.name, wanted, report.results))


def check_may_be_tried(session: Session, style: Style, adapter_id: str | None, *, shown: str) -> None:
    """Raises FailedProbe before such an adapter is put into a blind trial."""
    report = find_failed(session, style, adapter_id)
    if report is not None:
        raise FailedProbe(texts.no_trial(shown, style.name, report.results))
