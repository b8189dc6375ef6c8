"""What people read while they teach, review and withdraw."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from bot.domain.safe_text import escape, shorten
from bot.language import all_of, bullet, figures, lines, listed, one_of, say, say_count, sentence
from config.prompt_sources import PromptSource

EMPTY = {
    "prompt": sentence("Say what was asked for: without it nobody can learn when this output is good."),
    "completion": sentence("There is nothing visible here to learn from. Enter the good output."),
}
UNSTORABLE = {
    "prompt": sentence(
        "What was asked contains a character that cannot be stored (a NUL or half of an emoji). Remove it."
    ),
    "completion": sentence(
        "The output contains a character that cannot be stored (a NUL or half of an emoji). Remove it."
    ),
}


def too_short(field: str, visible: int, least: int) -> str:
    if field == "prompt":
        return say_count(
            visible,
            "What was asked has {count} visible character; at least {least} are needed to learn from it.",
            "What was asked has {count} visible characters; at least {least} are needed to learn from it.",
            least=least,
        )
    return say_count(
        visible,
        "The good output has {count} visible character; at least {least} are needed to learn from it.",
        "The good output has {count} visible characters; at least {least} are needed to learn from it.",
        least=least,
    )


def too_long(field: str, length: int, most: int) -> str:
    if field == "prompt":
        return say(
            "What was asked has {length} characters; {most} is the most. Shorten it, nothing is cut off silently.",
            length=length, most=most,
        )  # fmt: skip
    return say(
        "The good output has {length} characters; {most} is the most. Shorten it, nothing is cut off silently.",
        length=length, most=most,
    )  # fmt: skip


# Windows

PART_LABEL = sentence("{label} (part {number} of {parts})")
CLOSE = sentence("Close")
BACK = sentence("Back")
NOT_DONE = sentence("Not done")


def part_label(label: str, number: int, parts: int) -> str:
    return label if parts == 1 else PART_LABEL(label=label, number=number, parts=parts)


# Teaching

TEACH_TITLE = sentence("Teach house style")
TEACH_SUBMIT = sentence("Propose")
CANCEL = sentence("Cancel")
STYLE_LABEL = sentence("Style")
PROMPT_LABEL = sentence("What was asked")
PROMPT_HINT = sentence("The request that this output answers well, as somebody would type it after /draft.")
COMPLETION_LABEL = sentence("The good output")
COMPLETION_HINT = sentence("Exactly as it should be written. Improve it here if you like.")


USE_OFFER = sentence("Use this request")
SORTED = sentence("This style sorts messages: this one stands as what was asked. Type the label that it should get.")
READING = sentence("I am reading the message to suggest what was asked. You need not wait: what you type stays.")
READING_PARENT = sentence("I am reading the message that this one answers. You need not wait: what you type stays.")
PARENT_KNOWN = sentence("This answers a request that I know, so I filled it in below. Correct it where you like.")
PARENT_OFFERED = sentence("This is the message that it answers. Use it, or type what was asked yourself.")
PARENT_UNKNOWN = sentence("This is a reply, and I cannot read the message that it answers: you can paste it below.")
SUGGESTION_OFFERED = sentence("This is my suggestion for what was asked. Use it and correct it, or type it yourself.")
PAIRS_LABEL = sentence("Pairs that you set aside in this thread")
PAIRS_HINT = sentence("What is ticked is proposed too, each with its own card. The rest stays set aside.")
DISCARD_LABEL = sentence("What is not ticked")
DISCARD = sentence("Throw away the pairs that are not ticked")
LATER_LABEL = sentence("Several pairs of this thread")
LATER = sentence("Set this pair aside and propose it with others")
LATER_HINT = sentence(
    "It waits for you alone, for 7 days: use the shortcut on another message of this thread, and its window offers it."
)
SET_ASIDE_BEFORE = sentence("You set this pair aside before; this is how you left it.")


def set_aside(count: int) -> str:
    return say_count(
        count,
        "Set aside: {count} pair of this thread waits for you. Use the shortcut on another message of the thread to "
        "propose them together.",
        "Set aside: {count} pairs of this thread wait for you. Use the shortcut on another message of the thread to "
        "propose them together.",
    )


def discarded(count: int) -> str:
    return say_count(count, "{count} set-aside pair is thrown away.", "{count} set-aside pairs are thrown away.")


def too_many_set_aside(most: int) -> str:
    return say(
        "You have set aside {most} pairs of this thread, and a window shows no more. Propose or throw away some of "
        "them first, then go on.",
        most=most,
    )


def several(style: str, counted: Mapping[str, int], told: Sequence[tuple[str, str]]) -> str:
    """`counted`: how many were proposed, approved, duplicate, refused. `told`: each pair's request and sentence."""
    phrases = [
        _several_phrase(word, count) for word in ("approved", "proposed", "duplicate", "refused")
        if (count := counted[word])
    ]  # fmt: skip
    headline = say("Pairs of this thread for *{style}*: {phrases}.", style=style, phrases=listed(phrases))
    return lines(headline, *(bullet(f"“{escape(shorten(prompt, 80))}”: {said}") for prompt, said in told))


