"""What people read in the app's Home tab."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.language import lines, listed, moment, money, say, say_count, sentence, sentences

TITLE = sentence("House styles")
GUEST = sentence(
    "Hello! House styles are learnt from this team's own texts, so only full members of the workspace see them here. "
    "Ask a member of the team to draft something for you."
)
ROLE_UNKNOWN = sentence(
    "Slack did not tell me your role just now, so I show nothing here. Open this tab again in a minute."
)
NO_STYLES = sentence(
    "There is no house style that you can see yet. A workspace admin can create one with `/huisstijl style new`; a "
    "style of a private channel is seen by its members only."
)

STYLES = sentence("Styles")
REVIEWS = sentence("Reviews")
SETTINGS = sentence("Settings")
CHANGES = sentence("Changes")
NEXT = sentence("Next")
PREVIOUS = sentence("Previous")
CHARTS = sentence("Show as charts")
EDIT = sentence("Edit settings")
EDIT_TEAM = sentence("Edit workspace settings")

HERE = {
    "styles": sentence("You are looking at *Styles*."),
    "reviews": sentence("You are looking at *Reviews*."),
    "settings": sentence("You are looking at *Settings*."),
    "changes": sentence("You are looking at *Changes*."),
}
NOTHING_TO_REVIEW = sentence("Nothing waits for your review.")


def part_of(first: int, last: int, total: int) -> str:
    return say("Styles {first} to {last} of {total}.", first=first, last=last, total=total)


def style_header(name: str, *, is_private: bool) -> str:
    return say("{name} (private channel)", name=name) if is_private else name


# --- settings -------------------------------------------------------------------------------------------------------

WEEKDAYS = (
    sentence("Monday"),
    sentence("Tuesday"),
    sentence("Wednesday"),
    sentence("Thursday"),
    sentence("Friday"),
    sentence("Saturday"),
    sentence("Sunday"),
)


def team_settings(zone: str, weekday: int, hour: int, budget: str) -> str:
    return lines(
        say("*The workspace*"),
        say(
            "The weekly digest comes on {day} from {hour:02d}:00, time zone {zone}.",
            day=WEEKDAYS[weekday](), hour=hour, zone=zone,
        ),
        say("Spend of all styles: {budget}.", budget=budget),
    )  # fmt: skip


def roles(admins: Sequence[str]) -> str:
    return lines(
        say("*Roles*"),
        sentences(
            say("Admins are Slack's own workspace admins and owners."),
            say("Of those I have met: {names}.", names=listed(admins)) if admins else "",
            say(
                "Reviewers are named per style. Guests, people from other workspaces and deactivated accounts can "
                "change nothing."
            ),
        ),
    )


def training_policy(after: int, gain: float | None) -> str:
    if after == 0:
        return say("Trains by hand only.")
    if gain is not None:
        return say_count(
            after,
            "Trains when a run is expected to gain {gain:.3f} bits per byte; while there is no forecast, after {count} "
            "new approved example.",
            "Trains when a run is expected to gain {gain:.3f} bits per byte; while there is no forecast, after {count} "
            "new approved examples.",
            gain=gain,
        )  # fmt: skip
    return say_count(after, "Trains after {count} new approved example.", "Trains after {count} new approved examples.")


def training_hours(from_hour: int, to_hour: int) -> str:
    if from_hour == to_hour:
        return say("Training may start at any hour.")
    return say(
        "Training may start between {from_hour:02d}:00 and {to_hour:02d}:00 UTC.", from_hour=from_hour, to_hour=to_hour
    )


def review_policy(approvals: int, reviewers: Sequence[str], *, may_approve_own: bool) -> str:
    needed = say_count(approvals, "An example needs {count} approval.", "An example needs {count} approvals.")
    who = (
        say("Reviewers: {names}.", names=listed(reviewers)) if reviewers else say("Only admins review.")
    )  # fmt: skip
    own = say("They may approve their own.") if may_approve_own else say("They may not approve their own.")
    return sentences(needed, who, own)


DIGEST_ON = sentence("A digest comes every week.")
DIGEST_OFF = sentence("The weekly digest is switched off.")


def style_settings(name: str, policy: str, hours: str, review: str, budget: str, digest: str) -> str:
    return lines(
        f"*{name}*", sentences(policy, hours), review, sentences(say("Budget: {budget}.", budget=budget), digest)
    )


# --- the workspace's form -------------------------------------------------------------------------------------------

TEAM_TITLE = sentence("Workspace settings")
SAVE = sentence("Save")
CANCEL = sentence("Cancel")
ZONE = sentence("Time zone")
ZONE_HINT = sentence("An IANA name, such as Europe/Amsterdam. Weeks, months and the digest follow it.")
ZONE_INVALID = sentence("I know no such time zone. Use an IANA name, such as Europe/Amsterdam.")
WEEKDAY = sentence("The weekly digest comes on")
HOUR = sentence("… from this hour (0 to 23)")
HOUR_INVALID = sentence("Enter a whole number from 0 to 23.")
BUDGET = sentence("What the training of all styles may cost in a month")
TEAM_CHANGED = sentence("The workspace's settings are changed.")

# --- changes --------------------------------------------------------------------------------------------------------

CHANGES_INTRO = sentence(
    "*What was changed, newest first.* The audit log in the database keeps all of it, refusals too."
)
NO_CHANGES = sentence("Nothing has been changed yet.")
ACTORS = {
    "clock": sentence("the clock"),
    "gate": sentence("the gate"),
    "trainer": sentence("the trainer"),
    "operator": sentence("the operator"),
}


def who(actor: str) -> str:
    return ACTORS[actor]() if actor in ACTORS else f"<@{actor}>"


def change_line(at: datetime, what: str) -> str:
    return say("{moment}: {what}", moment=moment(at), what=what)


FIELDS = {
    "name": sentence("name"),
    "instructions": sentence("instructions"),
    "kind": sentence("kind of work"),
    "channel_id": sentence("channel"),
    "reviewers": sentence("reviewers"),
    "approvals_required": sentence("approvals needed"),
    "may_approve_own": sentence("own examples"),
    "train_after_examples": sentence("train after"),
    "train_on_gain_bits": sentence("train on an expected gain of"),
    "train_hours": sentence("training hours"),
    "recipe": sentence("recipe"),
    "monthly_budget": sentence("monthly budget"),
    "is_digest_on": sentence("weekly digest"),
    "time_zone": sentence("time zone"),
    "digest_weekday": sentence("day of the digest"),
    "digest_hour": sentence("hour of the digest"),
}
NONE = sentence("none")
ON = sentence("on")
OFF = sentence("off")


def changed_value(field: str, before: str, after: str) -> str:
    return say("{field} from {before} to {after}", field=changed_text(field), before=before, after=after)


def changed_text(field: str) -> str:
    return FIELDS[field]() if field in FIELDS else field


def shown_value(field: str, value: Any) -> str:
    """A setting's value as people call it."""
    if value is None or value in ("", []):
        return NONE()
    if isinstance(value, bool):
        return ON() if value else OFF()
    if field == "digest_weekday":
        return WEEKDAYS[int(value)]()
    if field == "channel_id":
        return f"<#{value}>"
    if field == "reviewers":
        return listed([f"<@{user_id}>" for user_id in value])
    if field == "train_hours":
        return f"{value[0]:02d}–{value[1]:02d}"
    if field == "monthly_budget":
        return f"{value:.2f}"
    return f"{value}"


