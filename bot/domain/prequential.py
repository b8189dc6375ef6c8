"""The prequential figure: what was foretold of newly approved examples, each before it counted. Pure.

What the bot drafted itself is left out where it writes texts: a model finds its own words likely, and the figure would
say so. Such examples are judged by what people kept, changed and turned down instead. A label that the bot chose is
not: it is right or wrong whoever chose it first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bot.domain.ladder import bits_per_byte

RESAMPLES = 1000
#: Fewer examples than this are no figure yet.
MIN_EXAMPLES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """One example: what it cost, in nats, and whether its label was right."""

    nll_nats: float
    completion_bytes: int
    is_right: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Prequential:
    """Bits per byte of `n` examples, or of labels the share that was right; each with its 95 % interval."""

    n: int
    mean: float
    low: float
    high: float
    is_share_right: bool


def summarise(foretold: Sequence[Foretold], *, has_labels: bool) -> Prequential | None:
    """None of no examples. Intervals are the percentile bootstrap over examples, seeded."""
    if has_labels:
        right = np.array([one.is_right for one in foretold if one.is_right is not None], dtype=float)
        if not len(right):
            return None
        chosen = np.random.default_rng(0).integers(0, len(right), size=(RESAMPLES, len(right)))
        low, high = np.quantile(right[chosen].mean(axis=1), [0.025, 0.975])
        return Prequential(
            n=len(right), mean=float(right.mean()), low=float(low), high=float(high), is_share_right=True
        )
    if not foretold:
        return None
    mean, low, high = bits_per_byte([one.nll_nats for one in foretold], [one.completion_bytes for one in foretold])
    return Prequential(n=len(foretold), mean=mean, low=low, high=high, is_share_right=False)
