"""What people read while they teach, review and withdraw."""

from __future__ import annotations

from collections.abc import Sequence

EMPTY = {
    "prompt": "Say what was asked for: without it nobody can learn when this output is good.",
    "completion": "There is nothing visible here to learn from. Enter the good output.",
}
UNSTORABLE = {
    "prompt": "What was asked contains a character that cannot be stored (a NUL or half of an emoji). Remove it.",
    "completion": "The output contains a character that cannot be stored (a NUL or half of an emoji). Remove it.",
}
_NOUN = {"prompt": "What was asked", "completion": "The good output"}


def too_short(field: str, visible: int, least: int) -> str:
    return f"{_NOUN[field]} has {visible} visible characters; at least {least} are needed to learn from it."


def too_long(field: str, length: int, most: int) -> str:
    return f"{_NOUN[field]} has {length:,} characters; {most:,} is the most. Shorten it, nothing is cut off silently."


# Teaching

TEACH_TITLE = "Teach house style"
TEACH_SUBMIT = "Propose"
CANCEL = "Cancel"
STYLE_LABEL = "Style"
PROMPT_LABEL = "What was asked"
PROMPT_HINT = "The request that this output answers well, as somebody would type it after /draft."
COMPLETION_LABEL = "The good output"
COMPLETION_HINT = "Exactly as it should be written. Improve it here if you like."
CHOOSE_STYLE = "Choose a style."


def part_label(label: str, number: int, parts: int) -> str:
    return label if parts == 1 else f"{label} (part {number} of {parts})"


NOTHING_TO_TEACH = "This message has no text to learn from. Use the shortcut on a message that has some."


def message_too_long(length: int, most: int) -> str:
    return (
        f"This message has {length:,} characters and an example may have {most:,}. Post the part worth learning as a "
        f"message of its own and use the shortcut on that one."
    )


NO_STYLE_FOR_PLACE = (
    "No style may learn from this conversation: what is said in a private channel, a direct message or a channel "
    "shared with another company stays there. An admin can create a style for this private channel alone with "
    "`/huisstijl style new`."
)
FOREIGN_MESSAGE = "This message comes from another company's workspace, so it is not ours to learn from."


def proposed(style: str, example_id: str, reviewers: Sequence[str], approvals_required: int) -> str:
    who = _people(reviewers) if reviewers else "the workspace's admins"
    if approvals_required == 1:
        return f"Thank you. Example `{example_id}` for *{style}* is proposed; one approval by {who} makes it count."
    return (
        f"Thank you. Example `{example_id}` for *{style}* is proposed; {approvals_required} approvals by {who} "
        f"make it count."
    )


def approved_at_once(style: str, example_id: str) -> str:
    return f"Done. Example `{example_id}` is approved and can shape the next draft of *{style}*."


def duplicate(style: str, example_id: str, status: str, *, is_exact: bool) -> str:
    likeness = "exactly" if is_exact else "almost word for word"
    state = {"proposed": "waits for its review", "approved": "is approved already"}.get(status, f"is {status}")
    return f"*{style}* has this example {likeness}: `{example_id}` {state}. Nothing was added."


# Reviewing

CARD_FALLBACK = "An example waits for review."
APPROVE = "Approve"
EDIT = "Edit"
REJECT = "Reject"
EDIT_TITLE = "Edit example"
EDIT_SUBMIT = "Save"
REJECT_TITLE = "Reject example"
REASON_LABEL = "Why?"
REASON_HINT = "The person who proposed it reads this."
REASON_MISSING = "Give a reason: the person who proposed it reads it."
ASKED = "*Asked*"
GOOD_OUTPUT = "*Good output*"

CARD_HEADINGS = {
    "proposed": "New example for {style}",
    "approved": "Example for {style}: approved",
    "rejected": "Example for {style}: rejected",
    "withdrawn": "Example for {style}: withdrawn",
    "retired": "Example for {style}: retired",
}


def card_heading(style: str, status: str) -> str:
    return CARD_HEADINGS[status].format(style=style)


def shown_part(shown: int, length: int) -> str:
    return f"Showing the first {shown:,} of {length:,} characters; Edit shows all of them."


def votes(count: int, required: int, voters: Sequence[str]) -> str:
    line = f"{count} of {required} approvals"
    return f"{line} ({_people(voters)})" if voters else line


def provenance(example_id: str, proposed_by: str, author: str | None, permalink: str | None, version: int) -> str:
    wrote = f", written by {author}" if author else ""
    edited = f" · edited, version {version}" if version > 1 else ""
    source = f" · <{permalink}|message>" if permalink else ""
    return f"`{example_id}` · proposed by {proposed_by}{wrote}{source}{edited}"


def decided(status: str, who: str | None, reason: str | None) -> str:
    by = f" by {who}" if who else ""
    because = f": {reason}" if reason else "."
    sentences = {
        "approved": f"Approved{by}. It can shape the next draft.",
        "rejected": f"Rejected{by}{because}",
        "withdrawn": f"Withdrawn{by}{because}",
        "retired": f"Retired{by}{because}",
    }
    return sentences[status]


