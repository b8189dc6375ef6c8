"""Where a run executes. A launcher starts the child process of one claimed run and hands back a handle on it.

The child does everything else itself: it beats, writes under its fence, and ends the run. What the worker sees of
it is whether it still runs and how it ended.
"""

from __future__ import annotations

from typing import Protocol


class RunningChild(Protocol):
    """One run being executed somewhere."""

    def exit_code(self, wait_seconds: float = 0.0) -> int | None:
        """None while it runs; else its exit code, negative for the signal that killed it."""

    def ask_to_stop(self) -> None:
        """It is to hand its run back and end."""

    def kill(self) -> None:
        """End it at once."""


class Launcher(Protocol):
    def launch(self, run_id: str, fence: int) -> RunningChild:
        """Start executing a run that was claimed with this fence."""
