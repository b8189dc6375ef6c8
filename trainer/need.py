"""Is the adapter still needed, and would training again pay? Pure: what the gate found in, the same verdict out with
that said, and the figures for whoever queues the next run.

What training again would win back is not known before it is done. It is taken from what training brought the last
time: an adapter that was 0.3 bits per byte ahead of the best prompt when it was trained, and is 0.1 ahead now, is
expected to be 0.3 ahead again, so a run is expected to bring 0.2. Where the prompt is ahead by now, the run is held
against the prompt. The two measurements may have other unseen pairs, so their errors add up (as independent ones do).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from config.rungs import Rung
from config.sentences import Note, note
from trainer.metrics import Interval, Scorecard, bits_per_byte_gains
from trainer.promotion import Comparison, Keep, MoveDown, Policy, Promote, Verdict, candidate_name, related


@dataclass(frozen=True, slots=True, kw_only=True)
class Retraining:
    """What another training is expected to bring over the best of what there is, in bits per byte."""

    mean: float
    low: float
    high: float
    #: It has to be more than this, beyond the noise, to be worth a run.
    least: float

    @property
    def is_worth_it(self) -> bool:
        return self.low > self.least

    @property
    def clause(self) -> Note:
        values = {"mean": self.mean, "low": self.low, "high": self.high, "least": self.least}
        if self.is_worth_it:
            return note(
                "train again: worth it, because it is expected to bring {mean:.2f} bits per byte ({low} to {high}) and "
                "{least:.2f} is asked for",
                **values,
            )  # fmt: skip
        return note(
            "train again: not worth it, because it is expected to bring {mean} bits per byte ({low} to {high}) and "
            "{least:.2f} beyond the noise is asked for",
            **values,
        )  # fmt: skip


def adapter_lead(adapter: Scorecard, prompts: Sequence[Scorecard], policy: Policy) -> Interval | None:
    """By how many bits per byte the adapter is ahead of the best prompt; None where that cannot be told from luck."""
    if not prompts or adapter.unrelated < policy.min_pairs:
        return None
    best = min(prompts, key=lambda card: card.bits_per_byte)
    (lead,) = bits_per_byte_gains(
        best, [adapter], resamples=policy.resamples, seed=policy.seed, confidence=policy.confidence(best.unrelated)
    )
    return lead


def weigh_retraining(before: Interval, now: Interval, *, least: float, confidence: float = 0.95) -> Retraining:
    """`before` and `now`: the adapter's lead over the best prompt when it was trained, and as measured now."""
    is_ahead = now.mean > 0
    spread = math.hypot(before.standard_error or 0.0, (now.standard_error or 0.0) if is_ahead else 0.0)
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * spread
    mean = before.mean - max(now.mean, 0.0)
    return Retraining(mean=mean, low=mean - reach, high=mean + reach, least=least)


def with_need(
    verdict: Verdict, champion: str, rungs: Mapping[str, Rung], retraining: Retraining | None, *,
    is_elsewhere: bool = False,
) -> Verdict:  # fmt: skip
    """The same verdict on an adapter that was measured again, saying whether it is still needed and whether training
    again would pay. `champion`: its key; `rungs`: every candidate's. `is_elsewhere`: the others stand on another base
    model, and the verdict says what that comes to already."""
    if not verdict.comparisons:
        return verdict  # too few pairs to say anything
    also = [] if retraining is None else [retraining.clause]
    if is_elsewhere:
        return replace(verdict, also=(*verdict.also, *also))
    if isinstance(verdict, Promote | MoveDown):
        no_need = [] if rungs[verdict.rung].needs_adapter else [note("the adapter is no longer needed")]
        return replace(verdict, also=(*no_need, *verdict.also, *also))
    best = max(verdict.comparisons, key=lambda one: one.gain.mean)
    if best.gain.high < 0:
        return Keep(
            rung=verdict.rung, why=_why_needed(champion, best, rungs), comparisons=verdict.comparisons,
            also=(*related(best.gain), *also),
        )  # fmt: skip
    return replace(verdict, also=(*verdict.also, *also))


def _why_needed(champion: str, best: Comparison, rungs: Mapping[str, Rung]) -> Note:
    gain = best.gain
    return note(
        "The adapter is still needed: without it, {best} is {mean:.2f} bits per byte worse than {champion} ({low} to "
        "{high}, n={n}).",
        best=candidate_name(best.rung, rungs), champion=candidate_name(champion, rungs), mean=-gain.mean,
        low=-gain.high, high=-gain.low, n=gain.n,
    )  # fmt: skip
