"""The connection to Slack in Socket Mode, and a watchdog beside it: no silence lasts longer than it may.

The SDK reconnects when a connection ends or its pings stay unanswered after one was answered. It does not notice one
that never said hello, nor one over which nothing is delivered although it is alive. What is delivered into a dead
connection is not acknowledged, so Slack delivers it again to the next one.
"""

from __future__ import annotations

import json
import socket
import threading
import time
from contextlib import suppress
from typing import Any

import structlog
from slack_bolt import App
from slack_bolt.adapter.socket_mode import SocketModeHandler
from slack_sdk.errors import SlackApiError, SlackClientError

from config.settings import Settings

log = structlog.get_logger()

#: How often the watchdog looks, as a share of the silence that it allows.
LOOKS = 8
#: How often the SDK pings, as a share of the same; it calls a connection stale after four pings without an answer.
PINGS = 8


class SocketMode:
    """A part of the bot: the last to start and the first to stop."""

    def __init__(self, app: App, app_token: str, settings: Settings) -> None:
        self._silence_seconds = settings.socket_silence_seconds
        self._renew_seconds = settings.socket_renew_seconds
        self._handler = SocketModeHandler(app, app_token, ping_interval=self._silence_seconds / PINGS)
        self._client = self._handler.client
        self._client.on_message_listeners.append(self._hear)
        self._stopping = threading.Event()
        self._session: Any = None
        self._session_since = self._heard_at = self._delivered_at = time.monotonic()
        self._hello_at = self._looked_at = 0.0
        self._has_greeted = False
        self._last_pong: float | None = None
        self._thread = threading.Thread(target=self._watch, name="socket-watchdog", daemon=True)

    def start(self) -> None:
        self._handler.connect()
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join(timeout=10)
        close_handler(self._handler)

    def _hear(self, text: str) -> None:
        """Every message that comes over any connection; called on the SDK's reading thread."""
        self._heard_at = time.monotonic()
        try:
            kind = json.loads(text).get("type")
        except (ValueError, AttributeError):
            return
        if kind == "hello":
            self._hello_at, self._has_greeted = self._heard_at, True
        if kind != "disconnect":
            self._delivered_at = self._heard_at

    def _watch(self) -> None:
        while not self._stopping.wait(self._silence_seconds / LOOKS):
            reason = self._look()
            if reason:
                self._renew(reason)

    def _look(self) -> str:
        """Why this connection should make way for a new one; empty while it need not."""
        now, session = time.monotonic(), self._client.current_session
        if session is not self._session:
            self._session, self._session_since, self._last_pong = session, now, None
            self._heard_at = max(self._heard_at, now)
            self._has_greeted = self._hello_at >= self._looked_at  # it may have greeted since we last looked
        self._looked_at = now
        pong = getattr(session, "last_ping_pong_time", None)
        if pong != self._last_pong:
            self._last_pong, self._heard_at = pong, now
        if now - self._heard_at > self._silence_seconds:
            return "silent"
        if not self._has_greeted and now - self._session_since > self._silence_seconds:
            return "no_hello"
        if now - self._delivered_at > self._renew_seconds:
            return "nothing_delivered"
        return ""

    def _renew(self, reason: str) -> None:
        log.warning("socket.renewed", reason=reason)
        now = time.monotonic()
        self._heard_at = self._session_since = self._delivered_at = now
        self._has_greeted = False
        self._wake_reader()
        try:
            self._client.connect_to_new_endpoint(force=True)
        except (SlackApiError, SlackClientError, OSError) as error:
            log.warning("socket.not_renewed", error=type(error).__name__)  # tried again after the next silence

    def _wake_reader(self) -> None:
        """The SDK closes the old connection before it uses the new one, and for that waits for its reader, up to three
        seconds; a reader whose connection is shut down lets go at once."""
        with suppress(AttributeError, OSError):
            self._client.current_session.sock.shutdown(socket.SHUT_RDWR)  # type: ignore[union-attr]


def close_handler(handler: SocketModeHandler) -> None:
    """Close a Socket Mode connection for good."""
    sdk = handler.client
    sdk.auto_reconnect_enabled, sdk.closed = False, True
    sdk.enqueue_message("")  # the SDK's processor looks for a second before it sees that all is over
    failed: list[Exception] = []
    closing = threading.Thread(target=_close, args=(handler, failed), name="socket-closing", daemon=True)
    closing.start()
    while closing.is_alive():
        # A reader that starts at this very moment says that its session is not over, after `close` said that it is,
        # and then reads for ever from a connection that is closed, and `close` waits for it.
        sdk.current_session_state.terminated = True
        closing.join(timeout=0.1)
    sdk.disconnect()  # one that was just being opened came into its place after the first was closed
    if failed:
        raise failed[0]


def _close(handler: SocketModeHandler, failed: list[Exception]) -> None:
    """`failed` gets what was raised, for the thread that waits."""
    try:
        try:
            handler.close()
        except AttributeError:
            # The SDK's reader was closing the same connection at this moment; by now it is closed, the rest is not.
            handler.close()
    except Exception as error:
        failed.append(error)
