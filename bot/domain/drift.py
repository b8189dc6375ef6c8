"""Drift: does a style meet something else by now than what its champion was measured on? Pure.

Values come one by one, higher is worse. Each one's rank among all that came before it, those of the measurement
included, is a p-value, and as long as nothing has changed (the values could have come in any order as well) these are
independent and uniform, however the values are distributed: conformal prediction, with ties broken at random (Vovk,
Gammerman & Shafer 2005, chapter 2; tested online in chapter 7). So nothing is assumed of the losses but that.

A bet on high ranks, e(p) = exp(δz − δ²/2) with z the normal quantile of 1 − p, is worth 1 on average while nothing has
changed, and grows by δ²/2 nats a value when they have risen by δ of their spread. Since nobody knows when a change
begins, a new bet of 1 is made before every value and all go on together:

    M(n) = (M(n−1) + 1) · e(p(n))

the sum of Shiryaev and Roberts as an e-detector (Shin, Ramdas & Rinaldo 2024, "E-detectors: a nonparametric framework
for sequential change detection"). Without a change M(n) is n on average at most and a submartingale, so the chance that
it reaches LIMIT at any of n looks is at most n / LIMIT (Doob). It may be looked at after every value.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

#: The chance of a false alarm in so many values, of examples and of decisions together: a style's year, or less.
FALSE_ALARMS, PER_VALUES = 0.1, 1_000
LIMIT = PER_VALUES / FALSE_ALARMS
#: Rises that are bet on, in spreads of the values; a third of the money each.
RISES = (0.35, 0.7, 1.4)
#: Before there are so many values to rank among, no bet is made.
LEAST_KNOWN = 20
#: A p-value of 0 or 1 has no normal quantile.
_EDGE = 1e-9
_NORMAL = NormalDist()


@dataclass(frozen=True, slots=True, kw_only=True)
class Value:
    """One loss, with the name of what it was of: it breaks ties."""

    name: str
    loss: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """What was found, at the moment of the alarm."""

    #: How many values there were, without those of the measurement.
    at: int
    #: The values since the rise seems to have begun, and their mean; and the mean of all before.
    n: int
    now: float
    before: float


def find_drift(measured: Sequence[float], values: Sequence[Value]) -> Alarm | None:
    """The first moment at which the values have risen beyond chance; None while they have not.

    `measured`: losses of the measurement, which the values are held against. Without any, the first LEAST_KNOWN values
    take their place.
    """
    known = sorted(measured)
    evidence = [0.0] * len(RISES)
    begun, lead = 0, 0.0  # where the bet on the middle rise would have begun best, and what it has won since, in nats
    for number, value in enumerate(values):
        if len(known) >= LEAST_KNOWN:
            z = _NORMAL.inv_cdf(1 - _p_value(known, value))
            evidence = [
                (money + 1) * math.exp(rise * z - rise**2 / 2) for money, rise in zip(evidence, RISES, strict=True)
            ]
            if lead <= 0:
                begun, lead = number, 0.0
            lead += RISES[1] * z - RISES[1] ** 2 / 2
            if sum(evidence) / len(RISES) >= LIMIT:
                return _describe(measured, values[: number + 1], begun)
        insort(known, value.loss)
    return None


def _p_value(known: Sequence[float], value: Value) -> float:
    """The share of the known values, and of this one, that are as bad or worse; of equal ones a random part."""
    worse = len(known) - bisect_right(known, value.loss)
    equal = bisect_right(known, value.loss) - bisect_left(known, value.loss) + 1
    p = (worse + _tie(value.name) * equal) / (len(known) + 1)
    return min(max(p, _EDGE), 1 - _EDGE)


def _tie(name: str) -> float:
    """Between 0 and 1, as good as thrown and the same at every look: losses know nothing of names."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) / 2**64


def _describe(measured: Sequence[float], values: Sequence[Value], begun: int) -> Alarm:
    losses = [value.loss for value in values]
    before, now = [*measured, *losses[:begun]], losses[begun:]
    return Alarm(at=len(values), n=len(now), now=sum(now) / len(now), before=sum(before) / len(before))
