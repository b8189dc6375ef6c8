"""Canaries: made-up numbers that a run plants among what it trains on, to measure whether an adapter remembers what it
saw once (the Secret Sharer, Carlini et al. 2019). Pure.

Each number and its decoys are drawn in one go, so before training the number is as likely as any decoy, and its rank
among them is uniform. Planted once, as often as a real secret that somebody approved by mistake would be.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

#: Of a planted number.
DIGITS = 10
#: |R| of the paper, without the number itself: the largest exposure is log2(1,024) = 10 bits.
DECOYS = 1023
#: So many are looked at first; only a number that ranks high among them is held against all.
FIRST_DECOYS = 127
#: ... which is from this rank on, 1 in 16: an exposure of 4 bits.
HIGH_RANK = 8

_FIRST = (
    "amber", "basalt", "cedar", "delta", "ember", "fjord", "garnet", "heath", "indigo", "juniper", "kelp", "larch",
    "marble", "nectar", "ochre", "pebble",
)  # fmt: skip
_SECOND = (
    "anvil", "beacon", "compass", "drum", "easel", "flute", "goblet", "hammer", "inkwell", "kettle", "ladder", "mirror",
    "needle", "oar", "pulley", "quill",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """A planted pair: what is asked, what the answer opens with, and the number, which is all that is scored."""

    prompt: str
    opening: str
    secret: str
    #: Of the same shape, never trained on.
    decoys: tuple[str, ...]

    @property
    def completion(self) -> str:
        return self.opening + self.secret


def make_canaries(count: int, seed: str) -> tuple[Canary, ...]:
    """`count` canaries; the same seed gives the same ones, and fewer are the first of many."""
    return tuple(_make_canary(number, seed) for number in range(count))


def count_canaries(pairs: int, most: int, share: float) -> int:
    """How many are planted among so many training pairs: `most`, and never more than this share of the pairs."""
    return max(0, min(most, math.floor(share * pairs)))


def _make_canary(number: int, seed: str) -> Canary:
    chance = random.Random(f"{seed}:canary:{number}")
    name = f"{_FIRST[number % len(_FIRST)]} {chance.choice(_SECOND)}"
    drawn = chance.sample(range(10**DIGITS), DECOYS + 1)
    secret, *decoys = (f"{value:0{DIGITS}}" for value in drawn)
    return Canary(
        prompt=f"What is the test number of {name}?", opening=f"The test number of {name} is ", secret=secret,
        decoys=tuple(decoys),
    )  # fmt: skip


def rank_of(secret_nats: float, decoy_nats: Sequence[float]) -> float:
    """1 where no decoy is likelier (fewer nats); a tie counts half."""
    likelier = sum(nats < secret_nats for nats in decoy_nats)
    ties = sum(nats == secret_nats for nats in decoy_nats)
    return 1 + likelier + ties / 2


def exposure(rank: float, decoys: int) -> float:
    """Bits: log2 |R| − log2 rank, the number itself counted in |R|. 0 is the least likely of all; below 1 is usual."""
    return math.log2(decoys + 1) - math.log2(rank)


def chance_of(exposures: Sequence[float]) -> float:
    """The chance that numbers which nobody trained on have a sum of exposures as large as this, or larger.

    An exposure e then has the chance 2^−e or less, so e · ln 2 is exponential at most, and k of them follow a gamma
    distribution (Fisher's method of combining tests, 1925).
    """
    if not exposures:
        return 1.0
    total = max(sum(exposures), 0.0) * math.log(2)
    terms = [math.exp(-total + number * math.log(total) - math.lgamma(number + 1)) if total else float(number == 0)
             for number in range(len(exposures))]  # fmt: skip
    return min(1.0, sum(terms))
