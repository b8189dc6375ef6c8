"""`huisstijl doctor`: each failure is caused for real, found, and comes with a way to mend it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from pydantic import SecretStr
from sqlalchemy import text

from bot.doctor.findings import Finding, State
from bot.doctor.host import check_disk
from bot.doctor.report import as_json, examine, exit_code
from bot.rehearsal.options import InstalledApp
from bot.rehearsal.seed import TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings, child_environment
from config.slack_manifest import build_manifest
from db.adapters import Adapter
from db.base import new_id, now_in_database
from db.inbox import store_events
from db.outbox import OutboxMessage, OutboxStatus, owe
from db.session import Database
from db.styles import Style
from db.trainers import register_trainer
from tests.support.factories import make_promotion, make_run, make_style
from tests.support.model_server import ScriptedModel

MANIFEST = build_manifest()


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(app=InstalledApp.from_manifest(MANIFEST)) as running:
        yield running


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as running:
        yield running


@pytest.fixture
def healthy(settings: Settings, workspace: Workspace, model: ScriptedModel, sqlite_database: Database) -> Settings:
    """An installation in which everything is as it should be."""
    with sqlite_database.write() as session:
        register_trainer(session, "gpu-host:1", "gpu-host")
        store_events(session, [delivery(session, "app_mention")])
    keys = settings.data_dir / "keys"
    keys.mkdir(parents=True)
    write_keys(keys, Ed25519PrivateKey.generate())
    return settings.model_copy(
        update={
            "slack_bot_token": SecretStr(workspace.bot_token),
            "slack_app_token": SecretStr(workspace.app_token),
            "slack_api_url": workspace.api_url,
            "model_url": model.url,
            "database_url": sqlite_database.url.render_as_string(hide_password=False),
            "heartbeat_seconds": 60.0,
        }
    )


def delivery(session: Any, kind: str, **different: Any) -> dict[str, Any]:
    inbox_id = new_id("in")
    return {
        "inbox_id": inbox_id, "event_key": inbox_id, "team_id": TEAM_ID, "kind": kind, "body": {}, "status": "done",
        "fence": 0, "attempts": 1, "received_at": now_in_database(session),
    } | different  # fmt: skip


def write_keys(folder: Path, key: Ed25519PrivateKey) -> None:
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(folder / "signing.pem", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(private)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (folder / "verify.pem").write_bytes(public)


def found(settings: Settings, check: str) -> Finding:
    findings = [finding for finding in examine(settings) if finding.check == check]
    assert len(findings) == 1, (check, findings)
    return findings[0]


def test_a_healthy_installation_is_fine_in_every_point(healthy: Settings) -> None:
    findings = examine(healthy)
    looked_at = [finding.check for finding in findings]
    assert looked_at == [
        "bot token", "scopes", "clock", "app token", "database", "events", "work", "trainer", "model server",
        "embeddings", "disk", "artifact store", "signing keys",
    ]  # fmt: skip
    assert {finding.check: finding.seen for finding in findings if finding.state is State.FAIL} == {}
    # The disk is this machine's, so it may be nearly full; everything else is fine.
    assert {finding.check for finding in findings if finding.state is State.WARN} <= {"disk"}
    assert exit_code(findings) == 0
    assert not Path(healthy.resolved_artifact_url).exists()  # the probe is gone, and the folder made for it
    assert json.loads(as_json(findings))["ok"] is True


#: What is changed in the settings of a healthy installation; the check that finds it; its state; what it says; what
#: the way to mend it names.
WRONG_SETTINGS: list[tuple[dict[str, Any], str, State, str, str]] = [
    ({"slack_bot_token": None}, "bot token", State.FAIL, "not set", "huisstijl manifest"),
    ({"slack_bot_token": SecretStr("xapp-1-x")}, "bot token", State.FAIL, "xoxb-", "OAuth & Permissions"),
    ({"slack_bot_token": SecretStr("xoxb-wrong")}, "bot token", State.FAIL, "invalid_auth", "OAuth & Permissions"),
    ({"slack_bot_token": SecretStr("xoxb-wrong")}, "scopes", State.WARN, "not looked at", "bot token"),
    ({"slack_api_url": "http://127.0.0.1:9/api/"}, "bot token", State.FAIL, "cannot be reached", "network"),
    ({"slack_app_token": None}, "app token", State.FAIL, "not set", "connections:write"),
    ({"slack_app_token": SecretStr("xapp-wrong")}, "app token", State.FAIL, "invalid_auth", "connections:write"),
    ({"slack_mode": "http"}, "signing secret", State.FAIL, "not set", "Basic Information"),
    (
        {"slack_mode": "http", "slack_signing_secret": SecretStr("hello")},
        "signing secret", State.WARN, "32 hexadecimal", "Basic Information",
    ),
    ({"flag_reaction": "star2"}, "scopes", State.FAIL, "channels:history", "reinstall"),
    ({"admin_usergroup": "S1"}, "scopes", State.FAIL, "usergroups:read", "reinstall"),
    ({"model_url": "http://127.0.0.1:9/v1"}, "model server", State.FAIL, "cannot be reached", "huisstijl serve"),
    ({"base_model": "acme/large-model"}, "model server", State.FAIL, "does not serve large-model", "BASE_MODEL"),
    ({"artifact_url": "/proc/nowhere"}, "artifact store", State.FAIL, "cannot be written", "HUISSTIJL_ARTIFACT_URL"),
    ({"database_url": "sqlite:////proc/nowhere/x.db"}, "database", State.FAIL, "cannot be reached", "DATABASE_URL"),
    (
        {"database_url": "postgresql+psycopg://nobody:secret@127.0.0.1:9/x?connect_timeout=2"},
        "database", State.FAIL, "cannot be reached", "HUISSTIJL_DATABASE_URL",
    ),
    (
        {"data_dir": Path("/nowhere/at/all"), "database_url": ""},
        "database", State.FAIL, "does not exist yet", "huisstijl up",
    ),
    ({"data_dir": Path("/nowhere/at/all")}, "disk", State.WARN, "does not exist yet", "huisstijl up"),
    ({"data_dir": Path("/nowhere/at/all")}, "artifact store", State.WARN, "does not exist yet", "huisstijl up"),
    ({"data_dir": Path("/nowhere/at/all")}, "signing keys", State.WARN, "no keys yet", "first start"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "check", "state", "seen", "mend"), WRONG_SETTINGS, ids=[f"{w[1]}: {w[3]}" for w in WRONG_SETTINGS]
)
def test_a_wrong_setting_is_found_and_says_how_to_mend_it(
    healthy: Settings, changed: dict[str, Any], check: str, state: State, seen: str, mend: str
) -> None:
    finding = found(healthy.model_copy(update=changed), check)
    assert finding.state is state
    assert seen in finding.seen
    assert mend in finding.mend
    assert "secret" not in finding.seen


def test_an_app_that_was_removed_is_found(healthy: Settings, workspace: Workspace) -> None:
    workspace.uninstall_app()
    assert "account_inactive" in found(healthy, "bot token").seen


@pytest.mark.parametrize("scope", MANIFEST["oauth_config"]["scopes"]["bot"])
def test_each_missing_scope_is_named_with_what_breaks_without_it(healthy: Settings, scope: str) -> None:
    app = InstalledApp.from_manifest(MANIFEST)
    rest = tuple(one for one in app.scopes if one != scope)
    with Workspace(app=InstalledApp(scopes=rest, events=app.events)) as workspace:
        settings = healthy.model_copy(
            update={
                "slack_api_url": workspace.api_url,
                "slack_bot_token": SecretStr(workspace.bot_token),
                "slack_app_token": SecretStr(workspace.app_token),
            }
        )
        finding = found(settings, "scopes")
    assert (finding.state, finding.seen) == (State.FAIL, f"missing: {scope}")
    assert "cannot" in finding.mend


def test_more_scopes_than_needed_are_worth_a_look(healthy: Settings) -> None:
    app = InstalledApp.from_manifest(build_manifest(with_reactions=True))
    with Workspace(app=app) as workspace:
        settings = healthy.model_copy(
            update={"slack_api_url": workspace.api_url, "slack_bot_token": SecretStr(workspace.bot_token)}
        )
        finding = found(settings, "scopes")
    assert finding.state is State.WARN
    assert "channels:history" in finding.seen


@pytest.mark.parametrize(
    ("seconds", "state", "said"),
    [(0, State.OK, "Slack"), (60, State.WARN, "behind"), (-60, State.WARN, "ahead of"), (600, State.FAIL, "behind")],
)  # fmt: skip
def test_a_clock_that_is_off_is_found(
    healthy: Settings, workspace: Workspace, seconds: float, state: State, said: str
) -> None:
    workspace.turn_clock(seconds)
    finding = found(healthy, "clock")
    assert finding.state is state
    assert said in finding.seen
    assert state is State.OK or "NTP" in finding.mend


def test_a_database_at_another_revision_is_found(healthy: Settings, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    finding = found(healthy, "database")
    assert (finding.state, finding.mend) == (State.FAIL, "Run `huisstijl db upgrade`.")
    assert "0001" in finding.seen


def test_an_app_that_hears_nothing_is_found(healthy: Settings, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        session.execute(text("DELETE FROM inbox"))
    finding = found(healthy, "events")
    assert finding.state is State.WARN
    assert "app_mention" in finding.mend
    with sqlite_database.write() as session:
        store_events(session, [delivery(session, "block_actions")])
    assert "never one of these: app_mention, message" in found(healthy, "events").seen


def test_deliveries_that_nobody_works_off_are_found(healthy: Settings, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        long_ago = now_in_database(session) - timedelta(hours=1)
        store_events(session, [delivery(session, "app_mention", status="pending", received_at=long_ago)])
    finding = found(healthy, "work")
    assert (finding.state, finding.seen) == (
        State.FAIL, "1 deliveries and 0 messages wait for more than five minutes",
    )  # fmt: skip
    assert "huisstijl bot" in finding.mend


def test_messages_that_slack_refused_are_found(healthy: Settings, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        owe(session, team_id=TEAM_ID, dedupe_key="k", verb="post_message", arguments={})
        row = session.query(OutboxMessage).one()
        row.status, row.finished_at = OutboxStatus.FAILED, now_in_database(session)
    assert "refused 1" in found(healthy, "work").seen


def test_a_silent_trainer_is_found(healthy: Settings, sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        session.execute(text("UPDATE trainers SET seen_at = '2020-01-01 00:00:00.000000'"))
    finding = found(healthy, "trainer")
    assert finding.state is State.WARN
    assert "huisstijl trainer" in finding.mend


def test_a_champion_that_the_model_server_does_not_have_is_found(
    healthy: Settings, model: ScriptedModel, sqlite_database: Database
) -> None:
    make_trained_champion(sqlite_database, "brand-voice-v7", Rung.LORA)
    assert "brand-voice-v7" in found(healthy, "model server").seen
    model.adapters = {"brand-voice-v7"}
    assert found(healthy, "model server").state is State.OK


def test_a_whole_model_that_is_champion_and_has_no_room_is_found(
    healthy: Settings, model: ScriptedModel, sqlite_database: Database
) -> None:
    make_trained_champion(sqlite_database, "brand-voice-v7-full", Rung.FULL)
    model.adapters, model.too_large = {"brand-voice-v7-full"}, {"brand-voice-v7-full"}
    finding = found(healthy, "model server")
    assert finding.state is State.WARN
    assert "rollback" in finding.mend
    model.too_large = set()
    assert found(healthy, "model server").state is State.OK


def make_trained_champion(database: Database, name: str, rung: Rung) -> None:
    with database.write() as session:
        style = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID)
        adapter = Adapter(
            adapter_id=new_id("ada"), name=name, version=7, team_id=TEAM_ID, style_id=style.style_id,
            scope_key=TEAM_ID, run_id=make_run(session, style).run_id, rung=rung, base_model="b",
            manifest_digest="sha256:x", published_at=now_in_database(session),
        )  # fmt: skip
        session.add(adapter)
        session.flush()
        make_promotion(session, session.get_one(Style, style.style_id), rung=rung, adapter_id=adapter.adapter_id)


def test_a_model_server_without_embeddings_is_found(healthy: Settings, model: ScriptedModel) -> None:
    model.embedding_status = 500
    finding = found(healthy, "embeddings")
    assert finding.state is State.WARN
    assert "words" in finding.mend


def swap_keys(folder: Path) -> None:
    public = (folder / "verify.pem").read_bytes()
    write_keys(folder, Ed25519PrivateKey.generate())
    (folder / "verify.pem").write_bytes(public)


#: What happens to the keys, and what the doctor says.
KEY_FAULTS: list[tuple[Callable[[Path], object], State, str]] = [
    (lambda folder: (folder / "signing.pem").chmod(0o644), State.FAIL, "can be read by others"),
    (lambda folder: (folder / "signing.pem").unlink(), State.OK, "private one is with the trainer"),
    (lambda folder: (folder / "verify.pem").write_bytes(b"x"), State.FAIL, "cannot be read"),
    (swap_keys, State.FAIL, "do not belong together"),
]


@pytest.mark.parametrize(("fault", "state", "said"), KEY_FAULTS, ids=[fault[2] for fault in KEY_FAULTS])
def test_keys_that_are_not_right_are_found(
    healthy: Settings, fault: Callable[[Path], object], state: State, said: str
) -> None:
    fault(healthy.keys_dir)
    finding = found(healthy, "signing keys")
    assert finding.state is state
    assert said in finding.seen


def test_a_full_disk_is_found(healthy: Settings) -> None:
    """The kernel's own file system in /proc has no room at all."""
    finding = check_disk(healthy.model_copy(update={"data_dir": Path("/proc/self")}))
    assert (finding.state, "0.0 GiB" in finding.seen) == (State.FAIL, True)


