"""Work that nobody waits for and that needs the model server: it goes on by itself when the server was away."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod

import structlog

from bot.errors import ModelError, SlackError
from bot.workers import Bell
from db.session import DatabaseUnavailable

log = structlog.get_logger()

LONGEST_PAUSE_SECONDS = 30.0


class Background(ABC):
    """One thread that calls `work_once` until there is nothing to do, and then waits for the bell."""

    def __init__(self, name: str, *, bell: Bell, poll_seconds: float, idle_polls: int = 1) -> None:
        """After a failure it tries again after `poll_seconds`, then twice as long; without work it looks again after
        `idle_polls` times as long, since the bell says when there is some."""
        self._name = name
        self._bell = bell
        self._poll_seconds = poll_seconds
        self._idle_seconds = idle_polls * poll_seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @abstractmethod
    def work_once(self) -> bool:
        """Do one piece of work; False when there is none. Raises ModelError, SlackError, DatabaseUnavailable."""

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._bell.ring()
        self._thread.join(timeout=10)

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            try:
                worked = self.work_once()
                if failures:
                    log.info("background.resumed", work=self._name, after_failures=failures)
                failures = 0
            except (ModelError, SlackError, DatabaseUnavailable) as error:
                failures += 1
                if failures == 1:  # once, not at every try
                    cause = type(error.__cause__).__name__ if error.__cause__ else None
                    log.warning("background.waiting", work=self._name, error=type(error).__name__, cause=cause)
                self._stopping.wait(min(self._poll_seconds * 2 ** min(failures, 10), LONGEST_PAUSE_SECONDS))
                continue
            except Exception:
                log.exception("background.failed", work=self._name)
                self._stopping.wait(LONGEST_PAUSE_SECONDS)
                continue
            if not worked:
                self._bell.wait(self._idle_seconds)
