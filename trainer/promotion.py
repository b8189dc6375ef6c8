"""The gate: does a challenger replace the champion? Pure: scorecards in, a verdict with its reason out, as notes that
can be said in any language.

Better means beyond the noise: the lower bound of the paired difference in bits per byte, on pairs that neither was
trained on, is above zero. Several challengers share one chance of error (their intervals hold together), so looking at
more of them does not promote more by luck. Pairs that tell about one another (`config.kinship`) count once, in the
interval and in how many it takes. A champion may be a prompt without an adapter.

A lower rung that is no better is never promoted, but said: where it is not worse by more than a stated margin, beyond
the noise too (non-inferiority; Piaggio et al. 2012, CONSORT), the verdict is to move down, and a person may do so.
docs/gate.md has the gate's chances of error and of finding what is true, measured by simulation.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import NormalDist

from config.rungs import Rung
from config.sentences import Note, Value, join_clauses, note
from trainer.metrics import Interval, Scorecard, bits_per_byte_gains

#: With this many unseen pairs a true gain of half the pair-to-pair spread is found in at least 8 of 10 cases, also by
#: one of four challengers and where differences are skewed; docs/gate.md has the other cases.
PAIRS_FOR_POWER = 80
#: From so many pairs to a group of related ones on average the verdict says it.
CLEARLY_FEWER = 1.25
#: The chance with which so many more pairs as are named would settle a difference, were it as large as measured.
POWER = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """When to replace a champion."""

    #: Fewer unrelated unseen pairs than this never promote anything.
    min_pairs: int = 20
    #: Over all challengers of one decision together. The interval is two-sided and asked one-sidedly, so the chance
    #: aimed at is half of this; the other half is the room for what a bootstrap on few pairs cannot know.
    false_promotion_rate: float = 0.05
    #: Bits per byte to gain beyond being better at all.
    min_gain_bits: float = 0.0
    #: A lower rung that is worse by less than this is as good.
    margin_bits: float = 0.05
    #: The share of all approved examples that is kept unseen; 0 where that is not known.
    unseen_share: float = 0.0
    #: A run measures on no more pairs than this; None is no limit.
    most_pairs: int | None = None
    resamples: int = 2000
    seed: int = 0

    def confidence(self, unrelated: int) -> float:
        """Of the two-sided intervals on so many unrelated pairs: 98.5 % on 20, 95 % from 80 on.

        A bootstrap of few pairs has not seen how far differences can lie apart, and where they are skewed its intervals
        are too short on one side (Hesterberg 2015): asked for 95 % on 20 real pairs the gate promoted by luck in 6.8 of
        100 evaluations. So it asks for more where it knows less (trainer/LOG.md, docs/gate.md).
        """
        share = 0.3 + 0.7 * (unrelated - 20) / (PAIRS_FOR_POWER - 20)
        return 1 - self.false_promotion_rate * min(share, 1.0)

    def per_answer(self, card: Scorecard, margin_bits: float) -> Policy:
        """With a margin in bits per answer, for a card of labels.

        Gains are in bits per byte, and how many bytes a label has says nothing of how good an answer is: 0.05 bits per
        byte are a third of a bit for a label of six letters, and two for one of forty.
        """
        return replace(self, margin_bits=margin_bits * card.n / sum(pair.reference_bytes for pair in card.pairs))


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One challenger against the champion: the gain in bits per byte, positive is better."""

    rung: str
    gain: Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What every verdict says: a sentence, and what follows from it (phrases without a full stop)."""

    rung: str
    why: Note
    comparisons: tuple[Comparison, ...]
    also: tuple[Note, ...] = field(default=())

    @property
    def reason(self) -> str:
        """The whole in one sentence, in English."""
        return join_clauses(str(self.why), [str(clause) for clause in self.also])


class Promote(_Said):
    """The challenger `rung` is better beyond the noise."""


class Keep(_Said):
    """The champion `rung` stays."""


class MoveDown(_Said):
    """The champion stays, but the lower `rung` is as good within the margin: a person may move down to it."""


Verdict = Promote | Keep | MoveDown


def decide(
    champion: Scorecard, challengers: Sequence[Scorecard], policy: Policy, rungs: Mapping[str, Rung] | None = None
) -> Verdict:
    """Promote the best challenger that is better beyond the noise; or keep the champion, or advise to move down.

    `rungs`: of the candidates that are not called after their rung. All scorecards are of the same unseen pairs;
    ValueError otherwise.
    """
    names = _Names(rungs or {})
    if not challengers:
        nothing = note("Stay on {champion}: there is nothing to compare it with.", champion=names.shown(champion.rung))
        return Keep(rung=champion.rung, why=nothing, comparisons=())
    if champion.unrelated < policy.min_pairs:
        too_few = note(
            "Stay on {champion}: not enough yet, {n} unseen pairs of the {needed} that are needed to tell better from "
            "luck.",
            champion=names.shown(champion.rung), n=champion.unrelated, needed=policy.min_pairs,
        )  # fmt: skip
        return Keep(rung=champion.rung, why=too_few, comparisons=(), also=related(champion, least=1.0))

    comparisons = _compare(champion, challengers, policy)
    cards = {card.rung: card for card in challengers}
    ranked = sorted(comparisons, key=lambda comparison: -comparison.gain.mean)
    winner = next((one for one in ranked if one.gain.low > policy.min_gain_bits), None)
    if winner is not None:
        why = _why_better(champion.rung, winner, names)
        also = (*related(champion), *_allowance(len(challengers)), *_tokens_saved(champion, cards[winner.rung]))
        return Promote(rung=winner.rung, why=why, comparisons=comparisons, also=also)
    lower = _find_lower(champion.rung, comparisons, policy, names)
    if lower is not None:
        why = _why_lower(champion.rung, lower, policy, names)
        also = (
            *related(champion), *_tokens_saved(champion, cards[lower.rung]),
            *_no_training(champion.rung, lower.rung, names),
        )  # fmt: skip
        return MoveDown(rung=lower.rung, why=why, comparisons=comparisons, also=also)
    best = ranked[0]
    return Keep(
        rung=champion.rung, why=_why_not(champion.rung, best, policy, names), comparisons=comparisons,
        also=(*related(champion), *settling(best.gain, policy, policy.min_gain_bits)),
    )  # fmt: skip


def is_not_worse(gain: Interval, margin: float) -> bool:
    """Not worse by more than the margin, beyond the noise: the lower bound of the gain is above −margin."""
    return gain.low > -margin


def pairs_to_settle(gain: Interval, threshold: float = 0.0) -> int | None:
    """How many unseen pairs in all would show this gain to be above `threshold`; None when it is not above it now.

    n · ((q + z) · s / (g − t))², where g ± s is the gain with its standard error on n pairs, q = (g − low) / s is how
    many standard errors the interval reaches down on these pairs, and z = 0.84 makes the chance `POWER` = 80 % if the
    true gain is g. The standard error falls with the root of n (Cohen 1988, chapter 2, for paired differences).
    """
    above, spread = gain.mean - threshold, gain.standard_error or 0.0
    if above <= 0:
        return None
    if gain.low > threshold or spread <= 0:
        return gain.n
    reach = (gain.mean - gain.low) / spread + NormalDist().inv_cdf(POWER)
    return max(math.ceil(gain.n * (reach * spread / above) ** 2), gain.n + 1)


def replace_tainted(
    champion: Scorecard,
    challengers: Sequence[Scorecard],
    policy: Policy,
    *,
    prompts: Collection[str],
    rungs: Mapping[str, Rung] | None = None,
) -> Promote:
    """The champion learnt from something that was withdrawn, so it has to go, also to one that is no better.

    The best challenger that is not worse beyond the noise takes its place; otherwise, or where too few unseen pairs
    could tell, the best prompt without an adapter does, which `prompts` names. ValueError when there is none.
    """
    names = _Names(rungs or {})
    comparisons = _compare(champion, challengers, policy)
    ranked = sorted(comparisons, key=lambda comparison: -comparison.gain.mean)
    if champion.unrelated >= policy.min_pairs:
        equal = [one for one in ranked if one.gain.high >= 0]
        if equal:
            why = _why_clean(champion.rung, equal[0], names)
            return Promote(rung=equal[0].rung, why=why, comparisons=comparisons, also=related(champion))
    best = next((one for one in ranked if one.rung in prompts), None)
    if best is None:
        raise ValueError("no prompt was measured")
    return Promote(rung=best.rung, why=_why_prompt(champion.rung, best, names), comparisons=comparisons)


def _compare(champion: Scorecard, challengers: Sequence[Scorecard], policy: Policy) -> tuple[Comparison, ...]:
    gains = bits_per_byte_gains(
        champion, challengers, resamples=policy.resamples, seed=policy.seed,
        confidence=policy.confidence(champion.unrelated),
    )  # fmt: skip
    return tuple(Comparison(rung=one.rung, gain=gain) for one, gain in zip(challengers, gains, strict=True))


@dataclass(frozen=True, slots=True)
class _Names:
    """What a candidate is called, and how high its rung stands."""

    rungs: Mapping[str, Rung]

    def find_rung(self, key: str) -> Rung | None:
        return self.rungs.get(key) or (Rung(key) if key in set(Rung) else None)

    def shown(self, key: str) -> str:
        rung = self.find_rung(key)
        if rung is None or rung.value == key or not rung.needs_adapter:
            return key
        return f"{rung.value} ({key})"

    def height(self, key: str) -> int | None:
        rung = self.find_rung(key)
        return None if rung is None else list(Rung).index(rung)

    def is_lower(self, key: str, than: str) -> bool:
        mine, other = self.height(key), self.height(than)
        return mine is not None and other is not None and mine < other


def candidate_name(key: str, rungs: Mapping[str, Rung]) -> str:
    """What a candidate is called in a sentence: its rung, and the adapter's name where it has one."""
    return _Names(rungs).shown(key)


