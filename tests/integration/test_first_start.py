"""What a new local workspace opens with, and everything that it must leave alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from bot.rehearsal.first_start import (
    RECIPE,
    STAGES,
    TAUGHT,
    TRAINED,
    UNTAUGHT,
    is_new,
    open_conversation,
    read_samples,
    seed_workspace,
)
from bot.rehearsal.seed import ANA, BOT_USER_ID, BRAND, GENERAL, MIA, NOOR, PACKAGES, TEAM_ID
from bot.rehearsal.workspace import Workspace, workspace_folder
from config.rungs import Rung
from config.settings import Settings
from db.audit import AuditEntry
from db.examples import Example, ExampleStatus, count_examples
from db.outbox import OutboxMessage
from db.promotions import find_promotion
from db.runs import Run, RunStatus
from db.session import Database
from db.styles import Style, find_style_by_name


def counts(database: Database, name: str) -> dict[ExampleStatus, int]:
    with database.read() as session:
        style = find_style_by_name(session, TEAM_ID, name)
        assert style is not None
        return dict(count_examples(session, style.style_id, style.scope))


def everything(database: Database) -> dict[str, int]:
    with database.read() as session:
        tables = (Style, Example, Run, OutboxMessage, AuditEntry)
        return {t.__tablename__: session.scalar(select(func.count()).select_from(t)) or 0 for t in tables}


def test_a_new_workspace_has_three_styles_at_three_stages(settings: Settings, sqlite_database: Database) -> None:
    assert seed_workspace(settings, sqlite_database, was_new=True)
    assert counts(sqlite_database, UNTAUGHT.name)[ExampleStatus.APPROVED] == 0
    taught = counts(sqlite_database, TAUGHT.name)
    assert (taught[ExampleStatus.APPROVED], taught[ExampleStatus.PROPOSED]) == (60, 3)
    assert counts(sqlite_database, TRAINED.name)[ExampleStatus.APPROVED] == TRAINED.approved
    with sqlite_database.read() as session:
        for stage in STAGES:
            style = find_style_by_name(session, TEAM_ID, stage.name)
            assert style is not None
            champion = find_promotion(session, style.champion_promotion_id)
            assert champion is not None
            assert champion.rung is Rung.RETRIEVED
        runs = list(session.scalars(select(Run)))
        assert [(r.status, r.recipe, r.requested_by) for r in runs] == [(RunStatus.QUEUED, RECIPE, ANA)]
        actions = set(session.scalars(select(AuditEntry.action)))
        assert {"style.created", "examples.imported", "terms.accepted", "run.quoted", "run.queued"} <= actions
        assert {e.proposed_by for e in session.scalars(select(Example))} == {MIA, NOOR}


def test_it_happens_once_however_often_the_installation_starts(settings: Settings, sqlite_database: Database) -> None:
    assert seed_workspace(settings, sqlite_database, was_new=True)
    before = everything(sqlite_database)
    assert not seed_workspace(settings, sqlite_database, was_new=True)
    assert not seed_workspace(settings, sqlite_database, was_new=False)
    assert everything(sqlite_database) == before


class Tired(Database):
    """A database whose process dies at its nth writing."""

    def __init__(self, url: str, writes: int) -> None:
        super().__init__(url)
        self.writes = writes

    @contextmanager
    def write(self, *, goes_first: bool = False) -> Iterator[Session]:
        self.writes -= 1
        if self.writes < 0:
            raise KeyboardInterrupt
        with super().write(goes_first=goes_first) as session:
            yield session


@pytest.mark.parametrize("writes", [0, 1, 2, 5, 8, 11])
def test_a_start_that_was_interrupted_is_completed_by_the_next(
    settings: Settings, sqlite_database: Database, writes: int
) -> None:
    tired = Tired(sqlite_database.url.render_as_string(hide_password=False), writes)
    with pytest.raises(KeyboardInterrupt):
        seed_workspace(settings, tired, was_new=True)
    tired.dispose()
    assert seed_workspace(settings, sqlite_database, was_new=writes == 0)
    taught, trained = counts(sqlite_database, TAUGHT.name), counts(sqlite_database, TRAINED.name)
    assert (taught[ExampleStatus.APPROVED], taught[ExampleStatus.PROPOSED]) == (60, 3)
    assert trained[ExampleStatus.APPROVED] == TRAINED.approved
    found = everything(sqlite_database)
    assert (found["styles"], found["runs"]) == (3, 1)


def test_an_installation_with_slack_tokens_is_left_alone(settings: Settings, sqlite_database: Database) -> None:
    before = everything(sqlite_database)
    for tokens in ({"slack_bot_token": SecretStr("xoxb-1")}, {"slack_app_token": SecretStr("xapp-1")}):
        real = settings.model_copy(update=tokens)
        assert not seed_workspace(real, sqlite_database, was_new=True)
    assert not seed_workspace(settings.model_copy(update={"seed_workspace": False}), sqlite_database, was_new=True)
    assert everything(sqlite_database) == before


def test_a_workspace_that_was_started_before_stays_as_it_is(settings: Settings, sqlite_database: Database) -> None:
    before = everything(sqlite_database)
    assert not is_new(settings)  # the database file is there
    assert not seed_workspace(settings, sqlite_database, was_new=False)
    assert everything(sqlite_database) == before


def test_only_a_folder_without_workspace_and_database_is_new(settings: Settings, tmp_path: Path) -> None:
    assert is_new(settings)
    workspace_folder(settings).mkdir(parents=True)
    assert is_new(settings)
    (workspace_folder(settings) / "workspace.db").touch()
    assert not is_new(settings)


def test_the_people_have_said_something_worth_teaching(settings: Settings) -> None:
    with Workspace(folder=workspace_folder(settings)) as workspace:
        open_conversation(settings, workspace.url)
        open_conversation(settings, workspace.url)
        mia = workspace.person(MIA)
        welcome, try_this = mia.messages(GENERAL)
        said = welcome["blocks"][0]["elements"][0]["elements"]
        assert {"type": "text", "text": UNTAUGHT.name, "style": {"code": True}} in said
        assert "@huisstijl" in try_this["text"] and f"<@{BOT_USER_ID}>" not in try_this["text"], "it asks for a draft"
        for stage, channel in ((TRAINED, BRAND), (TAUGHT, PACKAGES)):
            pair, taught = read_samples(stage)[-1], read_samples(stage)[: stage.approved + stage.proposed]
            root = mia.messages(channel)[0]
            reply = mia.messages(channel, root["ts"])[1]
            assert (root["reply_count"], len(mia.messages(channel))) == (1, 1)
            assert reply["text"].replace("&amp;", "&") == pair["completion"]
            assert pair not in taught
