"""What people read while they make, change, choose and list styles."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.safe_text import escape, neutralise, shorten
from bot.language import all_of, lines, listed, say, say_count, sentence

#: More would be longer than the draft they are said of.
MOST_TERMS_NAMED = 5

INITIAL_REASON = sentence(
    "A new style starts on its approved examples most like the request, and needs no training for it."
)


def ambiguous(names: Sequence[str]) -> str:
    return say(
        "Several styles can be used here: {styles}. Start with the name of the one you want, as in `{first}: …`.",
        styles=listed([f"`{name}`" for name in names]), first=names[0],
    )  # fmt: skip


def unknown(wanted: str, names: Sequence[str]) -> str:
    return say(
        "I know no style “{wanted}” here. You can use {styles}.",
        wanted=wanted[:60], styles=listed([f"`{name}`" for name in names]),
    )  # fmt: skip


# The form

NEW_TITLE = sentence("New house style")
EDIT_TITLE = sentence("Edit house style")
CREATE = sentence("Create")
SAVE = sentence("Save")
CANCEL = sentence("Cancel")
NAME = sentence("Name")
NAME_HINT = sentence("Lower-case letters, digits and hyphens: what people type before a colon, as in brand-voice: …")
INSTRUCTIONS = sentence("Instructions")
INSTRUCTIONS_HINT = sentence("What every draft must heed, in the words you would use for a new colleague.")
REQUIRED_TERMS = sentence("Terms to use, one a line")
REQUIRED_TERMS_HINT = sentence("What things are called here, such as sign in. A draft uses it where it speaks of that.")
FORBIDDEN_TERMS = sentence("Terms that are never used, one a line")
FORBIDDEN_TERMS_HINT = sentence(
    "Whole words, whatever their capitals: login is not logins, so write each form. A draft that holds one says so."
)
KIND = sentence("Kind of work")
KINDS = {
    "draft": sentence("Texts in our voice"),
    "classify": sentence("Labels out of our own set"),
    "code": sentence("Code in our framework"),
}
SCOPE = sentence("Where it may learn and be used")
SCOPES = {"workspace": sentence("The whole workspace"), "channel": sentence("Only this private channel")}
CHANNEL = sentence("Channel for review cards and results")
REVIEWERS = sentence("Reviewers")
REVIEWERS_HINT = sentence("They approve, edit and reject examples. Workspace admins may do so too.")
APPROVALS = sentence("Approvals an example needs (1 to 5)")
OWN = sentence("Own examples")
OWN_OPTION = sentence("Reviewers may approve what they proposed themselves")
TRAIN_AFTER = sentence("Train after so many newly approved examples")
TRAIN_AFTER_HINT = sentence("0: only when an admin asks for it with /huisstijl train.")
TRAIN_GAIN = sentence("… or, once a run has made a forecast: when another is expected to gain so many bits per byte")
TRAIN_GAIN_HINT = sentence(
    "Empty: the number of examples decides alone. 0.01 is little, 0.1 is much; /huisstijl ladder shows how far the "
    "candidates are apart."
)
GAIN_INVALID = sentence("A number above 0 and up to 8, or leave it empty.")
TRAIN_FROM = sentence("Training may start from this hour (UTC, 0 to 23)")
TRAIN_TO = sentence("… and before this hour (UTC, 0 to 23)")
TRAIN_TO_HINT = sentence("The same hour in both: at any time.")
RECIPE = sentence("Recipe")
RECIPE_NONE = sentence("The installation's own")

BUDGET = sentence("What its training may cost in a month")
BUDGET_HINT = sentence("Empty: no limit. A run that would go over it is not started.")
BUDGET_INVALID = sentence("Enter an amount of 0 or more, such as 12.50, or leave it empty for no limit.")
DIGEST = sentence("Weekly digest")
DIGEST_OPTION = sentence("Post a digest in its channel every week")

NAME_MISSING = sentence("Give the style a name.")
INSTRUCTIONS_MISSING = sentence("Write at least one sentence on how drafts should be.")


def name_invalid(suggestion: str) -> str:
    if suggestion:
        return say(
            "Use lower-case letters, digits and hyphens only, at most 40, for example {suggestion}.",
            suggestion=suggestion,
        )
    return say("Use lower-case letters, digits and hyphens only, at most 40.")


NAME_TAKEN = sentence("A style of this name exists already, or existed once. Choose another name.")


def number_out_of_range(least: int, most: int) -> str:
    return say("Enter a whole number from {least} to {most}.", least=least, most=most)


TERMS_OF_LABELS = sentence("A style that gives labels has no terms: leave this empty, or choose another kind of work.")


def too_many_terms(count: int, most: int) -> str:
    return say("These are {count} terms and {most} is the most. Keep those that matter.", count=count, most=most)


def term_too_long(term: str, chars: int, most: int) -> str:
    return say(
        "“{term}” has {chars} characters and a term has {most} at most. Write one term on each line.",
        term=shorten(term, 30), chars=chars, most=most,
    )  # fmt: skip


def term_twice(term: str) -> str:
    return say("“{term}” is here twice. Leave one of them out.", term=term)


def term_in_both(term: str) -> str:
    return say("“{term}” is among the terms to use, too. Leave it in one of the two lists.", term=term)


def term_within(forbidden: str, required: str) -> str:
    return say(
        "Nobody can say “{required}”, which is a term to use, without “{forbidden}”. Take one of the two out.",
        required=required, forbidden=forbidden,
    )  # fmt: skip


def never_said(style: str, terms: Sequence[str]) -> str:
    """Of a text that holds forbidden terms. mrkdwn."""
    shown = [f"“{escape(neutralise(shorten(term, 40)))}”" for term in terms[:MOST_TERMS_NAMED]]
    more = len(terms) - len(shown)
    if more:
        shown.append(say("{count} more", count=more))
    return say("Holds {terms}, which {style} never says.", terms=all_of(shown), style=style)


REVIEWERS_MISSING = sentence("Choose at least one reviewer.")


def reviewers_not_members(names: Sequence[str]) -> str:
    return say("Only full members of this workspace can be reviewers, so not {names}.", names=all_of(names))


def too_few_reviewers(reviewers: int, approvals: int) -> str:
    return say_count(
        reviewers,
        "{approvals} approvals cannot come from {count} reviewer. Add reviewers.",
        "{approvals} approvals cannot come from {count} reviewers. Add reviewers.",
        approvals=approvals,
    )


CHANNEL_MISSING = sentence("Choose the channel where cards and results are posted.")
CHANNEL_NOT_JOINED = sentence("I am not in that channel. Invite me there with /invite @Huisstijl, then save again.")
CHANNEL_EXTERNAL = sentence("That channel is shared with another company. Choose one that is only ours.")
PRIVATE_ONLY_HERE = sentence("A style for this private channel posts its cards here, so choose this channel.")


def created(name: str, is_private: bool) -> str:
    if is_private:
        return say(
            "The style *{name}* can be used in this private channel: `/draft {name}: …`. Teach it with the message "
            "shortcut “Teach house style”, or import examples.",
            name=name,
        )
    return say(
        "The style *{name}* can be used everywhere in the workspace: `/draft {name}: …`. Teach it with the message "
        "shortcut “Teach house style”, or import examples.",
        name=name,
    )


def changed(name: str) -> str:
    return say("The style *{name}* is changed. The next draft heeds it.", name=name)


# The list

NO_STYLES = sentence(
    "There is no style that can be used here yet. A workspace admin can create one with `/huisstijl style new`."
)
STYLES_TEXT = sentence("House styles that can be used here")

HEADINGS = {
    ("draft", True): sentence("*{name}* (texts in our voice, this private channel)"),
    ("draft", False): sentence("*{name}* (texts in our voice, the workspace)"),
    ("classify", True): sentence("*{name}* (labels out of our own set, this private channel)"),
    ("classify", False): sentence("*{name}* (labels out of our own set, the workspace)"),
    ("code", True): sentence("*{name}* (code in our framework, this private channel)"),
    ("code", False): sentence("*{name}* (code in our framework, the workspace)"),
}
RUNGS = {
    "zero_shot": sentence("Drafts with `{champion}`: its instructions alone."),
    "few_shot": sentence("Drafts with `{champion}`: a fixed set of approved examples."),
    "retrieved": sentence("Drafts with `{champion}`: the approved examples most like the request."),
    "knowledge": sentence("Drafts with `{champion}`: the examples most like the request, and the team's documents."),
    "lora": sentence("Drafts with `{champion}`: a trained adapter."),
    "neighbours": sentence("Answers with `{champion}`: the labels of the examples most like the text."),
    "logistic": sentence("Answers with `{champion}`: a small classifier on the text's embedding."),
    "lora_preferences": sentence("Drafts with `{champion}`: a trained adapter that also learnt from preferences."),
    "lora_retrieved": sentence("Drafts with `{champion}`: a trained adapter and retrieved examples."),
    "full": sentence("Drafts with `{champion}`: a model whose weights were all trained."),
}


def summary(
    name: str, kind: str, is_private: bool, champion: str, approved: int, proposed: int, reviewers: Sequence[str],
    approvals: int,
) -> str:  # fmt: skip
    return lines(
        HEADINGS[kind, is_private](name=name),
        RUNGS[champion](champion=champion),
        _examples(approved, proposed),
        _review(reviewers, approvals),
    )


def _examples(approved: int, proposed: int) -> str:
    return say_count(
        approved,
        "{count} approved example, {proposed} waiting.",
        "{count} approved examples, {proposed} waiting.",
        proposed=proposed,
    )


def _review(reviewers: Sequence[str], approvals: int) -> str:
    if not reviewers:
        return say_count(
            approvals,
            "Reviewers: the workspace's admins; {count} approval each.",
            "Reviewers: the workspace's admins; {count} approvals each.",
        )
    return say_count(
        approvals,
        "Reviewers: {reviewers}; {count} approval each.",
        "Reviewers: {reviewers}; {count} approvals each.",
        reviewers=listed(reviewers),
    )