def _find_lower(champion: str, comparisons: Sequence[Comparison], policy: Policy, names: _Names) -> Comparison | None:
    """The lowest rung below the champion's that is as good within the margin."""
    found = [
        one for one in comparisons if names.is_lower(one.rung, champion) and is_not_worse(one.gain, policy.margin_bits)
    ]
    return min(found, key=lambda one: (names.height(one.rung) or 0, -one.gain.mean), default=None)


# ------------------------------------------------------------------------------------------------ the sentences


def _why_better(champion: str, best: Comparison, names: _Names) -> Note:
    gain = best.gain
    values: dict[str, Value] = {
        "best": names.shown(best.rung), "champion": names.shown(champion), "mean": gain.mean, "low": gain.low,
        "high": gain.high, "n": gain.n,
    }  # fmt: skip
    if names.is_lower(champion, best.rung):
        return note(
            "Moved up to {best}: {mean:.2f} bits per byte better than {champion} ({low} to {high}, n={n}).", **values
        )
    if names.is_lower(best.rung, champion):
        return note(
            "Moved down to {best}: {mean:.2f} bits per byte better than {champion} ({low} to {high}, n={n}).", **values
        )
    return note("Moved to {best}: {mean:.2f} bits per byte better than {champion} ({low} to {high}, n={n}).", **values)


