"""What people read in the review queue, and while they look at one example before they decide."""

from __future__ import annotations

from collections.abc import Sequence

from bot.language import figures, lines, listed, say, say_count, sentence, sentences
from bot.texts import styles

# The queue

QUEUE_TITLE = sentence("Review queue")
CLOSE = sentence("Close")
CANCEL = sentence("Cancel")
OPEN = sentence("Review")
OPEN_QUEUE = sentence("Open the review queue")
FILTER_STYLE = sentence("Style")
FILTER_PROPOSER = sentence("Proposed by")
FILTER_AGE = sentence("Age")
ALL_STYLES = sentence("All styles")
ALL_PEOPLE = sentence("Everybody")
#: In the order of QueueAge.
AGES = (
    sentence("Any age"),
    sentence("Older than a day"),
    sentence("Older than a week"),
    sentence("Older than a month"),
)
ONLY_WARNED = sentence("Only those with something to look at")
PREVIOUS = sentence("Previous")
NEXT = sentence("Next")
YOURS = sentence("_You proposed it._")
YOU_APPROVED = sentence("_You approved it; it waits for others._")
NOTHING_TO_REVIEW = sentence("You review no style's examples here. `/huisstijl styles` names the reviewers.")


def queue_count(count: int) -> str:
    if count == 0:
        return say("Nothing waits for review. Well done.")
    return say_count(count, "{count} example waits for review.", "{count} examples wait for review.")


def queue_found(found: int, waiting: int) -> str:
    return say("Showing {found} of {waiting} that wait for review.", found=found, waiting=waiting)


def queue_looked_at(found: int, looked_at: int, waiting: int) -> str:
    return say(
        "Showing {found} with something to look at, of the oldest {looked_at} of {waiting} that wait for review.",
        found=found, looked_at=looked_at, waiting=waiting,
    )  # fmt: skip


def queue_item(style: str, proposed_by: str, age_days: int, approvals: int, required: int) -> str:
    return figures([f"*{style}*", proposed_by, _age(age_days), approvals_of(approvals, required)])


def _age(days: int) -> str:
    return say("today") if days == 0 else say_count(days, "yesterday", "{count} days ago")


def approvals_of(count: int, required: int) -> str:
    return say_count(required, "{votes} of {count} approval", "{votes} of {count} approvals", votes=count)


def queue_pair(prompt: str, completion: str) -> str:
    return lines(say("Asked: {text}", text=prompt), say("Output: {text}", text=completion))


def warnings(contradictions: int, lookalikes: int, sensitive: int, never_said: int) -> str:
    """One line that names what there is to look at; each count that is 0 is left out."""
    found = []
    if contradictions:
        found.append(say_count(contradictions, "{count} contradiction", "{count} contradictions"))
    if lookalikes:
        found.append(say_count(lookalikes, "{count} lookalike", "{count} lookalikes"))
    if sensitive:
        found.append(say_count(sensitive, "{count} thing to redact", "{count} things to redact"))
    if never_said:
        found.append(say_count(never_said, "{count} forbidden term", "{count} forbidden terms"))
    return say(":warning: To look at: {found}", found=listed(found))


def never_said(style: str, terms: Sequence[str]) -> str:
    return say(":warning: {holds} Edit it, or approve it all the same.", holds=styles.never_said(style, terms))


def waits_elsewhere(channel: str, count: int) -> str:
    return say_count(
        count,
        "{count} more example waits in {channel}. What is said there is shown there only: `/huisstijl review`.",
        "{count} more examples wait in {channel}. What is said there is shown there only: `/huisstijl review`.",
        channel=channel,
    )


def page(number: int, pages: int) -> str:
    return say("Page {number} of {pages}", number=number, pages=pages)


# Many at once

BULK_OPEN = sentence("Approve all…")
BULK_TITLE = sentence("Approve an import")
BULK_SUBMIT = sentence("Approve them")
BULK_LABEL = sentence("Where they come from")
BULK_HINT = sentence("Each counts as your own approval and is on record under your name.")
BULK_UNTRUSTED = sentence("Tick this if you do; otherwise review them one by one.")
BULK_TRUST = sentence("I know where these examples come from, and they are ours")


def import_waits(style: str, count: int) -> str:
    return say_count(
        count,
        "{count} of them came from a file, for *{style}*.",
        "{count} of them came from files, for *{style}*.",
        style=style,
    )


def bulk_question(style: str, count: int, warned: int) -> str:
    if count == 0:
        return say(
            "Every imported example for *{style}* has something to look at. Review them one by one.", style=style
        )
    question = say_count(
        count,
        "Approve {count} imported example for *{style}* without reading it?",
        "Approve {count} imported examples for *{style}* without reading each of them?",
        style=style,
    )
    if warned == 0:
        return question
    left = say_count(
        warned,
        "{count} more has something to look at and stays in the queue.",
        "{count} more have something to look at and stay in the queue.",
    )
    return lines(question, left)


