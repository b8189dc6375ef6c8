"""Quotes, progress and the ladder's table: what is measured is used, what is not known is not shown."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from bot.blocks.quote import quote_message
from bot.domain.ladder import Ladder, Rank, ladder_lines, make_rank
from bot.domain.progress import draw_bar, read_figures
from bot.domain.quote import Measured, Quote, RecipeFacts, SpeedSource, make_quote, read_recipe_facts
from bot.texts.durations import duration
from bot.texts.ladder import LADDER_COLUMNS
from bot.texts.training import receipt as receipt_said
from config.recipe_files import read_recipe_file

FACTS = RecipeFacts(name="cpu-small")
CHARS = [400] * 240


def quote_with(measured: Measured, price_per_hour: float = 0.0):
    return make_quote(FACTS, CHARS, 120, measured, price_per_hour=price_per_hour, currency="EUR")


def test_the_shipped_recipes_minimum_fills_every_side_of_the_split() -> None:
    facts = read_recipe_facts("cpu-small", read_recipe_file("cpu-small"))
    assert facts.minimum_examples == math.ceil(facts.min_test / facts.test_share)
    assert facts.minimum_examples * (1 - facts.test_share - facts.validation_share) >= facts.min_train


def test_without_any_measurement_the_quote_says_that_it_assumes() -> None:
    quote = quote_with(Measured())
    assert quote.speed_source is SpeedSource.DEFAULT
    assert (quote.train_pairs, quote.validation_pairs, quote.unseen_pairs) == (180, 24, 36)
    assert 1 < quote.minutes < 30


def test_the_learning_curve_is_quoted_until_a_receipt_holds_it() -> None:
    """cpu-small trains on a quarter and on a half besides: three quarters of a training more."""
    shipped = read_recipe_facts("cpu-small", read_recipe_file("cpu-small"))
    without = replace(shipped, curve_share=0.0)
    receipt = {"tokens": 18_000, "train_pairs": 180, "tokens_per_second": 100.0, "train_seconds": 180.0,
               "total_seconds": 360.0}  # fmt: skip

    def minutes(facts: RecipeFacts, measured: Measured) -> float:
        return make_quote(facts, CHARS, 120, measured, price_per_hour=0.0, currency="EUR").minutes

    assert minutes(shipped, Measured()) == pytest.approx(minutes(without, Measured()) * 2.55 / 1.8, abs=0.2)
    assert minutes(shipped, Measured(receipt=receipt)) == minutes(without, Measured(receipt=receipt))


def test_training_of_all_weights_is_quoted_where_the_recipe_names_it() -> None:
    """It sees the same pairs once more as often as it has epochs; what it keeps is said with its size."""
    shipped = read_recipe_facts("gpu-full", read_recipe_file("gpu-full"))
    assert shipped.is_full_tuned and not read_recipe_facts("cpu-small", read_recipe_file("cpu-small")).is_full_tuned
    facts = replace(shipped, is_retrieved_tuned=False, epochs=3.0, full_epochs=1.0)

    def quote(facts: RecipeFacts) -> Quote:
        return make_quote(facts, CHARS, 120, Measured(), price_per_hour=0.0, currency="EUR")

    assert quote(facts).tokens == pytest.approx(quote(replace(facts, is_full_tuned=False)).tokens * 4 / 3, rel=1e-3)
    few_steps = replace(facts, full_max_steps=1, batch_size=8)
    assert quote(few_steps).tokens < quote(facts).tokens
    said = [str(block) for block in quote_message("q", "s", quote(facts), price_per_hour=0.0, trainer="",
                                                  is_statement_needed=False)[1]]  # fmt: skip
    assert any("*All weights* (`full`) are trained besides" in one for one in said)
    assert "Kept: 269 MB on disk" in receipt_said({"stored_bytes": 269_400_000}, None)
    assert "Kept: 16.1 GB on disk" in receipt_said({"stored_bytes": 16_060_000_000}, None)


def test_a_measured_trainer_outweighs_the_last_receipt_and_half_the_speed_is_twice_the_time() -> None:
    receipt = {"tokens": 18_000, "train_pairs": 180, "tokens_per_second": 100.0, "train_seconds": 180.0,
               "total_seconds": 360.0}  # fmt: skip
    measured = quote_with(Measured(receipt=receipt))
    assert (measured.speed_source, measured.tokens, measured.minutes) == (SpeedSource.RECEIPT, 18_000, 6.0)
    faster = quote_with(Measured(receipt=receipt, trainer_tokens_per_second=200.0))
    assert (faster.speed_source, faster.minutes) == (SpeedSource.TRAINER, 3.0)


def test_a_speed_measured_with_this_recipe_on_this_device_outweighs_what_the_trainer_last_did() -> None:
    like: list[dict[str, Any]] = [
        {"tokens_per_second": speed, "device": device}
        for speed, device in ((900.0, "H100"), (50.0, "cpu"), (70.0, "cpu"), (None, "cpu"))
    ]

    def quoted(**known: Any) -> tuple[SpeedSource, float, str]:
        quote = quote_with(Measured(like=like, **known))
        return quote.speed_source, quote.tokens_per_second, quote.device

    assert quoted(trainer_tokens_per_second=200.0, device="cpu") == (SpeedSource.RECIPE, 50.0, "cpu")
    assert quoted(trainer_tokens_per_second=200.0, device="A10") == (SpeedSource.TRAINER, 200.0, "A10")
    assert quoted() == (SpeedSource.RECIPE, 900.0, "H100")
    said = str(quote_message("q", "s", quote_with(Measured(like=like)), price_per_hour=0.0, trainer="",
                             is_statement_needed=False)[1])  # fmt: skip
    assert "at 900 tokens a second (as the last run with this recipe measured on `H100`)" in said


def test_a_speed_measured_on_another_base_model_is_said_to_be_that() -> None:
    receipt = {"tokens_per_second": 100.0, "device": "cpu"}
    elsewhere = Measured(
        receipt=receipt, is_receipt_of_this_base=False, like_elsewhere=[{"tokens_per_second": 50.0, "device": "cpu"}],
        trainer_tokens_per_second=200.0, device="cpu",
    )  # fmt: skip
    quote = quote_with(elsewhere)
    assert (quote.speed_source, quote.tokens_per_second) == (SpeedSource.OTHER_BASE, 50.0)
    assert quote_with(replace(elsewhere, like_elsewhere=[])).tokens_per_second == 100.0
    assert quote_with(replace(elsewhere, like=[receipt])).speed_source is SpeedSource.RECIPE
    said = str(quote_message("q", "s", quote, price_per_hour=0.0, trainer="", is_statement_needed=False)[1])
    assert "(measured on another base model; how fast this one is, is not known yet)" in said


def test_the_cost_is_the_time_at_the_configured_price() -> None:
    receipt = {"tokens": 18_000, "train_pairs": 180, "tokens_per_second": 100.0, "train_seconds": 180.0,
               "total_seconds": 1800.0}  # fmt: skip
    assert quote_with(Measured(receipt=receipt), price_per_hour=3.0).cost == 1.5


@pytest.mark.parametrize(("fraction", "bar"), [(0, "░░░░"), (0.01, "▓░░░"), (0.5, "▓▓░░"), (0.99, "▓▓▓░"), (1, "▓▓▓▓")])
def test_the_bar_is_full_only_at_the_end_and_empty_only_before_the_start(fraction: float, bar: str) -> None:
    assert draw_bar(fraction, width=4) == bar


def test_figures_that_make_no_sense_are_left_out() -> None:
    figures = read_figures("training", {"loss": float("nan"), "eval_loss": None, "step": 3, "total_steps": 12})
    assert (figures.loss, figures.eval_loss, figures.fraction) == (None, None, 0.25)
    assert read_figures("training", {"fraction": 7}).fraction == 1.0


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (89, "89 s"), (90, "2 min"), (5400, "1 h 30 min"), (7200, "2 h")]
)
def test_durations_read_as_people_say_them(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def card(*nats: float) -> dict[str, object]:
    return {"pairs": [{"nll_nats": n, "reference_bytes": 50} for n in nats], "summary": {"chrf": 41.25}}


def rank(rung: str, *nats: float, adapter_name: str = "", is_champion: bool = False) -> Rank:
    made = make_rank(rung=rung, base_model="m", adapter_name=adapter_name, card=card(*nats), is_champion=is_champion)
    assert made is not None
    return made


def test_bits_per_byte_lie_within_their_interval() -> None:
    made = rank("lora", 20.0, 30.0, 40.0, 50.0)
    assert made.bits_per_byte == pytest.approx(140 / math.log(2) / 200)
    assert made.low < made.bits_per_byte < made.high
    assert make_rank(rung="lora", base_model="m", adapter_name="", card={"pairs": []}, is_champion=False) is None


def test_the_table_puts_the_best_first_marks_the_champion_and_lines_up() -> None:
    ladder = Ladder(
        style_name="support",
        run_id="run_1",
        ranks=(rank("zero_shot", 40, 44), rank("lora", 20, 22, adapter_name="support-v1"),
               rank("retrieved", 30, 33, is_champion=True)),
        verdict="Kept.",
        pairs_needed=2,
    )  # fmt: skip
    head, *rows = ladder_lines(ladder, [column() for column in LADDER_COLUMNS])
    assert [row.split()[0 if not row.startswith("★") else 1] for row in rows] == ["lora", "retrieved", "zero_shot"]
    assert [row.startswith("★") for row in rows] == [False, True, False]
    assert len({len(row) for row in [head, *rows]}) == 1
    assert "support-v1" in rows[0]


def test_with_too_few_pairs_the_ladders_own_order_stands() -> None:
    ranks = (rank("zero_shot", 40, 44), rank("retrieved", 30, 33), rank("lora", 20, 22))
    ladder = Ladder(style_name="support", run_id="run_1", ranks=ranks, verdict="", pairs_needed=20)
    rows = ladder_lines(ladder, [column() for column in LADDER_COLUMNS])[1:]
    assert [row.split()[0] for row in rows] == ["zero_shot", "retrieved", "lora"]
