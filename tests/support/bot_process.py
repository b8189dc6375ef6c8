"""A bot in a process of its own, which a failpoint or a signal kills as a power cut would."""

from __future__ import annotations

import multiprocessing
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import SecretStr

from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from db.inbox import count_unfinished_events
from db.session import Database
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

FORK = multiprocessing.get_context("forkserver")
FORK.set_forkserver_preload(["tests.support.warm_bot"])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def http_settings_for(settings: Settings, workspace: Workspace, model: ScriptedModel, database: Database) -> Settings:
    """Settings of a bot over HTTP on a port of its own, with the product's own lease: half of it is what a call may
    take, and one that takes longer is made again, whether or not Slack had taken it. A busy machine stalls for seconds.
    """
    return settings.model_copy(
        update={
            "slack_bot_token": SecretStr(workspace.bot_token),
            "slack_signing_secret": SecretStr(workspace.signing_secret),
            "slack_mode": "http",
            "http_port": free_port(),
            "slack_api_url": workspace.api_url,
            "model_url": model.url,
            "database_url": database.url.render_as_string(hide_password=False),
            "log_level": "CRITICAL",
            "lease_seconds": Settings.model_fields["lease_seconds"].default,
            "poll_seconds": 0.5,  # bells wake the workers; polling would only take turns from them
        }
    )


def url_of(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.http_port}/slack/events"


def run_one_bot(settings: Settings, failpoint: str) -> None:
    """What a bot process does; the failpoint kills it."""
    from bot.app import run_bot
    from config import failpoints
    from config.logs import configure_logging

    configure_logging(settings)
    failpoints.arm(failpoint)
    run_bot(settings)


@contextmanager
def bot_process(settings: Settings, failpoint: str = "") -> Iterator[multiprocessing.process.BaseProcess]:
    process = FORK.Process(target=run_one_bot, args=(settings, failpoint), daemon=True)
    process.start()
    try:
        wait_until(lambda: accepts(settings.http_port) or not process.is_alive(), seconds=30, what="bot listens")
        yield process
    finally:
        kill(process)


@contextmanager
def socket_bot_process(
    settings: Settings, workspace: Workspace, failpoint: str = ""
) -> Iterator[multiprocessing.process.BaseProcess]:
    """The same over Socket Mode: yields once it is connected to the workspace, returns once it is gone."""
    process = FORK.Process(target=run_one_bot, args=(settings, failpoint), daemon=True)
    process.start()
    try:
        wait_until(lambda: workspace.connections > 0, seconds=30, what="the bot is connected")
        yield process
    finally:
        kill(process)
        wait_until(lambda: workspace.connections == 0, seconds=10, what="the bot is gone")


def inbox_is_done(database: Database) -> bool:
    """Is everything that was delivered worked off, by whichever bot?"""
    with database.read() as session:
        return count_unfinished_events(session) == 0


def kill(process: multiprocessing.process.BaseProcess) -> None:
    """Kill it, unless it died by itself a moment ago; returns when it is gone."""
    with suppress(ProcessLookupError):
        process.kill()
    process.join(20)


def accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
