"""What people read while they make, change, choose and list styles."""

from __future__ import annotations

from collections.abc import Sequence

INITIAL_REASON = "A new style starts on its approved examples most like the request, and needs no training for it."


def ambiguous(names: Sequence[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names)
    return f"Several styles can be used here: {listed}. Start with the name of the one you want, as in `{names[0]}: …`."


def unknown(wanted: str, names: Sequence[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in names)
    return f"I know no style “{wanted[:60]}” here. You can use {listed}."


# The form

NEW_TITLE = "New house style"
EDIT_TITLE = "Edit house style"
CREATE = "Create"
SAVE = "Save"
CANCEL = "Cancel"
NAME = "Name"
NAME_HINT = "Lower-case letters, digits and hyphens: what people type before a colon, as in brand-voice: …"
INSTRUCTIONS = "Instructions"
INSTRUCTIONS_HINT = "What every draft must heed, in the words you would use for a new colleague."
KIND = "Kind of work"
KINDS = {"draft": "Texts in our voice", "classify": "Labels out of our own set", "code": "Code in our framework"}
SCOPE = "Where it may learn and be used"
SCOPES = {"workspace": "The whole workspace", "channel": "Only this private channel"}
CHANNEL = "Channel for review cards and results"
REVIEWERS = "Reviewers"
REVIEWERS_HINT = "They approve, edit and reject examples. Workspace admins may do so too."
APPROVALS = "Approvals an example needs (1 to 5)"
OWN = "Own examples"
OWN_OPTION = "Reviewers may approve what they proposed themselves"
TRAIN_AFTER = "Train after so many newly approved examples"
TRAIN_AFTER_HINT = "0: only when an admin asks for it with /huisstijl train."
TRAIN_FROM = "Training may start from this hour (UTC, 0 to 23)"
TRAIN_TO = "… and before this hour (UTC, 0 to 23)"
TRAIN_TO_HINT = "The same hour in both: at any time."
RECIPE = "Recipe"
RECIPE_NONE = "The installation's own"

NAME_MISSING = "Give the style a name."
INSTRUCTIONS_MISSING = "Write at least one sentence on how drafts should be."


def name_invalid(suggestion: str) -> str:
    hint = f", for example {suggestion}" if suggestion else ""
    return f"Use lower-case letters, digits and hyphens only, at most 40{hint}."


NAME_TAKEN = "A style of this name exists already, or existed once. Choose another name."


def number_out_of_range(least: int, most: int) -> str:
    return f"Enter a whole number from {least} to {most}."


REVIEWERS_MISSING = "Choose at least one reviewer."


def reviewers_not_members(names: Sequence[str]) -> str:
    return f"Only full members of this workspace can be reviewers; {', '.join(names)} cannot."


def too_few_reviewers(reviewers: int, approvals: int) -> str:
    return f"{approvals} approvals cannot come from {reviewers} reviewer{'s' if reviewers != 1 else ''}. Add reviewers."


CHANNEL_MISSING = "Choose the channel where cards and results are posted."
CHANNEL_NOT_JOINED = "I am not in that channel. Invite me there with /invite @Huisstijl, then save again."
CHANNEL_EXTERNAL = "That channel is shared with another company. Choose one that is only ours."
PRIVATE_ONLY_HERE = "A style for this private channel posts its cards here, so choose this channel."
SCOPE_NOT_HERE = "Only a private channel can have a style of its own."


def created(name: str, is_private: bool) -> str:
    where = "in this private channel" if is_private else "everywhere in the workspace"
    return (
        f"The style *{name}* can be used {where}: `/draft {name}: …`. Teach it with the message shortcut “Teach house "
        f"style”, or import examples."
    )


def changed(name: str) -> str:
    return f"The style *{name}* is changed. The next draft heeds it."


# The list

NO_STYLES = "There is no style that can be used here yet. A workspace admin can create one with `/huisstijl style new`."
STYLES_TEXT = "House styles that can be used here"

RUNGS = {
    "zero_shot": "its instructions alone",
    "few_shot": "a fixed set of approved examples",
    "retrieved": "the approved examples most like the request",
    "lora": "a trained adapter",
    "lora_retrieved": "a trained adapter and retrieved examples",
}


def summary(
    name: str, kind: str, is_private: bool, champion: str, approved: int, proposed: int, reviewers: Sequence[str],
    approvals: int,
) -> str:  # fmt: skip
    where = "this private channel" if is_private else "the workspace"
    who = ", ".join(reviewers) or "the workspace's admins"
    needed = "1 approval" if approvals == 1 else f"{approvals} approvals"
    return (
        f"*{name}* ({KINDS[kind].lower()}, {where})\n"
        f"Drafts with `{champion}`: {RUNGS[champion]}. {approved} approved examples, {proposed} waiting.\n"
        f"Reviewers: {who}; {needed} each."
    )
