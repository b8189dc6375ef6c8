"""`huisstijl up` says that everything is there when it is: real processes that come late, and one that dies first."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bot.up import Child, _wait_until, start_all, stop_all
from config.settings import Settings

#: Answers `/api/api.test` and `/healthz` as the workspace does, and `/health` as the model server. Where a file is
#: named, it tells the bot's connections by that file, or says that it is loading until the file is there.
SERVER = """
import json, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

awaited = Path(sys.argv[2])

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        there = awaited.exists()
        Path(sys.argv[3]).touch()  # somebody has asked
        self.send_response(503 if self.path == "/health" and not there else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"connections": int(there)}).encode())

    def log_message(self, *args):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
#: Dies once somebody has asked for it; the second one is heard.
BOT = """
import sys, threading
from pathlib import Path

died, heard, asked = map(Path, sys.argv[1:])
if died.exists():
    heard.touch()
    threading.Event().wait()
while not asked.exists():
    threading.Event().wait(0.01)
died.touch()
sys.exit(7)
"""


@pytest.fixture
def places(settings: Settings) -> Settings:
    """With ports of this test's own."""
    free = []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free.append(probe.getsockname()[1])
    return settings.model_copy(update={"workspace_port": free[0], "serve_port": free[1]})


@pytest.fixture
def children(places: Settings, tmp_path: Path) -> Iterator[list[Child]]:
    def child(name: str, code: str, *arguments: object) -> Child:
        command = [sys.executable, "-c", code, *map(str, arguments)]
        return Child(name=name, command=command, environment=dict(os.environ))

    heard, died, asked = tmp_path / "heard", tmp_path / "died", tmp_path / "asked"
    made = [
        child("workspace", SERVER, places.workspace_port, heard, asked),
        child("serve", SERVER, places.serve_port, died, tmp_path / "ignored"),
        child("bot", BOT, died, heard, asked),
    ]
    yield made
    stop_all(made)


def test_it_waits_for_the_bot_and_the_model_and_starts_again_what_dies_meanwhile(
    children: list[Child], places: Settings
) -> None:
    start_all(children, places, threading.Event())
    assert [(child.name, child.deaths) for child in children] == [("workspace", 0), ("serve", 0), ("bot", 1)]
    workspace, model = (f"http://127.0.0.1:{port}" for port in (places.workspace_port, places.serve_port))
    assert httpx.get(f"{workspace}/healthz", trust_env=False).json() == {"connections": 1}
    assert httpx.get(f"{model}/health", trust_env=False).status_code == 200
    assert all(child.process is not None and child.process.poll() is None for child in children)


def test_who_stops_it_does_not_wait_for_what_never_comes() -> None:
    stop, looked = threading.Event(), threading.Event()

    def never() -> bool:
        looked.set()
        raise httpx.ConnectError("nobody is there")

    waiting = threading.Thread(target=_wait_until, args=(never, stop), kwargs={"seconds": 3600})
    waiting.start()
    assert looked.wait(30)
    assert waiting.is_alive()
    stop.set()
    waiting.join(30)
    assert not waiting.is_alive()


def test_it_goes_on_without_what_never_comes() -> None:
    _wait_until(lambda: False, threading.Event(), seconds=0.2)
