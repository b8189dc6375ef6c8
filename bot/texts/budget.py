"""What people read about money: what runs have cost, and why one is kept back."""

from __future__ import annotations

import math

from babel.dates import format_date
from babel.numbers import get_currency_precision

from bot.domain.spend import Spend
from bot.language import money, say, sentence, sentences, spoken_language
from config.run_kinds import RunKind

_TAKES = {
    RunKind.TRAIN: sentence("Training *{style}* now takes about {cost}."),
    RunKind.MEASURE: sentence("Measuring *{style}* again now takes about {cost}."),
}


def kept_back(style_name: str, kind: RunKind, reason: str, spend: Spend, cost: float) -> str:
    """For the channel: a run that is due and does not start. `reason`: why it is due."""
    due = say("It is due: {reason}.", reason=reason)
    if spend.is_never_enough_for(cost):
        return sentences(_takes(style_name, kind, spend, cost), due, _too_small(style_name, spend, cost))
    wait = say(
        "This month's budget has {left} left. It starts by itself on {day}, or when an admin raises the budget in my "
        "Home tab under Settings.",
        left=money(spend.left or 0, spend.currency), day=day(spend),
    )  # fmt: skip
    return sentences(_takes(style_name, kind, spend, cost), due, wait)


def over_budget(style_name: str, kind: RunKind, spend: Spend, cost: float) -> str:
    """For the admin who asked for the run."""
    if spend.is_never_enough_for(cost):
        return sentences(_takes(style_name, kind, spend, cost), _too_small(style_name, spend, cost))
    wait = say(
        "This month's budget has {left} left. An admin can raise the budget in my Home tab under Settings; else wait "
        "until {day}.",
        left=money(spend.left or 0, spend.currency), day=day(spend),
    )  # fmt: skip
    return sentences(_takes(style_name, kind, spend, cost), wait)


def _takes(style_name: str, kind: RunKind, spend: Spend, cost: float) -> str:
    return _TAKES[kind](style=style_name, cost=money(cost, spend.currency))


def _too_small(style_name: str, spend: Spend, cost: float) -> str:
    return say(
        "A month's budget is {limit}, so it never starts. An admin can raise the budget in my Home tab under Settings "
        "to at least {enough}, or choose another recipe with `/huisstijl style edit {style}`.",
        limit=money(spend.least_limit, spend.currency), enough=enough_for(cost, spend.currency), style=style_name,
    )  # fmt: skip


def enough_for(cost: float, currency: str) -> str:
    """The smallest budget that can be set and is not less than this cost."""
    units = 10 ** get_currency_precision(currency)
    return money(math.ceil(cost * units) / units, currency)


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
