"""A whole installation of its own for a measurement: the real processes, SQLite, a workspace, all in one folder.

Nothing here touches a real workspace, database or artifact store. Every process's output is kept beside its data.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from pydantic import SecretStr

from bot.rehearsal.options import InstalledApp, WorkspaceOptions
from bot.rehearsal.seed import BRAND, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from bot.up import Child, plan, stop_all
from config.rungs import Rung
from config.settings import Settings, load_settings
from db.examples import ExampleStatus
from db.runs import ENDED, Run, RunStatus, get_run, queue_run, request_cancel
from db.session import Database
from db.styles import Style, StyleReviewer
from db.trainers import Trainer
from db.upgrade import upgrade_database
from tests.support.factories import make_example, make_promotion, make_style
from tests.support.wait import wait_until

SAMPLES = Path(__file__).resolve().parents[2] / "bot" / "rehearsal" / "samples" / "debian-synopses.jsonl"


@dataclass(slots=True, kw_only=True)
class Installation:
    """Processes that have not been started yet, their database, and where they talk to each other."""

    folder: Path
    settings: Settings
    database: Database
    children: dict[str, Child]

    def start(self, *names: str) -> None:
        """Start these, wait until each is ready."""
        for name in names:
            self.children[name].start()
        for name in names:
            wait_until(lambda name=name: self.is_ready(name), seconds=180, what=f"{name} is ready")  # type: ignore[misc]

    def is_ready(self, name: str) -> bool:
        """Does it do its work? The processes without a port say so in their log or in the database."""
        process = self.children[name].process
        if process is None or process.poll() is not None:
            raise AssertionError(f"{name} has died:\n{self.log(name)[-2000:]}")
        match name:
            case "serve":
                return answers(f"http://127.0.0.1:{self.settings.serve_port}/health")
            case "workspace":
                return answers(f"http://127.0.0.1:{self.settings.workspace_port}/api/api.test")
            case "trainer":
                with self.database.read() as session:
                    return session.query(Trainer).count() > 0
            case _:
                return f"{name}.started" in self.log(name)

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def pid(self, name: str) -> int:
        process = self.children[name].process
        if process is None:
            raise AssertionError(f"{name} is not running")
        return process.pid

    def stop(self) -> None:
        stop_all(list(self.children.values()))
        self.database.dispose()


@contextmanager
def installation(folder: Path, workspace: Workspace | None, **overrides: str) -> Iterator[Installation]:
    """An installation against `workspace`, or with a workspace process of its own. Stopped at the end.

    `overrides` are settings by their lower-case names, for all processes.
    """
    prepared = load_settings().models_dir.resolve()
    chosen: dict[str, Any] = {
        "data_dir": folder, "prepared_models_dir": prepared,
        "database_url": "", "artifact_url": "", "model_url": "", "slack_mode": "socket",
        "slack_bot_token": None, "slack_app_token": None, "slack_signing_secret": None,
        "serve_port": free_port(), "workspace_port": free_port(), "http_port": free_port(),
    }  # fmt: skip
    environment = {
        "HUISSTIJL_PREPARED_MODELS_DIR": str(prepared), "HUISSTIJL_DATABASE_URL": "", "HUISSTIJL_ARTIFACT_URL": "",
        "HUISSTIJL_MODEL_URL": "", "HUISSTIJL_SLACK_MODE": "socket", "HUISSTIJL_LOG_LEVEL": "INFO",
    }  # fmt: skip
    if workspace is not None:
        tokens = {
            "slack_bot_token": workspace.bot_token,
            "slack_app_token": workspace.app_token,
            "slack_signing_secret": workspace.signing_secret,
        }
        chosen |= {name: SecretStr(token) for name, token in tokens.items()}
        chosen["slack_api_url"] = workspace.api_url
        environment |= {name.upper(): token for name, token in tokens.items()}
        environment["HUISSTIJL_SLACK_API_URL"] = workspace.api_url
    chosen |= overrides
    for name in ("serve_port", "workspace_port", "http_port", *overrides):
        environment[f"HUISSTIJL_{name.upper()}"] = str(chosen[name])
    settings = Settings(_env_file=None, **chosen)
    database = Database(settings.resolved_database_url)
    upgrade_database(database)
    children = {child.name: child for child in plan(settings, **environment)}
    for child in children.values():
        child.log_file = folder / f"{child.name}.log"
    running = Installation(folder=folder, settings=settings, database=database, children=children)
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def http_workspace(http_port: int) -> Iterator[Workspace]:
    """A workspace that posts signed events to a bot on this port."""
    app = InstalledApp(request_url=f"http://127.0.0.1:{http_port}/slack/events")
    with Workspace(app=app, options=WorkspaceOptions(journal_entries=100_000)) as running:
        yield running


def load_samples() -> list[dict[str, str]]:
    return [json.loads(line) for line in SAMPLES.read_text(encoding="utf-8").splitlines()]


def teach_style(database: Database, *, name: str, instructions: str, examples: int, rung: Rung) -> Style:
    """A style of the seeded workspace, reviewed by Ravi, with so many approved sample pairs."""
    with database.write() as session:
        style = make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name=name, instructions=instructions,
            train_after_examples=0,
        )  # fmt: skip
        style.reviewers.append(StyleReviewer(style_id=style.style_id, user_id=RAVI))
        make_promotion(session, style, rung=rung)
        for pair in load_samples()[:examples]:
            make_example(session, style, status=ExampleStatus.APPROVED, **pair)
    return style


def queue_training(database: Database, settings: Settings, style: Style) -> str:
    """Queue a run of the style, as the clock does. Returns its id."""
    with database.write() as session:
        run = queue_run(
            session, team_id=style.team_id, style_id=style.style_id, scope_key=style.scope_key, slot="benchmark",
            reason="A measurement.", recipe="cpu-small", base_model=settings.base_model,
        )  # fmt: skip
    if run is None:
        raise AssertionError("the run was queued before")
    return run.run_id


def read_run(database: Database, run_id: str) -> Run:
    with database.read() as session:
        return get_run(session, run_id)


def is_training(database: Database, run_id: str) -> bool:
    """Has it made its first step? Raises AssertionError when it has ended."""
    run = read_run(database, run_id)
    if run.status in ENDED:
        raise AssertionError(f"the run ended as {run.status.value}: {run.error}")
    return run.status is RunStatus.TRAINING and int(run.progress.get("step") or 0) > 0


def cancel_training(database: Database, run_id: str) -> None:
    with database.write() as session:
        request_cancel(session, run_id)
    wait_until(lambda: read_run(database, run_id).status in ENDED, seconds=60, what="the run has ended")


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ------------------------------------------------------------------------------------------------ processes


def resident_bytes(pid: int) -> int:
    """What one process holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def children_of(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def age_seconds(pid: int) -> float:
    """Seconds since the process started, to a hundredth."""
    started = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[19]) / os.sysconf("SC_CLK_TCK")
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started


# ------------------------------------------------------------------------------------------------ figures


def say_figure(measure: str, value: str, goal: str = "", is_met: bool | None = None) -> None:
    """One line that `python -m tests.benchmarks` collects for its table."""
    verdict = "" if is_met is None else "yes" if is_met else "NO"
    sys.stdout.write(f"figure | {measure} | {value} | {goal} | {verdict}\n")
    sys.stdout.flush()
