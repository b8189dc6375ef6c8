"""Waiting in tests: poll with a deadline, never sleep for a fixed time and hope."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

#: How much slower than an idle machine one may be before a test gives up on it.
PATIENCE = 3.0


def wait_until(predicate: Callable[[], T | None], *, seconds: float = 20.0, what: str = "", every: float = 0.005) -> T:
    """Return the predicate's first truthy value; fail with a sentence when the deadline passes.

    `seconds` are those of an idle machine. What must be fast is measured; here a busy machine is only slower. Looking
    is work, too: a long wait looks `every` so often.
    """
    deadline = time.monotonic() + PATIENCE * seconds
    pause = threading.Event()
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"after {PATIENCE * seconds:.0f} s still not: {what or predicate!r} (last value: {value!r})"
            )
        pause.wait(every)
