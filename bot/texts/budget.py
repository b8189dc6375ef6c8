"""What people read about money: what runs have cost, and why one is kept back."""

from __future__ import annotations

from babel.dates import format_date

from bot.domain.spend import Spend
from bot.language import money, say, spoken_language


def kept_back(style_name: str, spend: Spend, cost: float) -> str:
    return say(
        "Enough examples are approved to train *{style}*, but the run would go over this month's budget: it takes "
        "about {cost}, and {left} is left. It starts by itself on {day}, or when an admin raises the budget in my Home "
        "tab under Settings.",
        style=style_name, cost=money(cost, spend.currency), left=money(spend.left or 0, spend.currency), day=day(spend),
    )  # fmt: skip


def over_budget(style_name: str, spend: Spend, cost: float) -> str:
    return say(
        "Training *{style}* now takes about {cost}, and this month's budget has {left} left. An admin can raise the "
        "budget in my Home tab under Settings; else wait until {day}.",
        style=style_name, cost=money(cost, spend.currency), left=money(spend.left or 0, spend.currency), day=day(spend),
    )  # fmt: skip


def day(spend: Spend) -> str:
    """The day on which the budget begins anew."""
    return str(format_date(spend.renews_at.date(), "d MMMM", locale=spoken_language()))


def spent(spent_so_far: float, limit: float | None, currency: str) -> str:
    """This month's spending in one phrase."""
    if limit is None:
        return say("{spent} this month, no budget set", spent=money(spent_so_far, currency))
    return say(
        "{spent} of {limit} this month ({share:.0%})",
        spent=money(spent_so_far, currency), limit=money(limit, currency), share=spent_so_far / limit if limit else 1.0,
    )  # fmt: skip
