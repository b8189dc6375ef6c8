"""Waiting in tests: poll with a deadline, never sleep for a fixed time and hope."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def wait_until(predicate: Callable[[], T | None], *, seconds: float = 20.0, what: str = "") -> T:
    """Return the predicate's first truthy value; fail with a sentence when the deadline passes."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what or predicate!r} (last value: {value!r})")
        pause.wait(0.005)
