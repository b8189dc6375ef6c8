"""A style's figures in sentences, for the Home tab, the weekly digest and beside every chart."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime

from babel.dates import format_date

from bot.domain.effort import Effort, Trend
from bot.domain.ladder import Rank
from bot.domain.next_action import Action, NextAction
from bot.domain.weeks import WeekSeries, draw_sparkline
from bot.language import lines, listed, moment, money, say, say_count, sentence, sentences, spoken_language
from bot.texts.champion import candidate_name


def week_label(monday: date) -> str:
    return format_date(monday, "d MMM", locale=spoken_language())


# --- the champion and its score -------------------------------------------------------------------------------------

NO_CHAMPION = sentence("*Champion:* none yet; drafts are made from the instructions alone.")
NOT_MEASURED = sentence("*Quality:* not measured yet; a training run measures every rung on examples it has not seen.")


def champion(rung: str, adapter: str, since: datetime) -> str:
    return say("*Champion:* {name}, since {moment}.", name=candidate_name(rung, adapter), moment=moment(since))


def score(rank: Rank, needed: int) -> str:
    """The champion's figure; on fewer unseen pairs than are `needed` there is none to speak of yet."""
    if rank.unrelated < needed:
        return say_count(
            rank.unrelated,
            "*Quality:* not enough yet: {count} unrelated unseen pair, and {needed} are needed to tell better from "
            "luck.",
            "*Quality:* not enough yet: {count} unrelated unseen pairs, and {needed} are needed to tell better from "
            "luck.",
            needed=needed,
        )
    return say_count(
        rank.n,
        "*Quality:* {bits:.2f} bits per byte, 95 % interval {low:.2f} to {high:.2f}, on {count} unseen pair; lower is "
        "better.",
        "*Quality:* {bits:.2f} bits per byte, 95 % interval {low:.2f} to {high:.2f}, on {count} unseen pairs; lower is "
        "better.",
        bits=rank.bits_per_byte, low=rank.low, high=rank.high,
    )  # fmt: skip


def verdict(said: str) -> str:
    return say("*Verdict:* {verdict}", verdict=said)


# --- examples over time ---------------------------------------------------------------------------------------------


def examples(series: WeekSeries, approved: int, proposed: int) -> str:
    """The chart as text: a bar a week, and what it says in words."""
    chart = say("*Examples by week:* `{bars}`", bars=draw_sparkline(series.values))
    words = sentences(_approved(approved), _new(int(series.values[-1] or 0)), _busiest(series), _waiting(proposed))
    return lines(chart, words)


def _approved(approved: int) -> str:
    return say_count(approved, "{count} example is approved.", "{count} examples are approved.")


def _new(count: int) -> str:
    if count == 0:
        return say("None is new this week.")
    return say_count(count, "{count} is new this week.", "{count} are new this week.")


def _waiting(proposed: int) -> str:
    if proposed == 0:
        return say("None waits for review.")
    return say_count(proposed, "{count} waits for review.", "{count} wait for review.")


def _busiest(series: WeekSeries) -> str:
    weeks = len(series.weeks)
    if series.is_empty:
        return say("None was approved in the last {weeks} weeks.", weeks=weeks)
    week, most = max(series.known, key=lambda one: one[1])
    return say(
        "The most in one of the last {weeks} weeks: {most}, in the week of {week}.",
        weeks=weeks, most=int(most), week=week_label(week),
    )  # fmt: skip


EXAMPLES_CHART = sentence("Approved examples")
EXAMPLES_SERIES = sentence("approved in all")
EXAMPLES_AXIS = sentence("examples")
WEEK_AXIS = sentence("week of")


def examples_chart_text(series: WeekSeries) -> str:
    """What the chart of all approved examples shows, in words."""
    (first_week, first), (last_week, last) = series.known[0], series.known[-1]
    return say(
        "Chart of approved examples: {first} in the week of {first_week}, {last} in the week of {last_week}.",
        first=int(first), first_week=week_label(first_week), last=int(last), last_week=week_label(last_week),
    )  # fmt: skip


# --- edit effort ----------------------------------------------------------------------------------------------------

NO_EFFORT = sentence(
    "*Edit effort:* nothing to measure yet. It is how much of a draft people change before they keep it: press Keep "
    "or Edit under a draft."
)
TRENDS = {
    Trend.LESS: sentence("People change less than in the four weeks before."),
    Trend.MORE: sentence("People change more than in the four weeks before."),
    Trend.SAME: sentence("That is as in the four weeks before, within the noise."),
    Trend.UNKNOWN: sentence("There are too few drafts yet to speak of a trend."),
}


