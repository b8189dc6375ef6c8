"""How a judge is held against the team."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bot.domain.agreement import LEAST_DRAFTS, kendall_tau_b, measure_agreement, ranks, spearman
from bot.domain.judging import read_grade


def test_the_correlations_are_those_of_scipys_documentation_with_ties() -> None:
    one, other = np.array([12.0, 2, 1, 12, 2]), np.array([1.0, 4, 7, 1, 0])
    each = np.ones((1, 5))
    assert kendall_tau_b(one, other, each)[0] == pytest.approx(-0.47140452079103173)
    assert spearman(np.arange(1.0, 6), np.array([5.0, 6, 7, 8, 7]), each)[0] == pytest.approx(0.8207826816681233)
    assert spearman(one, one, each)[0] == kendall_tau_b(other, other, each)[0] == pytest.approx(1.0)
    assert spearman(one, -one, each)[0] == kendall_tau_b(other, -other, each)[0] == pytest.approx(-1.0)


@given(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(0, 3)), min_size=2, max_size=12))
def test_a_draft_that_counts_twice_is_as_good_as_two(drafts: list[tuple[int, int, int]]) -> None:
    one, other, times = (np.array(column, dtype=float) for column in zip(*drafts, strict=True))
    assume(times.any())
    twice = times.astype(int)
    for correlate in (spearman, kendall_tau_b):
        counted = correlate(one, other, times[None, :])
        written_out = correlate(np.repeat(one, twice), np.repeat(other, twice), np.ones((1, int(twice.sum()))))
        assert counted[0] == pytest.approx(written_out[0], abs=1e-9)


def test_ties_share_their_rank_and_all_ties_say_nothing() -> None:
    assert ranks(np.array([2.0, 1.0, 2.0, 9.0]), np.ones((1, 4)))[0].tolist() == [2.5, 1.0, 2.5, 4.0]
    each = np.ones((1, 5))
    assert spearman(np.ones(5), np.arange(5.0), each)[0] == kendall_tau_b(np.ones(5), np.arange(5.0), each)[0] == 0.0
    assert measure_agreement([3, 3, 3], [0, 1, 0.5]) is None
    assert measure_agreement([1], [1]) is None
    with pytest.raises(ValueError, match="Every grade"):
        measure_agreement([1, 2], [1])


def test_a_judge_counts_only_beyond_the_noise_and_on_enough_drafts() -> None:
    rng = np.random.default_rng(1)
    votes = rng.random(200)
    good = np.clip(np.round(1 + 4 * votes + rng.normal(0, 0.7, 200)), 1, 5)
    found = measure_agreement(list(good), list(votes))
    assert found is not None and found.may_count and found.kendall.low < found.kendall.mean < found.spearman.mean
    few = measure_agreement(list(good[: LEAST_DRAFTS - 1]), list(votes[: LEAST_DRAFTS - 1]))
    assert few is not None and not few.may_count
    noise = measure_agreement(list(rng.integers(1, 6, 200)), list(votes))
    assert noise is not None and not noise.may_count
    against = measure_agreement(list(6 - good), list(votes))
    assert against is not None and against.spearman.high < 0 and not against.may_count


@pytest.mark.parametrize(
    ("answer", "grade"),
    [
        ("4", 4), (" 5\n", 5), ("Grade: 3.", 3), ("4/5", 4), ("**2**", 2), ("", None), ("0", None), ("6", None),
        ("10", None), ("45", None), ("3.5", None), ("2 or 3", None), ("good", None),
    ],
)  # fmt: skip
def test_only_one_digit_from_1_to_5_is_a_grade(answer: str, grade: int | None) -> None:
    assert read_grade(answer) == grade