def _several_phrase(word: str, count: int) -> str:
    if word == "approved":
        return say_count(count, "{count} approved at once", "{count} approved at once")
    if word == "proposed":
        return say_count(count, "{count} proposed", "{count} proposed")
    if word == "duplicate":
        return say_count(count, "{count} was there already", "{count} were there already")
    return say_count(
        count, "{count} could not be proposed and stays set aside", "{count} could not be proposed and stay set aside"
    )


PARENT_GONE = sentence("That message is gone or I cannot read it any more. Type what was asked yourself.")
OFFER_USED = sentence("It stands below now. Correct it where you like.")
_NO_SUGGESTION = {
    "ModelDown": sentence(
        "I have no suggestion for what was asked, because the model server is not reachable. Type it yourself."
    ),
    "ModelSlow": sentence("I have no suggestion for what was asked: the model server took too long. Type it yourself."),
    "ModelBusy": sentence(
        "I have no suggestion for what was asked: the model server has too much to do. Type it yourself."
    ),
    "ModelLoading": sentence(
        "I have no suggestion for what was asked: the model server is still loading its model. Type it yourself."
    ),
    "SuggestionUseless": sentence(
        "I read the message and found no good suggestion for what was asked. Type it yourself."
    ),
}
_NO_SUGGESTION_OTHERWISE = sentence(
    "I have no suggestion for what was asked: the model server did not answer as it should. Type it yourself."
)


def no_suggestion(error: str) -> str:
    """`error`: the name of what went wrong."""
    return _NO_SUGGESTION.get(error, _NO_SUGGESTION_OTHERWISE)()


def typed_before(typed: str) -> str:
    return say("What you had typed before: {typed}", typed=typed)


def message_too_long(length: int, most: int) -> str:
    return say(
        "This message has {length} characters and an example may have {most}. Post the part worth learning as a "
        "message of its own and use the shortcut on that one.",
        length=length, most=most,
    )  # fmt: skip


NO_STYLE_FOR_PLACE = sentence(
    "No style may learn from this conversation: what is said in a private channel, a direct message or a channel "
    "shared with another company stays there. An admin can create a style for this private channel alone with "
    "`/huisstijl style new`."
)


def proposed(style: str, example_id: str, reviewers: Sequence[str], approvals_required: int) -> str:
    if not reviewers:
        return say_count(
            approvals_required,
            "Thank you. Example `{example_id}` for *{style}* is proposed; {count} approval by the workspace's admins "
            "makes it count.",
            "Thank you. Example `{example_id}` for *{style}* is proposed; {count} approvals by the workspace's admins "
            "make it count.",
            example_id=example_id, style=style,
        )  # fmt: skip
    return say_count(
        approvals_required,
        "Thank you. Example `{example_id}` for *{style}* is proposed; {count} approval by {reviewers} makes it count.",
        "Thank you. Example `{example_id}` for *{style}* is proposed; {count} approvals by {reviewers} make it count.",
        example_id=example_id, style=style, reviewers=one_of(reviewers),
    )  # fmt: skip


def approved_at_once(style: str, example_id: str) -> str:
    return say(
        "Done. Example `{example_id}` is approved and can shape the next draft of *{style}*.",
        example_id=example_id, style=style,
    )  # fmt: skip


DUPLICATES = {
    ("proposed", True): sentence(
        "*{style}* has this example exactly: `{example_id}` waits for its review. Nothing was added."
    ),
    ("proposed", False): sentence(
        "*{style}* has this example almost word for word: `{example_id}` waits for its review. Nothing was added."
    ),
    ("approved", True): sentence(
        "*{style}* has this example exactly: `{example_id}` is approved already. Nothing was added."
    ),
    ("approved", False): sentence(
        "*{style}* has this example almost word for word: `{example_id}` is approved already. Nothing was added."
    ),
}
DUPLICATE_EXACT = sentence("*{style}* had this example exactly: `{example_id}`. Nothing was added.")
DUPLICATE_NEAR = sentence("*{style}* had this example almost word for word: `{example_id}`. Nothing was added.")


