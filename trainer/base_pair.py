"""What would serve on another base model, against what serves now: for a person to sign off. Pure.

A pair is a base model with what stands on it: an adapter, or a prompt without one. The gate never moves a style to
another base model by itself, because more than bits per byte depends on it (licence, languages, memory); it says which
pair would serve there by its own rules, and how that does against the one that serves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from config.rungs import Rung
from config.sentences import Note, Value, note
from trainer.metrics import Interval, Scorecard, bits_per_byte_gains
from trainer.promotion import (
    CLEARLY_FEWER,
    Comparison,
    Keep,
    MoveDown,
    Policy,
    Promote,
    candidate_name,
    decide,
    is_not_worse,
    related,
    settling,
)


class Standing(StrEnum):
    """How the new pair does against the one that serves."""

    BETTER = "better"  #: Beyond the noise.
    AS_GOOD = "as_good"  #: Not worse by more than the margin, beyond the noise.
    UNSETTLED = "unsettled"  #: Within the noise, or too few unseen pairs to tell.
    WORSE = "worse"  #: Beyond the noise.


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPair:
    """The candidate that would serve on the new base model, by its key, and its gain over what serves."""

    key: str
    gain: Interval
    standing: Standing

    def as_json(self) -> dict[str, Any]:
        return {"standing": self.standing.value, "gain": asdict(self.gain)}


def judge_pair(
    champion: Scorecard, new: Sequence[Scorecard], policy: Policy, rungs: Mapping[str, Rung], *, bases: tuple[str, str]
) -> tuple[Keep, NewPair]:
    """Which candidate on the new base model would serve there, and how it does against the champion, which stays.

    `rungs`: every candidate's, by key. `bases`: what the champion's base model and the new one are called.
    """
    chosen = _choose(champion, new, policy, rungs)
    gains = bits_per_byte_gains(
        champion, new, resamples=policy.resamples, seed=policy.seed, confidence=policy.confidence(champion.unrelated)
    )
    comparisons = tuple(Comparison(rung=one.rung, gain=gain) for one, gain in zip(new, gains, strict=True))
    gain = next(one.gain for one in comparisons if one.rung == chosen)
    pair = NewPair(key=chosen, gain=gain, standing=_standing(gain, policy))
    values: dict[str, Value] = {
        "pair": _name(chosen, rungs), "new": bases[1], "champion": _name(champion.rung, rungs), "old": bases[0],
    }  # fmt: skip
    also = list(related(champion, least=1.0 if gain.unrelated < policy.min_pairs else CLEARLY_FEWER))
    if rungs[champion.rung].needs_adapter and not rungs[chosen].needs_adapter:
        also.append(note("no adapter is needed there so far"))
    if pair.standing is Standing.UNSETTLED:
        also = [*settling(gain, policy, -policy.margin_bits), *also]
    return Keep(rung=champion.rung, why=_why(pair, values, policy), comparisons=comparisons, also=tuple(also)), pair


def _name(key: str, rungs: Mapping[str, Rung]) -> str:
    """Without its base model, which the sentence names."""
    return candidate_name(key, rungs) if rungs[key].needs_adapter else rungs[key].value


def _choose(champion: Scorecard, new: Sequence[Scorecard], policy: Policy, rungs: Mapping[str, Rung]) -> str:
    """What the gate would come to on the new base model alone, from the champion's own rung on."""
    same = [card for card in new if rungs[card.rung] is rungs[champion.rung]]
    start = same[0] if same else min(new, key=lambda card: card.bits_per_byte)
    verdict = decide(start, [card for card in new if card is not start], policy, rungs)
    return verdict.rung if isinstance(verdict, Promote | MoveDown) else start.rung


def _standing(gain: Interval, policy: Policy) -> Standing:
    if gain.unrelated < policy.min_pairs:
        return Standing.UNSETTLED
    if gain.low > policy.min_gain_bits:
        return Standing.BETTER
    if is_not_worse(gain, policy.margin_bits):
        return Standing.AS_GOOD
    return Standing.WORSE if gain.high < 0 else Standing.UNSETTLED


def _why(pair: NewPair, values: dict[str, Value], policy: Policy) -> Note:
    gain = pair.gain
    known = {**values, "mean": gain.mean, "low": gain.low, "high": gain.high, "n": gain.n}
    if gain.unrelated < policy.min_pairs:
        return note(
            "Not settled whether {pair} on {new} is as good as {champion} on {old}: {n} unseen pairs of the {needed} "
            "that are needed to tell.",
            **values, n=gain.unrelated, needed=policy.min_pairs,
        )  # fmt: skip
    if pair.standing is Standing.BETTER:
        return note(
            "{pair} on {new} is {mean:.2f} bits per byte better than {champion} on {old} ({low} to {high}, n={n}).",
            **known,
        )
    if pair.standing is Standing.AS_GOOD:
        return note(
            "{pair} on {new} is as good as {champion} on {old}: it gains {mean} bits per byte ({low} to {high}, "
            "n={n}), so it is not worse by more than {margin:.2f}.",
            **known, margin=policy.margin_bits,
        )  # fmt: skip
    if pair.standing is Standing.WORSE:
        return note(
            "{pair} on {new} is {mean:.2f} bits per byte worse than {champion} on {old} ({low} to {high}, n={n}).",
            **{**known, "mean": -gain.mean, "low": -gain.high, "high": -gain.low},
        )
    return note(
        "Not settled whether {pair} on {new} is as good as {champion} on {old}: it gains {mean} bits per byte ({low} "
        "to {high}, n={n}), which is within the noise.",
        **known,
    )  # fmt: skip
