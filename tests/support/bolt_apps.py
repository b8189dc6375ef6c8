"""Real slack-bolt apps against a local workspace: over Socket Mode, or over signed HTTP on loopback."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from slack_bolt import App
from slack_bolt.adapter.asgi.builtin import SlackRequestHandler
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk import WebClient

from bot.rehearsal.loopback import LoopbackServer
from bot.socket_mode import close_handler
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.rehearsal.workspace import Workspace


def web_client(workspace: Workspace) -> WebClient:
    return WebClient(token=workspace.bot_token, base_url=workspace.api_url)


def bolt_app(workspace: Workspace) -> App:
    """An app with nothing changed but where Slack is."""
    return App(client=web_client(workspace), signing_secret=workspace.signing_secret)


@contextmanager
def over_sockets(app: App, workspace: Workspace, connections: int = 1) -> Iterator[list[SocketModeHandler]]:
    handlers = [SocketModeHandler(app, workspace.app_token) for _ in range(connections)]
    for handler in handlers:
        handler.connect()
    wait_until(lambda: workspace.connections == connections, what="Socket Mode connections")
    try:
        yield handlers
    finally:
        for handler in handlers:
            # Otherwise close() waits out a read of three seconds on a silent connection.
            handler.client.auto_reconnect_enabled = False
        workspace.drop_connections()
        for handler in handlers:
            close_handler(handler)


@contextmanager
def over_http(app: App, server: LoopbackServer) -> Iterator[None]:
    """Serve the app at `<server.url>/slack/events`."""
    # slack-bolt describes scope and send more narrowly than ASGI does.
    server.start(SlackRequestHandler(app))  # type: ignore[arg-type]
    try:
        yield
    finally:
        server.stop()
