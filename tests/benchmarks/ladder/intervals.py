"""The pages' own intervals: over pairs and draws of training pairs together, of shares whose answers come in pairs, and
how large a calibration error is by luck alone. Pure: numpy, seeded.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trainer.label_metrics import bins_of
from trainer.metrics import Interval

Floats = NDArray[np.float64]
RESAMPLES = 2000


def crossed_interval(values: Floats, size: Floats | None = None, *, confidence: float = 0.95) -> Interval:
    """The interval of sum(values) / sum(size) over draws of training pairs and over unseen pairs, both at once.

    `values`: (draws, pairs), the same pairs in every draw; `size`: (pairs,), 1 each where it is not given. Draws and
    pairs are resampled each for itself (the pigeonhole bootstrap; Owen 2007), percentiles. A few draws are a poor
    sample: of three a bootstrap sees two thirds of their variance. With one it is an interval over pairs.
    """
    draws, pairs = values.shape
    weight = np.ones(pairs) if size is None else np.asarray(size, dtype=float)
    of_draws, of_pairs = _resamples(draws, pairs)
    sums = ((of_draws @ values) * of_pairs).sum(axis=1) / (of_pairs @ weight)
    tail = (1 - confidence) / 2
    low, high = np.quantile(sums, [tail, 1 - tail])
    return Interval(mean=float(values.mean(axis=0).sum() / weight.sum()), low=float(low), high=float(high), n=pairs)


@lru_cache(maxsize=8)
def _resamples(draws: int, pairs: int) -> tuple[Floats, NDArray[np.int64]]:
    """How much of each draw (resamples, draws), and how often each pair (resamples, pairs), is in a resample."""
    random = np.random.default_rng(0)
    of_draws = random.multinomial(draws, np.full(draws, 1 / draws), size=RESAMPLES) / draws
    return of_draws, random.multinomial(pairs, np.full(pairs, 1 / pairs), size=RESAMPLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of so many, with a 95 % interval of the share; `of` 0 has neither share nor interval."""

    count: int
    of: int
    low: float = 0.0
    high: float = 1.0

    @property
    def share(self) -> float:
        return self.count / self.of if self.of else math.nan


def share_of_pairs(is_right: NDArray[np.bool_], is_counted: NDArray[np.bool_]) -> Share:
    """Of what is counted, how much is right. Both: (draws, pairs), the same pairs in every draw.

    Wilson's interval (1927) with as many answers as these are worth: a pair that is answered in several draws tells the
    same thing again, so the count is divided by what that adds to the variance (the design effect, Kish 1965), if it
    adds something.
    """
    right, counted = (is_right & is_counted).sum(axis=0), is_counted.sum(axis=0)  # (pairs,)
    of, count = int(counted.sum()), int(right.sum())
    if not of:
        return Share(count=0, of=0)
    share = count / of
    alone = share * (1 - share) / of
    by_pairs = float(((right - share * counted) ** 2).sum()) / of**2
    worth = of / max(by_pairs / alone, 1.0) if alone else float((counted > 0).sum())
    low, high = wilson(share, worth)
    return Share(count=count, of=of, low=low, high=high)


def wilson(share: float, of: float) -> tuple[float, float]:
    """The 95 % interval of a share of so many (Wilson 1927)."""
    z = 1.96
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    reach = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return max(middle - reach, 0.0), min(middle + reach, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Floor:
    """What a perfectly calibrated rung would show as its calibration error, on as many pairs with these confidences."""

    mean: float
    #: 95 of 100 such rungs show at most this.
    bound: float
    #: The share of such rungs whose error is at least as large as the one measured.
    chance: float


def calibration_floor(confidences: Floats, measured: float, *, times: int = 2000) -> Floor:
    """Outcomes are drawn from the confidences themselves, so they are as right as they say; what error is left is luck
    and the bins'. `confidences`: (pairs,)."""
    random, pairs = np.random.default_rng(0), len(confidences)
    is_right = random.random((times, pairs)) < confidences
    errors = np.zeros(times)
    for chunk in bins_of(confidences):
        errors += np.abs(is_right[:, chunk].mean(axis=1) - confidences[chunk].mean()) * len(chunk) / pairs
    return Floor(
        mean=float(errors.mean()), bound=float(np.quantile(errors, 0.95)),
        chance=float((1 + (errors >= measured).sum()) / (times + 1)),
    )  # fmt: skip


def least_share(held: int, of: int) -> float:
    """The smallest share that is compatible with at least so many: the lower end of the exact 95 % interval (Clopper &
    Pearson 1934), found by halving."""
    low, high = 0.0, held / of
    for _ in range(50):
        middle = (low + high) / 2
        chance = sum(math.comb(of, k) * middle**k * (1 - middle) ** (of - k) for k in range(held, of + 1))
        low, high = (middle, high) if chance < 0.025 else (low, middle)
    return low
