"""Preferences: which may teach, which measure, and whether what they taught is kept. Pure.

A preference stands where its approved example stands: on the training side it teaches the second stage, on the others
it is kept back and measures it. So nothing that judges is ever trained on, neither by its draft nor by its text.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from config.choosing import Vector
from config.kinship import Embed, find_kin
from config.likeness import normalise
from config.rungs import Rung
from config.sentences import Note, note
from trainer.dataset import TrainingExample
from trainer.metrics import Scorecard
from trainer.promotion import Policy, Promote, decide

#: Standard errors on either side of a share, for 95 %.
_REACH = 1.959964


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencePair:
    """A request with the text that was chosen and the draft that was turned down."""

    preference_id: str
    prompt: str
    chosen: str
    rejected: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferenceSides:
    """Those that teach, and those that are kept back to measure what was learnt."""

    train: tuple[PreferencePair, ...] = ()
    kept_back: tuple[PreferencePair, ...] = ()


def place_preferences(
    pairs: Sequence[tuple[PreferencePair, Collection[str]]],
    *,
    train: Sequence[TrainingExample],
    judging: Sequence[TrainingExample],
    near_duplicate: float,
    embed: Embed | None = None,
) -> PreferenceSides:
    """Sides for preferences, each given with the ids of the approved examples that came of its drafts.

    `train` and `judging` (validation and test) are the run's frozen sides. Left out is a preference whose examples are
    on both or on neither, that tells about an example of the other side (`config.kinship`, by its text), or that is
    kept back and tells about one that teaches; and one whose two texts are the same.
    """
    taught, judged = {one.example_id for one in train}, {one.example_id for one in judging}
    whole = [
        (pair, set(examples)) for pair, examples in pairs
        if pair.rejected.strip() and normalise(pair.chosen) != normalise(pair.rejected)
    ]  # fmt: skip
    teaching = [pair for pair, examples in whole if examples & taught and not examples & judged]
    measuring = [pair for pair, examples in whole if examples & judged and not examples & taught]
    if not teaching and not measuring:
        return PreferenceSides()
    asked, examples_known = [*teaching, *measuring], [*train, *judging]
    vectors = _vectors(asked, examples_known, embed)
    relatives = [
        TrainingExample(
            example_id=pair.preference_id, prompt=pair.prompt, completion=pair.chosen,
            embedding=vectors.get(pair.prompt),
        )
        for pair in asked
    ]  # fmt: skip
    together = [*examples_known, *relatives]
    kin = find_kin(together, near_duplicate=near_duplicate, embed=embed, is_by_text=True)
    index = {one.example_id: number for number, one in enumerate(together)}

    def tells_about(pair: PreferencePair, others: Collection[str]) -> bool:
        own = index[pair.preference_id]
        return any(kin.are_kin(own, index[other]) for other in others)

    teaching = [pair for pair in teaching if not tells_about(pair, judged)]
    known = taught | {pair.preference_id for pair in teaching}
    return PreferenceSides(
        train=tuple(teaching), kept_back=tuple(pair for pair in measuring if not tells_about(pair, known))
    )


def _vectors(
    pairs: Sequence[PreferencePair], examples: Sequence[TrainingExample], embed: Embed | None
) -> dict[str, Vector]:
    """By prompt. Most prompts are those of the examples that came of the same drafts."""
    known = {one.prompt: one.embedding for one in examples if one.embedding is not None}
    missing = sorted({pair.prompt for pair in pairs} - set(known))
    if embed is None or not missing:
        return known
    return known | dict(zip(missing, embed(missing), strict=True))


# ------------------------------------------------------------------------------------------------ what was learnt


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """So many of `n`, with the 95 % interval of the share (Wilson 1927). Each counts for itself, related or not:
    nothing is decided by it."""

    right: int
    n: int

    @property
    def mean(self) -> float:
        return self.right / self.n

    @property
    def bounds(self) -> tuple[float, float]:
        share, square = self.mean, _REACH * _REACH
        middle = (share + square / (2 * self.n)) / (1 + square / self.n)
        reach = _REACH * math.sqrt(share * (1 - share) / self.n + square / (4 * self.n**2)) / (1 + square / self.n)
        return max(middle - reach, 0.0), min(middle + reach, 1.0)


def count_right(card: Scorecard) -> Share:
    """In how many preferences the chosen text is likelier than the rejected one, per byte: by the whole text a shorter
    one would win by its length alone. `card` holds each pair's chosen text, then its rejected one."""
    scores = [pair.bits / pair.reference_bytes for pair in card.pairs]
    return Share(right=sum(a < b for a, b in zip(scores[::2], scores[1::2], strict=True)), n=len(scores) // 2)


def weigh(
    without: Scorecard, with_preferences: Scorecard, policy: Policy, *, pairs: int, shares: tuple[Share, Share] | None
) -> tuple[bool, tuple[Note, ...]]:
    """Is the adapter kept that learnt from preferences? Only where it beats `lora` without them as a challenger has to
    beat a champion. And what to say of it: phrases without a full stop.

    `shares`: of the preferences kept back, before and after. Dropping it here and letting the gate choose among the
    rest adds at most this comparison's own chance of error to the gate's: together they stay within the stated rate,
    of which each uses half (`Policy.false_promotion_rate`).
    """
    rungs = {without.rung: Rung.LORA, with_preferences.rung: Rung.LORA_PREFERENCES}
    verdict = decide(without, [with_preferences], policy, rungs)
    if not verdict.comparisons:
        told = note(
            "whether {pairs} preferences help cannot be told from {n} unseen pairs of the {needed} that are needed, so "
            "what they taught is discarded",
            pairs=pairs, n=without.unrelated, needed=policy.min_pairs,
        )  # fmt: skip
        return False, (told, *_said_of(shares))
    gain = verdict.comparisons[0].gain
    if isinstance(verdict, Promote):
        told = note(
            "{pairs} preferences helped: {mean} bits per byte over `lora` without them ({low} to {high}, n={n})",
            pairs=pairs, mean=gain.mean, low=gain.low, high=gain.high, n=gain.n,
        )  # fmt: skip
        return True, (told, *_said_of(shares))
    told = note(
        "{pairs} preferences did not help, so what they taught is discarded: {mean} bits per byte over `lora` without "
        "them ({low} to {high}, n={n})",
        pairs=pairs, mean=gain.mean, low=gain.low, high=gain.high, n=gain.n,
    )  # fmt: skip
    return False, (told, *_said_of(shares))


def _said_of(shares: tuple[Share, Share] | None) -> tuple[Note, ...]:
    if shares is None:
        return ()
    before, after = shares
    low, high = after.bounds
    return (
        note(
            "of {n} preferences kept back, the chosen text is the likelier one in {after:.0%} ({low:.0%} to "
            "{high:.0%}), and was in {before:.0%} without",
            n=after.n, after=after.mean, low=low, high=high, before=before.mean,
        ),
    )  # fmt: skip
