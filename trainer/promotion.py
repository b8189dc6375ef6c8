"""The gate: does a challenger replace the champion? Pure: scorecards in, a verdict with its reason out.

Better means beyond the noise: the lower bound of the paired difference in bits per byte, on pairs that neither
was trained on, is above zero. Several challengers share one chance of error (Bonferroni), so looking at more of
them does not promote more by luck. A champion may be a prompt without an adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trainer.metrics import Interval, Scorecard, bits_per_byte_gain

#: With this many unseen pairs a true gain of half the pair-to-pair spread is found in 8 of 10 cases, against one
#: challenger; `tests/unit/trainer/test_promotion.py` measures it.
PAIRS_FOR_POWER = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When to replace a champion."""

    #: Fewer unseen pairs than this never promote anything.
    min_pairs: int = 20
    #: Over all challengers of one decision together.
    false_promotion_rate: float = 0.05
    #: Bits per byte to gain beyond being better at all.
    min_gain_bits: float = 0.0
    resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One challenger against the champion: the gain in bits per byte, positive is better."""

    rung: str
    gain: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Promote:
    """The challenger is better beyond the noise."""

    rung: str
    reason: str
    comparisons: tuple[Comparison, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The champion stays."""

    rung: str
    reason: str
    comparisons: tuple[Comparison, ...]


Verdict = Promote | Keep


def decide(champion: Scorecard, challengers: Sequence[Scorecard], policy: Policy) -> Verdict:
    """Promote the best challenger that is better beyond the noise, or keep the champion; with a sentence.

    All scorecards are of the same unseen pairs; ValueError otherwise.
    """
    if not challengers:
        return Keep(rung=champion.rung, reason=f"kept {champion.rung}: nothing to compare it with", comparisons=())
    if champion.n < policy.min_pairs:
        reason = (
            f"kept {champion.rung}: only {champion.n} unseen {_pairs(champion.n)}, {policy.min_pairs} needed "
            "to tell better from luck"
        )
        return Keep(rung=champion.rung, reason=reason, comparisons=())

    comparisons = tuple(_compare(champion, challengers, policy))
    ranked = sorted(comparisons, key=lambda comparison: -comparison.gain.mean)
    winners = [c for c in ranked if c.gain.low > policy.min_gain_bits]
    if winners:
        best = winners[0]
        reason = (
            f"promoted {best.rung} over {champion.rung}: {best.gain.mean:.2f} bits per byte better, "
            f"interval {_range(best.gain)}{_shared_by(len(challengers))} (n={best.gain.n})"
        )
        return Promote(rung=best.rung, reason=reason, comparisons=comparisons)
    return Keep(
        rung=champion.rung,
        reason=f"kept {champion.rung}: {_why_not(ranked[0], policy)}",
        comparisons=comparisons,
    )


def _compare(champion: Scorecard, challengers: Sequence[Scorecard], policy: Policy) -> list[Comparison]:
    # A two-sided interval is asked one-sidedly ("low > 0"), so at one challenger and a rate of 5 % it is the usual
    # 95 % interval, which errs on the promoting side in 2.5 % of cases. The percentile bootstrap is a little too
    # narrow at small n; that margin is what pays for it.
    confidence = 1 - policy.false_promotion_rate / len(challengers)
    return [
        Comparison(
            rung=challenger.rung,
            gain=bits_per_byte_gain(
                champion, challenger, resamples=policy.resamples, seed=policy.seed, confidence=confidence
            ),
        )
        for challenger in challengers
    ]


def _why_not(best: Comparison, policy: Policy) -> str:
    gain = best.gain
    if gain.mean <= 0:
        return f"{best.rung}, the best challenger, is {-gain.mean:.2f} bits per byte worse (n={gain.n})"
    if gain.low <= 0:
        return (
            f"{best.rung} is {gain.mean:.2f} bits per byte better, but the interval {_range(gain)} contains zero "
            f"(n={gain.n})"
        )
    return (
        f"{best.rung} is {gain.mean:.2f} bits per byte better, interval {_range(gain)}, but the style asks for at "
        f"least {policy.min_gain_bits:.2f} (n={gain.n})"
    )


def _range(interval: Interval) -> str:
    return f"{_signed(interval.low)} to {_signed(interval.high)}"


def _signed(value: float) -> str:
    # Rounded towards zero would print "-0.00"; a minus sign is written as one.
    text = f"{value:.2f}"
    if float(text) == 0 and value != 0:
        text = f"{value:.2g}"
    return text.replace("-", "−")


def _pairs(n: int) -> str:
    return "pair" if n == 1 else "pairs"


def _shared_by(challengers: int) -> str:
    return f" widened for {challengers} challengers" if challengers > 1 else ""
