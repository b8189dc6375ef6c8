"""Places where a crash test may kill this process, as a power cut would.

`HUISSTIJL_FAILPOINT=name` kills at the first visit, `name:3` at the third. Unset, a visit costs a comparison.
"""

from __future__ import annotations

import os
import signal
import threading

_armed: str = ""
_visits_left = 0
_lock = threading.Lock()


def arm(spec: str) -> None:
    """Arm one failpoint, `name` or `name:nth`; an empty spec disarms."""
    global _armed, _visits_left
    name, _, nth = spec.partition(":")
    _armed, _visits_left = name, int(nth or 1)


def visit(name: str) -> None:
    """Die here with SIGKILL if this failpoint is armed and this is the visit it waits for."""
    global _visits_left
    if not _armed or name != _armed:
        return
    with _lock:
        _visits_left -= 1
        if _visits_left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
