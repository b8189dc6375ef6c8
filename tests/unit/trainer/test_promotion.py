from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from config.rungs import Rung
from trainer.metrics import Interval, PairScore, Scorecard
from trainer.promotion import Keep, MoveDown, Policy, Promote, decide, pairs_to_settle, replace_tainted


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


def test_too_few_unseen_pairs_never_promote_however_good_the_challenger() -> None:
    verdict = decide(scorecard("zero_shot", [90.0] * 19), [scorecard("lora", [1.0] * 19)], Policy(min_pairs=20))
    assert isinstance(verdict, Keep)
    assert verdict.reason == (
        "Stay on zero_shot: not enough yet, 19 unseen pairs of the 20 that are needed to tell better from luck."
    )


def in_groups(card: Scorecard, each: int) -> Scorecard:
    return card.in_groups({pair.example_id: number // each for number, pair in enumerate(card.pairs)})


def test_related_pairs_count_once_towards_what_is_needed_and_the_sentence_says_so() -> None:
    champion, lora = (
        in_groups(scorecard(rung, [nats + n % 3 for n in range(60)]), 4) for rung, nats in (("a", 90.0), ("lora", 1.0))
    )
    verdict = decide(champion, [lora], Policy(min_pairs=20))
    assert isinstance(verdict, Keep)
    assert verdict.reason == (
        "Stay on a: not enough yet, 15 unseen pairs of the 20 that are needed to tell better from luck; the 60 unseen "
        "pairs count as 15, because some of them are related."
    )
    enough = decide(champion, [lora], Policy(min_pairs=15))
    assert isinstance(enough, Promote)
    assert "n=60); the 60 unseen pairs count as 15" in enough.reason
    # A pair or two more or less is not worth a word.
    pairs = [(i // 2 if i < 4 else i) for i in range(60)]
    few = [one.in_groups({f"e{i}": group for i, group in enumerate(pairs)}) for one in (champion, lora)]
    assert "count as" not in decide(few[0], [few[1]], Policy()).reason


def test_a_tainted_champion_makes_way_for_what_enough_unrelated_pairs_speak_for() -> None:
    champion, lora, prompt = (
        in_groups(scorecard(rung, [nats] * 60), 4)
        for rung, nats in (("old", 50.0), ("lora", 40.0), ("zero_shot", 60.0))
    )
    for needed, serves in ((20, "zero_shot"), (15, "lora")):
        verdict = replace_tainted(champion, [lora, prompt], Policy(min_pairs=needed), prompts=["zero_shot"])
        assert verdict.rung == serves


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
    assert verdict.reason.startswith("Moved up to lora: 0.7")
    assert "n=36); the interval allows for 2 challengers." in verdict.reason
    assert [c.rung for c in verdict.comparisons] == ["lora", "few_shot"]


def noisy(champion: np.ndarray, gain: float, spread: float, seed: int = 4) -> np.ndarray:
    """Nats a pair of a challenger that is better by `gain` nats, with noise that adds up to nothing."""
    noise = np.random.default_rng(seed).normal(0, spread, len(champion))
    return np.asarray(champion - gain + noise - noise.mean())


def test_a_gain_within_the_noise_keeps_the_champion_and_says_how_many_more_pairs_would_settle_it() -> None:
    champion = 60 + np.random.default_rng(4).normal(0, 5, 36)
    policy = Policy(unseen_share=0.15, most_pairs=2000)
    verdict = decide(scorecard("retrieved", champion), [scorecard("lora", noisy(champion, 1.5, 8))], policy)
    assert isinstance(verdict, Keep)
    assert verdict.reason.startswith("Stay on retrieved: lora is 0.05 bits per byte better, within the noise (−0.0")
    (gain,) = [one.gain for one in verdict.comparisons]
    needed = pairs_to_settle(gain)
    assert needed is not None
    more = math.ceil((needed - 36) / 10) * 10
    examples = math.ceil((needed - 36) / 0.15 / 10) * 10
    assert verdict.reason.endswith(
        f", n=36); if the gain is as large as measured, about {more} more unseen pairs would settle it, which come "
        f"with about {examples:,} more approved examples."
    )


def test_what_no_run_could_settle_is_said_to_be_so() -> None:
    champion = 60 + np.random.default_rng(4).normal(0, 5, 36)
    verdict = decide(
        scorecard("retrieved", champion), [scorecard("lora", noisy(champion, 0.5, 8))], Policy(most_pairs=200)
    )
    assert "if the gain is as large as measured, settling it would take about" in verdict.reason
    assert verdict.reason.endswith("unseen pairs, and a run measures 200 at most.")


def test_the_pairs_that_would_settle_a_gain_do_so_in_eight_of_ten() -> None:
    """The formula, tried: on so many pairs, with the gain and spread as measured, the interval leaves zero behind."""
    champion = np.full(36, 60.0)
    (first,) = decide(
        scorecard("retrieved", champion), [scorecard("lora", noisy(champion, 2.0, 8))], Policy()
    ).comparisons
    needed = pairs_to_settle(first.gain)
    assert needed is not None and 60 < needed < 200
    random, settled = np.random.default_rng(7), 0
    for _ in range(300):
        drawn = np.full(needed, 60.0) - 2.0 + random.normal(0, 8, needed)
        verdict = decide(scorecard("retrieved", np.full(needed, 60.0)), [scorecard("lora", drawn)], Policy())
        settled += isinstance(verdict, Promote)
    assert 0.72 <= settled / 300 <= 0.92


def test_nothing_needs_settling_that_is_settled_or_no_better() -> None:
    assert pairs_to_settle(Interval(mean=0.3, low=0.1, high=0.5, n=40, standard_error=0.1)) == 40
    assert pairs_to_settle(Interval(mean=-0.1, low=-0.3, high=0.1, n=40, standard_error=0.1)) is None


def test_a_worse_challenger_is_named_as_worse() -> None:
    verdict = decide(scorecard("retrieved", [40.0] * 30), [scorecard("lora", [50.0] * 30)], Policy())
    assert isinstance(verdict, Keep)
    assert "0.36 bits per byte worse (0.36 to 0.36, n=30)" in verdict.reason


def test_a_challenger_that_is_no_better_within_the_noise_is_not_called_worse() -> None:
    champion = 60 + np.random.default_rng(4).normal(0, 5, 36)
    verdict = decide(scorecard("retrieved", champion), [scorecard("lora", noisy(champion, -0.5, 8))], Policy())
    assert isinstance(verdict, Keep)
    assert "is no better: −0.02 bits per byte (−0.14 to " in verdict.reason
    assert "would settle" not in verdict.reason


# --- up and down the ladder ------------------------------------------------------------------------------------------


def test_a_lower_rung_that_is_as_good_within_the_margin_is_where_the_verdict_moves_down_to() -> None:
    champion = 60 + np.random.default_rng(4).normal(0, 5, 160)
    lower = dataclasses.replace(scorecard("retrieved", noisy(champion, 0.1, 2)), rung="retrieved")
    verdict = decide(scorecard("v3", champion), [lower], Policy(), {"v3": Rung.LORA})
    assert isinstance(verdict, MoveDown) and verdict.rung == "retrieved"
    assert verdict.reason.startswith(
        "Move down to retrieved: against lora (v3) it gains 0.0036 bits per byte (−0.01 to 0.01, n="
    )
    assert verdict.reason.endswith("so it is not worse by more than 0.05; needs no training.")


def test_a_lower_rung_is_not_as_good_when_it_may_be_worse_by_more_than_the_margin() -> None:
    champion = 60 + np.random.default_rng(4).normal(0, 5, 36)
    challengers = [scorecard("retrieved", noisy(champion, 0.1, 8))]
    assert isinstance(decide(scorecard("lora", champion), challengers, Policy()), Keep)
    assert isinstance(decide(scorecard("lora", champion), challengers, Policy(margin_bits=1.0)), MoveDown)


@pytest.mark.parametrize("letters", [4, 6, 40])
def test_the_margin_for_labels_is_per_answer_however_long_labels_are(letters: int) -> None:
    champion = np.full(160, -math.log(0.80))
    spread = np.random.default_rng(4).normal(0, 0.02, 160)

    def move(chance: float) -> object:
        cards = [
            dataclasses.replace(scorecard(rung, nats, [letters] * 160), calibration={})
            for rung, nats in (("lora", champion), ("logistic", np.full(160, -math.log(chance)) + spread))
        ]
        return decide(cards[0], cards[1:], Policy().per_answer(cards[0], 0.1))

    assert isinstance(move(0.76), MoveDown)  # 0.074 bits per answer less
    assert isinstance(move(0.70), Keep)  # 0.193 bits, which in a label of six letters is 0.032 per byte


def test_a_higher_rung_that_is_as_good_is_no_reason_to_move() -> None:
    champion = 60 + np.random.default_rng(4).normal(0, 5, 160)
    verdict = decide(scorecard("retrieved", champion), [scorecard("lora", noisy(champion, 0.0, 2))], Policy())
    assert isinstance(verdict, Keep)


def test_of_several_that_are_as_good_the_lowest_rung_is_named() -> None:
    champion = 60 + np.random.default_rng(4).normal(0, 5, 160)
    challengers = [
        scorecard(rung, noisy(champion, 0.0, 2, seed)) for seed, rung in enumerate(("retrieved", "few_shot"))
    ]
    assert decide(scorecard("lora", champion), challengers, Policy()).rung == "few_shot"


@pytest.mark.parametrize(
    ("champion", "challenger", "said"),
    [
        ("zero_shot", "lora", "Moved up to lora: "),
        ("lora", "retrieved", "Moved down to retrieved: "),
        ("v1", "v2", "Moved to lora (v2): "),
        ("x1", "v2", "Moved to lora (v2): "),
    ],
)
def test_a_promotion_says_whether_it_goes_up_or_down(champion: str, challenger: str, said: str) -> None:
    better = [scorecard(challenger, [40.0 + n % 3 for n in range(30)])]
    verdict = decide(
        scorecard(champion, [60.0 + n % 5 for n in range(30)]), better, Policy(), {"v1": Rung.LORA, "v2": Rung.LORA}
    )
    assert isinstance(verdict, Promote)
    assert verdict.reason.startswith(said)


@pytest.mark.parametrize(
    ("tokens", "said"), [(5, "; saves 5 prompt tokens a draft."), (310, "; costs 300 more prompt tokens a draft.")]
)
def test_what_a_move_saves_or_costs_a_draft_is_said(tokens: int, said: str) -> None:
    card = scorecard("lora", [40.0 + n % 3 for n in range(30)])
    pairs = tuple(dataclasses.replace(pair, prompt_tokens=tokens) for pair in card.pairs)
    verdict = decide(
        scorecard("zero_shot", [60.0 + n % 5 for n in range(30)]), [dataclasses.replace(card, pairs=pairs)], Policy()
    )
    assert verdict.reason.endswith(said)


def test_nothing_to_compare_keeps_the_champion() -> None:
    assert isinstance(decide(scorecard("lora", [40.0] * 30), [], Policy()), Keep)


def test_a_gain_below_what_the_policy_asks_for_is_not_enough() -> None:
    verdict = decide(
        scorecard("lora", [40.0] * 30), [scorecard("lora_retrieved", [39.0] * 30)], Policy(min_gain_bits=0.5)
    )
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
    assert verdict.reason.startswith("Moved to v2: v1 learnt from something that was withdrawn, and against it this ")


def test_where_every_adapter_is_worse_beyond_the_noise_the_best_prompt_takes_over() -> None:
    verdict = replaced({"zero_shot": 90.0, "retrieved": 70.0, "v2": 65.0})
    assert verdict.rung == "retrieved"
    assert verdict.reason.startswith("Went back to retrieved: v1 learnt from something that was withdrawn")


def test_too_few_unseen_pairs_cannot_tell_so_the_best_prompt_takes_over() -> None:
    assert replaced({"zero_shot": 90.0, "retrieved": 70.0, "v2": 50.0}, pairs=19).rung == "retrieved"


def test_a_tainted_champion_is_never_kept_for_want_of_a_prompt() -> None:
    with pytest.raises(ValueError, match="no prompt"):
        replaced({"v2": 65.0})


@pytest.mark.parametrize(("unrelated", "confidence"), [(20, 0.985), (50, 0.9675), (80, 0.95), (500, 0.95)])
def test_the_fewer_unrelated_pairs_the_surer_an_interval_has_to_be(unrelated: int, confidence: float) -> None:
    assert Policy().confidence(unrelated) == pytest.approx(confidence)
    # As much of a rate that an operator chose.
    assert Policy(false_promotion_rate=0.2).confidence(unrelated) == pytest.approx(1 - 4 * (1 - confidence))
