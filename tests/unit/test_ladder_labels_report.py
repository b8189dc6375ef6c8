"""The page of styles that classify says what was counted: shares over all draws together, calibration against luck."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.ladder.intervals import (
    calibration_floor,
    crossed_interval,
    least_share,
    share_of_pairs,
    wilson,
)
from tests.benchmarks.ladder.report import STORED
from tests.benchmarks.ladder.sections_report import load, page
from trainer.label_metrics import expected_error


def test_answers_of_all_draws_are_counted_together(tmp_path: Path) -> None:
    """One draw with 16 of 16 right does not count as much as one with 60 of 83."""
    for draw, (answered, right) in enumerate([(80, 50), (16, 16)], start=1):
        store(tmp_path, draw, answered=answered, right=right)
    said = page(load(tmp_path))
    assert "96 of 200, 48% | 66 of 96: 69%" in said
    assert "81%" not in said  # the mean of the draws' shares


def test_a_rung_that_says_half_of_what_it_knows_is_not_called_calibrated(tmp_path: Path) -> None:
    store(tmp_path, 1, answered=80, right=80)
    row = next(line for line in page(load(tmp_path)).splitlines() if line.startswith("| `lora` | 0.300 |"))
    assert "**no**" in row


def test_one_size_alone_does_not_grow(tmp_path: Path) -> None:
    store(tmp_path, 1, answered=80, right=50)
    assert "How it grows" not in page(load(tmp_path))


def test_a_perfect_rung_has_a_calibration_error_and_rarely_one_beyond_the_bound() -> None:
    random = np.random.default_rng(1)
    sure = random.uniform(0.05, 0.95, 300)
    floor = calibration_floor(sure, 0.0)
    errors = [expected_error(sure, random.random(300) < sure) for _ in range(200)]
    assert floor.mean == pytest.approx(float(np.mean(errors)), abs=0.005)
    assert np.mean(np.array(errors) > floor.bound) < 0.1


def test_an_interval_over_draws_is_wider_where_draws_differ() -> None:
    random = np.random.default_rng(2)
    pairs = random.normal(0, 0.1, 300)
    alike = np.stack([pairs, pairs, pairs]) + 0.02
    differing = np.stack([pairs + 0.06, pairs - 0.02, pairs + 0.02])
    narrow, wide = crossed_interval(alike), crossed_interval(differing)
    assert narrow.mean == pytest.approx(wide.mean)
    assert narrow.low > 0 > wide.low


def test_a_pair_that_is_answered_in_three_draws_is_not_three_pairs() -> None:
    right = np.tile(np.arange(100) % 4 > 0, (3, 1))
    found = share_of_pairs(right, np.ones_like(right))
    assert (found.count, found.of) == (225, 300)
    assert (found.low, found.high) == pytest.approx(wilson(0.75, 100), abs=1e-6)


def test_ten_of_ten_is_compatible_with_69_in_100() -> None:
    assert least_share(10, 10) == pytest.approx(0.025**0.1, abs=1e-6)


def test_the_page_has_the_pooled_counts_of_what_is_stored() -> None:
    said = page(load(STORED))
    for counted in ("116 of 134", "98 of 116", "166 of 208", "77 of 96"):
        assert counted in said
    assert "`lora`: +0.024 nats" in said.replace("\n", " ")


def store(folder: Path, draw: int, *, answered: int, right: int) -> None:
    """A hundred pairs of two labels, answered alike by two rungs: so many surely, and of these so many rightly; of the
    others half."""
    is_right = [place < right if place < answered else bool(place % 2) for place in range(100)]
    truths = ["a" if place % 3 else "b" for place in range(100)]
    other = {"a": "b", "b": "a"}
    card = {
        "ids": [f"{place:03d}" for place in range(100)],
        "truths": truths,
        "answers": [one if good else other[one] for one, good in zip(truths, is_right, strict=True)],
        "confidence": [0.5 if place < answered else 0.2 for place in range(100)],
        "nll_nats": [0.1 if good else 2.0 for good in is_right],
        "prompt_tokens": [0] * 100,
        "seconds_per_draft": 0.1,
        "calibration": {
            "temperature": 1.0, "even_share": 0.0, "prior": [], "threshold": 0.4, "target_precision": 0.8,
            "uncalibrated": {"ece": 0.3},
        },
    }  # fmt: skip
    stored = {
        "base_model": "embedded:small", "recipe": "cpu-small", "labels": ["a", "b"], "train": 40, "validation": 10,
        "unseen": 100, "versions": {}, "cores": 2, "seed": draw,
        "cards": dict.fromkeys(("neighbours", "logistic", "lora"), card),
    }  # fmt: skip
    (folder / f"sections-40-{draw}.json").write_text(json.dumps(stored), encoding="utf-8")