def duplicate(style: str, example_id: str, status: str, *, is_exact: bool) -> str:
    otherwise = DUPLICATE_EXACT if is_exact else DUPLICATE_NEAR
    return DUPLICATES.get((status, is_exact), otherwise)(style=style, example_id=example_id)


# Reviewing

APPROVE = sentence("Approve")
EDIT = sentence("Edit")
REJECT = sentence("Reject")
EDIT_TITLE = sentence("Edit example")
EDIT_SUBMIT = sentence("Save")
REJECT_TITLE = sentence("Reject example")
REASON_LABEL = sentence("Why?")
REASON_HINT = sentence("The person who proposed it reads this.")
REASON_MISSING = sentence("Give a reason: the person who proposed it reads it.")
ASKED = sentence("*Asked*")
GOOD_OUTPUT = sentence("*Good output*")

CARD_HEADINGS = {
    "proposed": sentence("New example for {style}"),
    "approved": sentence("Example for {style}: approved"),
    "rejected": sentence("Example for {style}: rejected"),
    "withdrawn": sentence("Example for {style}: withdrawn"),
    "retired": sentence("Example for {style}: retired"),
}


def card_heading(style: str, status: str) -> str:
    return CARD_HEADINGS[status](style=style)


def shown_part(shown: int, length: int) -> str:
    return say("Showing the first {shown} of {length} characters; Edit shows all of them.", shown=shown, length=length)


def votes(count: int, required: int, voters: Sequence[str]) -> str:
    if voters:
        return say_count(
            required,
            "{votes} of {count} approval ({voters})",
            "{votes} of {count} approvals ({voters})",
            votes=count, voters=all_of(voters),
        )  # fmt: skip
    return say_count(required, "{votes} of {count} approval", "{votes} of {count} approvals", votes=count)


def provenance(example_id: str, proposed_by: str, author: str | None, permalink: str | None, version: int) -> str:
    parts = [f"`{example_id}`"]
    if author:
        parts.append(say("proposed by {proposer}, written by {author}", proposer=proposed_by, author=author))
    else:
        parts.append(say("proposed by {proposer}", proposer=proposed_by))
    if permalink:
        parts.append(say("<{permalink}|message>", permalink=permalink))
    if version > 1:
        parts.append(say("edited, version {version}", version=version))
    return figures(parts)


_PROMPT_CAME_FROM = {
    PromptSource.SUGGESTED: sentence("The request was suggested by me, and kept as it was."),
    PromptSource.SUGGESTED_EDITED: sentence("The request was suggested by me, and corrected by a person."),
    PromptSource.PARENT: sentence("The request is the message that this output answers."),
    PromptSource.PARENT_EDITED: sentence("The request is the message that this output answers, corrected by a person."),
}


def prompt_came_from(source: PromptSource) -> str:
    """ "" where a person wrote it, or asked it of the bot."""
    said = _PROMPT_CAME_FROM.get(source)
    return said() if said else ""


#: (status, is it known by whom, is there a reason) → what the card says.
DECISIONS = {
    ("approved", True, False): sentence("Approved by {who}. It can shape the next draft."),
    ("approved", False, False): sentence("Approved. It can shape the next draft."),
    ("rejected", True, False): sentence("Rejected by {who}."),
    ("rejected", True, True): sentence("Rejected by {who}: {reason}"),
    ("rejected", False, False): sentence("Rejected."),
    ("rejected", False, True): sentence("Rejected: {reason}"),
    ("withdrawn", True, False): sentence("Withdrawn by {who}."),
    ("withdrawn", True, True): sentence("Withdrawn by {who}: {reason}"),
    ("withdrawn", False, False): sentence("Withdrawn."),
    ("withdrawn", False, True): sentence("Withdrawn: {reason}"),
    ("retired", True, False): sentence("Retired by {who}."),
    ("retired", True, True): sentence("Retired by {who}: {reason}"),
    ("retired", False, False): sentence("Retired."),
    ("retired", False, True): sentence("Retired: {reason}"),
}
WITHDRAWN_WITH_MESSAGE = sentence("Withdrawn: the message it came from was deleted.")


def decided(status: str, who: str | None, reason: str | None) -> str:
    has_reason = bool(reason) and status != "approved"
    return DECISIONS[status, bool(who), has_reason](who=who or "", reason=reason or "")


def vote_counted(count: int, required: int) -> str:
    return say("Your approval is counted: {count} of {required}.", count=count, required=required)


def vote_counted_before(count: int, required: int) -> str:
    return say(
        "You had approved this already: {count} of {required}. Somebody else has to approve it too.",
        count=count, required=required,
    )  # fmt: skip


