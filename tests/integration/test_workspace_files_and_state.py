"""Uploads through files_upload_v2, and what a workspace still knows after a restart."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from slack_sdk.errors import SlackApiError, SlackRequestError

from bot.rehearsal.errors import WorkspaceError
from bot.rehearsal.options import InstalledApp, WorkspaceOptions
from bot.rehearsal.seed import BRAND, GENERAL, LEADS, MIA, RANDOM, RAVI
from bot.rehearsal.workspace import Workspace, build_workspace
from config.settings import Settings
from tests.support.bolt_apps import bolt_app, over_sockets, web_client
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as made:
        yield made


def test_an_uploaded_picture_appears_in_the_thread_with_its_bytes(workspace: Workspace) -> None:
    client, mia = web_client(workspace), workspace.person(MIA)
    root = mia.post(BRAND, "how did it go?")["ts"]
    picture = b"\x89PNG\r\n" + bytes(range(256)) * 20
    done = client.files_upload_v2(
        channel=BRAND, thread_ts=root, content=picture, filename="loss.png", initial_comment="The loss"
    )
    file_id = done["file"]["id"]
    wait_until(lambda: client.files_info(file=file_id)["file"]["shares"].get("public", {}).get(BRAND))
    share = mia.messages(BRAND, root)[1]
    assert (share["text"], share["subtype"]) == ("The loss", "file_share")
    file = mia.files(BRAND)[0]
    assert (file["id"], file["mimetype"], file["size"]) == (file_id, "image/png", len(picture))
    assert mia.download(file) == picture
    assert httpx.get(file["url_private"]).status_code == 403


def test_a_file_with_alt_txt_is_taken_and_silently_not_shared(workspace: Workspace) -> None:
    client = web_client(workspace)
    options: dict[str, Any] = {"channel": BRAND, "filename": "a.txt"}
    client.files_upload_v2(content="described", alt_txt="a curve", **options)
    plain = client.files_upload_v2(content="plain", **options)["file"]["id"]
    wait_until(lambda: client.files_info(file=plain)["file"]["shares"])
    assert [f["id"] for f in workspace.person(MIA).files(BRAND)] == [plain]


@pytest.mark.parametrize(
    ("channel", "error"),
    [("brand", "channel_not_found"), (LEADS, "channel_not_found"), (RANDOM, "not_in_channel")],
    ids=["a name", "private", "not a member"],
)
def test_a_file_goes_only_where_the_bot_may_write(workspace: Workspace, channel: str, error: str) -> None:
    with pytest.raises(SlackApiError, match=error):
        web_client(workspace).files_upload_v2(channel=channel, content="x", filename="x.txt")


def test_other_bytes_than_were_announced_are_refused(workspace: Workspace) -> None:
    client = web_client(workspace)
    ticket = client.files_getUploadURLExternal(filename="x.txt", length=5)
    assert httpx.post(ticket["upload_url"], content=b"123456").status_code == 400
    with pytest.raises(SlackApiError, match="file_not_found"):
        client.files_completeUploadExternal(files=[{"id": ticket["file_id"], "title": "x"}])
    with pytest.raises((SlackApiError, SlackRequestError)):
        client.files_upload_v2(channel=BRAND, content="", filename="empty.txt")


def test_a_restarted_workspace_continues_where_it_was(tmp_path: Path) -> None:
    with Workspace(folder=tmp_path) as first:
        client, mia = web_client(first), first.person(MIA)
        said = mia.post(BRAND, "remember this 🧡")
        client.chat_postMessage(channel=BRAND, text="a reply", thread_ts=said["ts"])
        first.person(RAVI).invite_bot(LEADS)
        client.views_publish(user_id=MIA, view={"type": "home", "blocks": [{"type": "divider"}]})
        client.files_upload_v2(channel=BRAND, content="kept", filename="kept.txt")
        wait_until(lambda: mia.files(BRAND))
        tokens, before = first.state.tokens, mia.messages(BRAND)
    with Workspace(folder=tmp_path) as again:
        mia = again.person(MIA)
        assert again.state.tokens == tokens
        assert mia.messages(BRAND) == before
        assert [m["text"] for m in mia.messages(BRAND, said["ts"])] == ["remember this 🧡", "a reply"]
        assert again.state.file_bytes[mia.files(BRAND)[0]["id"]] == b"kept"
        assert web_client(again).chat_postMessage(channel=LEADS, text="still a member")["ok"]
        later = mia.post(BRAND, "later")
        assert float(later["ts"]) > float(said["ts"])
        assert again.state.homes[MIA]["blocks"][0]["type"] == "divider"


def test_an_event_that_was_pending_at_the_stop_is_delivered_after_the_restart(tmp_path: Path) -> None:
    with Workspace(folder=tmp_path) as first:
        first.person(MIA).mention_bot(BRAND, "are you there?")
        event_id = first.deliveries("app_mention")[0].id
    heard: list[str] = []
    options = WorkspaceOptions(ack_seconds=1.0, retry_seconds=(0.2, 0.5, 1.0))
    with Workspace(folder=tmp_path, options=options) as again:
        app = bolt_app(again)

        @app.event("app_mention")
        def hear(body: dict[str, Any]) -> None:
            heard.append(body["event_id"])

        with over_sockets(app, again):
            wait_until(lambda: heard)
    assert heard == [event_id]


def test_the_tokens_are_in_a_file_for_their_owner_alone(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, workspace_port=0)
    workspace = build_workspace(settings)
    try:
        path = tmp_path / "workspace" / "tokens.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert json.loads(path.read_text())["bot_token"] == workspace.bot_token
    finally:
        workspace._store.close()
        workspace._server.stop()


def test_a_port_that_is_taken_is_a_clear_error(workspace: Workspace) -> None:
    port = int(workspace.url.rsplit(":", 1)[1])
    with pytest.raises(WorkspaceError, match=f"127.0.0.1:{port} cannot be listened on"):
        Workspace(port=port)


def test_a_manifest_decides_what_the_app_may_do() -> None:
    manifest = {
        "features": {
            "slash_commands": [{"command": "/draft"}],
            "shortcuts": [{"callback_id": "teach", "type": "message"}],
        },
        "oauth_config": {"scopes": {"bot": ["chat:write"]}},
        "settings": {"event_subscriptions": {"bot_events": ["app_home_opened"]}},
    }
    app = InstalledApp.from_manifest(manifest)
    assert (app.scopes, app.events) == (("chat:write",), ("app_home_opened",))
    with Workspace(app=app) as workspace:
        with pytest.raises(SlackApiError, match="missing_scope"):
            web_client(workspace).users_info(user=MIA)
        with pytest.raises(WorkspaceError, match="/other is not a command"):
            workspace.person(MIA).slash("/other", "", GENERAL)
        with pytest.raises(WorkspaceError, match="no shortcut other"):
            workspace.person(MIA).shortcut("other")


def test_our_own_routes_need_the_client_token(workspace: Workspace) -> None:
    for route in ("client/messages", "control/calls"):
        for token in ("none", workspace.bot_token):
            headers = {"Authorization": f"Bearer {token}"}
            answer = httpx.post(f"{workspace.url}/{route}", json={"as": MIA}, headers=headers)
            assert answer.status_code == 403


def test_another_process_can_read_the_journal_and_make_calls_fail(workspace: Workspace) -> None:
    client = web_client(workspace)
    headers = {"Authorization": f"Bearer {workspace.client_token}"}
    with httpx.Client(base_url=workspace.url, headers=headers) as outside:
        outside.post("/control/fail", json={"method": "auth.test", "status": 200, "error": "fatal_error"})
        with pytest.raises(SlackApiError, match="fatal_error"):
            client.auth_test()
        calls = outside.post("/control/calls", json={"method": "auth.test"}).json()["result"]
        assert calls[-1]["result"]["error"] == "fatal_error"
        assert outside.post("/control/deliveries").json()["result"] == []
        assert outside.post("/client/post", json={"as": MIA}).status_code == 400
