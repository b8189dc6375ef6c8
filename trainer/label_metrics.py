"""How good a candidate's labels are: right ones, balanced over the labels, and how much its certainty is worth. Pure.

Intervals are the paired bootstrap over unrelated pairs, as everywhere (see `trainer.metrics`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from math import comb
from typing import Any

import numpy as np
from numpy.typing import NDArray

from config.likeness import normalise
from config.resampling import resample_pairs, resampled_ratios, sum_by_group
from trainer.metrics import Interval, PairScore, Scorecard

#: Equally many pairs in each bin of a reliability diagram, at most this many bins, at least so many pairs a bin.
BINS, PAIRS_PER_BIN = 10, 10


def accuracy(pairs: Sequence[PairScore]) -> float:
    return float(np.mean([bool(pair.exact) for pair in pairs]))


def macro_f1(pairs: Sequence[PairScore]) -> float:
    """The mean over the labels that occur (as truth or as answer) of each label's F1."""
    truths, answers, labels = _codes(pairs)
    return _macro_f1(truths, answers, labels)


def _codes(pairs: Sequence[PairScore]) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
    codes: dict[str, int] = {}
    truths = [codes.setdefault(normalise(pair.truth or ""), len(codes)) for pair in pairs]
    answers = [codes.setdefault(normalise(pair.draft or ""), len(codes)) for pair in pairs]
    return np.array(truths), np.array(answers), len(codes)


def _macro_f1(
    truths: NDArray[np.int64], answers: NDArray[np.int64], labels: int, times: NDArray[np.float64] | None = None
) -> float:
    """`times`: how often each pair is there."""
    times = np.ones(len(truths)) if times is None else times
    is_right = truths == answers
    hits = np.bincount(truths[is_right], weights=times[is_right], minlength=labels)
    either = np.bincount(truths, weights=times, minlength=labels)
    either += np.bincount(answers, weights=times, minlength=labels)
    occurs = either > 0
    return float((2 * hits[occurs] / either[occurs]).mean())


