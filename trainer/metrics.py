"""What a candidate scored, pair by pair, and the statistics on it. Pure: numpy and text, no model.

Bits per byte is total bits over total bytes, so it can be compared between tokenizers and no short pair weighs
more than its text. Intervals come from the paired bootstrap over pairs: the same resampled pairs on both sides
(Efron & Tibshirani 1993, chapters 12–13, percentile interval; Koehn 2004 for its use on paired system outputs).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rapidfuzz.distance import Levenshtein


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
    #: 0 to 100.
    chrf: float | None = None
    exact: bool | None = None
    #: 0 to 1.
    edit_similarity: float | None = None

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

    @property
    def n(self) -> int:
        return len(self.pairs)

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

    def summary(self) -> dict[str, Any]:
        """The figures of a ladder's row, JSON values."""
        return {
            "rung": self.rung,
            "n": self.n,
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


def _resamples(n: int, resamples: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(0, n, size=(resamples, n))


def paired_bootstrap(
    a: ArrayLike, b: ArrayLike, resamples: int = 2000, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """Interval of mean(a) − mean(b), where a[i] and b[i] belong to the same pair.

    Percentile bootstrap over pairs, seeded. Raises ValueError when the lengths differ or nothing is given.
    """
    left, right = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    if left.shape != right.shape or left.ndim != 1 or not left.size:
        raise ValueError("A paired bootstrap needs two equally long, non-empty series.")
    difference = left - right
    means = difference[_resamples(len(difference), resamples, seed)].mean(axis=1)
    return _percentiles(float(difference.mean()), means, len(difference), confidence)


def bits_per_byte_gain(
    champion: Scorecard,
    challenger: Scorecard,
    *,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """By how many bits per byte the challenger is better (positive), on the same pairs.

    A ratio of sums is resampled: each resample takes whole pairs and divides its bits by its bytes. Raises
    ValueError when the two were not scored on the same pairs.
    """
    if [p.example_id for p in champion.pairs] != [p.example_id for p in challenger.pairs] or not champion.n:
        raise ValueError("Two candidates can only be compared on the same unseen pairs.")
    saved = np.array([a.bits - b.bits for a, b in zip(champion.pairs, challenger.pairs, strict=True)])
    size = np.array([pair.reference_bytes for pair in champion.pairs], dtype=float)
    chosen = _resamples(len(saved), resamples, seed)
    ratios = saved[chosen].sum(axis=1) / size[chosen].sum(axis=1)
    return _percentiles(float(saved.sum() / size.sum()), ratios, len(saved), confidence)


def _percentiles(mean: float, values: NDArray[np.float64], n: int, confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(mean=mean, low=float(low), high=float(high), n=n)
