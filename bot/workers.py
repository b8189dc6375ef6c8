"""Threads that claim rows and work on them. One piece of work that fails never stops its thread.

A worker that finds nothing waits for the bell, or for the next look at the table when nobody rang. A ring wakes one
worker: each that wakes looks with a writing transaction, and ten in vain would cost more than the work.
"""

from __future__ import annotations

import os
import socket
import threading
from abc import ABC, abstractmethod

import structlog

from db.claims import ClaimLost
from db.session import DatabaseUnavailable

log = structlog.get_logger()


class Bell:
    """One ring, one worker. Rings that nobody waited for are remembered as one."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._rings = 0

    def ring(self, workers: int = 1) -> None:
        with self._changed:
            self._rings = max(self._rings, workers)
            self._changed.notify(workers)

    def wait(self, timeout: float) -> bool:
        """True when it rang, False when `timeout` seconds passed."""
        with self._changed:
            rang = self._changed.wait_for(lambda: self._rings > 0, timeout)
            self._rings -= rang
            return rang


class Workers(ABC):
    """Calls `work_once` from each of its threads until stopped, which lets work under way end, for a while."""

    def __init__(self, name: str, *, bell: Bell, poll_seconds: float, threads: int, stop_seconds: float = 20.0) -> None:
        self._name = name
        self._bell = bell
        self._poll_seconds = poll_seconds
        self._stop_seconds = stop_seconds
        self.stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, args=(n,), name=f"{name}-{n}", daemon=True) for n in range(threads)
        ]

    @abstractmethod
    def work_once(self, owner: str) -> bool:
        """Claim some work under this name, which no other thread has, and do it; False when there was none."""

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()
        self._bell.ring(len(self._threads))
        for thread in self._threads:
            thread.join(timeout=self._stop_seconds)

    def _run(self, number: int) -> None:
        owner = f"{socket.gethostname()}:{os.getpid()}:{self._name}-{number}"
        while not self.stopping.is_set():
            if not self._try_once(owner):
                self._bell.wait(self._poll_seconds)

    def _try_once(self, owner: str) -> bool:
        try:
            return self.work_once(owner)
        except (DatabaseUnavailable, ClaimLost) as error:
            log.warning("work.waiting", workers=self._name, error=type(error).__name__)
        except Exception:
            log.exception("work.failed", workers=self._name)
        return False
