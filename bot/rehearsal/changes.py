"""Which messages changed, in order, and a bell for whoever shows them.

A listener is told that something changed, never what: it looks for itself, so that what one person may see is
decided in one place. The log forgets its oldest marks; who has fallen that far behind starts from the whole.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

KEPT_MARKS = 20_000


class Changes:
    """Marks of changed messages, numbered, and the listeners. Thread-safe."""

    def __init__(self, kept: int = KEPT_MARKS) -> None:
        self._lock = threading.Lock()
        self._marks: deque[tuple[int, str, str]] = deque(maxlen=kept)
        self._listeners: list[Callable[[], None]] = []
        self.version = 0

    def mark(self, channel: str, ts: str) -> None:
        """This message is new, changed or gone."""
        with self._lock:
            self.version += 1
            self._marks.append((self.version, channel, ts))

    def since(self, version: int) -> list[tuple[str, str]] | None:
        """The messages marked after this version, each once; None when the log no longer reaches back that far."""
        with self._lock:
            if self._marks and self._marks[0][0] > version + 1:
                return None
            found: dict[tuple[str, str], None] = {}
            for number, channel, ts in reversed(self._marks):
                if number <= version:
                    break
                found[channel, ts] = None
        return list(reversed(found))

    def listen(self, bell: Callable[[], None]) -> Callable[[], None]:
        """Call `bell` (quick, from any thread) after every change; returns what ends that."""
        with self._lock:
            self._listeners.append(bell)

        def end() -> None:
            with self._lock:
                self._listeners.remove(bell)

        return end

    def ring(self) -> None:
        with self._lock:
            bells = list(self._listeners)
        for bell in bells:
            bell()
