"""Does a judge model agree with the team? Rank correlations of its grades with people's own votes. Pure.

Spearman's rho (1904) is the correlation of the ranks, ties sharing their mean rank; Kendall's tau-b (1945) counts pairs
that both put in the same order, less those in the opposite one, with its correction for ties. Intervals are the
percentile bootstrap over drafts (Efron & Tibshirani 1993, chapter 13), seeded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 1000
#: A judge counts when both correlations are above this in 95 % of resamples, on so many drafts at least.
FLOOR, LEAST_DRAFTS = 0.3, 50

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """−1 to 1, with its 95 % interval."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of a judge's grades with people's votes, on the same `n` drafts."""

    n: int
    spearman: Correlation
    kendall: Correlation

    @property
    def may_count(self) -> bool:
        """Does the judge say enough of what the team thinks for its grades to be shown?"""
        return self.n >= LEAST_DRAFTS and min(self.spearman.low, self.kendall.low) > FLOOR


def measure_agreement(grades: Sequence[float], votes: Sequence[float]) -> Agreement | None:
    """`grades[i]` and `votes[i]` are of one draft; higher is better in both. None of fewer than two drafts, and where
    either is the same for all of them: nothing can be put in order then."""
    ours, theirs = np.asarray(grades, dtype=float), np.asarray(votes, dtype=float)
    if len(ours) != len(theirs):
        raise ValueError("Every grade needs its vote.")
    if len(ours) < 2 or np.ptp(ours) == 0 or np.ptp(theirs) == 0:
        return None
    chosen = np.random.default_rng(0).integers(0, len(ours), size=(RESAMPLES, len(ours)))
    counts = np.zeros((RESAMPLES + 1, len(ours)))  # how often each draft is in each resample; in the first one, once
    counts[0] = 1.0
    np.add.at(counts[1:], (np.arange(RESAMPLES)[:, None], chosen), 1.0)
    return Agreement(
        n=len(ours), spearman=_summarise(spearman(ours, theirs, counts)),
        kendall=_summarise(kendall_tau_b(ours, theirs, counts)),
    )  # fmt: skip


def _summarise(values: Floats) -> Correlation:
    """Of the drafts as they are, then of the resamples."""
    low, high = np.quantile(values[1:], [0.025, 0.975])
    return Correlation(mean=float(values[0]), low=float(low), high=float(high))


def spearman(one: Floats, other: Floats, counts: Floats) -> Floats:
    """(resamples,): of the drafts, each as often as it counts, (resamples, drafts). 0 where all of either are equal."""
    total = counts.sum(axis=1, keepdims=True)
    a, b = ranks(one, counts), ranks(other, counts)
    a, b = a - (counts * a).sum(axis=1, keepdims=True) / total, b - (counts * b).sum(axis=1, keepdims=True) / total
    return _ratio((counts * a * b).sum(axis=1), (counts * a**2).sum(axis=1), (counts * b**2).sum(axis=1))


def ranks(values: Floats, counts: Floats) -> Floats:
    """(resamples, drafts), from 1 on; equal values share the mean of their ranks."""
    smaller, equal = values[:, None] < values[None, :], values[:, None] == values[None, :]
    found: Floats = counts @ smaller.astype(float) + (counts @ equal.astype(float) + 1) / 2
    return found


def kendall_tau_b(one: Floats, other: Floats, counts: Floats) -> Floats:
    """As `spearman`. A pair of drafts counts as often as both do together."""
    a, b = np.sign(one[:, None] - one[None, :]), np.sign(other[:, None] - other[None, :])  # (drafts, drafts)
    return _ratio(*(((counts @ pairs) * counts).sum(axis=1) for pairs in (a * b, a**2, b**2)))


def _ratio(together: Floats, own: Floats, others: Floats) -> Floats:
    size = np.sqrt(own * others)
    found: Floats = np.divide(together, size, out=np.zeros_like(together), where=size > 1e-9)
    return found