def effort(series: WeekSeries, recent: Effort | None, trend: Trend) -> str:
    """The chart as text: a bar a week (full height: everything is changed), and what it says in words."""
    if recent is None and not series.known:
        return NO_EFFORT()
    chart = say("*Edit effort by week:* `{bars}`", bars=draw_sparkline(series.values, top=1.0))
    return lines(chart, sentences(_recent_effort(recent), TRENDS[trend]()))


def _recent_effort(recent: Effort | None) -> str:
    if recent is None:
        return say("No draft was kept in the last four weeks.")
    return say_count(
        recent.n,
        "In the last four weeks people changed {mean:.0%} of what they kept (95 % interval {low:.0%} to {high:.0%}, "
        "{count} draft).",
        "In the last four weeks people changed {mean:.0%} of what they kept (95 % interval {low:.0%} to {high:.0%}, "
        "{count} drafts).",
        mean=recent.mean, low=recent.low, high=recent.high,
    )  # fmt: skip


EFFORT_CHART = sentence("Edit effort per week")
EFFORT_SERIES = sentence("share changed")
EFFORT_AXIS = sentence("0 nothing, 1 everything changed")


def effort_chart_text(series: WeekSeries) -> str:
    """What the chart of edit effort shows, in words."""
    (first_week, first), (last_week, last) = series.known[0], series.known[-1]
    return say(
        "Chart of edit effort: people changed {first:.0%} of the drafts they kept in the week of {first_week} and "
        "{last:.0%} in the week of {last_week}.",
        first=first, first_week=week_label(first_week), last=last, last_week=week_label(last_week),
    )  # fmt: skip


# --- drafts, contributors, what comes next, money -------------------------------------------------------------------


def drafts(made: int, kept: int, edited: int, discarded: int, posted: int) -> str:
    if made == 0:
        return say("*Drafts in seven days:* none.")
    return say(
        "*Drafts in seven days:* {made} made; {kept} kept as written, {edited} kept after an edit, {discarded} not our "
        "style; {posted} posted as somebody's choice.",
        made=made, kept=kept, edited=edited, discarded=discarded, posted=posted,
    )  # fmt: skip


NO_CONTRIBUTORS = sentence("*Contributors:* nobody yet.")
OPERATOR = sentence("the operator's import")
SOMEBODY = sentence("somebody")


def with_count(name: str, count: int) -> str:
    """Somebody with how many examples of theirs are approved."""
    return f"{name} ({count})"


def contributors(names: Sequence[tuple[str, int]], others: int) -> str:
    """Names (already made safe to show) with how many of their examples are approved."""
    named = listed([with_count(name, count) for name, count in names])
    if others == 0:
        return say("*Contributors:* {names}.", names=named)
    return say("*Contributors:* {names} and {count} more.", names=named, count=others)


def next_training(reason: str, *, is_due: bool) -> str:
    if is_due:
        return say("*Next training:* now, {reason}.", reason=reason)
    return say("*Next training:* {reason}.", reason=reason)


def spend(of_style: str) -> str:
    return say("*Spend:* {spent}.", spent=of_style)


def spend_with_team(of_style: str, of_team: str) -> str:
    return say("*Spend:* {spent}; all styles together {team}.", spent=of_style, team=of_team)


# --- the next best action -------------------------------------------------------------------------------------------


def next_action(chosen: NextAction, style_name: str, currency: str) -> str:
    """One sentence: what would help this style most."""
    return say("*Next best step:* {step}", step=_STEPS[chosen.action](chosen, style_name, currency))


def _review(chosen: NextAction, style: str, currency: str) -> str:
    return say_count(chosen.count, "{count} proposal waits for review.", "{count} proposals wait for review.")


def _look_at_failures(chosen: NextAction, style: str, currency: str) -> str:
    return say(
        "the last {failures} training runs failed. `/huisstijl status {style}` says why; then start one with "
        "`/huisstijl train {style}`.",
        failures=chosen.count, style=style,
    )  # fmt: skip


def _accept_statement(chosen: NextAction, style: str, currency: str) -> str:
    return say(
        "an admin reads and accepts the statement on training data under `/huisstijl train {style}`.", style=style
    )


