"""A forecast in words: every way it can come out has its sentence, in examples that people can count."""

from __future__ import annotations

from typing import Any

import pytest

from bot.domain.forecast import Prospect, read_outlook, round_as_known
from bot.language import speaking
from bot.texts.forecast import outlook_said, record_said
from db.forecasts import expected_at

GAINS = {"gain_now": (-0.03, -0.08, 0.02), "gain_doubled": (0.041, 0.01, 0.07)}


def stored(**different: Any) -> dict[str, Any]:
    """75 of 100 examples were learnt from; it overtakes with 180 pairs, so with 140 more examples."""
    values = {
        "rung": "lora", "champion": "retrieved", "train_pairs": 75, "examples": 100, "limit_examples": 10_000,
        "overtakes": 180, "overtakes_low": 143, "overtakes_high": 270, "chance": 0.97,
    }  # fmt: skip
    return values | different


def said(**different: Any) -> str:
    return outlook_said(read_outlook(stored(**different), **GAINS))


def test_it_overtakes_with_so_many_more_approved_examples() -> None:
    assert said() == "With about 140 more examples `lora` would overtake `retrieved` (91 to 260)."


def test_where_it_may_never_happen_the_sentence_says_how_likely_it_is() -> None:
    assert said(overtakes_high=None, chance=0.62) == (
        "With about 140 more examples `lora` would overtake `retrieved`; 91 at least, and perhaps not within 10,000 "
        "(62% that it would)."
    )


def test_not_within_the_limit() -> None:
    sentence = said(overtakes=None, overtakes_high=None, chance=0.08)
    assert sentence == "At this rate `lora` would not overtake `retrieved` within 10,000 examples (8% that it would)."


def test_already_better() -> None:
    outlook = read_outlook(stored(overtakes=75), gain_now=(0.03, 0.01, 0.07), gain_doubled=(0.05, 0.0, 0.1))
    assert outlook.prospect is Prospect.AHEAD
    assert outlook_said(outlook) == (
        "`lora` is already better than `retrieved` with the examples of now, by about 0.030 bits per byte (0.010 to "
        "0.070)."
    )


def test_ahead_within_the_noise_is_not_called_better() -> None:
    outlook = read_outlook(stored(overtakes=75), gain_now=(0.03, -0.01, 0.07), gain_doubled=(0.05, 0.0, 0.1))
    assert outlook_said(outlook) == (
        "`lora` may be ahead of `retrieved` already, by about 0.030 bits per byte (−0.010 to 0.070): too little to "
        "tell with the examples of now."
    )


def test_a_champion_is_told_what_twice_as_many_examples_would_make_of_it() -> None:
    assert said(champion="lora") == (
        "With twice as many examples, training `lora` anew would gain about 0.041 bits per byte (0.010 to 0.070)."
    )


@pytest.mark.parametrize(
    "different",
    [{}, {"overtakes_high": None}, {"overtakes": None}, {"overtakes": 75}, {"champion": "lora"}],
    ids=["overtakes", "perhaps", "never", "ahead", "serves"],
)
def test_every_sentence_is_there_in_dutch(different: dict[str, Any]) -> None:
    english = said(**different)
    with speaking("nl-NL"):
        dutch = said(**different)
    assert dutch != english and "voorbeelden" in dutch


def test_what_came_true_is_counted() -> None:
    assert record_said(0, 0, None) == ""
    assert record_said(6, 5, 0.0213) == (
        "Of 6 earlier forecasts 5 held; they were off by 0.021 bits per byte on average."
    )
    with speaking("nl"):
        assert "5" in record_said(6, 5, 0.0213) and "0,021" in record_said(6, 5, 0.0213)


@pytest.mark.parametrize(("count", "rounded"), [(0.0, 0), (7.4, 7), (96.0, 96), (143.0, 140), (1234.0, 1200)])
def test_no_figure_is_given_that_is_not_known(count: float, rounded: int) -> None:
    assert round_as_known(count) == rounded


def test_between_two_rows_it_goes_by_the_ratio_of_the_sizes() -> None:
    def row(pairs: int, score: float) -> dict[str, Any]:
        bounds = {"mean": score, "low": score - 0.1, "high": score + 0.1}
        return {"train_pairs": pairs, "score": bounds, "gain": bounds, "chance": score / 2}

    table = [row(100, 1.0), row(400, 0.8)]
    assert expected_at(table, 200).score == pytest.approx((0.9, 0.8, 1.0))
    assert expected_at(table, 200).chance == pytest.approx(0.45)
    assert expected_at(table, 100).score[0] == 1.0
    assert expected_at(table, 50).score[0] == 1.0  # nothing is said about fewer
    assert expected_at(table, 9000).score[0] == 0.8
