"""Socket Mode: websocket connections with hello, envelopes, acknowledgements and disconnect on demand.

An envelope goes to one of the open connections, in turn. A URL from apps.connections.open works once.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import threading
from typing import TYPE_CHECKING

from starlette.websockets import WebSocket, WebSocketDisconnect

from bot.rehearsal.delivery import envelope_bytes

if TYPE_CHECKING:
    from bot.rehearsal.delivery import Deliveries
    from bot.rehearsal.options import Json

MAX_CONNECTIONS = 10


class Connection:
    """One open websocket and what waits to be sent on it; None closes it."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.outgoing: asyncio.Queue[str | None] = asyncio.Queue()
        self.leaving = False
        #: Does what is sent to it vanish on the way?
        self.is_deaf = False

    def send(self, text: str | None) -> None:
        """From any thread."""
        self._loop.call_soon_threadsafe(self.outgoing.put_nowait, text)


class SocketHub:
    """The open connections of the one installed app. Thread-safe."""

    def __init__(self, app_id: str) -> None:
        self._app_id = app_id
        self._lock = threading.Lock()
        self._tickets: set[str] = set()
        self._open: list[Connection] = []
        self._turn = 0
        self._deaf_next = 0
        self._mute_next = 0
        self.deliveries: Deliveries

    def issue_ticket(self) -> str:
        ticket = secrets.token_urlsafe(18)
        with self._lock:
            self._tickets.add(ticket)
        return ticket

    @property
    def connections(self) -> int:
        with self._lock:
            return sum(not c.leaving for c in self._open)

    def send(self, envelope: Json) -> bool:
        with self._lock:
            ready = [c for c in self._open if not c.leaving]
            if not ready:
                return False
            self._turn += 1
            chosen = ready[self._turn % len(ready)]
        if not chosen.is_deaf:
            chosen.send(envelope_bytes(envelope))
        return True

    def spoil_next(self, *, deaf: int = 0, mute: int = 0) -> None:
        """The next connections are established and answer pings, but deliver nothing; mute ones do not even greet."""
        with self._lock:
            self._deaf_next, self._mute_next = deaf, mute

    def ask_to_reconnect(self, reason: str = "refresh_requested") -> None:
        """Tell every connection to go, as Slack does every few hours; it gets no envelope from now on."""
        with self._lock:
            leaving = [c for c in self._open if not c.leaving]
            for connection in leaving:
                connection.leaving = True
        for connection in leaving:
            connection.send(json.dumps({"type": "disconnect", "reason": reason, "debug_info": {}}))

    def drop_all(self) -> None:
        """Close every connection without a word."""
        with self._lock:
            leaving = list(self._open)
            for connection in leaving:
                connection.leaving = True
        for connection in leaving:
            connection.send(None)

    async def serve(self, websocket: WebSocket) -> None:
        """The websocket endpoint."""
        ticket = websocket.query_params.get("ticket", "")
        with self._lock:
            admitted = ticket in self._tickets and len(self._open) < MAX_CONNECTIONS
            self._tickets.discard(ticket)
        if not admitted:
            await websocket.close(code=1008)
            return
        await websocket.accept()
        connection = Connection(asyncio.get_running_loop())
        with self._lock:
            is_mute, self._mute_next = self._mute_next > 0, max(0, self._mute_next - 1)
            connection.is_deaf = is_mute or self._deaf_next > 0
            self._deaf_next = max(0, self._deaf_next - (not is_mute))
            self._open.append(connection)
            number = len(self._open)
        hello = {
            "type": "hello",
            "num_connections": number,
            "connection_info": {"app_id": self._app_id},
            "debug_info": {"host": "local-workspace", "approximate_connection_time": 18060},
        }
        if not is_mute:
            await websocket.send_text(json.dumps(hello))
        sender = asyncio.create_task(self._send_outgoing(websocket, connection))
        try:
            while True:
                self._on_text(await websocket.receive_text())
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            with self._lock:
                connection.leaving = True
                self._open.remove(connection)
            sender.cancel()

    @staticmethod
    async def _send_outgoing(websocket: WebSocket, connection: Connection) -> None:
        while (text := await connection.outgoing.get()) is not None:
            await websocket.send_text(text)
        await websocket.close()

    def _on_text(self, text: str) -> None:
        try:
            answer = json.loads(text)
        except ValueError:
            return
        if isinstance(answer, dict) and isinstance(answer.get("envelope_id"), str):
            self.deliveries.acknowledge(answer["envelope_id"], answer.get("payload"))
