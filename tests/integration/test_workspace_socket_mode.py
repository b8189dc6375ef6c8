"""The local workspace over Socket Mode, driven by an unmodified slack-bolt app."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

import pytest
from slack_bolt.adapter.socket_mode import SocketModeHandler

from bot.rehearsal.options import DEFAULT_EVENTS, DEFAULT_SCOPES, InstalledApp, WorkspaceOptions
from bot.rehearsal.seed import BRAND, GENERAL, LEADS, MIA, NOOR, RANDOM, RAVI, STRANGER
from bot.rehearsal.workspace import Workspace
from bot.socket_mode import close_handler
from tests.support.bolt_apps import bolt_app, over_sockets
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

FAST = WorkspaceOptions(ack_seconds=0.3, retry_seconds=(0.0, 0.1, 0.2))


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace() as made:
        yield made


def test_a_mention_reaches_the_listener_and_its_reply_reaches_the_thread(workspace: Workspace) -> None:
    app = bolt_app(workspace)

    @app.event("app_mention")
    def reply(event: dict[str, Any], say: Any) -> None:
        say(text=f"heard: {event['text']}", thread_ts=event["ts"])

    with over_sockets(app, workspace):
        asked = workspace.person(MIA).mention_bot(BRAND, "draft a tweet")
        thread = wait_until(lambda: workspace.person(NOOR).messages(BRAND, asked["ts"])[1:])
    assert thread[0]["text"] == f"heard: <@{workspace.seed.bot_user_id}> draft a tweet"
    assert thread[0]["bot_id"] == workspace.seed.bot_id
    delivered = workspace.deliveries("app_mention")[0]
    assert delivered.state == "acked"
    assert len(delivered.attempts) == 1
    assert delivered.payload["authorizations"][0]["user_id"] == workspace.seed.bot_user_id


def test_a_direct_message_reaches_the_app_and_so_do_its_edit_and_deletion(workspace: Workspace) -> None:
    app = bolt_app(workspace)
    heard: list[str | None] = []

    @app.event("message")
    def hear(event: dict[str, Any]) -> None:
        heard.append(event.get("subtype"))

    mia = workspace.person(MIA)
    with over_sockets(app, workspace):
        said = mia.dm_bot("hello")
        wait_until(lambda: heard == [None])
        mia.edit(said["channel"], said["ts"], "hello again")
        wait_until(lambda: heard == [None, "message_changed"])
        mia.delete(said["channel"], said["ts"])
        wait_until(lambda: heard == [None, "message_changed", "message_deleted"])


def test_an_event_without_acknowledgement_is_delivered_three_more_times_with_its_reason() -> None:
    app_settings = InstalledApp()
    with Workspace(options=FAST, app=app_settings) as workspace:
        app = bolt_app(workspace)
        seen: list[tuple[str, str]] = []

        @app.use
        def refuse(body: dict[str, Any], request: Any, next: Any) -> None:
            headers = request.headers
            seen.append((headers["x-slack-retry-num"][0], headers["x-slack-retry-reason"][0]))
            raise RuntimeError("not stored, so not acknowledged")

        with over_sockets(app, workspace):
            workspace.person(MIA).mention_bot(BRAND, "hi")
            delivery = wait_until(lambda: workspace.deliveries("app_mention"))[0]
            wait_until(lambda: delivery.state == "failed")
    assert seen == [("0", ""), ("1", "timeout"), ("2", "timeout"), ("3", "timeout")]
    assert [a.retry_attempt for a in delivery.attempts] == [0, 1, 2, 3]


def test_an_event_that_is_acknowledged_at_the_second_attempt_is_not_sent_again() -> None:
    with Workspace(options=FAST) as workspace:
        app = bolt_app(workspace)
        attempts: list[str] = []

        @app.use
        def refuse_once(request: Any, next: Any) -> None:
            attempts.append(request.headers["x-slack-retry-num"][0])
            if len(attempts) == 1:
                raise RuntimeError("the disk was full")
            next()

        @app.event("app_mention")
        def nothing() -> None: ...

        with over_sockets(app, workspace):
            workspace.person(MIA).mention_bot(BRAND, "hi")
            delivery = wait_until(lambda: workspace.deliveries("app_mention"))[0]
            wait_until(lambda: delivery.state == "acked")
    assert attempts == ["0", "1"]


def test_an_event_that_found_no_connection_arrives_when_the_app_is_back() -> None:
    options = WorkspaceOptions(ack_seconds=0.3, retry_seconds=(0.0, 0.5, 5.0))
    with Workspace(options=options) as workspace:
        app = bolt_app(workspace)
        arrived = threading.Event()

        @app.event("app_mention")
        def hear() -> None:
            arrived.set()

        workspace.person(MIA).mention_bot(BRAND, "anybody there?")
        with over_sockets(app, workspace):
            assert arrived.wait(8)
    first = workspace.deliveries("app_mention")[0].attempts[0]
    assert first.failure == "connection_failed"


def test_envelopes_are_spread_over_the_connections_and_each_arrives_once(workspace: Workspace) -> None:
    app = bolt_app(workspace)
    heard: list[str] = []

    @app.event("app_mention")
    def hear(body: dict[str, Any]) -> None:
        heard.append(body["event_id"])

    with over_sockets(app, workspace, connections=2):
        for n in range(10):
            workspace.person(MIA).mention_bot(BRAND, f"number {n}")
        wait_until(lambda: len(heard) == 10)
    assert len(set(heard)) == 10


def test_a_connection_that_is_asked_to_refresh_is_replaced_without_losing_an_event(
    workspace: Workspace,
) -> None:
    app = bolt_app(workspace)
    heard: list[str] = []

    @app.event("app_mention")
    def hear(body: dict[str, Any]) -> None:
        heard.append(body["event_id"])

    with over_sockets(app, workspace):
        workspace.ask_to_reconnect()
        wait_until(lambda: len(workspace.calls("apps.connections.open")) == 2)
        wait_until(lambda: workspace.connections == 1)
        workspace.person(MIA).mention_bot(BRAND, "during the refresh")
        wait_until(lambda: heard)
    # slack_sdk takes three seconds to change over, so Slack may deliver this event a second time.
    assert set(heard) == {workspace.deliveries("app_mention")[0].id}


def test_a_connection_that_is_being_renewed_while_the_app_stops_is_closed_too(workspace: Workspace) -> None:
    handler = SocketModeHandler(bolt_app(workspace), workspace.app_token)
    handler.connect()
    wait_until(lambda: workspace.connections == 1)
    workspace.fail("apps.connections.open", status=200, hang_seconds=0.5)
    workspace.ask_to_reconnect()
    wait_until(handler.client.connect_operation_lock.locked, what="the SDK asking for a new connection")
    close_handler(handler)
    assert not handler.client.is_connected()
    wait_until(lambda: workspace.connections == 0)


def test_an_app_that_stops_as_its_reader_starts_ends(workspace: Workspace) -> None:
    """The SDK's reader says of its session that it is not over; where `close` had ended it, it read on for ever."""
    handler = SocketModeHandler(bolt_app(workspace), workspace.app_token)
    sdk = handler.client
    is_starting = threading.Event()

    class Meanwhile(logging.Filter):
        """The reader's last line before it says so: only now the app stops."""

        def filter(self, record: logging.LogRecord) -> bool:
            if record.getMessage().startswith("Starting to receive") and not is_starting.is_set():
                is_starting.set()
                wait_until(lambda: sdk.current_session_state.terminated, what="the app stops")
            return True

    slow = Meanwhile()
    sdk.logger.setLevel(logging.INFO)
    sdk.logger.addFilter(slow)
    try:
        handler.connect()
        wait_until(is_starting.is_set, what="the reader starts")
        stopping = threading.Thread(target=close_handler, args=(handler,), daemon=True)
        stopping.start()
        stopping.join(timeout=10)
        assert not stopping.is_alive()
    finally:
        sdk.logger.removeFilter(slow)
    wait_until(lambda: workspace.connections == 0)


