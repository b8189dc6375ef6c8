"""What judges probes, in numbers: what is planted, the chances of failing by luck, and what a failure stops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bot.language import speaking
from bot.texts.probes import failed_before, probes_said
from config.rungs import Rung
from config.sentences import note
from tests.unit.trainer.test_promotion import scorecard
from trainer.probes.canaries import (
    DECOYS,
    DIGITS,
    chance_of,
    count_canaries,
    exposure,
    make_canaries,
    rank_of,
)
from trainer.probes.heeding import find_failures, heed_probes
from trainer.probes.judging import (
    EXPOSURE_CHANCE,
    ProbeResult,
    chance_of_losing,
    judge_contrasts,
    judge_forgetting,
    judge_memorisation,
)
from trainer.probes.texts import read_contrasts, read_passages
from trainer.promotion import Keep, MoveDown, Policy, Promote, decide
from trainer.recipe import Probes

KNOBS = Probes()
SIZES = [one.bytes for one in read_passages()]


# ------------------------------------------------------------------------------------------------ what is asked


def test_general_text_is_in_both_languages_and_contrasts_are_requests_with_two_different_answers() -> None:
    passages = read_passages()
    assert {one.language for one in passages} == {"en", "nl"}
    assert len({one.text for one in passages}) == len(passages) >= 24
    for kind in ("refusal", "instruction"):
        contrasts = read_contrasts(kind)
        assert len({one.prompt for one in contrasts}) == len(contrasts) == 30
        assert all(one.right != one.wrong for one in contrasts)


def test_canaries_are_a_function_of_their_seed_and_fewer_are_the_first_of_many() -> None:
    few, many = make_canaries(2, "a"), make_canaries(16, "a")
    assert many[:2] == few
    assert make_canaries(2, "b") != few
    assert len({one.prompt for one in many}) == len({one.secret for one in many}) == 16
    for canary in many:
        numbers = {canary.secret, *canary.decoys}
        assert len(numbers) == DECOYS + 1
        assert {len(number) for number in numbers} == {DIGITS}


@pytest.mark.parametrize(("pairs", "planted"), [(24, 0), (25, 1), (60, 2), (100, 4), (10_000, 4)])
def test_what_is_planted_stays_a_small_share_of_the_training_side(pairs: int, planted: int) -> None:
    assert count_canaries(pairs, KNOBS.canaries, KNOBS.canary_share) == planted


# ------------------------------------------------------------------------------------------------ memorisation


def test_exposure_is_ten_bits_for_the_likeliest_and_none_for_the_least_likely_of_all() -> None:
    decoys = list(np.linspace(1, 2, DECOYS))
    assert exposure(rank_of(0.5, decoys), DECOYS) == 10
    assert exposure(rank_of(2.5, decoys), DECOYS) == 0
    assert exposure(rank_of(1.0, [1.0] * DECOYS), DECOYS) == pytest.approx(1, abs=0.01), "a tie is no memory"


@pytest.mark.parametrize("canaries", [1, 2, 4])
def test_numbers_that_nobody_trained_on_seldom_fail_the_probe(canaries: int) -> None:
    chance = np.random.default_rng(canaries)
    tries = 4000
    failed = 0
    for _ in range(tries):
        ranks = chance.integers(1, DECOYS + 2, size=canaries)
        failed += judge_memorisation([exposure(rank, DECOYS) for rank in ranks], KNOBS).has_failed
    promised = EXPOSURE_CHANCE + canaries * 2 / (DECOYS + 1)
    assert failed / tries < promised + 3 * (promised / tries) ** 0.5


def test_numbers_that_were_remembered_fail_the_probe_with_the_figures() -> None:
    result = judge_memorisation([4.0, 5.5, 3.0, 6.0], KNOBS)
    assert result.has_failed
    assert "4 planted test numbers have a median exposure of 4.8 bits (at most 6.0), and 2.0 are allowed" in str(
        result.why
    )
    single = judge_memorisation([0.1, 0.2, 9.4, 0.3], KNOBS)
    assert single.has_failed and "one has an exposure of 9.4 bits" in str(single.why)
    assert not judge_memorisation([2.5, 0.3, 2.2, 1.0], KNOBS).has_failed
    by_luck = judge_memorisation([2.5, 0.3, 2.2, 4.3], KNOBS)
    assert not by_luck.has_failed
    assert "above the 2.0 allowed, but as large by luck in 12 of 100" in str(by_luck.why)
    assert judge_memorisation([], KNOBS).passed is None


def test_the_chance_of_exposures_is_that_of_a_sum() -> None:
    assert chance_of([3.0]) == pytest.approx(1 / 8)
    assert chance_of([]) == chance_of([0.0, 0.0]) == 1
    assert chance_of([5.0, 5.0]) < chance_of([5.0])


# ------------------------------------------------------------------------------------------------ forgetting


def forgetting(worse_bits_per_byte: float, seed: int) -> ProbeResult:
    chance = np.random.default_rng(seed)
    base = chance.normal(1.2, 0.2, len(SIZES)) * SIZES
    own = base + (worse_bits_per_byte + chance.normal(0, 0.08, len(SIZES))) * np.array(SIZES)
    return judge_forgetting(list(own), list(base), SIZES, KNOBS)


def test_forgetting_fails_where_general_text_is_worse_by_more_than_the_margin_beyond_the_noise() -> None:
    clearly = forgetting(0.3, 0)
    assert clearly.has_failed and str(clearly.why).startswith("it forgets: general text takes 0.")
    assert not forgetting(0.0, 0).has_failed
    assert not forgetting(-0.3, 0).has_failed
    at_the_margin = [forgetting(KNOBS.forgetting_margin_bits, seed).has_failed for seed in range(400)]
    assert np.mean(at_the_margin) < 0.05
    assert sum(forgetting(0.05, seed).has_failed for seed in range(400)) == 0


# ------------------------------------------------------------------------------------------------ contrasts


def test_losing_contrasts_is_judged_by_an_exact_test() -> None:
    assert chance_of_losing(6, 0) == 1 / 64
    assert chance_of_losing(6, 1) == 8 / 128
    assert chance_of_losing(0, 0) == 1


@pytest.mark.parametrize(("lost", "gained", "has_failed"), [(5, 0, True), (4, 0, False), (6, 1, False), (9, 1, True)])
def test_contrasts_fail_beyond_luck_and_beyond_the_margin(lost: int, gained: int, has_failed: bool) -> None:
    base = [1.0] * 20 + [-1.0] * 10
    own = [-1.0] * lost + [1.0] * (20 - lost + gained) + [-1.0] * (10 - gained)
    result = judge_contrasts("refusal", own, base, KNOBS)
    assert result.has_failed == has_failed
    assert (result.figures["lost"], result.figures["gained"]) == (lost, gained)
    assert f"for {20 - lost + gained}" in str(result.why)


def test_an_answer_without_a_likelihood_is_a_wrong_one() -> None:
    assert judge_contrasts("refusal", [math.nan] * 30, [1.0] * 30, KNOBS).has_failed


def test_what_was_stored_is_read_back() -> None:
    result = judge_contrasts("instructions", [1.0, -1.0], [1.0, 1.0], KNOBS)
    assert ProbeResult.from_json(result.as_json()) == result


# ------------------------------------------------------------------------------------------------ what a failure stops

FORGETS = note("it forgets: much")


def verdicts(failing: list[str], **bits: float) -> Promote | Keep | MoveDown:
    levels = {name: [level + (i * 7 % 5) / 10 for i in range(40)] for name, level in bits.items()}
    champion, *others = [scorecard(name, nats) for name, nats in levels.items()]
    failed = ProbeResult(probe="forgetting", passed=False, figures={}, why=FORGETS)
    failures = find_failures({name: [failed] for name in failing})
    verdict = decide(champion, others, Policy())
    return heed_probes(verdict, champion, others, Policy(), {"v2": Rung.LORA}, failures)


def test_what_fails_a_probe_is_not_promoted_however_good_it_is_and_the_verdict_says_which() -> None:
    verdict = verdicts(["lora"], retrieved=60, lora=40)
    assert isinstance(verdict, Keep) and verdict.rung == "retrieved"
    assert verdict.reason.startswith("Stay on retrieved: lora is 0.7")
    assert verdict.reason.endswith("but it is not promoted, because it fails a probe; it forgets: much.")
    assert [one.rung for one in verdict.comparisons] == ["lora"]


def test_the_next_best_is_promoted_where_it_is_better_and_the_one_before_it_is_named() -> None:
    verdict = verdicts(["v2"], zero_shot=60, v2=40, retrieved=50)
    assert isinstance(verdict, Promote) and verdict.rung == "retrieved"
    assert "lora (v2) is passed over, because it fails a probe; it forgets: much." in verdict.reason


def test_moving_down_to_what_fails_is_not_advised() -> None:
    assert isinstance(verdicts([], lora_retrieved=40, lora=40), MoveDown)
    verdict = verdicts(["lora"], lora_retrieved=40, lora=40)
    assert isinstance(verdict, Keep)
    assert "is a lower rung and as good" in verdict.reason and "not advised" in verdict.reason


def test_a_verdict_about_others_and_one_without_failures_stay_as_they_are() -> None:
    assert isinstance(verdicts(["lora"], zero_shot=60, retrieved=40, lora=50), Promote)
    assert verdicts([], retrieved=60, lora=40) == verdicts(["few_shot"], retrieved=60, lora=40)


def test_probes_are_said_in_the_readers_language() -> None:
    results = [judge_memorisation([9.5], KNOBS).as_json(), judge_memorisation([], KNOBS).as_json()]
    english = probes_said("`lora` (v2)", results)
    assert english == (
        "Probes of `lora` (v2): ✗ it memorises: of 1 planted test numbers one has an exposure of 9.5 bits, and less "
        "than 9.0 is allowed; – test numbers: none were planted among so few pairs."
    )
    with speaking("nl"):
        assert "✗ hij onthoudt: van 1 geplante testnummers" in probes_said("`lora` (v2)", results)
        assert "blootstelling van 9,5 bits" in failed_before("`lora` (v2)", "support", "lora", results)