def _raise_budget(chosen: NextAction, style: str, currency: str) -> str:
    return say("the budget of this month keeps the next run back: raise it under Settings, or wait for next month.")


def _enlarge_budget(chosen: NextAction, style: str, currency: str) -> str:
    return say("a month's budget is less than the next run costs: raise it under Settings, or choose another recipe.")


def _wait_for_run(chosen: NextAction, style: str, currency: str) -> str:
    return say("nothing at the moment: a training run is under way.")


def _promote(chosen: NextAction, style: str, currency: str) -> str:
    return say(
        "`{name}` measured {bits:.2f} bits per byte better than what serves. Look at `/huisstijl ladder {style}`; an "
        "admin can choose it with `/huisstijl promote {style} {name}`.",
        name=chosen.name, bits=chosen.amount, style=style,
    )  # fmt: skip


def _move_down(chosen: NextAction, style: str, currency: str) -> str:
    return say(
        "`{name}` measured as good as what serves, on a lower rung. Look at `/huisstijl ladder {style}`; an admin can "
        "choose it with `/huisstijl promote {style} {name}`.",
        name=chosen.name, style=style,
    )  # fmt: skip


def _switch_off_training(chosen: NextAction, style: str, currency: str) -> str:
    return say(
        "the last {runs} training runs cost {cost} and brought nothing better than what serves. Switch scheduled "
        "training off: set “Train after so many newly approved examples” to 0.",
        runs=chosen.count, cost=money(chosen.amount, currency),
    )  # fmt: skip


def _switch_off_digest(chosen: NextAction, style: str, currency: str) -> str:
    return say(
        "nobody has used this style for {weeks} weeks. Ask it for a draft, or switch this digest off.",
        weeks=chosen.count,
    )


def _teach(chosen: NextAction, style: str, currency: str) -> str:
    return say_count(
        chosen.count,
        "teach {count} more example, so that a draft has enough good ones to look at.",
        "teach {count} more examples, so that a draft has enough good ones to look at.",
    )


def _measure_again(chosen: NextAction, style: str, currency: str) -> str:
    return say_count(
        chosen.count,
        "measure again: {count} approved example has not been part of a measurement. An admin can start one with "
        "`/huisstijl train {style}`.",
        "measure again: {count} approved examples have not been part of a measurement. An admin can start one with "
        "`/huisstijl train {style}`.",
        style=style,
    )


def _edit_instructions(chosen: NextAction, style: str, currency: str) -> str:
    return say(
        "people change {share:.0%} of what they keep. Say in the instructions what they change most: `/huisstijl style "
        "edit {style}`.",
        share=chosen.amount, style=style,
    )  # fmt: skip


def _more_examples(chosen: NextAction, style: str, currency: str) -> str:
    return say_count(
        chosen.count,
        "{count} more example until the next training.",
        "{count} more examples until the next training.",
    )


def _wait_for_hours(chosen: NextAction, style: str, currency: str) -> str:
    return say_count(
        chosen.count,
        "nothing: training on {count} new example starts by itself.",
        "nothing: training on {count} new examples starts by itself.",
    )


def _ask_for_drafts(chosen: NextAction, style: str, currency: str) -> str:
    return say("nobody asked for a draft this week. Try `/draft {style}: …`.", style=style)


def _nothing(chosen: NextAction, style: str, currency: str) -> str:
    return say("nothing, all is well.")


_STEPS: dict[Action, Callable[[NextAction, str, str], str]] = {
    Action.REVIEW: _review,
    Action.LOOK_AT_FAILURES: _look_at_failures,
    Action.ACCEPT_STATEMENT: _accept_statement,
    Action.RAISE_BUDGET: _raise_budget,
    Action.ENLARGE_BUDGET: _enlarge_budget,
    Action.WAIT_FOR_RUN: _wait_for_run,
    Action.PROMOTE: _promote,
    Action.MOVE_DOWN: _move_down,
    Action.SWITCH_OFF_TRAINING: _switch_off_training,
    Action.SWITCH_OFF_DIGEST: _switch_off_digest,
    Action.TEACH: _teach,
    Action.MEASURE_AGAIN: _measure_again,
    Action.EDIT_INSTRUCTIONS: _edit_instructions,
    Action.MORE_EXAMPLES: _more_examples,
    Action.WAIT_FOR_HOURS: _wait_for_hours,
    Action.ASK_FOR_DRAFTS: _ask_for_drafts,
    Action.NOTHING: _nothing,
}
