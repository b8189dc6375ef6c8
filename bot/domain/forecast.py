"""What a run foresaw about more examples, as figures for a sentence. Pure: stored values in, an outlook out.

The trainer works in training pairs; people count approved examples, of which some are kept unseen. Figures here are
examples, rounded to what a forecast can mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

#: (mean, low, high) in bits per byte.
Bounds = tuple[float, float, float]


class Prospect(StrEnum):
    """What more examples would do."""

    SERVES = "serves"  #: The rung is the champion itself: more examples make it better.
    AHEAD = "ahead"  #: It is ahead already, if not beyond the noise.
    OVERTAKES = "overtakes"  #: It would overtake the champion.
    NEVER = "never"  #: Not within the limit, at this rate.


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """A forecast in approved examples and bits per byte."""

    prospect: Prospect
    rung: str
    champion: str
    #: More approved examples until it overtakes, and the interval; None: not within the limit.
    more: int | None
    more_low: int | None
    more_high: int | None
    #: That it overtakes within the limit.
    chance: float
    limit: int
    #: Over the champion: of another run now, and with twice as many examples.
    gain_now: Bounds
    gain_doubled: Bounds


def read_outlook(values: Mapping[str, Any], *, gain_now: Bounds, gain_doubled: Bounds) -> Outlook:
    """From what the trainer stored, and its gains at two sizes."""
    pairs, examples = int(values["train_pairs"]), int(values["examples"])

    def more(name: str) -> int | None:
        size = values.get(name)
        return None if size is None else round_as_known((int(size) - pairs) * examples / pairs)

    return Outlook(
        prospect=_prospect(values), rung=str(values["rung"]), champion=str(values["champion"]),
        more=more("overtakes"), more_low=more("overtakes_low"), more_high=more("overtakes_high"),
        chance=float(values["chance"]), limit=int(values["limit_examples"]),
        gain_now=gain_now, gain_doubled=gain_doubled,
    )  # fmt: skip


def _prospect(values: Mapping[str, Any]) -> Prospect:
    if values["rung"] == values["champion"]:
        return Prospect.SERVES
    if values.get("overtakes") is None:
        return Prospect.NEVER
    return Prospect.AHEAD if values["overtakes"] <= values["train_pairs"] else Prospect.OVERTAKES


def round_as_known(count: float) -> int:
    """To two figures: 143 is about 140, and 1,234 about 1,200."""
    return int(float(f"{count:.2g}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedGain:
    """What a run at the present number of examples is expected to gain over the champion."""

    #: Bits per byte; below zero where the champion would stay ahead.
    bits: float
    #: That it would be better at all, 0 to 1.
    chance: float