def macro_f1_gain(
    champion: Scorecard, challenger: Scorecard, *, resamples: int = 2000, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """By how much the challenger's macro-F1 is higher, on the same pairs: the whole figure is computed anew for each
    resample, because it is no mean over pairs."""
    _check_same(champion, challenger)
    before, after = _codes(champion.pairs), _codes(challenger.pairs)
    gains = [
        _macro_f1(*after, times) - _macro_f1(*before, times)
        for times in resample_pairs(champion.groups, resamples, seed)
    ]
    tail = (1 - confidence) / 2
    low, high = np.quantile(gains, [tail, 1 - tail])
    mean = _macro_f1(*after) - _macro_f1(*before)
    return Interval(mean=mean, low=float(low), high=float(high), n=champion.n, counted=champion.unrelated)


def accuracy_gain(
    champion: Scorecard, challenger: Scorecard, *, resamples: int = 2000, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """By how much the challenger is right more often, on the same pairs: the paired bootstrap.

    Where few pairs tell the two apart, the bootstrap is too sure of itself. So a bound leaves zero only if the exact
    sign test on those pairs (McNemar 1947, the exact form) rejects at the same level; on groups where there are some.
    """
    _check_same(champion, challenger)
    before = np.array([bool(pair.exact) for pair in champion.pairs], dtype=float)
    after = np.array([bool(pair.exact) for pair in challenger.pairs], dtype=float)
    difference = after - before
    groups = champion.groups
    means = resampled_ratios(difference, np.ones(champion.n), groups, resamples, seed)
    tail = (1 - confidence) / 2
    low, high = (float(bound) for bound in np.quantile(means, [tail, 1 - tail]))
    told = sum_by_group(difference, groups)
    better, worse = int((told > 0).sum()), int((told < 0).sum())
    if _sign_test(better, worse) > tail:
        low = min(low, 0.0)
    if _sign_test(worse, better) > tail:
        high = max(high, 0.0)
    return Interval(mean=float(difference.mean()), low=low, high=high, n=champion.n, counted=champion.unrelated)


def _sign_test(wins: int, losses: int) -> float:
    """The chance of at least so many wins if neither were better."""
    trials = wins + losses
    return float(sum(comb(trials, more) for more in range(wins, trials + 1)) / 2**trials)


def _check_same(champion: Scorecard, challenger: Scorecard) -> None:
    if [p.example_id for p in champion.pairs] != [p.example_id for p in challenger.pairs] or not champion.n:
        raise ValueError("Two candidates can only be compared on the same unseen pairs.")


def reliability(pairs: Sequence[PairScore]) -> list[dict[str, float]]:
    """The reliability diagram: in each bin the mean confidence, the share of right answers, and the number of pairs.

    The bins hold equally many pairs (adaptive bins; Nguyen & O'Connor 2015), so none is empty.
    """
    return _bins(*_columns(pairs))


def calibration_error(pairs: Sequence[PairScore]) -> float:
    """See `expected_error`."""
    return expected_error(*_columns(pairs))


def expected_error(confidences: NDArray[np.float64], is_right: NDArray[np.bool_]) -> float:
    """Expected calibration error over the adaptive bins: by how much confidence and accuracy differ, on average."""
    bins = _bins(confidences, is_right)
    return float(sum(one["n"] * abs(one["confidence"] - one["accuracy"]) for one in bins) / len(confidences))


def _columns(pairs: Sequence[PairScore]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    return np.array([pair.confidence or 0.0 for pair in pairs]), np.array([bool(pair.exact) for pair in pairs])


def _bins(confidences: NDArray[np.float64], is_right: NDArray[np.bool_]) -> list[dict[str, float]]:
    return [
        {
            "confidence": float(confidences[chunk].mean()),
            "accuracy": float(is_right[chunk].mean()),
            "n": len(chunk),
        }
        for chunk in bins_of(confidences)
    ]


def bins_of(confidences: NDArray[np.float64]) -> list[NDArray[np.int64]]:
    """The places of each bin's pairs, the least sure first: equally many (adaptive bins), so none is empty."""
    bins = max(1, min(BINS, len(confidences) // PAIRS_PER_BIN))
    order: NDArray[np.int64] = np.argsort(confidences, kind="stable")
    return [chunk for chunk in np.array_split(order, bins) if len(chunk)]


def answered(pairs: Sequence[PairScore], threshold: float) -> tuple[float, float | None]:
    """With this threshold: the share of pairs that are answered, and the share of those that is right."""
    sure = [pair for pair in pairs if (pair.confidence or 0.0) >= threshold]
    return len(sure) / len(pairs), accuracy(sure) if sure else None


def paired_figures(champion: Scorecard, card: Scorecard) -> dict[str, Any]:
    """By how much a candidate's accuracy and macro-F1 are above the champion's, with the paired intervals. JSON."""
    if not (champion.has_labels and card.has_labels):
        return {}
    return {
        "accuracy_gain": asdict(accuracy_gain(champion, card)),
        "macro_f1_gain": asdict(macro_f1_gain(champion, card, resamples=1000)),
    }


def label_figures(card: Scorecard) -> dict[str, Any]:
    """What a ladder shows of a candidate that answers with labels. JSON values."""
    threshold = (card.calibration or {}).get("threshold", 0.0)
    coverage, precision = answered(card.pairs, threshold)
    right = np.array([bool(pair.exact) for pair in card.pairs], dtype=float)
    codes, drawn = _codes(card.pairs), resample_pairs(card.groups, 1000, 0)
    scores = [_macro_f1(*codes, times) for times in drawn]
    return {
        "accuracy": accuracy(card.pairs), "macro_f1": macro_f1(card.pairs), "ece": calibration_error(card.pairs),
        "accuracy_interval": np.quantile(drawn @ right / drawn.sum(axis=1), [0.025, 0.975]).tolist(),
        "macro_f1_interval": np.quantile(scores, [0.025, 0.975]).tolist(),
        "threshold": threshold, "coverage": coverage, "accuracy_answered": precision,
        "reliability": reliability(card.pairs),
    }  # fmt: skip
