"""What became of a measurement since it was made: its day, and whether it still speaks of what serves. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """The champion was moved after the measurement, for the last time."""

    #: A `PromotionKind`'s value.
    kind: str
    #: Rung or adapter that serves since.
    name: str
    day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class Hindsight:
    """Days are those of the team's time zone."""

    style_name: str
    measured_on: date
    #: None: what the measurement decided is what serves.
    moved: Moved | None
    has_other_instructions: bool
    #: A measurement is owed, and comes by itself.
    is_owed: bool
    #: Drafts are made with documents, and the measurement knew of none.
    has_new_documents: bool
