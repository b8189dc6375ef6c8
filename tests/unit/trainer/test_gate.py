"""The gate's chances of error: a faster `python -m tests.benchmarks.ladder.gate`, and the tools around it."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

from tests.benchmarks.ladder.gate import MADE_UP, Family, find_study, real_family, simulate
from tests.benchmarks.ladder.gate_page import keeps_promise, write_gate_page
from tests.benchmarks.ladder.teams import Outcome, Truth, ask_teams, find_truths, judge
from trainer.metrics import Scorecard
from trainer.promotion import PAIRS_FOR_POWER, Keep, Policy, decide

HEAVY, SKEWED, _ = MADE_UP
SIMULATIONS = 1000


@pytest.mark.parametrize(("family", "pairs", "challengers"), [(HEAVY, 20, 1), (SKEWED, 20, 4), (HEAVY, 40, 4)])
def test_at_most_one_in_twenty_is_promoted_by_luck(family: Family, pairs: int, challengers: int) -> None:
    false, _ = simulate(family, pairs, challengers, simulations=SIMULATIONS)
    assert keeps_promise(false, SIMULATIONS), false


@pytest.mark.parametrize("loosened", [Policy(false_promotion_rate=0.2), Policy(min_gain_bits=-0.05)])
def test_a_gate_that_is_loosened_does_not_keep_the_promise(loosened: Policy) -> None:
    false, _ = simulate(HEAVY, 40, 4, simulations=300, policy=loosened)
    assert not keeps_promise(false, 300)


def test_percentiles_would_break_the_promise_where_differences_are_skewed() -> None:
    false, by_percentiles = simulate(SKEWED, 20, 4, simulations=400)
    assert false / 400 <= 0.05 < by_percentiles / 400


@pytest.mark.parametrize("family", [HEAVY, SKEWED])
def test_a_gain_of_half_the_spread_is_found_in_eight_of_ten_at_the_documented_number_of_pairs(family: Family) -> None:
    found, _ = simulate(family, PAIRS_FOR_POWER, 4, gain=0.5, simulations=300)
    assert found / 300 >= 0.8


def test_fewer_pairs_than_the_minimum_never_promote() -> None:
    assert simulate(HEAVY, Policy().min_pairs - 1, 4, gain=5.0, simulations=50) == (0, 0)


# --- real pairs ------------------------------------------------------------------------------------------------------


def study(unseen: int, gaps: dict[str, float], seed: int = 5) -> dict[str, object]:
    """A stored study: bits per byte of each rung over `zero_shot`, with noise that adds up to nothing."""
    random = np.random.default_rng(seed)
    size = random.integers(15, 80, unseen)
    base = size * random.lognormal(0.6, 0.3, unseen)
    cards = {}
    for rung, gap in gaps.items():
        noise = np.sqrt(size * 47) * 0.2 * random.standard_t(5, unseen)
        bits = base + gap * size + noise - noise.sum() / size.sum() * size
        cards[rung] = {
            "nll_nats": list(bits * math.log(2)), "reference_bytes": [int(n) for n in size],
            "prompt_tokens": [100] * unseen,
        }  # fmt: skip
    return {"train": 100, "unseen": unseen, "cards": cards}


RUNGS = {"zero_shot": 0.6, "few_shot": 0.4, "retrieved": 0.25, "lora": 0.02, "lora_retrieved": 0.0}


def test_real_pairs_are_moved_so_that_nobody_is_better_and_keep_what_they_have_in_common() -> None:
    family = real_family(study(400, RUNGS))
    assert family is not None and "400 unseen pairs" in family.described
    size, saved = family.draw(np.random.default_rng(0), 20_000, 4)
    assert np.abs(saved.sum(axis=0) / size.sum()).max() < 0.01
    # All are measured against the same champion, so its luck is in every difference.
    assert np.corrcoef(saved.T).min() > 0.3


def test_the_study_with_the_most_unseen_pairs_is_taken(tmp_path: Path) -> None:
    assert find_study(tmp_path) is None
    for number, unseen in enumerate((30, 60, 40)):
        (tmp_path / f"synopsis-100-{number}.json").write_text(json.dumps(study(unseen, RUNGS)))
    found = find_study(tmp_path)
    assert found is not None and found["unseen"] == 60


# --- the verdict against the truth -----------------------------------------------------------------------------------


def truth_of(tmp_path: Path, gaps: dict[str, float]) -> Truth:
    (tmp_path / "truth-100-1.json").write_text(json.dumps(study(2000, gaps)))
    (truth,) = find_truths(tmp_path)
    return truth


def test_a_study_of_fewer_pairs_is_not_the_truth(tmp_path: Path) -> None:
    (tmp_path / "synopsis-100-1.json").write_text(json.dumps(study(300, RUNGS)))
    assert find_truths(tmp_path) == []


def test_the_truth_is_read_as_it_was_made(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, RUNGS)
    assert truth.best == "lora_retrieved"
    assert truth.bits_per_byte("zero_shot") - truth.bits_per_byte("lora") == pytest.approx(0.58)


def test_where_rungs_are_far_apart_the_verdict_is_right_in_nearly_every_team(tmp_path: Path) -> None:
    rows = ask_teams([truth_of(tmp_path, RUNGS)], teams=100, pairs=80, policy=Policy())
    right = [row for row in rows if row["outcome"] == Outcome.RIGHT]
    assert len(right) >= 95
    # Each rung was a champion as often as the others, and the ladder was left and stayed on.
    assert {row["champion"] for row in rows} == set(RUNGS)
    assert {row["named"] == row["champion"] for row in right} == {True, False}


def test_a_gate_that_promotes_whatever_looks_best_is_found_to_be_wrong(tmp_path: Path) -> None:
    gaps = {"zero_shot": 0.0, "few_shot": 0.15, "retrieved": 0.15, "lora": 0.15, "lora_retrieved": 0.15}
    rows = ask_teams([truth_of(tmp_path, gaps)], teams=100, pairs=20, policy=Policy(min_gain_bits=-5.0))
    careful = ask_teams([truth_of(tmp_path, gaps)], teams=100, pairs=20, policy=Policy())
    assert sum(row["outcome"] == Outcome.WRONG for row in rows) > 20
    assert sum(row["outcome"] == Outcome.WRONG for row in careful) <= 5


def test_to_stay_for_want_of_pairs_is_undecided_and_to_stay_against_the_evidence_is_wrong(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, {"zero_shot": 0.2, "lora": 0.0})
    few, many = (np.arange(n) for n in (10, 1500))
    too_few = decide(truth.card("zero_shot", few), [truth.card("lora", few)], Policy())
    assert judge(too_few, "zero_shot", truth, Policy()) is Outcome.UNDECIDED
    shown = decide(truth.card("zero_shot", many), [truth.card("lora", many)], Policy())
    assert judge(shown, "zero_shot", truth, Policy()) is Outcome.RIGHT
    stubborn = Keep(rung="zero_shot", why=shown.why, comparisons=shown.comparisons)
    assert judge(stubborn, "zero_shot", truth, Policy()) is Outcome.WRONG


def test_a_verdict_that_moves_to_what_is_worse_is_wrong(tmp_path: Path) -> None:
    truth = truth_of(tmp_path, {"zero_shot": 0.2, "lora": 0.0})
    shown = decide(*_two(truth, "zero_shot", "lora"), Policy())
    backwards = dataclasses.replace(shown, rung="zero_shot")
    assert judge(backwards, "lora", truth, Policy()) is Outcome.WRONG


def _two(truth: Truth, champion: str, challenger: str) -> tuple[Scorecard, list[Scorecard]]:
    chosen = np.arange(500)
    return truth.card(champion, chosen), [truth.card(challenger, chosen)]


# --- the page --------------------------------------------------------------------------------------------------------


def test_the_page_says_what_was_simulated_and_what_was_not(tmp_path: Path) -> None:
    page = tmp_path / "gate.md"
    assert not write_gate_page(tmp_path, page)
    row = {
        "family": "skewed", "described": "made up", "challengers": 4, "pairs": 40, "simulations": 1000, "false": 31,
        "by_percentiles": 90, "tries": 500, "found": {"0.25": 100, "0.5": 450}, "spread": 0.25,
    }  # fmt: skip
    (tmp_path / "gate.json").write_text(json.dumps({"rows": [row, row | {"pairs": 20, "false": 80}]}))
    assert write_gate_page(tmp_path, page)
    said = page.read_text()
    assert "| skewed | 4 | 40 | 3.1% (2.2% to 4.4%) | 9.0% |" in said
    assert "kept except where the share is in bold type (skewed at 20 pairs with 4)" in said
    assert "Not measured yet: it takes a study with 2,000 unseen pairs" in said
    assert (tmp_path / "gate.png").stat().st_size > 5_000