def bulk_begun(style: str) -> str:
    return say(
        "I am approving what came from files for *{style}*. You can close this: I tell you in a direct message when it "
        "is done.",
        style=style,
    )


def bulk_question_of_many(style: str, count: int) -> str:
    """Where it would take too long to look at each before asking."""
    return say(
        "Approve up to {count} imported examples for *{style}* without reading each of them?\n"
        "What has something to look at stays in the queue; how much that is, I say when it is done.",
        style=style, count=count,
    )  # fmt: skip


def bulk_done(style: str, approved: int, counted: int, left: int) -> str:
    """`counted`: with one more approval now, and still short of their quorum."""
    if approved and not counted and not left:
        return say_count(
            approved, "{count} example for *{style}* is approved.", "{count} examples for *{style}* are approved.",
            style=style,
        )  # fmt: skip
    return say(
        "For *{style}*: {approved} approved, {counted} have one approval more and wait for others, {left} stay in the "
        "queue because they have something to look at, are your own, or were edited.",
        style=style, approved=approved, counted=counted, left=left,
    )  # fmt: skip


# One example

DETAIL_TITLE = sentence("Review example")
APPROVE = sentence("Approve")
KEEP_BOTH = sentence("Keep both: approve")
KEEP_THIS = sentence("Keep this, retire that")
KEEP_OTHER = sentence("Keep that, reject this")
EDIT = sentence("Edit")
REJECT = sentence("Reject")
BACK = sentence("Back to the queue")
ASKED = sentence("*Asked*")
GOOD_OUTPUT = sentence("*Good output*")
REDACT_OPTION = sentence("Take these out before it is approved")
CHANGED_REQUEST = sentence("In the request:")
CHANGED_OUTPUT = sentence("In the output:")
OWN_EXAMPLE = sentence("You proposed this example, and this style asks for somebody else's eyes.")


def edited(who: str, added: int, removed: int) -> str:
    return say(
        "*Edited by {who}*: words added {added}, words removed {removed}. ~Struck~ is out, *bold* is in.",
        who=who, added=added, removed=removed,
    )  # fmt: skip


def would_redact(counts: dict[str, int]) -> str:
    found = listed([_kind(kind, n) for kind, n in counts.items()])
    return say(":warning: *Not for learning*: I found {found}. This is how it would look without:", found=found)


def _kind(kind: str, n: int) -> str:
    if kind == "secret":
        return say_count(n, "{count} key, token or password", "{count} keys, tokens or passwords")
    if kind == "email":
        return say_count(n, "{count} e-mail address", "{count} e-mail addresses")
    if kind == "IBAN":
        return say_count(n, "{count} bank account", "{count} bank accounts")
    if kind == "card number":
        return say_count(n, "{count} card number", "{count} card numbers")
    if kind == "BSN":
        return say_count(n, "{count} citizen service number", "{count} citizen service numbers")
    return say_count(n, "{count} phone number", "{count} phone numbers")


STATUS = {"proposed": sentence("waits for review"), "approved": sentence("approved")}


def contradiction(other: str, who: str, status: str, request_percent: int) -> str:
    return say(
        ":warning: *Clashes with {other} by {who}* ({status}): the request is {percent} % alike and the output is "
        "clearly another. Keep which?",
        other=other, who=who, status=STATUS[status](), percent=request_percent,
    )  # fmt: skip


def lookalike(other: str, who: str, status: str, request_percent: int, output_percent: int) -> str:
    return say(
        ":warning: *Looks like {other} by {who}* ({status}): the request is {request} % alike, the output {output} %. "
        "One of them may be enough.",
        other=other, who=who, status=STATUS[status](), request=request_percent, output=output_percent,
    )  # fmt: skip


def kept_other(other_id: str) -> str:
    return say("we kept {other}, which answers nearly the same request", other=other_id)


def kept_this(this_id: str) -> str:
    return say("{other} took its place", other=this_id)


def redacted_and(said: str) -> str:
    return sentences(said, say("What should not be learnt was taken out first."))


def retired(said: str, other: str) -> str:
    return sentences(said, say("{other} no longer counts.", other=other))


def other_stays(said: str, other: str) -> str:
    return sentences(said, say("{other} stays until this one has all its approvals.", other=other))


def rejected(style: str) -> str:
    return say("Rejected. The person who proposed it for *{style}* reads why.", style=style)


# Editing at the same time


def conflict(who: str) -> str:
    return say(
        ":warning: {who} saved other texts while you were writing. Yours are still here below; Save puts them in the "
        "place of theirs. What they changed:",
        who=who,
    )
