"""Whether an adapter is still needed, and whether training again would pay: said in the verdict's one sentence."""

from __future__ import annotations

import numpy as np
import pytest

from config.rungs import Rung
from tests.unit.trainer.test_promotion import noisy, scorecard
from trainer.base_pair import NewPair, Standing, judge_pair
from trainer.metrics import Interval, Scorecard
from trainer.need import adapter_lead, weigh_retraining, with_need
from trainer.promotion import Keep, MoveDown, Policy, Promote, decide

RUNGS = {"support-v1": Rung.LORA, "support-v2": Rung.LORA, "retrieved": Rung.RETRIEVED, "zero_shot": Rung.ZERO_SHOT}
PROMPT = 60 + np.random.default_rng(4).normal(0, 5, 60)


def lead(mean: float, spread: float = 0.02, n: int = 60) -> Interval:
    return Interval(mean=mean, low=mean - 2 * spread, high=mean + 2 * spread, n=n, standard_error=spread)


def again(adapter: Scorecard, prompt: Scorecard, before: Interval | None = None) -> Keep | Promote | MoveDown:
    """The verdict on an adapter that serves and is measured beside one prompt."""
    policy = Policy()
    verdict = decide(adapter, [prompt], policy, RUNGS)
    now = adapter_lead(adapter, [prompt], policy)
    weighed = weigh_retraining(before, now, least=policy.margin_bits) if before and now else None
    return with_need(verdict, adapter.rung, RUNGS, weighed)


def test_an_adapter_that_is_ahead_beyond_the_noise_is_still_needed_with_the_interval() -> None:
    verdict = again(scorecard("support-v1", noisy(PROMPT, 8, 4)), scorecard("retrieved", PROMPT))
    assert isinstance(verdict, Keep)
    assert verdict.reason.startswith(
        "The adapter is still needed: without it, retrieved is 0.29 bits per byte worse than lora (support-v1) (0.2"
    )
    assert "n=60" in verdict.reason


def test_a_prompt_that_is_as_good_says_that_the_adapter_is_no_longer_needed() -> None:
    verdict = again(scorecard("support-v1", noisy(PROMPT, 0.1, 1)), scorecard("retrieved", PROMPT))
    assert isinstance(verdict, MoveDown)
    assert verdict.reason.startswith("Move down to retrieved: against lora (support-v1) it gains −0.00")
    assert "; the adapter is no longer needed" in verdict.reason


def test_a_prompt_that_is_better_takes_its_place_and_says_so() -> None:
    verdict = again(scorecard("support-v1", noisy(PROMPT, -8, 4)), scorecard("retrieved", PROMPT))
    assert isinstance(verdict, Promote)
    assert "; the adapter is no longer needed" in verdict.reason


def test_within_the_noise_nothing_is_claimed_about_the_need() -> None:
    verdict = again(scorecard("support-v1", noisy(PROMPT, 1, 12)), scorecard("retrieved", PROMPT))
    assert isinstance(verdict, Keep)
    assert verdict.reason.startswith("Stay on lora (support-v1): retrieved, the best challenger, is no better")
    assert "needed" not in verdict.reason


def test_a_lead_that_was_lost_is_worth_training_for_and_one_that_was_kept_is_not() -> None:
    prompt = scorecard("retrieved", PROMPT)
    lost = again(scorecard("support-v1", noisy(PROMPT, 3, 2)), prompt, before=lead(0.40))
    assert "; train again: worth it, because it is expected to bring 0.29 bits per byte (0.2" in lost.reason
    assert "and 0.05 is asked for" in lost.reason
    kept = again(scorecard("support-v1", noisy(PROMPT, 8, 2)), prompt, before=lead(0.30))
    assert "; train again: not worth it, because it is expected to bring 0.01 bits per byte (−0.0" in kept.reason


def test_what_is_expected_is_held_against_the_best_of_what_there_is_and_carries_both_errors() -> None:
    behind = weigh_retraining(lead(0.30), lead(-0.20), least=0.05)
    assert behind.mean == pytest.approx(0.30)  # over the prompt, which is ahead by now
    ahead = weigh_retraining(lead(0.30, 0.03), lead(0.10, 0.04), least=0.05)
    assert ahead.mean == pytest.approx(0.20)
    assert ahead.high - ahead.low == pytest.approx(2 * 1.96 * 0.05, rel=1e-3)
    assert not weigh_retraining(lead(0.30, 0.1), lead(0.10, 0.1), least=0.05).is_worth_it  # it could be nothing


def test_too_few_pairs_say_nothing_about_the_need() -> None:
    few = scorecard("support-v1", PROMPT[:10] - 8)
    assert adapter_lead(few, [scorecard("retrieved", PROMPT[:10])], Policy()) is None
    verdict = again(few, scorecard("retrieved", PROMPT[:10]), before=lead(0.3))
    assert "not enough yet, 10 unseen pairs" in verdict.reason and "train again" not in verdict.reason


# ------------------------------------------------------------------------------------------------ another base model


def pair(champion: Scorecard, *new: Scorecard) -> tuple[Keep, NewPair]:
    return judge_pair(champion, new, Policy(), RUNGS | {"retrieved on old": Rung.RETRIEVED}, bases=("old", "new"))


def test_the_same_rung_on_the_new_base_is_the_pair_unless_the_gate_there_prefers_another() -> None:
    champion = scorecard("support-v1", PROMPT)
    verdict, found = pair(champion, scorecard("retrieved", PROMPT + 10), scorecard("support-v2", noisy(PROMPT, 8, 4)))
    assert (found.key, found.standing, verdict.rung) == ("support-v2", Standing.BETTER, "support-v1")
    assert verdict.reason.startswith(
        "lora (support-v2) on new is 0.29 bits per byte better than lora (support-v1) on old"
    )
    _, down = pair(champion, scorecard("retrieved", noisy(PROMPT, 8, 1)), scorecard("support-v2", noisy(PROMPT, 8, 1)))
    assert down.key == "retrieved"  # as good there, and needs no training


def test_a_pair_that_is_worse_as_good_or_unsettled_is_called_so() -> None:
    champion = scorecard("retrieved on old", PROMPT)
    verdict, found = pair(champion, scorecard("retrieved", noisy(PROMPT, -8, 4)))
    assert found.standing is Standing.WORSE
    assert verdict.reason.startswith("retrieved on new is 0.29 bits per byte worse than retrieved on old (0.2")
    verdict, found = pair(champion, scorecard("retrieved", noisy(PROMPT, -0.1, 1)))
    assert found.standing is Standing.AS_GOOD and "is as good as retrieved on old" in verdict.reason
    verdict, found = pair(champion, scorecard("retrieved", noisy(PROMPT, -1, 12)))
    assert found.standing is Standing.UNSETTLED and "within the noise" in verdict.reason
    few, found = pair(scorecard("retrieved on old", PROMPT[:9]), scorecard("retrieved", PROMPT[:9] - 30))
    assert found.standing is Standing.UNSETTLED and "9 unseen pairs of the 20" in few.reason
