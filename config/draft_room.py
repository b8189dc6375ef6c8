"""How long a draft may be: half as long again as nearly every text that its style approves of.

The trainer draws that room from the texts and measures drafts within it; the bot serves with what was measured, where
that is more than the recipe allows every draft.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

#: Of the approved texts, those whose length a draft has room for: one that is longer by far makes no draft long.
USUAL_SHARE = 0.95
#: A draft is cut at this many times what they take.
ROOM_FOR_DRAFTS = 1.5
#: What a stored scorecard's summary calls it.
KEY = "room_tokens"


def draw_room(lengths: Sequence[int], *, least: int, most: int) -> int:
    """Tokens that a draft may take, the end of the turn included, as the approved texts' `lengths` do: `least` at
    least, and no more than `most` for their sake."""
    usual = math.ceil(np.quantile(lengths, USUAL_SHARE)) if lengths else 0
    return max(least, min(math.ceil(ROOM_FOR_DRAFTS * usual), most))


def served_room(measured: int | None, *, least: int) -> int:
    """Tokens that a draft may take in use: those that its candidate was `measured` with for the texts' sake, `least` at
    least. None: the texts asked for no more than the recipe allows, or nobody knows."""
    return max(least, measured or 0)