def approved_now(style: str) -> str:
    return say("Approved. It can shape the next draft of *{style}*.", style=style)


ALREADY = {
    "approved": sentence("This example is approved already, so your click changed nothing."),
    "rejected": sentence("This example was rejected a moment ago, so your click changed nothing."),
    "withdrawn": sentence("This example was withdrawn, so your click changed nothing."),
    "retired": sentence("This example is retired, so your click changed nothing."),
}
ALREADY_DECIDED = sentence("Somebody decided about this a moment ago, so your click changed nothing.")


def already(status: str) -> str:
    return ALREADY.get(status, ALREADY_DECIDED)()


EDITED_MEANWHILE = sentence(
    "Somebody edited this example after you opened it, so your decision was not counted. Read the new text on the "
    "card and decide again."
)
SAVED = sentence(
    "Saved. The new text is on the card; earlier approvals were for the old text and do not count any more."
)
NOTHING_CHANGED = sentence("The text is as it was. Change something, or close this window.")


def rejected_note(style: str, reviewer: str, reason: str, preview: str) -> str:
    return say(
        "{reviewer} did not take your example for *{style}* (“{preview}”): {reason}",
        reviewer=reviewer, style=style, preview=preview, reason=reason,
    )  # fmt: skip


# Withdrawing and listing


def withdrawn(example_id: str, adapters: Sequence[str], *, no_retrain: str) -> str:
    """For who took it back: what it leaves behind, and what follows. `no_retrain`: why no clean retrain does."""
    if not adapters:
        return say(
            "Example `{example_id}` is withdrawn and erased. No adapter was trained on it.", example_id=example_id
        )
    names = listed([f"`{name}`" for name in adapters])
    if not no_retrain:
        return say_count(
            len(adapters),
            "Example `{example_id}` is withdrawn and erased. This adapter was trained on it: {adapters}. A clean "
            "retrain replaces it and starts by itself; `/huisstijl status` says when.",
            "Example `{example_id}` is withdrawn and erased. These adapters were trained on it: {adapters}. A clean "
            "retrain replaces them and starts by itself; `/huisstijl status` says when.",
            example_id=example_id, adapters=names,
        )  # fmt: skip
    if no_retrain == "budget_too_small":
        return say_count(
            len(adapters),
            "Example `{example_id}` is withdrawn and erased. This adapter was trained on it: {adapters}. Training "
            "without it costs more than a month's budget, so it is out of use.",
            "Example `{example_id}` is withdrawn and erased. These adapters were trained on it: {adapters}. Training "
            "without it costs more than a month's budget, so they are out of use.",
            example_id=example_id, adapters=names,
        )  # fmt: skip
    return say_count(
        len(adapters),
        "Example `{example_id}` is withdrawn and erased. This adapter was trained on it: {adapters}. Too few examples "
        "are left to train without it, so it is out of use.",
        "Example `{example_id}` is withdrawn and erased. These adapters were trained on it: {adapters}. Too few "
        "examples are left to train without it, so they are out of use.",
        example_id=example_id, adapters=names,
    )  # fmt: skip


MAY_NOT_WITHDRAW = sentence(
    "Only the person who wrote it, the person who proposed it, a reviewer of its style or a workspace admin can "
    "withdraw an example."
)
WITHDRAW_WHICH = sentence(
    "Say which example, as in `/huisstijl withdraw ex_…`. `/huisstijl examples` lists the newest with ids."
)


def example_counts(style: str, proposed: int, approved: int, rejected: int, withdrawn: int) -> str:
    return say(
        "*{style}*: {approved} approved, {proposed} waiting for review, {rejected} rejected, {withdrawn} withdrawn.",
        style=style, approved=approved, proposed=proposed, rejected=rejected, withdrawn=withdrawn,
    )  # fmt: skip


EXAMPLE_LINES = {
    "proposed": sentence("`{example_id}` proposed: {preview}"),
    "approved": sentence("`{example_id}` approved: {preview}"),
    "rejected": sentence("`{example_id}` rejected: {preview}"),
    "withdrawn": sentence("`{example_id}` withdrawn: {preview}"),
    "retired": sentence("`{example_id}` retired: {preview}"),
}


def example_line(example_id: str, status: str, preview: str) -> str:
    return bullet(EXAMPLE_LINES[status](example_id=example_id, preview=preview))


NO_EXAMPLES = sentence(
    "No examples yet. Use the message shortcut “Teach house style” on a message worth learning from."
)
EXAMPLES_TEXT = sentence("What the styles have learnt")
