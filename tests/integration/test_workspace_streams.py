"""Streaming through slack_sdk's own chat_stream, and every way a stream can end badly."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.rehearsal.errors import PersonError
from bot.rehearsal.options import DEFAULT_EVENTS, InstalledApp, WorkspaceOptions
from bot.rehearsal.seed import BRAND, MIA, STRANGER, TEAM_ID
from bot.rehearsal.workspace import Workspace
from tests.support.bolt_apps import web_client
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as made:
        yield made


def to_mia(workspace: Workspace) -> dict[str, Any]:
    root = workspace.person(MIA).post(BRAND, "a draft, please")["ts"]
    return {
        "channel": BRAND,
        "thread_ts": root,
        "recipient_team_id": TEAM_ID,
        "recipient_user_id": MIA,
    }


def test_a_stream_grows_in_the_thread_and_ends_with_its_buttons(workspace: Workspace) -> None:
    client, mia, target = web_client(workspace), workspace.person(MIA), to_mia(workspace)
    button = {"type": "button", "action_id": "keep", "text": {"type": "plain_text", "text": "Keep"}}
    stream = client.chat_stream(buffer_size=4, **target)
    stream.append(markdown_text="**Hallo** ")
    growing = mia.messages(BRAND, target["thread_ts"])[1]
    assert (growing["text"], growing["streaming_state"]) == ("**Hallo** ", "in_progress")
    stream.append(markdown_text="wereld")
    stream.append(markdown_text="!")
    stream.stop(blocks=[{"type": "actions", "elements": [button]}])
    done = mia.messages(BRAND, target["thread_ts"])[1]
    assert (done["text"], done["streaming_state"]) == ("**Hallo** wereld!", "completed")
    assert [b["type"] for b in done["blocks"]] == ["markdown", "actions"]
    methods = [c.method for c in workspace.calls() if "Stream" in c.method]
    assert methods == ["chat.startStream", "chat.appendStream", "chat.stopStream"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"recipient_team_id": None}, "missing_recipient_team_id"),
        ({"recipient_user_id": None}, "missing_recipient_user_id"),
        ({"recipient_user_id": STRANGER}, "invalid_arguments"),
        ({"thread_ts": ""}, "invalid_arguments"),
        ({"thread_ts": "1.000001"}, "thread_not_found"),
        ({"chunks": [{"type": "nonsense"}]}, "invalid_chunks"),
        ({"markdown_text": "x" * 12_001}, "msg_too_long"),
        ({"markdown_text": "x", "chunks": [{"type": "markdown_text", "text": "y"}]}, "invalid_arguments"),
        ({"channel": "C0RANDOM"}, "not_in_channel"),
    ],
)
def test_a_stream_does_not_start(workspace: Workspace, change: dict[str, Any], error: str) -> None:
    with pytest.raises(SlackApiError) as caught:
        web_client(workspace).chat_startStream(**(to_mia(workspace) | change))
    assert caught.value.response["error"] == error


def test_a_direct_message_needs_no_recipient(workspace: Workspace) -> None:
    said = workspace.person(MIA).dm_bot("draft")
    stream = web_client(workspace).chat_stream(channel=said["channel"], thread_ts=said["ts"])
    stream.append(markdown_text="done")
    assert stream.stop()["message"]["text"] == "done"


def test_a_stream_that_is_over_takes_neither_append_nor_stop_but_an_update(workspace: Workspace) -> None:
    with Workspace(options=WorkspaceOptions(stream_seconds=0.3)) as workspace:
        client, target = web_client(workspace), to_mia(workspace)
        started = time.time()
        ts = client.chat_startStream(**target, markdown_text="half")["ts"]
        client.chat_appendStream(channel=BRAND, ts=ts, markdown_text=" a")
        wait_until(lambda: time.time() > started + 0.35)
        for call in (client.chat_appendStream, client.chat_stopStream):
            with pytest.raises(SlackApiError, match="message_not_in_streaming_state"):
                call(channel=BRAND, ts=ts, markdown_text=" more")
        client.chat_update(channel=BRAND, ts=ts, text="half a draft, and the rest")
        shown = workspace.person(MIA).messages(BRAND, target["thread_ts"])[1]
        assert (shown["text"], shown["streaming_state"]) == ("half a draft, and the rest", "completed")


def test_a_stopped_stream_is_an_ordinary_message(workspace: Workspace) -> None:
    client = web_client(workspace)
    ts = client.chat_startStream(**to_mia(workspace), markdown_text="x")["ts"]
    with pytest.raises(SlackApiError, match="streaming_state_conflict"):
        client.chat_update(channel=BRAND, ts=ts, text="too early")
    client.chat_stopStream(channel=BRAND, ts=ts)
    with pytest.raises(SlackApiError, match="message_not_in_streaming_state"):
        client.chat_stopStream(channel=BRAND, ts=ts)
    client.chat_update(channel=BRAND, ts=ts, text="now")


def test_the_stop_button_tells_the_app_and_ends_appending(workspace: Workspace) -> None:
    client, mia, target = web_client(workspace), workspace.person(MIA), to_mia(workspace)
    ts = client.chat_startStream(**target, markdown_text="x")["ts"]
    mia.stop_stream(BRAND, ts)
    event = workspace.deliveries("agent_session_stopped")[0].payload["event"]
    assert (event["streaming_message_ts"], event["thread_ts"]) == ([ts], target["thread_ts"])
    with pytest.raises(SlackApiError, match="stopped_by_user"):
        client.chat_appendStream(channel=BRAND, ts=ts, markdown_text="y")
    assert client.chat_stopStream(channel=BRAND, ts=ts)["ok"]


def test_an_app_that_does_not_listen_for_the_stop_button_has_none() -> None:
    events = tuple(e for e in DEFAULT_EVENTS if e != "agent_session_stopped")
    with Workspace(app=InstalledApp(events=events)) as workspace:
        client, target = web_client(workspace), to_mia(workspace)
        answer = client.agents_sessions_setStatus(channel_id=BRAND, thread_ts=target["thread_ts"], status="processing")
        assert answer["warning"] == "missing_agent_session_stopped_event_subscription"
        ts = client.chat_startStream(**target, markdown_text="x")["ts"]
        with pytest.raises(PersonError, match="no stop button"):
            workspace.person(MIA).stop_stream(BRAND, ts)


def test_a_stream_that_a_restart_cut_off_is_no_longer_open(tmp_path: Any) -> None:
    with Workspace(folder=tmp_path) as workspace:
        ts = web_client(workspace).chat_startStream(**to_mia(workspace), markdown_text="x")["ts"]
    with Workspace(folder=tmp_path) as again, pytest.raises(SlackApiError, match="not_in_streaming_state"):
        web_client(again).chat_stopStream(channel=BRAND, ts=ts)
