"""Runs execute on this host, each in a child process of its own: memory is given back when it ends, and whatever
kills it (no memory left, a driver's fault) leaves the worker alive to say so."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping

from config.settings import Settings, child_environment
from trainer.launchers import RunningChild


class LocalLauncher:
    """Starts `python -m trainer.launchers.child` with this process's settings."""

    def __init__(self, settings: Settings, environment: Mapping[str, str] | None = None) -> None:
        self.settings, self.environment = settings, dict(environment or {})

    def launch(self, run_id: str, fence: int) -> RunningChild:
        # Ctrl-C reaches the whole process group of a terminal; the child ignores it and waits for its worker's word.
        return LocalChild(
            subprocess.Popen(
                [sys.executable, "-m", "trainer.launchers.child", run_id, str(fence)],
                env=child_environment(self.settings, **self.environment),
                stdin=subprocess.DEVNULL,
            )
        )


class LocalChild:
    """A child process on this host."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process

    def exit_code(self, wait_seconds: float = 0.0) -> int | None:
        try:
            return self.process.wait(wait_seconds)
        except subprocess.TimeoutExpired:
            return None

    def ask_to_stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
