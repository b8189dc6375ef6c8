"""What the gate's single verdicts come to: run after run, and where it advises to move down."""

from __future__ import annotations

import numpy as np
import pytest

from tests.benchmarks.ladder.gate import MADE_UP, SHARED, share_interval
from tests.benchmarks.ladder.looks import Again, count_within, draw_looks, first_promotions, run_sizes
from tests.benchmarks.ladder.moves_down import simulate_moves
from trainer.promotion import Policy

HEAVY, SKEWED, _ = MADE_UP
MARGIN = Policy().margin_bits


def test_each_run_has_a_tenth_more_pairs() -> None:
    assert run_sizes(3) == [40, 44, 48] and run_sizes(12)[-1] == 114


@pytest.mark.parametrize(
    ("again", "shared"), [(Again.SAME, 1.0), (Again.TRAINED_ANEW, SHARED), (Again.OTHER_PAIRS, 0.0)]
)
def test_what_runs_have_in_common_is_as_said(again: Again, shared: float) -> None:
    random = np.random.default_rng(0)
    found = []
    for _ in range(1500):
        (size, first), (_, second), (later, _) = draw_looks(random, 1, again, 3)
        assert (len(size), len(later)) == (40, 48)
        found.append((first[0, 0], second[0, 0]))
    assert np.corrcoef(np.array(found).T)[0, 1] == pytest.approx(shared, abs=0.1)


def test_more_runs_promote_more_by_luck_and_those_that_are_trained_anew_the_more() -> None:
    same, anew = (first_promotions(1, again, teams=150, looks=8) for again in (Again.SAME, Again.TRAINED_ANEW))
    assert share_interval(count_within(same, 1), 150)[1] <= 0.05  # one run keeps what is promised of one run
    assert count_within(anew, 8) > 1.5 * count_within(anew, 1)
    assert count_within(anew, 8) > count_within(same, 8)


@pytest.mark.parametrize(("family", "lower"), [(HEAVY, 1), (SKEWED, 3)])
def test_the_advice_to_move_down_is_rarely_wrong_and_a_margin_that_is_too_wide_is_found_out(family, lower) -> None:
    wrong = simulate_moves(family, 80, lower, loss=MARGIN, simulations=300)
    assert wrong / 300 <= 0.05
    assert simulate_moves(family, 80, lower, loss=MARGIN, simulations=300, policy=Policy(margin_bits=2 * MARGIN)) > 45


def test_a_lower_rung_that_is_as_good_is_found_with_enough_pairs() -> None:
    few, many = (simulate_moves(HEAVY, pairs, 1, loss=0.0, simulations=60) for pairs in (20, 640))
    assert many > 55 > 20 > few
