"""Child processes for runs that may be killed, without importing torch anew for each.

`python -m tests.support.run_nursery` imports everything once and forks a child for every launch; the child is what
`trainer.launchers.child` is, only sooner ready. It computes nothing before it forks, so no thread pool is copied.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from config.settings import Settings, child_environment
from trainer.launchers import RunningChild


class Nursery:
    """The parent's side; several workers may share one."""

    def __init__(self) -> None:
        environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2]), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.run_nursery"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip
        self._lock = threading.Lock()

    def ask(self, **request: Any) -> Any:
        with self._lock:
            assert self._process.stdin is not None
            assert self._process.stdout is not None
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())

    def __enter__(self) -> Nursery:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


class NurseryLauncher:
    """A launcher whose n-th child gets the n-th failpoint; later ones get none."""

    def __init__(self, nursery: Nursery, settings: Settings, *failpoints: str) -> None:
        self.nursery, self.settings, self.failpoints = nursery, settings, list(failpoints)
        self.children: list[NurseryChild] = []

    def launch(self, run_id: str, fence: int) -> RunningChild:
        failpoint = self.failpoints.pop(0) if self.failpoints else ""
        environment = as_environment(self.settings, failpoint=failpoint)
        pid = self.nursery.ask(run_id=run_id, fence=fence, environment=environment)
        self.children.append(NurseryChild(self.nursery, pid))
        return self.children[-1]


def watch_until_killed(launcher: NurseryLauncher, read: Callable[[], list[Any]]) -> list[Any]:
    """What `read` gave last before another child went on with the run; it gives something before the first is
    killed."""
    ends = time.monotonic() + 120
    seen: list[Any] = []
    while (not seen or not launcher.children[-1].code) and len(launcher.children) < 2:
        assert time.monotonic() < ends, "no child was killed in two minutes"
        seen = read()
    return seen


class NurseryChild:
    """A forked child; `launched_at` and `ended_at` are monotonic seconds."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self.nursery, self.pid = nursery, pid
        self.launched_at, self.ended_at = time.monotonic(), 0.0
        self.code: int | None = None

    def exit_code(self, wait_seconds: float = 0.0) -> int | None:
        deadline = time.monotonic() + wait_seconds
        while self.code is None:
            self.code = self.nursery.ask(poll=self.pid)
            if self.code is not None:
                self.ended_at = time.monotonic()
            elif time.monotonic() > deadline:
                return None
            else:
                threading.Event().wait(0.01)
        return self.code

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def ask_to_stop(self) -> None:
        self.signal(signal.SIGTERM)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)


def as_environment(settings: Settings, **more: str) -> dict[str, str]:
    """These settings as variables, for a process of ours."""
    names = (
        "database_url", "base_model", "recipe", "heartbeat_seconds", "lease_seconds", "tick_seconds", "poll_seconds",
        "max_run_attempts", "embedding_model",
    )  # fmt: skip
    values = {name: str(getattr(settings, name)) for name in names} | {"log_format": "json", **more}
    ours = {f"HUISSTIJL_{name.upper()}": value for name, value in values.items()}
    return child_environment(settings, **ours, OMP_NUM_THREADS="1", PYTHONPATH=str(Path(__file__).resolve().parents[2]))


def _child(run_id: str, fence: int, environment: Mapping[str, str]) -> int:
    import torch

    from config import failpoints
    from config.logs import configure_logging
    from config.settings import load_settings
    from trainer.launchers.child import main as execute

    torch.set_num_threads(1)
    os.environ.clear()
    os.environ.update(environment)
    settings = load_settings()
    configure_logging(settings)
    failpoints.arm(settings.failpoint)
    return execute(run_id, fence, settings)


def _launch(request: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        code = _child(request["run_id"], request["fence"], request["environment"])
    finally:
        os._exit(code)


def _poll(pid: int) -> int | None:
    found, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if found else None


def main() -> None:
    import trainer.run  # noqa: F401  # what every child needs

    gc.freeze()  # accelerate collects garbage often, and a child need not look through all modules each time
    for line in sys.stdin:
        request = json.loads(line)
        answer = _poll(request["poll"]) if "poll" in request else _launch(request)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
