"""What people read in the weekly digest of a style."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bot.domain.effort import Effort, Trend
from bot.language import listed, moment, money, say, say_count, sentence, sentences
from bot.texts.overview import TRENDS, with_count

SWITCH_OFF = sentence("Switch this digest off")
SWITCH_OFF_TITLE = sentence("Switch it off?")
SWITCH_OFF_QUESTION = sentence(
    "This style gets no weekly digest any more. An admin can switch it on again in my Home tab."
)
SWITCH_OFF_YES = sentence("Switch off")
SWITCH_OFF_NO = sentence("Keep it")


def title(style: str) -> str:
    return say("The week of {style}", style=style)


def text(style: str, made: int, used: int) -> str:
    """The whole in one line, for notifications."""
    return say_count(
        made,
        "The week of {style}: {count} draft made, {used} used.",
        "The week of {style}: {count} drafts made, {used} used.",
        style=style, used=used,
    )  # fmt: skip


def span(since: datetime, until: datetime) -> str:
    return say("{since} to {until}", since=moment(since), until=moment(until))


def drafts(made: int, kept: int, edited: int, discarded: int, posted: int) -> str:
    if made == 0:
        return say("*Drafts:* none this week.")
    return say(
        "*Drafts:* {made} made; {kept} kept as written, {edited} kept after an edit, {discarded} not our style; "
        "{posted} posted as somebody's choice.",
        made=made, kept=kept, edited=edited, discarded=discarded, posted=posted,
    )  # fmt: skip


def effort(week: Effort | None, trend: Trend) -> str:
    if week is None:
        return say("*Edit effort:* no draft was kept this week, so there is none to measure.")
    measured = say_count(
        week.n,
        "*Edit effort:* people changed {mean:.0%} of what they kept (95 % interval {low:.0%} to {high:.0%}, {count} "
        "draft).",
        "*Edit effort:* people changed {mean:.0%} of what they kept (95 % interval {low:.0%} to {high:.0%}, {count} "
        "drafts).",
        mean=week.mean, low=week.low, high=week.high,
    )  # fmt: skip
    return sentences(measured, TRENDS[trend]())


def examples(new: int, approved: int) -> str:
    if new == 0:
        return say("*Examples:* none new; {approved} approved in all.", approved=approved)
    return say("*Examples:* {new} new; {approved} approved in all.", new=new, approved=approved)


def thanks(taught: Sequence[tuple[str, int]], reviewed: Sequence[tuple[str, int]]) -> str:
    """Names, already made safe to show, with how many examples they taught or reviewed."""
    teachers = listed([with_count(name, count) for name, count in taught])
    reviewers = listed([with_count(name, count) for name, count in reviewed])
    if teachers and reviewers:
        return say(
            "*Thank you* for teaching: {teachers}. For reviewing: {reviewers}.", teachers=teachers, reviewers=reviewers
        )
    if teachers:
        return say("*Thank you* for teaching: {teachers}.", teachers=teachers)
    if reviewers:
        return say("*Thank you* for reviewing: {reviewers}.", reviewers=reviewers)
    return say("*Thank you* to whoever teaches the first example of next week.")


def cost(week: float, month: str, currency: str) -> str:
    return say("*Cost:* {week} this week; {month}.", week=money(week, currency), month=month)


def switched_off(style: str) -> str:
    return say(
        "*{style}* gets no weekly digest any more. An admin can switch it on again in my Home tab, under Settings.",
        style=style,
    )
