"""The gate: does a challenger replace the champion? Pure: scorecards in, a verdict with its reason out, as a note that
can be said in any language.

Better means beyond the noise: the lower bound of the paired difference in bits per byte, on pairs that neither
was trained on, is above zero. Several challengers share one chance of error (Bonferroni), so looking at more of
them does not promote more by luck. A champion may be a prompt without an adapter.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from config.sentences import Note, note
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
    why: Note
    comparisons: tuple[Comparison, ...]

    @property
    def reason(self) -> str:
        """The sentence, in English."""
        return str(self.why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keep:
    """The champion stays."""

    rung: str
    why: Note
    comparisons: tuple[Comparison, ...]

    @property
    def reason(self) -> str:
        """The sentence, in English."""
        return str(self.why)


Verdict = Promote | Keep


def decide(champion: Scorecard, challengers: Sequence[Scorecard], policy: Policy) -> Verdict:
    """Promote the best challenger that is better beyond the noise, or keep the champion; with a sentence.

    All scorecards are of the same unseen pairs; ValueError otherwise.
    """
    if not challengers:
        nothing = note("Kept {champion}: there is nothing to compare it with.", champion=champion.rung)
        return Keep(rung=champion.rung, why=nothing, comparisons=())
    if champion.n < policy.min_pairs:
        too_few = note(
            "Kept {champion}: too few unseen pairs to tell better from luck, {n} of the {needed} needed.",
            champion=champion.rung, n=champion.n, needed=policy.min_pairs,
        )  # fmt: skip
        return Keep(rung=champion.rung, why=too_few, comparisons=())

    comparisons = tuple(_compare(champion, challengers, policy))
    ranked = sorted(comparisons, key=lambda comparison: -comparison.gain.mean)
    winners = [c for c in ranked if c.gain.low > policy.min_gain_bits]
    if winners:
        return Promote(
            rung=winners[0].rung, why=_why_better(champion.rung, winners[0], len(challengers)), comparisons=comparisons
        )
    return Keep(rung=champion.rung, why=_why_not(champion.rung, ranked[0], policy), comparisons=comparisons)


def replace_tainted(
    champion: Scorecard, challengers: Sequence[Scorecard], policy: Policy, *, prompts: Collection[str]
) -> Promote:
    """The champion learnt from something that was withdrawn, so it has to go, also to one that is no better.

    The best challenger that is not worse beyond the noise takes its place; otherwise, or where too few unseen pairs
    could tell, the best prompt without an adapter does, which `prompts` names. ValueError when there is none.
    """
    comparisons = tuple(_compare(champion, challengers, policy))
    ranked = sorted(comparisons, key=lambda comparison: -comparison.gain.mean)
    if champion.n >= policy.min_pairs:
        equal = [one for one in ranked if one.gain.high >= 0]
        if equal:
            return Promote(rung=equal[0].rung, why=_why_clean(champion.rung, equal[0]), comparisons=comparisons)
    best = next((one for one in ranked if one.rung in prompts), None)
    if best is None:
        raise ValueError("no prompt was measured")
    return Promote(rung=best.rung, why=_why_prompt(champion.rung, best), comparisons=comparisons)


def _why_clean(champion: str, best: Comparison) -> Note:
    gain = best.gain
    return note(
        "Promoted {best} over {champion}, which learnt from something that was withdrawn: against it {mean:.2f} bits "
        "per byte, interval {low} to {high}, so it is not worse beyond the noise (n={n}).",
        best=best.rung, champion=champion, mean=gain.mean, low=gain.low, high=gain.high, n=gain.n,
    )  # fmt: skip


def _why_prompt(champion: str, best: Comparison) -> Note:
    gain = best.gain
    return note(
        "Went back to {best}: {champion} learnt from something that was withdrawn, and no adapter trained without it "
        "is certain to be as good (n={n}).",
        best=best.rung, champion=champion, n=gain.n,
    )  # fmt: skip


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


def _why_better(champion: str, best: Comparison, challengers: int) -> Note:
    gain = best.gain
    if challengers > 1:
        return note(
            "Promoted {best} over {champion}: {mean:.2f} bits per byte better, interval {low} to {high} widened for "
            "{challengers} challengers (n={n}).",
            best=best.rung, champion=champion, mean=gain.mean, low=gain.low, high=gain.high, challengers=challengers,
            n=gain.n,
        )  # fmt: skip
    return note(
        "Promoted {best} over {champion}: {mean:.2f} bits per byte better, interval {low} to {high} (n={n}).",
        best=best.rung, champion=champion, mean=gain.mean, low=gain.low, high=gain.high, n=gain.n,
    )  # fmt: skip


def _why_not(champion: str, best: Comparison, policy: Policy) -> Note:
    gain = best.gain
    if gain.mean <= 0:
        return note(
            "Kept {champion}: {best}, the best challenger, is {mean:.2f} bits per byte worse (n={n}).",
            champion=champion, best=best.rung, mean=-gain.mean, n=gain.n,
        )  # fmt: skip
    if gain.low <= 0:
        return note(
            "Kept {champion}: {best} is {mean:.2f} bits per byte better, but the interval {low} to {high} contains "
            "zero (n={n}).",
            champion=champion, best=best.rung, mean=gain.mean, low=gain.low, high=gain.high, n=gain.n,
        )  # fmt: skip
    return note(
        "Kept {champion}: {best} is {mean:.2f} bits per byte better, interval {low} to {high}, but the style asks for "
        "at least {least:.2f} (n={n}).",
        champion=champion, best=best.rung, mean=gain.mean, low=gain.low, high=gain.high, least=policy.min_gain_bits,
        n=gain.n,
    )  # fmt: skip
