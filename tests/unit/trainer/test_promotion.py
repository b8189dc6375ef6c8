from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from trainer.metrics import PairScore, Scorecard
from trainer.promotion import PAIRS_FOR_POWER, Keep, Policy, Promote, decide, replace_tainted

SIMULATIONS = 1000


def scorecard(rung: str, nats: np.ndarray | list[float], sizes: np.ndarray | list[int] | None = None) -> Scorecard:
    sizes = [40] * len(nats) if sizes is None else sizes
    return Scorecard(
        rung=rung,
        pairs=tuple(
            PairScore(example_id=f"e{i}", nll_nats=float(n), reference_bytes=int(s), prompt_tokens=10)
            for i, (n, s) in enumerate(zip(nats, sizes, strict=True))
        ),
        seconds_per_draft=0.1,
        scoring_seconds=0.1,
    )


def simulate(n: int, gain_in_spreads: float, *, challengers: int = 1, seed: int = 1) -> float:
    """Share of simulated decisions that promote; each pair's difference is heavy-tailed and grows with its size."""
    random = np.random.default_rng(seed)
    policy = Policy(min_pairs=20, resamples=1000)
    promoted = 0
    for _ in range(SIMULATIONS):
        sizes = random.integers(15, 80, n)
        champion = sizes * random.lognormal(0.3, 0.4, n)
        others = []
        for number in range(challengers):
            spread = random.standard_t(5, n) / np.sqrt(5 / 3)  # unit variance, heavy tails
            others.append(scorecard(f"c{number}", champion - 10 * (gain_in_spreads + spread), sizes))
        promoted += isinstance(decide(scorecard("zero_shot", champion, sizes), others, policy), Promote)
    return promoted / SIMULATIONS


@pytest.mark.parametrize(("n", "challengers"), [(20, 1), (36, 1), (36, 4)])
def test_without_a_true_difference_at_most_one_in_twenty_is_promoted(n: int, challengers: int) -> None:
    assert simulate(n, 0.0, challengers=challengers) <= 0.05


def test_a_gain_of_half_the_spread_is_found_in_eight_of_ten_at_the_documented_number_of_pairs() -> None:
    assert simulate(PAIRS_FOR_POWER, 0.5) >= 0.8


def test_too_few_unseen_pairs_never_promote_however_good_the_challenger() -> None:
    verdict = decide(scorecard("zero_shot", [90.0] * 19), [scorecard("lora", [1.0] * 19)], Policy(min_pairs=20))
    assert isinstance(verdict, Keep)
    assert verdict.reason == ("Kept zero_shot: too few unseen pairs to tell better from luck, 19 of the 20 needed.")


def test_the_best_of_several_clear_winners_is_promoted_with_a_sentence() -> None:
    random = np.random.default_rng(0)
    noise = random.normal(0, 1, 36)
    verdict = decide(
        scorecard("zero_shot", 60 + noise),
        [scorecard("lora", 40 + random.normal(0, 1, 36)), scorecard("few_shot", 50 + random.normal(0, 1, 36))],
        Policy(),
    )
    assert isinstance(verdict, Promote)
    assert verdict.rung == "lora"
    assert verdict.reason.startswith("Promoted lora over zero_shot: 0.7")
    assert "widened for 2 challengers (n=36)." in verdict.reason
    assert [c.rung for c in verdict.comparisons] == ["lora", "few_shot"]


def test_a_gain_within_the_noise_keeps_the_champion_and_says_why() -> None:
    random = np.random.default_rng(4)
    champion = 60 + random.normal(0, 5, 36)
    verdict = decide(
        scorecard("retrieved", champion), [scorecard("lora", champion - 0.8 + random.normal(0, 6, 36))], Policy()
    )
    assert isinstance(verdict, Keep)
    assert verdict.reason.startswith("Kept retrieved: lora is 0.0")
    assert "−" in verdict.reason
    assert verdict.reason.endswith("contains zero (n=36).")


def test_a_worse_challenger_is_named_as_worse() -> None:
    verdict = decide(scorecard("lora", [40.0] * 30), [scorecard("retrieved", [50.0] * 30)], Policy())
    assert isinstance(verdict, Keep)
    assert "0.36 bits per byte worse (n=30)" in verdict.reason


def test_nothing_to_compare_keeps_the_champion() -> None:
    assert isinstance(decide(scorecard("lora", [40.0] * 30), [], Policy()), Keep)


def test_a_gain_below_what_the_policy_asks_for_is_not_enough() -> None:
    verdict = decide(scorecard("lora", [40.0] * 30), [scorecard("retrieved", [39.0] * 30)], Policy(min_gain_bits=0.5))
    assert isinstance(verdict, Keep)
    assert "asks for at least 0.50" in verdict.reason


def test_candidates_scored_on_other_pairs_are_not_compared() -> None:
    champion = scorecard("zero_shot", [50.0] * 30)
    other = dataclasses.replace(champion, rung="lora", pairs=champion.pairs[::-1])
    with pytest.raises(ValueError, match="same unseen pairs"):
        decide(champion, [other], Policy())


def test_the_same_scorecards_give_the_same_verdict() -> None:
    random = np.random.default_rng(5)
    champion = scorecard("zero_shot", 60 + random.normal(0, 5, 30))
    challenger = scorecard("lora", 58 + random.normal(0, 5, 30))
    assert decide(champion, [challenger], Policy()) == decide(champion, [challenger], Policy())


# --- a champion that has to go ---------------------------------------------------------------------------------------


def replaced(challengers: dict[str, float], *, pairs: int = 36) -> Promote:
    """Who replaces a champion at 60 nats a pair that learnt from what was withdrawn."""
    noise = np.random.default_rng(0).normal(0, 1, pairs)
    cards = [scorecard(name, nats + noise[::-1]) for name, nats in challengers.items()]
    return replace_tainted(scorecard("v1", 60 + noise), cards, Policy(), prompts=["zero_shot", "retrieved"])


def test_a_clean_adapter_that_is_no_better_but_not_worse_beyond_the_noise_replaces_a_tainted_champion() -> None:
    verdict = replaced({"zero_shot": 90.0, "retrieved": 70.0, "v2": 60.1})
    assert verdict.rung == "v2"
    assert "v1, which learnt from something that was withdrawn" in verdict.reason


def test_where_every_adapter_is_worse_beyond_the_noise_the_best_prompt_takes_over() -> None:
    verdict = replaced({"zero_shot": 90.0, "retrieved": 70.0, "v2": 65.0})
    assert verdict.rung == "retrieved"
    assert verdict.reason.startswith("Went back to retrieved: v1 learnt from something that was withdrawn")


def test_too_few_unseen_pairs_cannot_tell_so_the_best_prompt_takes_over() -> None:
    assert replaced({"zero_shot": 90.0, "retrieved": 70.0, "v2": 50.0}, pairs=19).rung == "retrieved"


def test_a_tainted_champion_is_never_kept_for_want_of_a_prompt() -> None:
    with pytest.raises(ValueError, match="no prompt"):
        replaced({"v2": 65.0})
