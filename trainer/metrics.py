"""What a candidate scored, pair by pair, and the statistics on it. Pure: numpy and text, no model.

Bits per byte is total bits over total bytes, so it can be compared between tokenizers and no short pair weighs
more than its text. Intervals come from the paired bootstrap: the same resampled pairs on both sides (Koehn 2004 for its
use on paired system outputs), and of pairs that tell about one another all or none (`config.resampling`). What the gate
decides by is studentised (Efron & Tibshirani 1993, chapter 12.5): docs/gate.md shows by simulation that percentiles err
too often where differences are skewed, and single pairs where some belong together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rapidfuzz.distance import Levenshtein

from config import draft_room
from config.resampling import count_unrelated, number_groups, resample_counts, resampled_ratios, sum_by_group


@dataclass(frozen=True, slots=True, kw_only=True)
class PairScore:
    """One unseen pair under one candidate; the values of a draft are None where none was written."""

    example_id: str
    #: Negative log-likelihood of the reference, end of turn included.
    nll_nats: float
    reference_bytes: int
    prompt_tokens: int
    draft: str | None = None
    completion_tokens: int | None = None
    #: The draft ended where the length allowed did; None too where an earlier version wrote it.
    is_cut: bool | None = None
    #: 0 to 100.
    chrf: float | None = None
    exact: bool | None = None
    #: 0 to 1.
    edit_similarity: float | None = None
    #: Does the draft have the form of the house, and does it keep to the style's terms? None where there is nothing to
    #: keep (`trainer.style_features`), and of earlier versions.
    in_form: bool | None = None
    keeps_terms: bool | None = None
    #: Where the answer is a label: the right one, and how probable the candidate found its own.
    truth: str | None = None
    confidence: float | None = None
    #: Pairs of a scorecard with the same number tell about one another; without one a pair is its own group.
    kin_group: int | None = None

    @property
    def bits(self) -> float:
        return self.nll_nats / math.log(2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """One candidate on the unseen pairs."""

    rung: str
    pairs: tuple[PairScore, ...]
    seconds_per_draft: float
    scoring_seconds: float
    #: `config.labels.Calibration` as JSON, where the answers are labels.
    calibration: dict[str, Any] | None = None
    #: A draft was cut at so many tokens. Stored only where the texts asked for more than the recipe allows: None
    #: elsewhere, of labels, and of earlier versions.
    room_tokens: int | None = None

    @property
    def has_labels(self) -> bool:
        return self.calibration is not None

    @property
    def n(self) -> int:
        return len(self.pairs)

    @property
    def groups(self) -> NDArray[np.int64]:
        """(pairs,): the number of each pair's group."""
        return number_groups(pair.kin_group for pair in self.pairs)

    @property
    def unrelated(self) -> int:
        """For how many unrelated pairs they count."""
        return count_unrelated(pair.kin_group for pair in self.pairs)

    @property
    def not_finite(self) -> int:
        """Of how many pairs no likelihood was found that is a number: of a model whose activations overflowed."""
        return sum(not (math.isfinite(pair.nll_nats) and math.isfinite(pair.confidence or 0.0)) for pair in self.pairs)

    def in_groups(self, kin_groups: Mapping[str, int]) -> Scorecard:
        """The same with its pairs' groups, by example id."""
        pairs = tuple(replace(pair, kin_group=kin_groups.get(pair.example_id)) for pair in self.pairs)
        return replace(self, pairs=pairs)

    @property
    def bits_per_byte(self) -> float:
        """Bits that the model needs for the references, per UTF-8 byte of them. Lower is better."""
        return sum(pair.bits for pair in self.pairs) / sum(pair.reference_bytes for pair in self.pairs)

    @property
    def chrf(self) -> float | None:
        return _mean([pair.chrf for pair in self.pairs])

    @property
    def exact_match(self) -> float | None:
        return _mean([pair.exact for pair in self.pairs])

    @property
    def edit_similarity(self) -> float | None:
        return _mean([pair.edit_similarity for pair in self.pairs])

    @property
    def prompt_tokens(self) -> float:
        """Mean per draft."""
        return sum(pair.prompt_tokens for pair in self.pairs) / self.n

    @property
    def completion_tokens(self) -> float | None:
        """Mean per draft."""
        return _mean([pair.completion_tokens for pair in self.pairs])

    @property
    def cut_share(self) -> float | None:
        """The share of the drafts that were cut."""
        return _mean([pair.is_cut for pair in self.pairs])

    def summary(self) -> dict[str, Any]:
        """The figures of a ladder's row, JSON values."""
        return {
            "rung": self.rung,
            "n": self.n,
            "cut_share": self.cut_share,
            draft_room.KEY: self.room_tokens,
            "bits_per_byte": self.bits_per_byte,
            "chrf": self.chrf,
            "exact_match": self.exact_match,
            "edit_similarity": self.edit_similarity,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "seconds_per_draft": self.seconds_per_draft,
        }

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Scorecard:
        """Read back what `trainer.evaluate.to_json` wrote."""
        return cls(**{**values, "pairs": tuple(PairScore(**pair) for pair in values["pairs"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A mean with its confidence interval over `n` pairs."""

    mean: float
    low: float
    high: float
    n: int
    #: Of the mean; None where nothing asks for it.
    standard_error: float | None = None
    #: For so many unrelated pairs they count; None where each stands alone.
    counted: int | None = None

    @property
    def unrelated(self) -> int:
        return self.n if self.counted is None else self.counted


def _mean(values: Sequence[float | int | bool | None]) -> float | None:
    known = [float(value) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def chrf(draft: str, reference: str) -> float:
    """Character n-gram F-score, 0 to 100 (Popović 2015; sacrebleu's chrF2)."""
    return float(_chrf().sentence_score(draft, [reference]).score)


@cache
def _chrf() -> Any:
    from sacrebleu.metrics.chrf import CHRF  # costs a second to import, which reading a scorecard should not

    return CHRF()


def is_exact(draft: str, reference: str) -> bool:
    """The same text, white space at the ends aside."""
    return draft.strip() == reference.strip()


def edit_similarity(draft: str, reference: str) -> float:
    """1 minus the normalised Levenshtein distance: 1 is equal, 0 has nothing in place."""
    return float(Levenshtein.normalized_similarity(draft, reference))


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, resamples: int = 2000, seed: int = 0, confidence: float = 0.95,
    groups: NDArray[np.int64] | None = None,
) -> Interval:  # fmt: skip
    """Interval of mean(a) − mean(b), where a[i] and b[i] belong to the same pair.

    Percentile bootstrap over pairs, or over their `groups` (pairs,), seeded. Raises ValueError when the lengths differ
    or nothing is given.
    """
    left, right = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if left.shape != right.shape or left.ndim != 1 or not left.size:
        raise ValueError("A paired bootstrap needs two equally long, non-empty series.")
    difference = left - right
    groups = np.arange(len(difference)) if groups is None else groups
    means = resampled_ratios(difference, np.ones(len(difference)), groups, resamples, seed)
    return _percentiles(float(difference.mean()), means, len(difference), confidence)


def bits_per_byte_gain(
    champion: Scorecard,
    challenger: Scorecard,
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """By how many bits per byte the challenger is better (positive), on the same pairs. See bits_per_byte_gains."""
    (gain,) = bits_per_byte_gains(champion, [challenger], resamples=resamples, seed=seed, confidence=confidence)
    return gain


def bits_per_byte_gains(
    champion: Scorecard,
    challengers: Sequence[Scorecard],
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> list[Interval]:
    """By how many bits per byte each challenger is better (positive), on the same pairs.

    The intervals hold together: that any of the true gains lies below its `low` has a chance of (1 − confidence) / 2,
    and as much that any lies above its `high`. Raises ValueError when not all were scored on the same pairs.
    """
    ids = [pair.example_id for pair in champion.pairs]
    if not ids or any([pair.example_id for pair in one.pairs] != ids for one in challengers):
        raise ValueError("Two candidates can only be compared on the same unseen pairs.")
    own = np.array([pair.bits for pair in champion.pairs])
    saved = np.array([own - np.array([pair.bits for pair in one.pairs]) for one in challengers]).T
    size = np.array([pair.reference_bytes for pair in champion.pairs], dtype=float)
    return ratio_intervals(
        saved, size, groups=champion.groups, resamples=resamples, seed=seed, confidence=confidence
    )  # fmt: skip


def ratio_intervals(
    saved: NDArray[np.float64], size: NDArray[np.float64], *, resamples: int, seed: int, confidence: float,
    groups: NDArray[np.int64] | None = None,
) -> list[Interval]:  # fmt: skip
    """Intervals of sum(saved[:, j]) / sum(size) that hold for all j together. `saved`: (pairs, challengers), bits;
    `size`: (pairs,), bytes; `groups`: (pairs,), the number of each pair's group where some tell about one another.

    The studentised bootstrap (Efron & Tibshirani 1993, chapter 12.5) over groups, whose bits and bytes are summed
    first; studentised is what keeps coverage where they are few (Cameron, Gelbach & Miller 2008). Each resample divides
    its deviation by its own standard error, which is that of a ratio of sums (Cochran 1977, chapter 6.4). What the
    largest of these over all challengers reaches widens every interval alike (Westfall & Young 1993, the max-t method),
    which costs less than Bonferroni where challengers resemble one another.
    """
    if not saved.shape[1]:
        return []
    pairs = len(size)
    if groups is not None:
        saved, size = sum_by_group(saved, groups), sum_by_group(size, groups)
    n = len(size)
    gain, error = _ratios(np.ones((1, n)), saved, size)
    gains, errors = _ratios(resample_counts(n, resamples, seed), saved, size)
    # A resample that holds one pair many times has hardly a spread of its own; what it says stays finite. Where all
    # pairs agree there is nothing to be uncertain about.
    deviations = (gains - gain) / np.maximum(errors, np.where(error > 0, error / math.sqrt(n), np.inf))
    tail = (1 - confidence) / 2
    above = np.quantile(deviations.max(axis=1), 1 - tail)
    below = np.quantile(deviations.min(axis=1), tail)
    return [
        Interval(
            mean=float(mean), low=float(mean - above * spread), high=float(mean - below * spread), n=pairs,
            standard_error=float(spread), counted=None if groups is None else count_unrelated(groups.tolist()),
        )
        for mean, spread in zip(gain[0], error[0], strict=True)
    ]  # fmt: skip


def _ratios(
    counts: NDArray[np.float64], saved: NDArray[np.float64], size: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Ratio and standard error of each resample and challenger. `counts`: (resamples, groups), how often each is in."""
    n = len(size)
    total = counts @ size[:, None]
    ratio = counts @ saved / total
    squares = (
        counts @ saved**2 - 2 * ratio * (counts @ (saved * size[:, None])) + ratio**2 * (counts @ size[:, None] ** 2)
    )
    # Rounding leaves a trace of either sign where nothing varies.
    squares[squares < 1e-12 * (counts @ saved**2)] = 0.0
    return ratio, np.sqrt(squares * n / max(n - 1, 1)) / total


def _percentiles(mean: float, values: NDArray[np.float64], n: int, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(mean=mean, low=float(low), high=float(high), n=n)
