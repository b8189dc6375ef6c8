"""Accuracy, macro-F1, calibration error and coverage, against what they are by hand; intervals by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from trainer.label_metrics import (
    accuracy,
    accuracy_gain,
    answered,
    calibration_error,
    label_figures,
    macro_f1,
    macro_f1_gain,
    reliability,
)
from trainer.metrics import PairScore, Scorecard


def pair(number: int, truth: str, answer: str, confidence: float = 0.5) -> PairScore:
    return PairScore(
        example_id=f"e{number}", nll_nats=1.0, reference_bytes=len(truth), prompt_tokens=0, draft=answer,
        exact=truth == answer, truth=truth, confidence=confidence,
    )  # fmt: skip


def card(pairs: list[PairScore], threshold: float = 0.6) -> Scorecard:
    return Scorecard(
        rung="x", pairs=tuple(pairs), seconds_per_draft=0.0, scoring_seconds=0.0, calibration={"threshold": threshold}
    )


def of_right(right: list[bool]) -> Scorecard:
    return card([pair(n, "a", "a" if one else "b") for n, one in enumerate(right)])


def test_accuracy_and_macro_f1_by_hand() -> None:
    pairs = [pair(0, "a", "a"), pair(1, "a", "a"), pair(2, "a", "b"), pair(3, "b", "b"), pair(4, "c", "a")]
    assert accuracy(pairs) == pytest.approx(0.6)
    # a: precision 2/3, recall 2/3; b: precision 1/2, recall 1; c: never answered.
    assert macro_f1(pairs) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)


def test_a_calibrated_candidate_has_hardly_any_calibration_error_and_a_boaster_has_much() -> None:
    random = np.random.default_rng(0)
    honest = [
        pair(n, "a", "a" if random.random() < share else "b", share) for n, share in enumerate(random.random(2000))
    ]
    assert calibration_error(honest) < 0.05
    boasting = [pair(n, "a", "a" if n % 2 else "b", 0.99) for n in range(200)]
    assert calibration_error(boasting) == pytest.approx(0.49, abs=0.01)
    bins = reliability(honest)
    assert len(bins) == 10 and {one["n"] for one in bins} == {200}
    assert len(reliability(boasting[:7])) == 1


def test_coverage_and_what_is_right_of_the_answers() -> None:
    pairs = [pair(0, "a", "a", 0.9), pair(1, "a", "b", 0.7), pair(2, "a", "a", 0.3), pair(3, "a", "b", 0.2)]
    assert answered(pairs, 0.6) == (0.5, 0.5)
    assert answered(pairs, 0.95) == (0.0, None)
    figures = label_figures(card(pairs))
    assert (figures["coverage"], figures["accuracy_answered"], figures["accuracy"]) == (0.5, 0.5, 0.5)


def test_without_a_true_difference_hardly_any_gain_leaves_zero_at_any_number_of_pairs() -> None:
    random = np.random.default_rng(1)
    for n in (20, 60, 200):
        left_zero = 0
        for _ in range(400):
            both = random.random(n) < 0.5
            before = np.where(random.random(n) < 0.2, random.random(n) < 0.5, both)
            after = np.where(random.random(n) < 0.2, random.random(n) < 0.5, both)
            gain = accuracy_gain(of_right(before.tolist()), of_right(after.tolist()), resamples=300)
            left_zero += gain.low > 0
        assert left_zero / 400 <= 0.04, n


def test_a_clear_gain_leaves_zero_and_few_telling_pairs_do_not() -> None:
    worse, better = [True] * 30 + [False] * 30, [True] * 50 + [False] * 10
    gain = accuracy_gain(of_right(worse), of_right(better))
    assert gain.low > 0 and gain.mean == pytest.approx(1 / 3)
    # Four pairs of forty, all one way: the bootstrap alone would leave zero, the sign test (1 in 16) does not.
    assert accuracy_gain(of_right([True] * 36 + [False] * 4), of_right([True] * 40)).low == 0
    assert macro_f1_gain(of_right(worse), of_right(better)).low > 0


def test_other_pairs_are_not_compared() -> None:
    with pytest.raises(ValueError, match="same unseen pairs"):
        accuracy_gain(of_right([True]), of_right([True, False]))


def test_the_same_answers_eight_times_in_groups_are_worth_what_they_are_once() -> None:
    random = np.random.default_rng(2)
    before, after = random.random(40) < 0.6, random.random(40) < 0.7
    eight = np.repeat(np.arange(40), 8)
    numbers = {f"e{n}": int(group) for n, group in enumerate(eight)}
    once = of_right(list(before)), of_right(list(after))
    alone = of_right(list(before[eight])), of_right(list(after[eight]))
    together = tuple(one.in_groups(numbers) for one in alone)
    for gain in (accuracy_gain, macro_f1_gain):
        first, many, grouped = (gain(*cards, resamples=500) for cards in (once, alone, together))
        assert (grouped.low, grouped.high) == pytest.approx((first.low, first.high))
        assert many.high - many.low < 0.6 * (first.high - first.low)
        assert (grouped.n, grouped.unrelated) == (320, 40)
    figures, grouped_figures = label_figures(once[0]), label_figures(together[0])
    for name in ("accuracy_interval", "macro_f1_interval"):
        assert grouped_figures[name] == pytest.approx(figures[name])


def test_the_sign_test_counts_groups() -> None:
    """Six pairs of one conversation that all got better are one voice, and one voice rejects nothing."""
    before, after = of_right([False] * 6 + [True] * 40), of_right([True] * 46)
    assert accuracy_gain(before, after).low > 0
    kin = {f"e{n}": 0 for n in range(6)} | {f"e{n}": n for n in range(6, 46)}
    assert accuracy_gain(before.in_groups(kin), after.in_groups(kin)).low == 0
