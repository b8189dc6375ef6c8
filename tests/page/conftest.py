"""A bot in the local workspace, and a real browser that looks at it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page
from pydantic import SecretStr

from bot.app import Bot, build_app
from bot.rehearsal.options import InstalledApp
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from config.slack_manifest import build_manifest
from db.session import Database
from tests.support.browser import Tab, run_browser
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """As a newcomer meets it: with the app that our own manifest would install."""
    with Workspace(app=InstalledApp.from_manifest(build_manifest())) as running:
        yield running


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as running:
        yield running


@pytest.fixture
def bot_settings(settings: Settings, workspace: Workspace, model: ScriptedModel, sqlite_database: Database) -> Settings:
    return settings.model_copy(
        update={
            "slack_bot_token": SecretStr(workspace.bot_token),
            "slack_app_token": SecretStr(workspace.app_token),
            "slack_api_url": workspace.api_url,
            "model_url": model.url,
            "database_url": sqlite_database.url.render_as_string(hide_password=False),
        }
    )


@pytest.fixture
def bot(bot_settings: Settings, workspace: Workspace) -> Iterator[Bot]:
    running = build_app(bot_settings)
    running.start()
    wait_until(lambda: workspace.connections > 0, seconds=30)
    yield running
    workspace.drop_connections()  # closing a silent connection would wait out a read of three seconds
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with run_browser() as running:
        yield running


@pytest.fixture
def page(browser: Browser, workspace: Workspace) -> Iterator[Page]:
    """A fresh profile, closed before its workspace is. Whatever the page complains of in its console fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB", reduced_motion="reduce")
    opened = context.new_page()
    complaints: list[str] = []
    opened.on("pageerror", lambda error: complaints.append(str(error)))
    opened.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    yield opened
    context.close()
    assert not complaints, complaints


@pytest.fixture
def tab(page: Page, workspace: Workspace, bot: Bot) -> Tab:
    """The page, with a bot behind it."""
    return Tab(page, workspace.url)
