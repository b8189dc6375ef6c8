"""A measurement asked for in Slack: one message that tells all, a verdict, and nothing trained."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from bot.rehearsal.people import Person
from config.run_kinds import RunCause, RunKind
from db import runs
from db.audit import AuditEntry
from db.runs import Run, RunStatus
from db.session import Database
from db.styles import Style
from tests.acceptance.test_training_commands import (  # noqa: F401 - fixtures
    ana,
    claim,
    command,
    measure,
    mia,
    said,
    style,
    wait_for_message,
)

pytestmark = pytest.mark.timeout(90)

RETRAIN = {"is_worth_it": False, "minutes": 12.0, "cost": 0.5, "currency": "EUR"}


def test_an_admin_asks_for_a_measurement_and_the_channel_reads_what_came_of_it(
    ana: Person,  # noqa: F811
    style: Style,  # noqa: F811
    sqlite_database: Database,
) -> None:
    assert "A measurement of *support* is queued; nothing is trained." in said(command(ana, "measure support"))
    message = wait_for_message(ana, lambda text: "Measuring *support* again" in text)
    assert "asked for a measurement; nothing is trained" in said(message)
    assert "*Now:* 0" in said(command(ana, "status support"))
    run_id, fence = claim(sqlite_database)
    with sqlite_database.write() as session:
        run = runs.get_run(session, run_id)
        assert (run.kind, run.cause) == (RunKind.MEASURE, RunCause.BY_HAND)
        measure(session, run_id)
        verdict = {"promoted": False, "sentence": "Stay on retrieved.", "why": None, "also": [], "retrain": RETRAIN}
        verdict["why"] = {"sentence": "Stay on {champion}: it is best.", "values": {"champion": "retrieved"}}
        runs.end_run(session, run_id, fence, RunStatus.SUCCEEDED, verdict=verdict, receipt={"total_seconds": 60.0})
    end = said(wait_for_message(ana, lambda text: "*support* was measured again. The champion stays." in text))
    assert "Stay on retrieved: it is best; training again takes about 12 min and costs €0.50." in end
    assert "Why: " in end
    assert "measured without training" in said(command(ana, "status support"))
    assert "Measured again, without training." in said(command(ana, "ladder support"))


def test_only_admins_measure_and_one_run_at_a_time(
    ana: Person,  # noqa: F811
    mia: Person,  # noqa: F811
    style: Style,  # noqa: F811
    sqlite_database: Database,
) -> None:
    assert "Only workspace admins" in said(command(mia, "measure support"))
    command(ana, "measure support")
    wait_for_message(ana, lambda text: "Measuring *support* again" in text)
    assert "under way" in said(command(ana, "measure support"))
    with sqlite_database.read() as session:
        assert len(session.scalars(select(Run)).all()) == 1
        refused = session.scalars(select(AuditEntry).where(AuditEntry.action == "command.refused")).all()
        assert len(refused) == 1
