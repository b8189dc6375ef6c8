"""Which preferences may teach, which measure, and when what they taught is kept."""

from __future__ import annotations

import numpy as np
import pytest

from tests.unit.trainer.test_leaks import WORDS, an_original, embed
from tests.unit.trainer.test_promotion import scorecard
from trainer.dataset import TrainingExample
from trainer.metrics import PairScore, Scorecard
from trainer.preferences import PreferencePair, PreferenceSides, Share, count_right, place_preferences, weigh
from trainer.promotion import Policy

TRAIN, JUDGING = [an_original(n) for n in range(10)], [an_original(n) for n in range(10, 15)]


def preferred(example: TrainingExample, name: str, **different: str) -> PreferencePair:
    values = {"prompt": example.prompt, "chosen": example.completion, "rejected": f"no {name}"} | different
    return PreferencePair(preference_id=name, **values)


def place(*pairs: tuple[PreferencePair, set[str]]) -> tuple[list[str], list[str]]:
    """Ids of those that teach and of those kept back."""
    sides = place_preferences(pairs, train=TRAIN, judging=JUDGING, near_duplicate=92.0, embed=embed)
    return [one.preference_id for one in sides.train], [one.preference_id for one in sides.kept_back]


def nobodys(seed: int) -> str:
    return " ".join(np.random.default_rng(seed).choice(WORDS, 13))


def test_a_preference_stands_where_its_approved_example_stands() -> None:
    a, b = TRAIN[0], JUDGING[0]
    assert place((preferred(a, "a"), {a.example_id}), (preferred(b, "b"), {b.example_id})) == (["a"], ["b"])
    # Of two examples on two sides, of none that is in the split, and of none at all.
    torn = (preferred(a, "torn"), {a.example_id, b.example_id})
    assert place(torn, (preferred(a, "elsewhere"), {"skipped"}), (preferred(a, "nobody's"), set())) == ([], [])


@pytest.mark.parametrize("kind", ["its prompt", "its text", "in other words"])
def test_what_tells_about_a_judging_example_never_teaches_also_under_another_examples_name(kind: str) -> None:
    judged, mine = JUDGING[1], TRAIN[1]
    texts = {
        "its prompt": {"prompt": judged.prompt, "chosen": nobodys(1)},
        "its text": {"prompt": f"{judged.prompt} please", "chosen": judged.completion},
        "in other words": {
            "prompt": " ".join(f"{word}ish" if word in WORDS else word for word in judged.prompt.split()),
            "chosen": " ".join(f"{word}ish" if word in WORDS else word for word in judged.completion.split()),
        },
    }[kind]
    assert place((preferred(mine, "leak", **texts), {mine.example_id})) == ([], [])


def test_what_tells_about_a_training_example_or_a_preference_that_teaches_measures_nothing() -> None:
    taught, judged, other = TRAIN[2], JUDGING[2], TRAIN[3]
    copy = preferred(judged, "copy", prompt=taught.prompt, chosen=nobodys(2))
    assert place((copy, {judged.example_id})) == ([], [])
    # Its text was changed by a reviewer since, so that only the two preferences resemble one another.
    asked, said = nobodys(3), nobodys(4)
    first = preferred(other, "first", prompt=asked, chosen=said)
    second = preferred(judged, "second", prompt=asked, chosen=said)
    assert place((first, {other.example_id}), (second, {judged.example_id})) == (["first"], [])


def test_two_texts_that_are_the_same_prefer_nothing() -> None:
    one = TRAIN[4]
    same = preferred(one, "same", rejected=f"  {one.completion.upper()} ")
    assert place((same, {one.example_id}), (preferred(one, "empty", rejected=" "), {one.example_id})) == ([], [])
    assert place_preferences([], train=TRAIN, judging=JUDGING, near_duplicate=92.0) == PreferenceSides()


# ------------------------------------------------------------------------------------------------ what was learnt


def pair_scores(*chosen_and_rejected: tuple[float, int]) -> Scorecard:
    pairs = tuple(
        PairScore(example_id="p", nll_nats=nats, reference_bytes=size, prompt_tokens=1)
        for nats, size in chosen_and_rejected
    )
    return Scorecard(rung="lora", pairs=pairs, seconds_per_draft=0.0, scoring_seconds=0.0)


def test_a_text_does_not_win_by_being_short() -> None:
    # The rejected text is less than half as long and likelier as a whole, but not per byte.
    share = count_right(pair_scores((20.0, 40), (15.0, 15), (30.0, 30), (10.0, 20)))
    assert (share.right, share.n, share.mean) == (1, 2, 0.5)


def test_the_interval_of_a_share_is_wilsons() -> None:
    # Newcombe 1998, table I: 81 of 263 gives 0.2553 to 0.3662, 15 of 148 gives 0.0624 to 0.1605, 0 of 20 to 0.1611.
    assert Share(right=81, n=263).bounds == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert Share(right=15, n=148).bounds == pytest.approx((0.0624, 0.1605), abs=1e-4)
    assert Share(right=0, n=20).bounds == pytest.approx((0.0, 0.1611), abs=1e-4)


def test_what_preferences_taught_is_kept_only_beyond_the_noise() -> None:
    random = np.random.default_rng(0)
    lora = 40 + random.normal(0, 5, 60)
    shares = Share(right=9, n=20), Share(right=15, n=20)

    def said(after: np.ndarray, policy: Policy | None = None) -> tuple[bool, str]:
        kept, notes = weigh(
            scorecard("s-v1", lora), scorecard("s-v1-preferences", after), policy or Policy(), pairs=45, shares=shares
        )
        return kept, "; ".join(map(str, notes))

    kept, told = said(lora - 2 + random.normal(0, 1, 60))
    assert kept
    assert told.startswith("45 preferences helped: 0.07")
    assert told.endswith(
        "of 20 preferences kept back, the chosen text is the likelier one in 75% (53% to 89%), and was in 45% without"
    )
    kept, told = said(lora - 0.2 + random.normal(0, 5, 60))
    assert not kept
    assert told.startswith("45 preferences did not help, so what they taught is discarded: ")
    kept, told = said(lora - 20, Policy(min_pairs=61))
    assert not kept
    assert told.startswith("whether 45 preferences help cannot be told from 60 unseen pairs of the 61 that are needed")
