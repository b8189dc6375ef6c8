"""The stopping rule of a blind trial keeps its error rate however often it is looked at; a plain test does not."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from bot.domain.trial import ERROR_RATE, Outcome, Tally, evidence, judge, win_rate_interval
from config.settings import Settings

TRIALS = 2_000
MOST = int(Settings.model_fields["trial_comparisons"].default)
Rule = Callable[[int, int], Outcome]


@cache
def ours(wins: int, losses: int) -> Outcome:
    return judge(Tally(wins=wins, losses=losses), MOST)


@cache
def naive(wins: int, losses: int) -> Outcome:
    """What is usually done: a z-test at 5 %, looked at after every tap from the tenth on."""
    decided = wins + losses
    if decided >= 10 and abs(wins - losses) / math.sqrt(decided) > 1.96:
        return Outcome.BETTER if wins > losses else Outcome.WORSE
    return Outcome.NO_DIFFERENCE if decided >= MOST else Outcome.GO_ON


def simulate(rule: Rule, taps: NDArray[np.bool_]) -> list[Outcome]:
    """What each trial ends in; `taps`: whether the challenger won, [trials, MOST]."""
    ends = []
    for trial in taps:
        wins = 0
        for number, is_win in enumerate(trial, start=1):
            wins += int(is_win)
            outcome = rule(wins, number - wins)
            if outcome is not Outcome.GO_ON:
                break
        ends.append(outcome)
    return ends


def coins(rate: float, seed: int) -> NDArray[np.bool_]:
    return np.random.default_rng(seed).random((TRIALS, MOST)) < rate


def share(ends: list[Outcome], *wanted: Outcome) -> float:
    return sum(end in wanted for end in ends) / len(ends)


def upper_bound(rate: float) -> float:
    """Of a 95 % Wilson interval over the simulated trials."""
    z, n = 1.96, TRIALS
    middle = rate + z * z / (2 * n)
    return (middle + z * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))) / (1 + z * z / n)


def test_between_equals_looking_after_every_tap_decides_wrongly_in_at_most_five_of_a_hundred_trials() -> None:
    ends = simulate(ours, coins(0.5, seed=1))
    wrong = share(ends, Outcome.BETTER, Outcome.WORSE)
    assert wrong <= ERROR_RATE
    assert upper_bound(wrong) <= 0.065
    assert share(ends, Outcome.BETTER) <= ERROR_RATE / 2


def test_a_plain_test_looked_at_as_often_would_be_wrong_far_more_often() -> None:
    wrong = share(simulate(naive, coins(0.5, seed=1)), Outcome.BETTER, Outcome.WORSE)
    assert wrong > 3 * ERROR_RATE


@pytest.mark.parametrize(("rate", "least"), [(0.65, 0.75), (0.7, 0.95)])
def test_a_challenger_that_is_clearly_better_is_found_within_the_most_comparisons(rate: float, least: float) -> None:
    """docs/operating.md gives these figures."""
    ends = simulate(ours, coins(rate, seed=2))
    assert share(ends, Outcome.BETTER) >= least
    assert share(ends, Outcome.WORSE) <= 0.005


def test_a_challenger_that_is_worse_is_promoted_no_more_often_than_an_equal_one() -> None:
    assert share(simulate(ours, coins(0.45, seed=3)), Outcome.BETTER) <= ERROR_RATE / 2


def test_one_person_with_a_habit_does_not_cost_the_guarantee() -> None:
    """Somebody taps everything, by a rule that looks at all taps before: A while the challenger is ahead, else B. The
    hidden order is the only chance in it."""
    order = coins(0.5, seed=4)  # whether A is the challenger's
    taps = np.zeros_like(order)
    for row, is_challenger_a in zip(taps, order, strict=True):
        lead = 0
        for number, is_a in enumerate(is_challenger_a):
            row[number] = is_a if lead > 0 else not is_a
            lead += 1 if row[number] else -1
    assert share(simulate(ours, taps), Outcome.BETTER, Outcome.WORSE) <= ERROR_RATE


@given(st.integers(0, 200), st.integers(0, 200))
def test_the_evidence_is_the_integral_that_it_claims_to_be(wins: int, losses: int) -> None:
    p = 0.5 + (np.arange(20_000) + 0.5) / 40_000
    log_bet = wins * np.log(2 * p) + losses * np.log(2 * (1 - p))
    assert evidence(wins, losses) == pytest.approx(float(np.exp(log_bet).mean()), rel=1e-3)


@given(st.integers(0, 200), st.integers(0, 200))
def test_a_fair_tap_leaves_the_evidence_as_it_is_on_average(wins: int, losses: int) -> None:
    after = (evidence(wins + 1, losses) + evidence(wins, losses + 1)) / 2
    assert after == pytest.approx(evidence(wins, losses))


@given(st.integers(0, 150), st.integers(0, 150))
def test_the_interval_holds_the_rate_that_was_seen_and_leaves_out_a_half_once_decided(wins: int, losses: int) -> None:
    low, high = win_rate_interval(wins, losses)
    assert 0 <= low <= (wins / (wins + losses) if wins + losses else 0.5) <= high <= 1
    outcome = judge(Tally(wins=wins, losses=losses), most=1_000)
    if outcome is Outcome.BETTER:
        assert low > 0.5
    if outcome is Outcome.WORSE:
        assert high < 0.5


def test_the_interval_holds_the_true_rate_at_all_looks_together() -> None:
    interval = cache(win_rate_interval)
    missed = 0
    for trial in coins(0.6, seed=5)[:1_000]:
        wins = np.cumsum(trial)
        looks = (interval(int(won), number - int(won)) for number, won in enumerate(wins, start=1))
        missed += any(not low <= 0.6 <= high for low, high in looks)
    assert missed / 1_000 <= 0.05


def test_ties_count_towards_the_most_and_towards_nothing_else() -> None:
    assert judge(Tally(wins=3, losses=2, ties=5), most=10) is Outcome.NO_DIFFERENCE
    assert judge(Tally(wins=3, losses=2, ties=4), most=10) is Outcome.GO_ON
    assert judge(Tally(wins=8, losses=0, ties=100), most=200) is Outcome.BETTER
    assert Tally(wins=3, losses=2, ties=5).answered == 10
