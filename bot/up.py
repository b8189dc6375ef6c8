"""`huisstijl up`: every process of an installation on one machine, started in order, watched, stopped together.

A process that dies is started again after a pause that grows; Ctrl-C stops all of them and waits until they have
put down what they were doing.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import threading
import time
import webbrowser
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import structlog

from bot.rehearsal.first_start import is_new, open_conversation, seed_workspace
from bot.rehearsal.workspace import load_tokens, workspace_folder
from config.settings import Settings, child_environment, has_desktop
from db.session import Database
from db.upgrade import upgrade_database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

log = structlog.get_logger()

#: A trainer finishes its step and a checkpoint within this.
SECONDS_TO_STOP = 40.0
MAX_PAUSE_SECONDS = 30.0
_PROBE: dict[str, Any] = {"timeout": 1.0, "trust_env": False}
#: Who gives way when the cores of this one machine are short: a run to a draft, both to Slack, which waits for 3 s.
NICENESS = {"serve": 5, "trainer": 10}


@dataclass(slots=True)
class Child:
    """One process of the installation."""

    name: str
    command: list[str]
    environment: dict[str, str]
    process: subprocess.Popen[bytes] | None = None
    #: Where its output goes; None: to ours.
    log_file: Path | None = None
    deaths: int = 0
    start_at: float = field(default=0.0)

    def start(self) -> None:
        # A group of its own: the terminal's Ctrl-C reaches us alone, and we stop them in order. Not a session of its
        # own: between sessions Linux shares the cores evenly (autogroups), and niceness would mean nothing.
        with self.log_file.open("ab") if self.log_file else nullcontext() as output:
            self.process = subprocess.Popen(
                self.command, env=self.environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                process_group=0,
            )  # fmt: skip
        with suppress(ProcessLookupError):  # it may have died already; `watch` says so
            ours = os.getpriority(os.PRIO_PROCESS, 0)
            os.setpriority(os.PRIO_PROCESS, self.process.pid, ours + NICENESS.get(self.name, 0))
        log.info("process.started", process=self.name, pid=self.process.pid)

    def watch(self) -> None:
        """Start it when it is due; note when it has died."""
        if self.process is None:
            if time.monotonic() >= self.start_at:
                self.start()
            return
        exit_code = self.process.poll()
        if exit_code is not None:
            self.process = None
            self.deaths += 1
            pause = min(MAX_PAUSE_SECONDS, 2.0 ** min(self.deaths, 6) / 2)
            self.start_at = time.monotonic() + pause
            log.error("process.died", process=self.name, exit_code=exit_code, again_in_seconds=pause)


def run_up(settings: Settings, *, empty: bool = False, browser: bool = True) -> int:
    """Start everything and stay until SIGINT or SIGTERM. Returns the exit code.

    A local workspace that is new opens with something to try things out with, unless `empty`; its page opens in a
    browser where there is one, unless `browser` is off.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with only_one(settings.data_dir):
        was_new = is_new(settings)
        database = Database(settings.resolved_database_url)
        upgrade_database(database)
        is_seeded = not empty and seed_workspace(settings, database, was_new=was_new)
        database.dispose()
        children = plan(settings)
        try:
            start_all(children, settings, stop)
            if is_seeded:
                open_conversation(settings, workspace_url(settings))
            _say_where(settings)
            if browser and settings.uses_local_workspace and has_desktop():
                webbrowser.open(workspace_url(settings))
            while not stop.wait(0.5):
                for child in children:
                    child.watch()
        finally:
            stop_all(children)
    return 0


class AlreadyUp(Exception):
    """Another `huisstijl up` works on this folder already. Use that one, or stop it with Ctrl-C and start again."""


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """Hold this data folder for one `huisstijl up`; the system lets go when the process ends, however it ends.

    Raises AlreadyUp.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "up.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyUp(AlreadyUp.__doc__) from None
        yield


def plan(settings: Settings, **environment_overrides: str) -> list[Child]:
    """The processes of this installation, in the order in which they start."""
    overrides = dict(environment_overrides)
    names = ["serve", "trainer", "clock", "bot"]
    if settings.uses_local_workspace:
        tokens = load_tokens(workspace_folder(settings))
        overrides |= {
            "SLACK_BOT_TOKEN": tokens["bot_token"],
            "SLACK_APP_TOKEN": tokens["app_token"],
            "SLACK_SIGNING_SECRET": tokens["signing_secret"],
            "HUISSTIJL_SLACK_API_URL": f"{workspace_url(settings)}/api/",
            "HUISSTIJL_SLACK_MODE": "socket",
            "HUISSTIJL_PROMPT_LOG": str(settings.prompt_log or workspace_folder(settings).resolve() / "prompts.jsonl"),
        }
        names.insert(0, "workspace")
    environment = child_environment(settings, **overrides)
    return [
        Child(name=name, command=[sys.executable, "-m", "bot.cli", name], environment=environment) for name in names
    ]


def start_all(children: list[Child], settings: Settings, stop: threading.Event) -> None:
    """Start them in order; the bot needs its workspace to answer, and whoever opens that needs a bot and a model."""
    for child in children:
        child.start()
        if child.name == "workspace":
            _wait_until(lambda: httpx.get(f"{workspace_url(settings)}/api/api.test", **_PROBE).is_success, stop)
    if settings.uses_local_workspace:
        log.info("model.loading", note="half a minute the first time, a few seconds later on")
        health = f"http://{settings.serve_host}:{settings.serve_port}/health"
        _wait_until(lambda: _hears_slack(settings), stop, children)
        _wait_until(lambda: httpx.get(health, **_PROBE).is_success, stop, children, seconds=120)


def _hears_slack(settings: Settings) -> bool:
    health = httpx.get(f"{workspace_url(settings)}/healthz", **_PROBE)
    return health.is_success and health.json()["connections"] > 0


def workspace_url(settings: Settings) -> str:
    return f"http://{settings.workspace_host}:{settings.workspace_port}"


def stop_all(children: list[Child]) -> None:
    """SIGTERM to all, the last started first; what does not end in time is killed."""
    running = [child for child in reversed(children) if child.process is not None]
    for child in running:
        if child.process is not None:
            child.process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + SECONDS_TO_STOP
    for child in running:
        process = child.process
        if process is None:
            continue
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.error("process.killed", process=child.name)
            process.kill()
            process.wait()
        log.info("process.stopped", process=child.name, exit_code=process.returncode)


def _wait_until(
    is_so: Callable[[], bool], stop: threading.Event, started: Sequence[Child] = (), *, seconds: float = 30
) -> None:
    """For so long at most; what has died meanwhile of those that were started is started again."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and not stop.is_set():
        with suppress(httpx.HTTPError):
            if is_so():
                return
        for child in started:
            child.watch()
        stop.wait(0.05)


def _say_where(settings: Settings) -> None:
    if settings.uses_local_workspace:
        log.info(
            "workspace.local", url=workspace_url(settings),
            note="no Slack tokens are set, so a workspace of our own starts: open this address in a browser",
        )  # fmt: skip
    else:
        log.info("workspace.slack", mode=settings.slack_mode)
