"""Every refusal of the Web API that a bot can run into, through the unmodified slack_sdk client."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from bot.rehearsal.options import DEFAULT_SCOPES, InstalledApp
from bot.rehearsal.seed import BRAND, GENERAL, GUEST, LEADS, LEFT, MIA, RANDOM, RAVI
from bot.rehearsal.workspace import Workspace
from tests.support.bolt_apps import web_client
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="module")
def workspace() -> Iterator[Workspace]:
    with Workspace() as made:
        yield made


@pytest.fixture(scope="module")
def client(workspace: Workspace) -> WebClient:
    return web_client(workspace)


def section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def markdown(chars: int) -> dict[str, Any]:
    return {"type": "markdown", "text": "x" * chars}


REFUSED: dict[str, tuple[str, Callable[[WebClient], Any]]] = {
    "no text": ("no_text", lambda c: c.api_call("chat.postMessage", json={"channel": BRAND})),
    "not a member": ("not_in_channel", lambda c: c.chat_postMessage(channel=RANDOM, text="x")),
    "private": ("channel_not_found", lambda c: c.chat_postMessage(channel=LEADS, text="x")),
    "no such channel": ("channel_not_found", lambda c: c.chat_postMessage(channel="C0NONE", text="x")),
    "deactivated": ("user_disabled", lambda c: c.chat_postMessage(channel=LEFT, text="x")),
    "text too long": ("msg_too_long", lambda c: c.chat_postMessage(channel=BRAND, text="x" * 40_001)),
    "markdown too long": (
        "msg_too_long",
        lambda c: c.chat_postMessage(channel=BRAND, markdown_text="x" * 12_001),
    ),
    "markdown and text": (
        "markdown_text_conflict",
        lambda c: c.chat_postMessage(channel=BRAND, text="x", markdown_text="y"),
    ),
    "51 blocks": (
        "invalid_blocks",
        lambda c: c.chat_postMessage(channel=BRAND, text="x", blocks=[{"type": "divider"}] * 51),
    ),
    "section of 3001": (
        "invalid_blocks",
        lambda c: c.chat_postMessage(channel=BRAND, text="x", blocks=[section("x" * 3001)]),
    ),
    "blocks too long together": (
        "msg_blocks_too_long",
        lambda c: c.chat_postMessage(channel=BRAND, text="x", blocks=[section("x" * 2900)] * 5),
    ),
    "markdown blocks too long together": (
        "invalid_blocks",
        lambda c: c.chat_postMessage(channel=BRAND, text="x", blocks=[markdown(7000), markdown(5001)]),
    ),
    "no such thread": (
        "thread_not_found",
        lambda c: c.chat_postMessage(channel=BRAND, text="x", thread_ts="1.000001"),
    ),
    "bad metadata": (
        "invalid_metadata_format",
        lambda c: c.chat_postMessage(channel=BRAND, text="x", metadata={"event_type": "t"}),
    ),
    "update of nothing": ("message_not_found", lambda c: c.chat_update(channel=BRAND, ts="1.0", text="x")),
    "delete of nothing": ("message_not_found", lambda c: c.chat_delete(channel=BRAND, ts="1.0")),
    "permalink of nothing": (
        "message_not_found",
        lambda c: c.chat_getPermalink(channel=BRAND, message_ts="1.0"),
    ),
    "ephemeral to somebody who is not there": (
        "user_not_in_channel",
        lambda c: c.chat_postEphemeral(channel=GENERAL, user=GUEST, text="x"),
    ),
    "no such user": ("user_not_found", lambda c: c.users_info(user="U0NONE")),
    "history": ("missing_scope", lambda c: c.conversations_history(channel=BRAND)),
    "replies": ("missing_scope", lambda c: c.conversations_replies(channel=BRAND, ts="1.0")),
    "reaction": ("missing_scope", lambda c: c.reactions_add(channel=BRAND, timestamp="1.0", name="eyes")),
    "join": ("missing_scope", lambda c: c.conversations_join(channel=RANDOM)),
    "private channel's members": ("channel_not_found", lambda c: c.conversations_members(channel=LEADS)),
    "no such file": ("file_not_found", lambda c: c.files_info(file="F0NONE")),
    "no such user group": ("no_such_subteam", lambda c: c.usergroups_users_list(usergroup="S0NONE")),
    "five prompts": (
        "invalid_arguments",
        lambda c: c.assistant_threads_setSuggestedPrompts(
            channel_id="D0MIA", prompts=[{"title": "t", "message": "m"}] * 5
        ),
    ),
    "a method that Slack has and we do not": ("unknown_method", lambda c: c.pins_list(channel=BRAND)),
    "the app's token for a bot's method": (
        "not_allowed_token_type",
        lambda c: c.api_call("apps.connections.open"),
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_web_api_refuses(name: str, workspace: Workspace, client: WebClient) -> None:
    workspace.state.open_dm(MIA)
    error, call = REFUSED[name]
    with pytest.raises(SlackApiError) as caught:
        call(client)
    assert caught.value.response["error"] == error
    assert workspace.calls()[-1].error == error


def test_invalid_blocks_say_where(client: WebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel=BRAND, text="x", blocks=[{"type": "divider"}, section("")])
    told = caught.value.response["response_metadata"]["messages"]
    assert told == ["[ERROR] must be more than 0 characters [json-pointer:/blocks/1/text/text]"]


def test_a_missing_scope_names_itself(client: WebClient) -> None:
    with pytest.raises(SlackApiError) as caught:
        client.conversations_history(channel=BRAND)
    assert caught.value.response["needed"] == "channels:history"
    assert caught.value.response["provided"] == ",".join(DEFAULT_SCOPES)


@pytest.mark.parametrize(
    ("token", "error"), [("", "not_authed"), ("xoxb-wrong", "invalid_auth")], ids=["none", "wrong"]
)
def test_a_call_needs_the_right_token(workspace: Workspace, token: str, error: str) -> None:
    stranger = WebClient(token=token, base_url=workspace.api_url)
    with pytest.raises(SlackApiError, match=error):
        stranger.chat_postMessage(channel=BRAND, text="x")
    assert stranger.api_test()["ok"]


def test_a_bot_may_change_and_delete_its_own_messages_alone(workspace: Workspace, client: WebClient) -> None:
    theirs = workspace.person(MIA).post(BRAND, "mine")
    with pytest.raises(SlackApiError, match="cant_update_message"):
        client.chat_update(channel=BRAND, ts=theirs["ts"], text="x")
    with pytest.raises(SlackApiError, match="cant_delete_message"):
        client.chat_delete(channel=BRAND, ts=theirs["ts"])
    own = client.chat_postMessage(channel=BRAND, text="mine")
    client.chat_update(channel=BRAND, ts=own["ts"], text="changed")
    assert workspace.person(MIA).messages(BRAND)[-1]["text"] == "changed"
    client.chat_delete(channel=BRAND, ts=own["ts"])
    with pytest.raises(SlackApiError, match="message_not_found"):
        client.chat_update(channel=BRAND, ts=own["ts"], text="x")


def test_a_deleted_root_with_replies_stays_as_a_tombstone(workspace: Workspace, client: WebClient) -> None:
    mia = workspace.person(MIA)
    root = mia.post(BRAND, "root")
    client.chat_postMessage(channel=BRAND, text="reply", thread_ts=root["ts"])
    mia.delete(BRAND, root["ts"])
    assert mia.messages(BRAND, root["ts"])[0]["subtype"] == "tombstone"


def test_an_archived_channel_takes_nothing(workspace: Workspace) -> None:
    with Workspace() as own:
        own.change_channel(BRAND, is_archived=True)
        with pytest.raises(SlackApiError, match="is_archived"):
            web_client(own).chat_postMessage(channel=BRAND, text="x")


def test_history_is_readable_with_its_scope_and_pages_backwards() -> None:
    scopes = (*DEFAULT_SCOPES, "channels:history", "channels:join", "reactions:write")
    with Workspace(app=InstalledApp(scopes=scopes)) as own:
        client, mia = web_client(own), own.person(MIA)
        sent = [mia.post(BRAND, f"number {n}")["ts"] for n in range(5)]
        pages = [page["messages"] for page in client.conversations_history(channel=BRAND, limit=2)]
        assert [m["text"] for page in pages for m in page] == [f"number {n}" for n in (4, 3, 2, 1, 0)]
        one = client.conversations_history(channel=BRAND, oldest=sent[2], latest=sent[2], inclusive=True)
        assert [m["text"] for m in one["messages"]] == ["number 2"]
        with pytest.raises(SlackApiError, match="missing_scope"):
            own.person(RAVI).invite_bot(LEADS)
            client.conversations_history(channel=LEADS)
        client.conversations_join(channel=RANDOM)
        assert client.conversations_info(channel=RANDOM)["channel"]["is_member"]
        client.reactions_add(channel=BRAND, timestamp=sent[0], name="eyes")
        with pytest.raises(SlackApiError, match="already_reacted"):
            client.reactions_add(channel=BRAND, timestamp=sent[0], name="eyes")


def test_people_have_roles_and_a_locale_when_asked_for(client: WebClient) -> None:
    assert "locale" not in client.users_info(user=MIA)["user"]
    assert client.users_info(user=MIA, include_locale=True)["user"]["locale"] == "en-GB"
    flags = {u["name"]: u for u in client.users_list()["members"]}
    assert flags["ana"]["is_admin"]
    assert flags["gus"]["is_restricted"]
    assert flags["stella"]["is_stranger"]
    assert flags["leo"]["deleted"]


def test_a_rate_limit_is_told_with_its_wait_and_ends(workspace: Workspace, client: WebClient) -> None:
    workspace.fail("chat.postMessage", times=2, retry_after_seconds=1)
    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel=BRAND, text="first")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "1"
    patient = web_client(workspace)
    patient.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=1))
    started = time.monotonic()
    assert patient.chat_postMessage(channel=BRAND, text="second")["ok"]
    assert time.monotonic() - started >= 1.0
    statuses = [c.status for c in workspace.calls("chat.postMessage")][-3:]
    assert statuses == [429, 429, 200]


def test_a_server_error_may_come_before_or_after_the_effect(workspace: Workspace) -> None:
    client, mia = web_client(workspace), workspace.person(MIA)
    client.retry_handlers.clear()
    workspace.fail("chat.postMessage", status=500)
    with pytest.raises(SlackApiError):
        client.chat_postMessage(channel=GENERAL, text="lost")
    workspace.fail("chat.postMessage", status=503, after=True)
    with pytest.raises(SlackApiError):
        client.chat_postMessage(channel=GENERAL, text="there all the same")
    assert [m["text"] for m in mia.messages(GENERAL)] == ["there all the same"]


def test_a_hanging_call_runs_into_the_clients_patience(workspace: Workspace) -> None:
    hasty = WebClient(token=workspace.bot_token, base_url=workspace.api_url, timeout=1)
    hasty.retry_handlers.clear()
    workspace.fail("users.list", status=200, hang_seconds=1.5)
    with pytest.raises(TimeoutError):
        hasty.users_list()
    assert hasty.auth_test()["ok"]
    # It is in the journal when it ends, and other tests look at what is there last.
    wait_until(lambda: any(call.seconds >= 1.5 for call in workspace.calls("users.list")), what="the call's own end")
