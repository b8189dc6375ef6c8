"""Edit effort: how much of a draft people changed before they kept it. Pure; 0 is nothing, 1 is everything.

The normalised Levenshtein distance over characters (insertions, deletions and substitutions, over the longer text).
Intervals are the percentile bootstrap over drafts (Efron & Tibshirani 1993, chapter 13), seeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from rapidfuzz.distance import Levenshtein

RESAMPLES = 1000
#: Fewer drafts than this on either side say nothing about a trend.
MIN_DRAFTS = 5


class Trend(StrEnum):
    """How a week compares with the weeks before it."""

    LESS = "less"  #: People change less, beyond the noise.
    MORE = "more"  #: People change more, beyond the noise.
    SAME = "same"  #: No difference that is larger than the noise.
    UNKNOWN = "unknown"  #: Too few drafts to say.


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """The mean edit effort of so many kept drafts, with its 95 % interval."""

    n: int
    mean: float
    low: float
    high: float


def edit_effort(draft: str, kept: str) -> float:
    """0 when the draft was kept as it was, 1 when nothing of it is left."""
    return float(Levenshtein.normalized_distance(draft.strip(), kept.strip()))


def summarise(efforts: Sequence[float]) -> Effort | None:
    """The mean with its interval; None of no drafts."""
    if not efforts:
        return None
    means = _resampled_means(np.asarray(efforts, dtype=float), seed=0)
    low, high = np.quantile(means, [0.025, 0.975])
    return Effort(n=len(efforts), mean=float(np.mean(efforts)), low=float(low), high=float(high))


def compare(before: Sequence[float], now: Sequence[float]) -> Trend:
    """Do people change less now than before? Only a difference whose 95 % interval leaves out 0 counts."""
    if min(len(before), len(now)) < MIN_DRAFTS:
        return Trend.UNKNOWN
    difference = _resampled_means(np.asarray(now), seed=0) - _resampled_means(np.asarray(before), seed=1)
    low, high = np.quantile(difference, [0.025, 0.975])
    if high < 0:
        return Trend.LESS
    return Trend.MORE if low > 0 else Trend.SAME


def _resampled_means(values: np.ndarray, seed: int) -> np.ndarray:
    chosen = np.random.default_rng(seed).integers(0, len(values), size=(RESAMPLES, len(values)))
    means: np.ndarray = values[chosen].mean(axis=1)
    return means
