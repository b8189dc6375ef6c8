"""What ended runs left on the disk and in the store goes; what a run still needs, or nobody here made, stays."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from config.rungs import Rung
from config.settings import Settings
from db.adapters import Adapter
from db.base import new_id
from db.runs import ENDED, Run, RunStatus
from db.session import Database
from tests.support import factories
from trainer.artifacts.keys import load_or_create_signing_key
from trainer.artifacts.manifest import AdapterFacts
from trainer.artifacts.store import list_adapters, publish_files
from trainer.leftovers import clear_leftovers
from trainer.workspace import list_workspaces, prepare_workspace

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def leave(settings: Settings, run_id: str, name: str) -> None:
    """Two attempts' folders, and an adapter in the store."""
    (prepare_workspace(settings.data_dir, run_id, 1) / "half.safetensors").write_bytes(b"half")
    (settings.data_dir / "runs" / run_id / "attempt-2").mkdir()
    facts = AdapterFacts(
        base_model="base", base_revision=f"sha256:{'0' * 64}", style_id="sty_1", scope="T1", run_id=run_id, rung="lora",
        created_at=NOON,
    )  # fmt: skip
    key = load_or_create_signing_key(settings.keys_dir)
    publish_files(settings.resolved_artifact_url, name, {"adapter_model.safetensors": b"weights"}, facts, key)


def register(session: Session, run: Run, name: str) -> None:
    session.add(
        Adapter(
            adapter_id=new_id("ada"), name=name, version=1, team_id=run.team_id, style_id=run.style_id,
            scope_key=run.scope_key, run_id=run.run_id, rung=Rung.LORA, base_model=run.base_model,
            manifest_digest="sha256:0", published_at=NOON,
        )
    )  # fmt: skip


@pytest.mark.parametrize("status", list(RunStatus))
def test_a_run_leaves_nothing_behind_once_it_has_ended_and_keeps_everything_before(
    status: RunStatus, sqlite_database: Database, settings: Settings
) -> None:
    with sqlite_database.write() as session:
        run = factories.make_run(session, factories.make_style(session), status=status)
    leave(settings, run.run_id, "support-v1")
    clear_leftovers(sqlite_database, settings)
    is_over = status in ENDED
    assert list_workspaces(settings.data_dir) == ([] if is_over else [run.run_id])
    assert list_adapters(settings.resolved_artifact_url) == ([] if is_over else ["support-v1"])


def test_what_is_registered_and_what_no_run_of_this_database_made_stays(
    sqlite_database: Database, settings: Settings
) -> None:
    with sqlite_database.write() as session:
        run = factories.make_run(session, factories.make_style(session), status=RunStatus.SUCCEEDED)
        register(session, run, "support-v1")
    leave(settings, run.run_id, "support-v1")
    leave(settings, "run_of_another_installation", "sales-v1")
    broken = Path(settings.resolved_artifact_url) / "broken-v1"
    broken.mkdir()
    (broken / "manifest.json").write_text("{}")
    clear_leftovers(sqlite_database, settings)
    assert list_adapters(settings.resolved_artifact_url) == ["broken-v1", "sales-v1", "support-v1"]
    assert list_workspaces(settings.data_dir) == ["run_of_another_installation"]
