from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.metrics import (
    PairScore,
    Scorecard,
    bits_per_byte_gain,
    chrf,
    edit_similarity,
    is_exact,
    paired_bootstrap,
    ratio_intervals,
)


def card(rung: str, nats: list[float], sizes: list[int]) -> Scorecard:
    return Scorecard(
        rung=rung,
        pairs=tuple(
            PairScore(example_id=str(i), nll_nats=n, reference_bytes=s, prompt_tokens=7)
            for i, (n, s) in enumerate(zip(nats, sizes, strict=True))
        ),
        seconds_per_draft=0.0,
        scoring_seconds=0.0,
    )


def test_bits_per_byte_is_total_bits_over_total_bytes() -> None:
    scored = card("lora", [math.log(2) * 10, math.log(2) * 50], [10, 90])
    assert scored.bits_per_byte == pytest.approx(60 / 100)


def test_the_gain_is_a_ratio_of_sums_and_positive_when_the_challenger_is_better() -> None:
    sizes = [10, 90] * 20
    worse, better = card("a", [20.0, 90.0] * 20, sizes), card("b", [10.0, 80.0] * 20, sizes)
    gain = bits_per_byte_gain(worse, better)
    assert gain.mean == pytest.approx(worse.bits_per_byte - better.bits_per_byte)
    assert 0 < gain.low <= gain.mean <= gain.high
    assert gain.n == 40


def test_the_bootstrap_interval_covers_the_true_difference_about_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(400):
        a, b = random.normal(1.0, 1.0, 40), random.normal(0.5, 1.0, 40)
        interval = paired_bootstrap(a, b, resamples=500)
        covered += interval.low <= 0.5 <= interval.high
    assert 0.90 <= covered / 400 <= 0.98


def test_the_bootstrap_is_seeded() -> None:
    a, b = [1.0, 2.0, 4.0, 8.0], [0.5, 2.5, 3.0, 9.0]
    assert paired_bootstrap(a, b, seed=3) == paired_bootstrap(a, b, seed=3)


def test_pairing_matters() -> None:
    """Two systems that differ by a constant are told apart although the pairs themselves vary wildly."""
    a = np.random.default_rng(1).normal(0, 100, 30)
    interval = paired_bootstrap(a, a - 0.1)
    assert interval.low == pytest.approx(0.1)
    assert interval.high == pytest.approx(0.1)


@pytest.mark.parametrize(("a", "b"), [([1.0], [1.0, 2.0]), ([], [])])
def test_unpaired_series_are_refused(a: list[float], b: list[float]) -> None:
    with pytest.raises(ValueError, match="paired bootstrap"):
        paired_bootstrap(a, b)


@given(st.text(max_size=60), st.text(max_size=60))
def test_similarities_stay_in_their_range_and_equal_texts_are_at_the_top(a: str, b: str) -> None:
    assert 0 <= edit_similarity(a, b) <= 1
    assert 0 <= chrf(a, b) <= 100.0001
    assert edit_similarity(a, a) == 1
    assert is_exact(a, a)


def test_chrf_knows_a_reference_value() -> None:
    assert chrf("the cat", "the cat") == pytest.approx(100)
    assert chrf("xyz", "the cat") == pytest.approx(0, abs=1e-6)


def test_a_scorecard_survives_json() -> None:
    from dataclasses import asdict

    scored = card("lora", [1.0, 2.0], [3, 4])
    assert Scorecard.from_json(json.loads(json.dumps(asdict(scored)))) == scored
    assert scored.summary()["chrf"] is None


def test_pairs_that_say_the_same_thing_eight_times_are_evidence_once() -> None:
    """Eight copies of each pair tell nothing more: in groups the interval stays what it was, and without it shrinks."""
    random = np.random.default_rng(3)
    own, other = random.normal(60, 8, 30), random.normal(58, 8, 30)
    eight = np.repeat(np.arange(30), 8)
    once = bits_per_byte_gain(card("a", list(own), [40] * 30), card("b", list(other), [40] * 30))
    cards = [card(rung, list(nats[eight]), [40] * 240) for rung, nats in (("a", own), ("b", other))]
    alone = bits_per_byte_gain(*cards)
    together = bits_per_byte_gain(*(one.in_groups({str(n): int(g) for n, g in enumerate(eight)}) for one in cards))
    assert (together.low, together.high) == pytest.approx((once.low, once.high))
    assert alone.high - alone.low < 0.5 * (once.high - once.low)
    assert (together.n, together.counted, together.unrelated) == (240, 30, 30)
    assert (once.n, once.unrelated) == (30, 30)


def test_the_interval_of_groups_covers_the_truth_where_the_one_of_single_pairs_does_not() -> None:
    """Groups of eight, correlated by 0.3: the design effect is 1 + 7 · 0.3 = 3.1."""
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(25), 8)
    covered = {"groups": 0, "pairs": 0}
    for _ in range(300):
        noise = math.sqrt(0.3) * random.normal(size=25)[groups] + math.sqrt(0.7) * random.normal(size=200)
        for unit, of in (("groups", groups), ("pairs", None)):
            (one,) = ratio_intervals(
                noise[:, None], np.ones(200), groups=of, resamples=500, seed=0, confidence=0.95
            )  # fmt: skip
            covered[unit] += one.low <= 0 <= one.high
    assert 0.92 <= covered["groups"] / 300 <= 0.98
    assert covered["pairs"] / 300 < 0.85


def test_a_mean_resamples_groups_too() -> None:
    difference = np.repeat(np.random.default_rng(1).normal(size=20), 5)
    groups = np.repeat(np.arange(20), 5)
    together, once = (
        paired_bootstrap(difference, 0 * difference, groups=groups),
        paired_bootstrap(difference[::5], 0 * difference[::5]),
    )
    assert (together.low, together.high) == pytest.approx((once.low, once.high))
