"""What drafts and runs cost, and when a run has paid for itself."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bot.domain.economy import BreakEven, Economy, Prices, drafts_a_week, find_break_even, prices_of_drafts
from bot.domain.ladder import Ladder, Rank
from bot.texts.economy import break_even, economy_says


def rank(rung: str, bits: float, prompt_tokens: float, seconds: float, **different: Any) -> Rank:
    values: dict[str, Any] = {"adapter_name": "", "completion_tokens": 40.0, "is_champion": False} | different
    return Rank(
        rung=rung, base_model="m", n=40, unrelated=40, bits_per_byte=bits, low=bits, high=bits, chrf=None,
        exact_match=None, edit_similarity=None, prompt_tokens=prompt_tokens, seconds_per_draft=seconds, **values,
    )  # fmt: skip


RANKS = (
    rank("zero_shot", 3.0, 100, 0.5),
    rank("retrieved", 2.0, 450, 1.3),
    rank("lora", 1.8, 140, 0.8, adapter_name="v1"),
)


def ladder(*ranks: Rank, pairs_needed: int = 20) -> Ladder:
    return Ladder(style_name="s", run_id="r", ranks=ranks or RANKS, verdict="", pairs_needed=pairs_needed)


def found(prices: Prices, *ranks: Rank, cost: float = 2.0, pace: float = 40.0) -> BreakEven:
    result = find_break_even(ladder(*ranks), prices, run_seconds=600.0, run_cost=cost, drafts_a_week=pace)
    assert result is not None
    return result


def test_a_run_is_paid_for_by_what_a_draft_is_cheaper_than_the_best_prompts() -> None:
    hour = found(Prices(per_hour=3.6))
    # 0.5 s less at 0.001 a second.
    assert hour.saved_a_draft == pytest.approx(0.0005)
    assert (hour.trained, hour.untrained, hour.tokens_saved) == ("v1", "retrieved", 310)
    assert (hour.drafts, hour.weeks) == (4000, 100.0)


def test_a_hosted_server_bills_tokens_instead_of_time() -> None:
    by_token = found(Prices(per_hour=3.6, per_million_prompt_tokens=10.0, per_million_completion_tokens=30.0))
    assert by_token.saved_a_draft == pytest.approx(0.0031)
    assert by_token.drafts == 646


def test_without_a_price_the_hosts_time_is_what_a_run_costs_and_a_draft_saves() -> None:
    free = found(Prices(), cost=0.0)
    assert (free.is_money, round(free.saved_a_draft, 9), free.drafts) == (False, 0.5, 1200)
    assert break_even(free) == (
        "A run pays for itself after 1,200 drafts: `v1` saves 0.50 s of the model server a draft against `retrieved`; "
        "at your 40 a week, that is in 30 weeks."
    )


def test_what_saves_nothing_never_pays_for_itself() -> None:
    never = found(Prices(per_hour=3.6), RANKS[0], RANKS[2])
    assert (never.drafts, never.weeks) == (None, None)
    assert break_even(never) == (
        "A run never pays for itself: `v1` saves nothing a draft against `zero_shot`. What it can buy is quality."
    )


def test_a_serving_adapter_is_held_against_the_best_prompt_and_not_the_newest_one() -> None:
    serving = rank("lora", 1.9, 140, 0.9, adapter_name="v0", is_champion=True)
    assert found(Prices(per_hour=3.6), *RANKS, serving).trained == "v0"


@pytest.mark.parametrize(
    ("pace", "said"),
    [
        (0.0, "; nobody asked for a draft in the last four weeks."),
        (5.0, "; at your 5 a week, that is never."),
        (40.0, "; at your 40 a week, that is in 100 weeks."),
        (5000.0, "; at your 5,000 a week, that is within a week."),
        (0.2, "; at your 1 a week, that is never."),
    ],
)
def test_it_is_said_in_the_teams_own_volume(pace: float, said: str) -> None:
    sentence = break_even(found(Prices(per_hour=3.6), pace=pace))
    assert sentence.startswith("A run pays for itself after 4,000 drafts: `v1` saves €0.50 on 1,000 drafts against")
    assert sentence.endswith(said)


def test_too_few_unseen_pairs_or_no_adapter_say_nothing() -> None:
    few = ladder(*RANKS, pairs_needed=41)
    assert find_break_even(few, Prices(), run_seconds=1, run_cost=1, drafts_a_week=1) is None
    untrained = ladder(*RANKS[:2])
    assert find_break_even(untrained, Prices(), run_seconds=1, run_cost=1, drafts_a_week=1) is None
    by_token = Prices(per_million_prompt_tokens=1.0)
    assert find_break_even(ladder(), by_token, run_seconds=60, run_cost=0, drafts_a_week=1) is None
    unmeasured = ladder(RANKS[1], dataclasses.replace(RANKS[2], seconds_per_draft=None))
    assert find_break_even(unmeasured, Prices(), run_seconds=1, run_cost=1, drafts_a_week=1) is None


def test_the_price_of_drafts_is_said_where_there_is_one() -> None:
    assert prices_of_drafts(ladder(), Prices()) == ()
    priced = Economy(
        break_even=None, draft_prices=prices_of_drafts(ladder(), Prices(per_hour=3.6)), currency="EUR"
    )  # fmt: skip
    assert economy_says(priced) == ["1,000 drafts cost: `zero_shot` €0.50, `retrieved` €1.30, `v1` €0.80."]
    assert economy_says(None) == []


def test_a_style_of_yesterday_has_no_pace_of_hundreds_a_week() -> None:
    assert drafts_a_week(20, 0.1) == 20
    assert drafts_a_week(20, 4) == 5
