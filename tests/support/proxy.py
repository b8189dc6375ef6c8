"""A TCP proxy on loopback that can go silent: established connections stay open and carry nothing any more."""

from __future__ import annotations

import select
import socket
import threading
from contextlib import suppress
from typing import Self


class SilentProxy:
    """Forwards to a port until `freeze` is called; connections made after that work. Use as a context manager."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._generation = 0
        self.connections = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def freeze(self) -> None:
        """From now on nothing gets through the connections there are; neither side is told."""
        with self._lock:
            self._generation += 1

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="proxy", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._listener.close()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            with suppress(OSError):
                client, _ = self._listener.accept()
                with self._lock:
                    generation = self._generation
                    self.connections += 1
                upstream = socket.create_connection(self._target)
                threading.Thread(target=self._carry, args=(client, upstream, generation), daemon=True).start()

    def _carry(self, client: socket.socket, upstream: socket.socket, generation: int) -> None:
        with client, upstream, suppress(OSError):
            while not self._stopping.is_set():
                readable, _, _ = select.select([client, upstream], [], [], 0.05)
                for source in readable:
                    data = source.recv(65_536)
                    if not data:
                        return  # whoever gives up is let go
                    if generation == self._generation:
                        (upstream if source is client else client).sendall(data)
