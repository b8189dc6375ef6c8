"""How much one person, and one workspace, may ask for at once. Pure: counts in, a verdict out."""

from __future__ import annotations

from enum import StrEnum

#: Drafts that one person may ask for within WINDOW_SECONDS.
PER_PERSON = 10
WINDOW_SECONDS = 60
#: Drafts of one workspace that are waited for at a time.
OPEN_PER_WORKSPACE = 30


class Verdict(StrEnum):
    FREE = "free"  #: Go ahead.
    PERSON_BUSY = "person_busy"  #: This person asked for many drafts within a minute.
    WORKSPACE_BUSY = "workspace_busy"  #: Too many drafts of this workspace are waited for.


def check_load(*, asked_recently: int, open_drafts: int) -> Verdict:
    """May one more draft be asked for?"""
    if asked_recently >= PER_PERSON:
        return Verdict.PERSON_BUSY
    if open_drafts >= OPEN_PER_WORKSPACE:
        return Verdict.WORKSPACE_BUSY
    return Verdict.FREE