def style_created(actor: str, style: str) -> str:
    return say("{who} created *{style}*.", who=who(actor), style=style)


def style_changed(actor: str, style: str, changes: Sequence[str]) -> str:
    return say("{who} changed *{style}*: {changes}.", who=who(actor), style=style, changes=listed(changes) or NONE())


def team_changed(actor: str, changes: Sequence[str]) -> str:
    return say("{who} changed the workspace: {changes}.", who=who(actor), changes=listed(changes) or NONE())


def digest_switched_off(actor: str, style: str) -> str:
    return say("{who} switched the weekly digest of *{style}* off.", who=who(actor), style=style)


def statement_accepted(actor: str) -> str:
    return say("{who} accepted the statement on training data.", who=who(actor))


def champion_moved(actor: str, style: str, now: str, before: str) -> str:
    return say(
        "{who} made `{now}` the champion of *{style}*, instead of `{before}`.",
        who=who(actor), now=now, style=style, before=before,
    )  # fmt: skip


def champion_rolled_back(actor: str, style: str, now: str, before: str) -> str:
    return say(
        "{who} rolled *{style}* back from `{before}` to `{now}`.", who=who(actor), now=now, style=style, before=before
    )


def run_queued(actor: str, style: str) -> str:
    return say("{who} queued a training run of *{style}*.", who=who(actor), style=style)


def run_kept_back(actor: str, style: str, cost: float, currency: str) -> str:
    return say(
        "{who} kept a run of *{style}* back: its {cost} would have gone over the budget.",
        who=who(actor), style=style, cost=money(cost, currency),
    )  # fmt: skip


def run_cancelled(actor: str, style: str) -> str:
    return say("{who} cancelled a training run of *{style}*.", who=who(actor), style=style)


def examples_imported(actor: str, style: str, added: int) -> str:
    return say_count(
        added,
        "{who} imported {count} example into *{style}*.",
        "{who} imported {count} examples into *{style}*.",
        who=who(actor), style=style,
    )  # fmt: skip


# --- charts, in the direct message ----------------------------------------------------------------------------------


def charts_intro(style: str) -> str:
    return say("*{style}* in charts, with the same figures in words.", style=style)


def no_charts(style: str) -> str:
    return say("There is nothing to draw of *{style}* yet: no example is approved, and no draft was kept.", style=style)
