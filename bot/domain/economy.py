"""What drafts and runs cost, and when a run has paid for itself. Pure.

A draft costs the time that it keeps the GPU host busy, or, where a hosted server bills by tokens, its tokens. A run
pays for itself through drafts that are cheaper than without it: an adapter carries no examples in its prompts. What a
run buys in quality is not counted here; the ladder shows that.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from config.rungs import Rung

if TYPE_CHECKING:  # a ladder carries its economy
    from bot.domain.ladder import Ladder, Rank

#: A run that pays for itself later than this does not: by then it was repeated, or the base model is another one.
MOST_WEEKS = 260


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What the installation pays; 0 is not said."""

    per_hour: float = 0.0
    per_million_prompt_tokens: float = 0.0
    per_million_completion_tokens: float = 0.0
    currency: str = "EUR"

    @property
    def is_by_token(self) -> bool:
        return bool(self.per_million_prompt_tokens or self.per_million_completion_tokens)

    @property
    def is_known(self) -> bool:
        return bool(self.per_hour) or self.is_by_token


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakEven:
    """A run against the drafts that it makes cheaper."""

    #: The candidate that was trained, and the best one that needs no training.
    trained: str
    untrained: str
    #: Prompt tokens that a draft of the trained one is shorter by; below 0 it is longer.
    tokens_saved: int
    #: What a draft of the trained one is cheaper by, in money, or in seconds of the host where it has no price.
    saved_a_draft: float
    is_money: bool
    currency: str
    #: After so many drafts the run is paid for; None is never.
    drafts: int | None
    #: The team's own pace.
    drafts_a_week: float

    @property
    def weeks(self) -> float | None:
        """How long that takes at the team's own pace; None when it never comes to that."""
        if self.drafts is None or self.drafts_a_week <= 0:
            return None
        weeks = self.drafts / self.drafts_a_week
        return weeks if weeks <= MOST_WEEKS else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Economy:
    """What a measurement says about money."""

    break_even: BreakEven | None
    #: What a draft of each candidate costs, by its name; empty where nothing has a price.
    draft_prices: tuple[tuple[str, float], ...]
    currency: str


def prices_of_drafts(ladder: Ladder, prices: Prices) -> tuple[tuple[str, float], ...]:
    """By candidate, in the ladder's order; those without a measured draft are left out."""
    known = [(ladder.shown(rank), price_of_draft(rank, prices)) for rank in ladder.ranks]
    return tuple((name, price) for name, price in known if price is not None)


def price_of_draft(rank: Rank, prices: Prices) -> float | None:
    """In the installation's currency; None when it is not known."""
    if prices.is_by_token:
        if rank.prompt_tokens is None or rank.completion_tokens is None:
            return None
        prompt, completion = prices.per_million_prompt_tokens, prices.per_million_completion_tokens
        return (rank.prompt_tokens * prompt + rank.completion_tokens * completion) / 1e6
    if not prices.per_hour or rank.seconds_per_draft is None:
        return None
    return rank.seconds_per_draft / 3600 * prices.per_hour


def find_break_even(
    ladder: Ladder, prices: Prices, *, run_seconds: float, run_cost: float, drafts_a_week: float
) -> BreakEven | None:
    """When a run of this length and cost is paid for by what the trained candidate saves on each draft.

    The trained candidate is the champion if that has an adapter, else the best adapter measured; it is held against the
    best candidate without one. None when one of the two was not measured, or on too few unseen pairs to say which is
    best.
    """
    if not ladder.is_enough:
        return None
    trained = _best([rank for rank in ladder.ranks if is_trained(rank)])
    untrained = _best([rank for rank in ladder.ranks if not is_trained(rank)])
    if trained is None or untrained is None:
        return None
    is_money = prices.is_known
    cost = _cost(trained, prices), _cost(untrained, prices)
    if cost[0] is None or cost[1] is None or trained.prompt_tokens is None or untrained.prompt_tokens is None:
        return None
    saved = cost[1] - cost[0]
    price_of_run = run_cost if is_money else run_seconds
    if price_of_run <= 0:  # nobody said what the host costs, or wrote down what the run took
        return None
    return BreakEven(
        trained=ladder.shown(trained),
        untrained=ladder.shown(untrained),
        tokens_saved=round(untrained.prompt_tokens - trained.prompt_tokens),
        saved_a_draft=saved,
        is_money=is_money,
        currency=prices.currency,
        drafts=max(math.ceil(price_of_run / saved), 1) if saved > 0 else None,
        drafts_a_week=drafts_a_week,
    )


def is_trained(rank: Rank) -> bool:
    return bool(rank.adapter_name) or (rank.rung in set(Rung) and Rung(rank.rung).needs_adapter)


def _best(ranks: Sequence[Rank]) -> Rank | None:
    serving = [rank for rank in ranks if rank.is_champion]
    return min(serving or ranks, key=lambda rank: rank.bits_per_byte, default=None)


def _cost(rank: Rank, prices: Prices) -> float | None:
    return price_of_draft(rank, prices) if prices.is_known else rank.seconds_per_draft


def drafts_a_week(count: int, weeks: float) -> float:
    """The pace over the last `weeks`, of which at least one is counted: a style of yesterday has no pace yet."""
    return count / max(weeks, 1.0)
