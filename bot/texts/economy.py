"""What people read about what drafts cost, and when a run has paid for itself."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.economy import BreakEven, Economy
from bot.language import clauses, listed, money, number, say, say_count


def economy_says(economy: Economy | None) -> list[str]:
    """A sentence each; none where nothing is known."""
    if economy is None:
        return []
    paid = break_even(economy.break_even) if economy.break_even else ""
    return [one for one in (paid, prices_of_drafts(economy.draft_prices, economy.currency)) if one]


def break_even(found: BreakEven) -> str:
    """After how many drafts a run is paid for, and how long that takes this team; or that it never is."""
    if found.drafts is None:
        return say(
            "A run never pays for itself: `{trained}` saves nothing a draft against `{untrained}`. What it can buy is "
            "quality.",
            trained=found.trained, untrained=found.untrained,
        )  # fmt: skip
    paid = say_count(
        found.drafts,
        "A run pays for itself after {count} draft: `{trained}` saves {saved} against `{untrained}`.",
        "A run pays for itself after {count} drafts: `{trained}` saves {saved} against `{untrained}`.",
        trained=found.trained, untrained=found.untrained, saved=_saved(found),
    )  # fmt: skip
    return clauses(paid, _pace(found))


def _saved(found: BreakEven) -> str:
    if not found.is_money:
        return say("{seconds} s of the model server a draft", seconds=found.saved_a_draft)
    return say("{amount} on 1,000 drafts", amount=money(found.saved_a_draft * 1000, found.currency))


def _pace(found: BreakEven) -> str:
    if found.drafts_a_week <= 0:
        return say("nobody asked for a draft in the last four weeks")
    pace = number(max(round(found.drafts_a_week), 1))
    if found.weeks is None:
        return say("at your {pace} a week, that is never", pace=pace)
    if found.weeks < 1:
        return say("at your {pace} a week, that is within a week", pace=pace)
    return say_count(
        round(found.weeks),
        "at your {pace} a week, that is in {count} week",
        "at your {pace} a week, that is in {count} weeks",
        pace=pace,
    )


def prices_of_drafts(prices: Sequence[tuple[str, float]], currency: str) -> str:
    """What drafts of each candidate cost; empty where nothing has a price."""
    if not prices:
        return ""
    named = listed([f"`{name}` {money(price * 1000, currency)}" for name, price in prices])
    return say("1,000 drafts cost: {prices}.", prices=named)