def _allowance(challengers: int) -> tuple[Note, ...]:
    """An interval that is wider than that of a single comparison says so."""
    if challengers == 1:
        return ()
    return (note("the interval allows for {challengers} challengers", challengers=challengers),)


def related(measured: Scorecard | Interval, *, least: float = CLEARLY_FEWER) -> tuple[Note, ...]:
    """That pairs are evidence together and not one by one, where there are `least` or more to a group."""
    if measured.n == measured.unrelated or measured.n < least * measured.unrelated:
        return ()
    return (
        note(
            "the {n} unseen pairs count as {unrelated}, because some of them are related",
            n=measured.n, unrelated=measured.unrelated,
        ),
    )  # fmt: skip


def _why_lower(champion: str, lower: Comparison, policy: Policy, names: _Names) -> Note:
    gain = lower.gain
    return note(
        "Move down to {lower}: against {champion} it gains {mean} bits per byte ({low} to {high}, n={n}), so it "
        "is not worse by more than {margin:.2f}.",
        lower=names.shown(lower.rung), champion=names.shown(champion), margin=policy.margin_bits, mean=gain.mean,
        low=gain.low, high=gain.high, n=gain.n,
    )  # fmt: skip


def _why_not(champion: str, best: Comparison, policy: Policy, names: _Names) -> Note:
    gain = best.gain
    values: dict[str, Value] = {
        "best": names.shown(best.rung), "champion": names.shown(champion), "low": gain.low, "high": gain.high,
        "n": gain.n,
    }  # fmt: skip
    if gain.high < 0:
        return note(
            "Stay on {champion}: {best}, the best challenger, is {mean:.2f} bits per byte worse ({low} to {high}, "
            "n={n}).",
            **values | {"low": -gain.high, "high": -gain.low}, mean=-gain.mean,
        )  # fmt: skip
    if gain.mean <= 0:
        return note(
            "Stay on {champion}: {best}, the best challenger, is no better: {mean} bits per byte ({low} to {high}, "
            "n={n}).",
            **values, mean=gain.mean,
        )  # fmt: skip
    if gain.low <= 0:
        return note(
            "Stay on {champion}: {best} is {mean} bits per byte better, within the noise ({low} to {high}, n={n}).",
            **values, mean=gain.mean,
        )  # fmt: skip
    return note(
        "Stay on {champion}: {best} is {mean:.2f} bits per byte better ({low} to {high}, n={n}), but the style asks "
        "for at least {least:.2f}.",
        **values, mean=gain.mean, least=policy.min_gain_bits,
    )  # fmt: skip