def vote_counted(count: int, required: int) -> str:
    return f"Your approval is counted: {count} of {required}."


def vote_counted_before(count: int, required: int) -> str:
    return f"You had approved this already: {count} of {required}. Somebody else has to approve it too."


def approved_now(style: str) -> str:
    return f"Approved. It can shape the next draft of *{style}*."


def already(status: str) -> str:
    states = {
        "approved": "This example is approved already, so your click changed nothing.",
        "rejected": "This example was rejected a moment ago, so your click changed nothing.",
        "withdrawn": "This example was withdrawn, so your click changed nothing.",
        "retired": "This example is retired, so your click changed nothing.",
    }
    return states.get(status, "Somebody decided about this a moment ago, so your click changed nothing.")


EDITED_MEANWHILE = (
    "Somebody edited this example after you opened it, so your decision was not counted. Read the new text on the "
    "card and decide again."
)
SAVED = "Saved. The new text is on the card; earlier approvals were for the old text and do not count any more."
NOTHING_CHANGED = "The text is as it was. Change something, or close this window."


def rejected_note(style: str, reviewer: str, reason: str, preview: str) -> str:
    return f"{reviewer} did not take your example for *{style}* (“{preview}”): {reason}"


MESSAGE_DELETED = "The message it came from was deleted"


# Withdrawing and listing


def withdrawn(example_id: str, adapters: Sequence[str]) -> str:
    if not adapters:
        return f"Example `{example_id}` is withdrawn. No adapter was trained on it."
    return (
        f"Example `{example_id}` is withdrawn and will not be in any later training. These adapters were trained on "
        f"it: {', '.join(f'`{name}`' for name in adapters)}. An admin can replace them with `/huisstijl train`, or go "
        f"back with `/huisstijl rollback`."
    )


MAY_NOT_WITHDRAW = (
    "Only the person who wrote it, the person who proposed it, a reviewer of its style or a workspace admin can "
    "withdraw an example."
)
WITHDRAW_WHICH = "Say which example, as in `/huisstijl withdraw ex_…`. `/huisstijl examples` lists the newest with ids."


def example_counts(style: str, proposed: int, approved: int, rejected: int, withdrawn: int) -> str:
    return f"*{style}*: {approved} approved, {proposed} waiting for review, {rejected} rejected, {withdrawn} withdrawn."


def example_line(example_id: str, status: str, preview: str) -> str:
    return f"• `{example_id}` {status}: {preview}"


NO_EXAMPLES = "No examples yet. Use the message shortcut “Teach house style” on a message worth learning from."


# Import and export

BAD_JSON = "is not JSON: {reason}"
NOT_UTF8 = "is not UTF-8 text"
NOT_AN_OBJECT = "is not a JSON object with “prompt” and “completion”"
MISSING_KEYS = "has no {missing}"
WRONG_TYPES = "mixes formats: prompt and completion are both texts, or both lists of chat messages"
BAD_MESSAGE = 'has a chat message in “{field}” that is not {{"role": …, "content": text}}'
ONE_USER_MESSAGE = (
    "has a prompt of several turns ({roles}); an example is one request and one answer, so write one line per request"
)
WRONG_ROLES = (
    "has roles {roles} in “{field}”; the prompt is one “user” message and the completion one “assistant” message"
)
OTHER_SYSTEM = "has a system message that differs from the style's instructions"
LINE_TOO_LONG = "is longer than {most:,} bytes"


def line_problem(line: int, sentence: str) -> str:
    return f"line {line}: {sentence}"


def nothing_imported(count: int) -> str:
    return f"Nothing was imported: {count} bad {'line' if count == 1 else 'lines'}."


def too_many_to_review(count: int, most: int) -> str:
    return (
        f"{count:,} examples would be {count:,} review cards in the channel, and {most:,} is the most. Import fewer, "
        f"or import examples that were reviewed before with --approve."
    )


def imported(style: str, added: int, duplicates: int, seconds: float, *, approved: bool) -> str:
    what = "approved" if approved else "proposed for review"
    return f"{style}: {added:,} examples {what}, {duplicates:,} duplicates left out ({seconds:.1f} s)."


def left_out(double: str) -> str:
    return f"is the same as {double} and was left out"


def which_team(teams: Sequence[str]) -> str:
    if not teams:
        return "There is no style yet, so there is nothing to read examples into or out of. Make one in Slack first."
    return f"Several teams have styles: {', '.join(teams)}. Say which one with --team."


def no_such_style(name: str, names: Sequence[str]) -> str:
    there_are = f"There are: {', '.join(names)}." if names else "Make one in Slack with `/huisstijl style new`."
    return f"There is no style “{name}”. {there_are}"


def unknown_format(format: str, formats: Sequence[str]) -> str:
    return f"There is no format “{format}”. Use {' or '.join(formats)}."


def exported(style: str, count: int) -> str:
    return f"{style}: {count:,} approved examples written."


def _people(names: Sequence[str]) -> str:
    if len(names) <= 1:
        return "".join(names)
    return f"{', '.join(names[:-1])} or {names[-1]}"


EXAMPLES_TEXT = "What the styles have learnt"