@pytest.mark.parametrize(("model_is_up", "code"), [(True, 0), (False, 1)])
def test_the_command_shows_a_table_or_json_and_exits_with_a_code(
    healthy: Settings, model: ScriptedModel, model_is_up: bool, code: int
) -> None:
    if not model_is_up:
        model.stop()
    assert healthy.slack_bot_token is not None and healthy.slack_app_token is not None
    environment = child_environment(
        healthy,
        SLACK_BOT_TOKEN=healthy.slack_bot_token.get_secret_value(),
        SLACK_APP_TOKEN=healthy.slack_app_token.get_secret_value(),
        HUISSTIJL_SLACK_API_URL=healthy.slack_api_url,
        HUISSTIJL_MODEL_URL=healthy.model_url,
        HUISSTIJL_DATABASE_URL=healthy.database_url,
        HUISSTIJL_HEARTBEAT_SECONDS="60",
        COLUMNS="160",
    )

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "bot.cli", "doctor", *arguments], env=environment, capture_output=True, text=True,
            timeout=60, check=False,
        )  # fmt: skip

    table, machine = run(), run("--json")
    assert table.returncode == machine.returncode == code
    assert "model server" in table.stdout
    assert ("huisstijl serve" in table.stdout) is not model_is_up
    assert json.loads(machine.stdout)["ok"] is model_is_up
    assert healthy.slack_bot_token.get_secret_value() not in table.stdout + machine.stdout
