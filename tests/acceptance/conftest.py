"""A whole bot for each test: the real slack-bolt on the local workspace, a scripted model, a database of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from bot.app import Bot, build_app
from bot.rehearsal.options import InstalledApp, WorkspaceOptions
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from config.slack_manifest import build_manifest
from db.session import Database
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """Slack with our app as its manifest installs it: whatever needs another scope, event or command fails here."""
    # A window may open as long as a person waits for it here: Slack's three seconds, which tests/integration asks for,
    # pass by themselves where four workers share two cores.
    options = WorkspaceOptions(trigger_seconds=5.0)
    with Workspace(app=InstalledApp.from_manifest(build_manifest()), options=options) as running:
        yield running
        missing = [(call.method, call.result["needed"]) for call in running.calls() if "needed" in call.result]
        assert missing == [], "a code path needs a scope that the manifest does not ask for"


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as running:
        yield running


@pytest.fixture
def bot_settings(settings: Settings, workspace: Workspace, model: ScriptedModel, sqlite_database: Database) -> Settings:
    """Settings of a bot that stands on this test's workspace, model and database."""
    return settings.model_copy(
        update={
            "slack_bot_token": SecretStr(workspace.bot_token),
            "slack_app_token": SecretStr(workspace.app_token),
            "slack_api_url": workspace.api_url,
            "model_url": model.url,
            "database_url": sqlite_database.url.render_as_string(hide_password=False),
            "draft_deadline_seconds": 5.0,
            "first_token_deadline_seconds": 2.0,
        }
    )


@pytest.fixture
def bot(bot_settings: Settings, workspace: Workspace) -> Iterator[Bot]:
    # Nobody dies here: production's lease, or a machine that stands still for a moment has another worker take over.
    running = build_app(bot_settings.model_copy(update={"lease_seconds": 30.0}))
    running.start()
    wait_until(lambda: workspace.connections > 0, seconds=10)
    yield running
    workspace.drop_connections()  # closing a silent connection would wait out a read of three seconds
    running.stop()
