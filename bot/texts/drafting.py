"""What people read while they ask for drafts, and when they say what they think of them."""

from __future__ import annotations

from collections.abc import Sequence

EXTERNAL = (
    "This channel is shared with another company, and a house style is learnt from ours alone. Ask me in one of our "
    "own channels, or in a direct message."
)
MEMBERS_ONLY = "Drafts are made from this team's own examples, so only full members can ask for them."
PERSON_BUSY = "You asked for {most} drafts within a minute. I made those and left the rest; ask again in a minute."
WORKSPACE_BUSY = (
    "I am writing many drafts for this workspace at the moment and left your last one. Ask again in a minute."
)
FAR_TOO_MANY_TRIES = "I started this draft several times and was interrupted each time. Ask again for a new one."
ROOT_NOT_POSTED = "I could not post in that channel, so there is no draft. Check that I am in it and ask again."
DRAFT_TEXT = "A draft in house style"


def too_long(chars: int, most: int) -> str:
    return f"That request has {chars:,} characters and {most:,} is the most. Shorten it and ask again."


def asked(name: str, style: str, request: str) -> str:
    return f"*{name}* asked for a draft in *{style}*:\n{request}"


def asked_here(style: str) -> str:
    return f"I am writing your draft in *{style}* in the thread."


# Status while nothing is visible yet


def reading(count: int) -> str:
    return "is reading the instructions…" if count == 0 else f"is reading {count} example{'' if count == 1 else 's'}…"


# What shaped it

RUNGS = {
    "zero_shot": "the style's instructions alone",
    "few_shot": "the style's fixed examples",
    "retrieved": "the examples most like the request",
    "lora": "the tuned adapter",
    "lora_retrieved": "the tuned adapter and the examples most like the request",
}


def shaped_by(style: str, rung: str, adapter: str | None, examples: Sequence[str], notes: Sequence[str]) -> str:
    """One line of mrkdwn under a draft; `examples` are links or ids."""
    parts = [f"*{style}* · `{rung}`: {RUNGS[rung]}"]
    if adapter:
        parts.append(f"adapter `{adapter}`")
    if examples:
        parts.append(f"examples {', '.join(examples)}")
    return " · ".join([*parts, *notes])


NO_EXAMPLES = "no approved examples yet"
BY_WORDS = "compared by words, because the embedding service did not answer"
FEWER_EXAMPLES = "with fewer examples, because more did not fit into the model"
CUT_SHORT = "cut off where a message ends"


def adapter_refused(name: str) -> str:
    return f"the adapter `{name}` was not available, so this is made without it; an admin can `/huisstijl rollback`"


INCOMPLETE = "_Incomplete._ {sentence}"
INTERRUPTED = "I was interrupted while I wrote this, so it is incomplete. Ask again for a new one."
STOPPED = "Stopped. What you see is incomplete."

# Feedback

KEEP = "Keep"
EDIT = "Edit"
DISCARD = "Not our style"
EDIT_TITLE = "Edit the draft"
EDIT_SUBMIT = "Keep this"
EDIT_LABEL = "As it should be"
EDIT_HINT = "Your version is proposed as an example, and the difference is remembered."
DISCARD_TITLE = "Not our style"
DISCARD_SUBMIT = "Send"
CANCEL = "Cancel"
REASON_LABEL = "What is wrong with it?"
REASON_HINT = "Optional. A word or two helps whoever improves the style."
EMPTY_EDIT = "Write the text as it should be, or close this window."
DISCARDED_ANSWER = "Thank you, noted. It will not be learnt from."
TOO_LONG_TO_EDIT = (
    "This draft is too long for an edit window. Post your version as a message and use the shortcut “Teach house "
    "style” on it."
)


def kept_by(who: str) -> str:
    return f"Kept as it is by {who}."


def edited_by(who: str) -> str:
    return f"Kept with changes by {who}; this is the edited text."


def discarded_by(who: str) -> str:
    return f"{who} says: not our style."


ALREADY = {
    "kept": "Somebody kept this draft already, so your click changed nothing.",
    "edited": "Somebody edited and kept this draft already, so your click changed nothing.",
    "discarded": "Somebody said already that this is not our style, so your click changed nothing.",
    "stopped": "This draft was stopped before it was complete. Ask for a new one with `/draft`.",
    "failed": "This draft is incomplete. Ask for a new one with `/draft`.",
}
NOT_YET_COMPLETE = "This draft is still being written. Wait until it is complete."