def settling(gain: Interval, policy: Policy, threshold: float) -> tuple[Note, ...]:
    """How many more unseen pairs would show a gain above the threshold that is within the noise now, in tens: it is an
    estimate."""
    needed = pairs_to_settle(gain, threshold)
    if needed is None or needed == gain.n:
        return ()
    if policy.most_pairs is not None and needed > policy.most_pairs:
        return (
            note(
                "if the gain is as large as measured, settling it would take about {needed} unseen pairs, and a run "
                "measures {most} at most",
                needed=_tens(needed), most=policy.most_pairs,
            ),
        )  # fmt: skip
    more = needed - gain.n
    if not policy.unseen_share:
        return (
            note(
                "if the gain is as large as measured, about {more} more unseen pairs would settle it", more=_tens(more)
            ),
        )  # fmt: skip
    return (
        note(
            "if the gain is as large as measured, about {more} more unseen pairs would settle it, which come with "
            "about {examples} more approved examples",
            more=_tens(more), examples=_tens(more / policy.unseen_share),
        ),
    )  # fmt: skip


def _tens(count: float) -> int:
    return math.ceil(count / 10) * 10


def _tokens_saved(champion: Scorecard, other: Scorecard) -> tuple[Note, ...]:
    saved = round(champion.prompt_tokens - other.prompt_tokens)
    if saved > 0:
        return (note("saves {tokens} prompt tokens a draft", tokens=saved),)
    if saved < 0:
        return (note("costs {tokens} more prompt tokens a draft", tokens=-saved),)
    return ()


def _no_training(champion: str, lower: str, names: _Names) -> tuple[Note, ...]:
    rung, below = names.find_rung(champion), names.find_rung(lower)
    if rung is not None and below is not None and rung.needs_adapter and not below.needs_adapter:
        return (note("needs no training"),)
    return ()


def _why_clean(champion: str, best: Comparison, names: _Names) -> Note:
    gain = best.gain
    return note(
        "Moved to {best}: {champion} learnt from something that was withdrawn, and against it this gains {mean} bits "
        "per byte, interval {low} to {high}, so not worse beyond the noise (n={n}).",
        best=names.shown(best.rung), champion=names.shown(champion), mean=gain.mean, low=gain.low, high=gain.high,
        n=gain.n,
    )  # fmt: skip


def _why_prompt(champion: str, best: Comparison, names: _Names) -> Note:
    gain = best.gain
    return note(
        "Went back to {best}: {champion} learnt from something that was withdrawn, and no adapter trained without it "
        "is certain to be as good (n={n}).",
        best=names.shown(best.rung), champion=names.shown(champion), n=gain.n,
    )  # fmt: skip
