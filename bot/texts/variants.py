"""What people read around a draft's choices: its variants, its comparison, using it, sharing it, turning it down."""

from __future__ import annotations

from bot.language import say, sentence

# The menu under a draft

USE = sentence("Use this")
SHARE = sentence("Share as a draft")
MORE_LABEL = sentence("More that can be done with this draft")
MENU = {
    "shorter": sentence("Shorter"),
    "longer": sentence("Longer"),
    "another": sentence("Another version"),
    "compare": sentence("Compare with the one before"),
    "keep": sentence("Keep as an example"),
}

# Variants

SHAPED_BY_PARENT = {
    "shorter": sentence("a shorter version"),
    "longer": sentence("a longer version"),
    "another": sentence("another version"),
}


SHAPED_BY_LINKED_PARENT = {
    "shorter": sentence("a shorter version of <{link}|this draft>"),
    "longer": sentence("a longer version of <{link}|this draft>"),
    "another": sentence("another version of <{link}|this draft>"),
}


def shaped_by_linked_parent(variant: str, link: str) -> str:
    return SHAPED_BY_LINKED_PARENT[variant](link=link)


UNDER_WAY = sentence("That version is being written already.")
NOTHING_TO_VARY = sentence(
    "This draft was never completed, so there is nothing to write anew. Ask for a new one with `/draft`."
)
SAME_AGAIN = sentence(
    "I tried several times and it came out as a text that you have seen already, so I left it. Say in your own words "
    "what should be different, and I will write that."
)
UNKNOWN_CHOICE = sentence("I do not know that choice. Ask for a new draft with `/draft`; its menu works.")

# Comparing

COMPARE_TITLE = sentence("What is different")
CLOSE = sentence("Close")
EDITED_SINCE = sentence("The draft as it was written, and what a person made of it.")
VARIED_SINCE = sentence("The draft that this is a version of, and this one.")
LEGEND = sentence("Struck words are gone, bold words are new.")
NOTHING_BEFORE = sentence("There is no version before this one to compare it with.")
SAME_TEXT = sentence("The two texts are the same.")
ABRIDGED = sentence("Long passages that are the same are left out.")


def words_changed(kept: int, gone: int, new: int) -> str:
    return say("Words that stayed: {kept}. Gone: {gone}. New: {new}.", kept=kept, gone=gone, new=new)


# Using

USE_TITLE = sentence("Use this draft")
USE_SUBMIT = sentence("Post")
USE_WHERE = sentence("Where shall it go?")
USE_WHERE_HINT = sentence("I have to be in that channel. It is posted by me, with your name under it.")
CHANNEL_NEEDED = sentence("Choose a channel.")
USE_NOT_THERE = sentence("I am not in that channel. Invite me with `/invite @Huisstijl`, or choose another one.")
USE_EXTERNAL = sentence("That channel is shared with another company, so post it there yourself.")
USE_OUT_OF_SCOPE = sentence("This style belongs to a private channel, so what it writes is posted there only.")
NOT_COMPLETE = sentence("This draft was never completed, so it cannot be used. Ask for a new one with `/draft`.")


def chosen_by(who: str, style: str) -> str:
    return say("Chosen by *{who}* · drafted in *{style}*", who=who, style=style)


def chosen_by_linked(who: str, style: str, link: str) -> str:
    return say("Chosen by *{who}* · drafted in *{style}* · <{link}|what shaped it>", who=who, style=style, link=link)


def used_by(who: str) -> str:
    return say("Used by {who}.", who=who)


def used_already(who: str) -> str:
    return say("This draft was used already, by {who}. It is posted once.", who=who)


SOMEBODY = sentence("somebody")
USED = sentence("Posted. Using a draft teaches nothing by itself; “Keep” proposes it as an example.")

# A draft for one person's eyes

PRIVATE_COMING = sentence("I am writing it. Only you will see it, until you share or use it.")
ONLY_YOU = sentence("Only you can see this.")
ALREADY_SHARED = sentence("This draft is in the channel already.")


def shared_by(who: str, style: str) -> str:
    return say("*{who}* shares a draft in *{style}*", who=who, style=style)


SHARED = sentence("You shared this draft with the channel.")

# Not our style

REASONS_LABEL = sentence("What is not right?")
REASONS = {
    "tone": sentence("The tone: it does not sound like us"),
    "words": sentence("The words: not ours, or ours are missing"),
    "length": sentence("The length"),
    "structure": sentence("The order or the form"),
    "facts": sentence("The facts: something is not true"),
    "other": sentence("Something else"),
}
REASON_MISSING = sentence("Choose at least one, or say it in your own words below.")
OWN_WORDS_LABEL = sentence("In your own words")
OWN_WORDS_HINT = sentence("Optional. A word or two helps whoever improves the style.")
BETTER_LABEL = sentence("As it should be")
BETTER_HINT = sentence("Optional. With your version I learn from the difference, and it is proposed as an example.")
BETTER_IS_THE_SAME = sentence("This is the draft as it is. Change it, or leave this empty.")
NOTED = sentence("Thank you, noted. It will not be learnt from.")
