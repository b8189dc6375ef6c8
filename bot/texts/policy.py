"""Why a style trains now, or does not yet: reasons that stand after "Next training:" and "Why:"."""

from __future__ import annotations

from datetime import datetime

from bot.domain.forecast import ExpectedGain
from bot.domain.spend import Spend
from bot.language import moment, money, say, say_count, sentence
from bot.texts.budget import day, enough_for

RUN_ACTIVE = sentence("a run is under way")
BY_HAND_ONLY = sentence("this style is trained by hand only, with `/huisstijl train`")
TERMS_NOT_ACCEPTED = sentence(
    "an admin has to accept the statement on training data first: `/huisstijl train` shows it"
)
CLEAN_RETRAIN_DUE = sentence("something was withdrawn that an adapter had learnt from, so this run learns without it")
CLEAN_RETRAIN_CANCELLED = sentence(
    "a clean retrain is owed, because something was withdrawn that an adapter had learnt from, but it was cancelled; "
    "an admin can start it with `/huisstijl train`"
)


def clean_retrain_owed(reason: str) -> str:
    return say(
        "a clean retrain is owed, because something was withdrawn that an adapter had learnt from: {reason}",
        reason=reason,
    )  # fmt: skip


#: By cause: why something is measured again, and why something is trained after that measurement.
_MEASURED_BECAUSE = {
    "changed_instructions": sentence(
        "the instructions were changed, so it is measured again what serves this style best; nothing is trained"
    ),
    "changed_base": sentence(
        "another base model is asked about, so it is measured beside the one that serves; nothing is trained"
    ),
    "drift": sentence(
        "what people accept has changed, so it is measured again what serves this style best; nothing is trained"
    ),
    "by_hand": sentence("an admin asked for a measurement; nothing is trained"),
}
_TRAINED_BECAUSE = {
    "changed_instructions": sentence(
        "the instructions were changed, and the measurement after that said that training again is worth it"
    ),
    "changed_base": sentence(
        "another base model is asked about, so an adapter is trained on it and measured beside what serves"
    ),
    "drift": sentence(
        "what people accept has changed, and the measurement after that said that training again is worth it"
    ),
    "by_hand": sentence("a measurement said that training again is worth it"),
}


def owed_because(kind: str, cause: str) -> str:
    return (_MEASURED_BECAUSE if kind == "measure" else _TRAINED_BECAUSE)[cause]()


def owed_but(why: str, hindrance: str) -> str:
    return say("{why}; {hindrance}", why=why, hindrance=hindrance)


def owed_cancelled(why: str) -> str:
    return say(
        "{why}, but it was cancelled; an admin can start it with `/huisstijl measure` or `/huisstijl train`", why=why
    )


def too_few_examples(have: int, needed: int) -> str:
    return say("{have} of the {needed} approved examples that a run needs are there", have=have, needed=needed)


def too_few_new(have: int, wanted: int) -> str:
    return say_count(
        wanted - have,
        "{have} of {wanted} new approved examples are there, {count} more is needed",
        "{have} of {wanted} new approved examples are there, {count} more are needed",
        have=have, wanted=wanted,
    )  # fmt: skip


def gain_too_small(expected: ExpectedGain, wanted: float) -> str:
    return say(
        "a run now is expected to gain {gain:.3f} bits per byte, and this style asks for {wanted:.3f} ({chance:.0%} "
        "that it is better at all)",
        gain=expected.bits, wanted=wanted, chance=expected.chance,
    )  # fmt: skip


def due_by_gain(expected: ExpectedGain) -> str:
    return say(
        "a run now is expected to gain {gain:.3f} bits per byte ({chance:.0%} that it is better at all)",
        gain=expected.bits, chance=expected.chance,
    )  # fmt: skip


def failed_too_often(failures: int) -> str:
    return say(
        "the last {failures} runs failed, so I wait for an admin to look at the reason and start one with "
        "`/huisstijl train`",
        failures=failures,
    )


def backing_off(again_at: datetime) -> str:
    return say("the last run failed; the next try is at {moment}", moment=moment(again_at))


def outside_hours(from_hour: int, to_hour: int) -> str:
    return say(
        "enough examples are there; it starts between {from_hour:02d}:00 and {to_hour:02d}:00 UTC",
        from_hour=from_hour, to_hour=to_hour,
    )  # fmt: skip


def budget_spent(spend: Spend, next_cost: float) -> str:
    return say(
        "this month's budget has {left} left and the next run takes about {cost}; it starts on {day}, or when an admin "
        "raises the budget in my Home tab",
        left=money(spend.left or 0, spend.currency), cost=money(next_cost, spend.currency), day=day(spend),
    )  # fmt: skip


def budget_too_small(spend: Spend, next_cost: float) -> str:
    return say(
        "the next run takes about {cost} and a month's budget is {limit}, so it never starts until an admin raises the "
        "budget in my Home tab to at least {enough}, or chooses another recipe",
        cost=money(next_cost, spend.currency), limit=money(spend.least_limit, spend.currency),
        enough=enough_for(next_cost, spend.currency),
    )  # fmt: skip


def due(new_examples: int) -> str:
    return say_count(
        new_examples,
        "{count} new approved example since the last run",
        "{count} new approved examples since the last run",
    )