@pytest.mark.parametrize(("channel", "person"), [(RANDOM, MIA), (LEADS, RAVI)], ids=["public, not a member", "private"])
def test_a_mention_where_the_bot_is_not_a_member_is_not_delivered(
    workspace: Workspace, channel: str, person: str
) -> None:
    workspace.person(person).mention_bot(channel, "psst")
    assert workspace.deliveries() == []


def test_an_event_that_the_app_did_not_subscribe_to_is_not_delivered(workspace: Workspace) -> None:
    said = workspace.person(MIA).post(GENERAL, "just talking")
    workspace.person(MIA).react(GENERAL, said["ts"], "star")
    assert workspace.deliveries() == []


def test_a_subscription_without_its_scope_delivers_nothing() -> None:
    app = InstalledApp(events=(*DEFAULT_EVENTS, "message.channels", "reaction_added"))
    with Workspace(app=app) as workspace:
        said = workspace.person(MIA).post(GENERAL, "just talking")
        workspace.person(MIA).react(GENERAL, said["ts"], "star")
        assert workspace.deliveries() == []


def test_a_subscribed_channel_gives_a_mention_twice_with_an_event_id_each() -> None:
    app = InstalledApp(
        scopes=(*DEFAULT_SCOPES, "channels:history", "reactions:read"),
        events=(*DEFAULT_EVENTS, "message.channels", "reaction_added", "reaction_removed"),
    )
    with Workspace(app=app) as workspace:
        mia = workspace.person(MIA)
        said = mia.mention_bot(GENERAL, "both ways")
        mia.react(GENERAL, said["ts"], "star")
        mia.unreact(GENERAL, said["ts"], "star")
        kinds = [d.event_type for d in workspace.deliveries()]
        assert kinds == ["app_mention", "message", "reaction_added", "reaction_removed"]
        assert len({d.id for d in workspace.deliveries()}) == 4


def test_inviting_the_bot_tells_it_who_let_it_in(workspace: Workspace) -> None:
    workspace.person(RAVI).invite_bot(LEADS)
    event = workspace.deliveries("member_joined_channel")[0].payload["event"]
    assert (event["user"], event["inviter"], event["channel"]) == (workspace.seed.bot_user_id, RAVI, LEADS)


def test_an_outsiders_event_names_the_outsiders_team(workspace: Workspace) -> None:
    workspace.person(STRANGER).mention_bot("partners", "hello from next door")
    payload = workspace.deliveries("app_mention")[0].payload
    assert payload["team_id"] == "T0PARTNER"
    assert payload["authorizations"][0]["team_id"] == workspace.seed.team_id
    assert payload["is_ext_shared_channel"] is True


def test_uninstalling_ends_what_the_tokens_can_do(workspace: Workspace) -> None:
    app = bolt_app(workspace)
    workspace.uninstall_app()
    answer = app.client.api_call("api.test")
    assert answer["ok"]
    with pytest.raises(Exception, match="account_inactive"):
        app.client.auth_test()
    assert [d.event_type for d in workspace.deliveries()] == ["app_uninstalled", "tokens_revoked"]
