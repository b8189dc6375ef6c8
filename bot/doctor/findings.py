"""What a check found: a state, what was seen, and, unless it is fine, how to mend it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "ok"  #: As it should be.
    WARN = "warn"  #: It works, or will, but look at it.
    FAIL = "fail"  #: Something will not work.


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    check: str
    state: State
    seen: str
    mend: str = ""


def ok(check: str, seen: str) -> Finding:
    return Finding(check=check, state=State.OK, seen=seen)


def warn(check: str, seen: str, mend: str) -> Finding:
    return Finding(check=check, state=State.WARN, seen=seen, mend=mend)


def fail(check: str, seen: str, mend: str) -> Finding:
    return Finding(check=check, state=State.FAIL, seen=seen, mend=mend)
