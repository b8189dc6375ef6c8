"""An ASGI app on a loopback port, in a thread of this process, stopped cleanly."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import uvicorn

from bot.rehearsal.errors import WorkspaceNotReadyError

if TYPE_CHECKING:
    from starlette.types import ASGIApp


class LoopbackServer:
    """Port 0 takes a free one. `url` is known before the server starts."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
        except OSError as error:
            self._socket.close()
            raise WorkspaceNotReadyError(f"{host}:{port} cannot be listened on: {error}") from error
        self.port: int = self._socket.getsockname()[1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{self.port}"
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, app: ASGIApp, *, seconds: float = 10.0) -> None:
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=1, backlog=2048,
            date_header=False,  # the workspace has a clock of its own
        )  # fmt: skip
        server = uvicorn.Server(config)
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [self._socket]}, name="loopback-server", daemon=True
        )
        thread.start()
        self._server, self._thread = server, thread
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise WorkspaceNotReadyError(f"nothing listens on {self.url} after {seconds} s")
            pause.wait(0.005)

    def stop(self) -> None:
        if self._server is not None and self._thread is not None:
            self._server.should_exit = True
            self._thread.join(timeout=10)
        self._socket.close()
