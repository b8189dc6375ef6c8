"""HTTP mode: nothing unsigned is parsed, nothing signed is lost, and no body makes the door fall."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterator

import httpx
import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from bot.app import Bot, build_app
from bot.http import MAX_BODY_BYTES, HttpEvents
from bot.rehearsal.seed import GENERAL, MIA
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from db.inbox import InboxEvent
from db.session import Database
from tests.support.model_server import ScriptedModel


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as running:
        yield running


@pytest.fixture
def bot(settings: Settings, workspace: Workspace, sqlite_database: Database) -> Iterator[Bot]:
    with ScriptedModel() as model:
        running = build_app(
            settings.model_copy(
                update={
                    "slack_bot_token": SecretStr(workspace.bot_token),
                    "slack_signing_secret": SecretStr(workspace.signing_secret),
                    "slack_mode": "http",
                    "http_port": 0,
                    "slack_api_url": workspace.api_url,
                    "model_url": model.url,
                    "database_url": sqlite_database.url.render_as_string(hide_password=False),
                }
            )
        )
        running.start()
        yield running
        running.stop()


@pytest.fixture
def url(bot: Bot) -> str:
    door = bot.parts[-1]
    assert isinstance(door, HttpEvents)
    return f"http://127.0.0.1:{door.port}/slack/events"


def signed(workspace: Workspace, body: bytes, *, at: int | None = None) -> dict[str, str]:
    timestamp = str(at if at is not None else int(time.time()))
    base = b"v0:" + timestamp.encode() + b":" + body
    digest = hmac.new(workspace.signing_secret.encode(), base, hashlib.sha256).hexdigest()
    return {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": f"v0={digest}",
        "Content-Type": "application/json",
    }


def stored(database: Database) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(InboxEvent)) or 0


def mention(workspace: Workspace) -> bytes:
    event = {"type": "app_mention", "user": MIA, "channel": GENERAL, "text": "hello", "ts": "1.1", "event_ts": "1.1"}
    return json.dumps(workspace.event_payload(event)).encode()


def test_a_signed_event_is_stored_before_it_is_acknowledged(
    url: str, workspace: Workspace, sqlite_database: Database
) -> None:
    body = mention(workspace)
    assert httpx.post(url, content=body, headers=signed(workspace, body)).status_code == 200
    assert stored(sqlite_database) == 1


def test_a_replayed_event_is_acknowledged_and_stored_once(
    url: str, workspace: Workspace, sqlite_database: Database
) -> None:
    body = mention(workspace)
    headers = signed(workspace, body)
    assert {httpx.post(url, content=body, headers=headers).status_code for _ in range(3)} == {200}
    assert stored(sqlite_database) == 1


@pytest.mark.parametrize(
    ("age", "status"), [(0, 200), (1, 200), (299, 200), (300, 200), (301, 401), (-299, 200), (-300, 200), (-301, 401)]
)
def test_a_signature_is_good_for_five_minutes_to_the_second(
    bot: Bot, settings: Settings, workspace: Workspace, sqlite_database: Database, age: int, status: int
) -> None:
    now = int(time.time())
    door = HttpEvents(
        bot.app, workspace.signing_secret, settings.model_copy(update={"http_port": 0}), clock=lambda: float(now)
    )
    door.start()
    try:
        body = mention(workspace)
        answer = httpx.post(
            f"http://127.0.0.1:{door.port}/slack/events", content=body, headers=signed(workspace, body, at=now - age)
        )
    finally:
        door.stop()
    assert answer.status_code == status
    assert stored(sqlite_database) == (status == 200)


def test_slacks_first_question_is_answered(url: str, workspace: Workspace) -> None:
    body = json.dumps({"type": "url_verification", "challenge": "c-123", "token": "t"}).encode()
    answer = httpx.post(url, content=body, headers=signed(workspace, body))
    assert answer.status_code == 200
    assert "c-123" in answer.text


@pytest.mark.parametrize(
    "change",
    [
        {"X-Slack-Signature": "v0=" + "0" * 64},
        {"X-Slack-Signature": "v1=abc"},
        {"X-Slack-Signature": ""},
        {"X-Slack-Request-Timestamp": "abc"},
        {"X-Slack-Request-Timestamp": ""},
        {"X-Slack-Request-Timestamp": "9" * 5000},
        {"X-Slack-Request-Timestamp": "-1"},
        {"X-Slack-Request-Timestamp": "1e9"},
        {"X-Slack-Request-Timestamp": "NaN"},
    ],
)
def test_what_is_not_properly_signed_is_refused_and_not_stored(
    url: str, workspace: Workspace, sqlite_database: Database, change: dict[str, str]
) -> None:
    body = mention(workspace)
    assert httpx.post(url, content=body, headers=signed(workspace, body) | change).status_code == 401
    assert stored(sqlite_database) == 0


@pytest.mark.parametrize("seconds", [-310, 310])
def test_a_signature_outside_the_five_minutes_is_refused(url: str, workspace: Workspace, seconds: int) -> None:
    body = mention(workspace)
    headers = signed(workspace, body, at=int(time.time()) + seconds)
    assert httpx.post(url, content=body, headers=headers).status_code == 401


def test_unsigned_bodies_are_not_parsed(url: str) -> None:
    for body in (b"{{{", b"null", b"[" * 100_000, b"payload=[]", b"\xff\xfe"):
        assert httpx.post(url, content=body).status_code == 401


def test_signed_nonsense_is_refused_without_an_error_of_ours(
    url: str, workspace: Workspace, sqlite_database: Database
) -> None:
    bodies = (
        b"{{{", b"null", b"[]", b"5", b"\xff\xfe", b"[" * 100_000, b"{}", b'{"type":"event_callback"}',
        b'{"type":"block_actions","actions":[]}', b'{"type":"event_callback","event":5,"event_id":"E"}',
    )  # fmt: skip
    for body in bodies:
        status = httpx.post(url, content=body, headers=signed(workspace, body)).status_code
        assert status < 500, (body[:40], status)


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_body_over_the_cap_is_refused_while_it_arrives(url: str, is_declared: bool) -> None:
    size = MAX_BODY_BYTES + 1
    content = b"x" * size if is_declared else (b"x" * 65_536 for _ in range(size // 65_536 + 1))
    try:
        assert httpx.post(url, content=content).status_code == 413
    except (httpx.WriteError, httpx.RemoteProtocolError):  # the door was closed while we were still sending
        assert not is_declared
