"""What people read around a draft's choices: its variants, its comparison, using it, sharing it, turning it down."""

from __future__ import annotations

# The menu under a draft

USE = "Use this"
SHARE = "Share as a draft"
MORE_LABEL = "More that can be done with this draft"
MENU = {
    "shorter": "Shorter",
    "longer": "Longer",
    "another": "Another version",
    "compare": "Compare with the one before",
    "keep": "Keep as an example",
}

# Variants

SHAPED_BY_PARENT = {
    "shorter": "a shorter version",
    "longer": "a longer version",
    "another": "another version",
}


def shaped_by_linked_parent(variant: str, link: str) -> str:
    return {
        "shorter": f"a shorter version of <{link}|this draft>",
        "longer": f"a longer version of <{link}|this draft>",
        "another": f"another version of <{link}|this draft>",
    }[variant]


UNDER_WAY = "That version is being written already."
NOTHING_TO_VARY = "This draft was never completed, so there is nothing to write anew. Ask for a new one with `/draft`."
SAME_AGAIN = (
    "I tried several times and it came out as a text that you have seen already, so I left it. Say in your own words "
    "what should be different, and I will write that."
)
UNKNOWN_CHOICE = "I do not know that choice. Ask for a new draft with `/draft`; its menu works."

# Comparing

COMPARE_TITLE = "What is different"
CLOSE = "Close"
EDITED_SINCE = "The draft as it was written, and what a person made of it."
VARIED_SINCE = "The draft that this is a version of, and this one."
LEGEND = "Struck words are gone, bold words are new."
NOTHING_BEFORE = "There is no version before this one to compare it with."
SAME_TEXT = "The two texts are the same."
ABRIDGED = "Long passages that are the same are left out."


def words_changed(kept: int, gone: int, new: int) -> str:
    return f"Words that stayed: {kept}. Gone: {gone}. New: {new}."


# Using

USE_TITLE = "Use this draft"
USE_SUBMIT = "Post"
USE_WHERE = "Where shall it go?"
USE_WHERE_HINT = "I have to be in that channel. It is posted by me, with your name under it."
CHANNEL_NEEDED = "Choose a channel."
USE_NOT_THERE = "I am not in that channel. Invite me with `/invite @Huisstijl`, or choose another one."
USE_EXTERNAL = "That channel is shared with another company, so post it there yourself."
USE_OUT_OF_SCOPE = "This style belongs to a private channel, so what it writes is posted there only."
NOT_COMPLETE = "This draft was never completed, so it cannot be used. Ask for a new one with `/draft`."


def chosen_by(who: str, style: str) -> str:
    return f"Chosen by *{who}* · drafted in *{style}*"


def chosen_by_linked(who: str, style: str, link: str) -> str:
    return f"Chosen by *{who}* · drafted in *{style}* · <{link}|what shaped it>"


def used_by(who: str) -> str:
    return f"Used by {who}."


def used_already(who: str) -> str:
    return f"This draft was used already, by {who}. It is posted once."


SOMEBODY = "somebody"
USED = "Posted. Using a draft teaches nothing by itself; “Keep” proposes it as an example."

# A draft for one person's eyes

PRIVATE_COMING = "I am writing it. Only you will see it, until you share or use it."
ONLY_YOU = "Only you can see this."
ALREADY_SHARED = "This draft is in the channel already."


def shared_by(who: str, style: str) -> str:
    return f"*{who}* shares a draft in *{style}*"


SHARED = "You shared this draft with the channel."

# Not our style

REASONS_LABEL = "What is not right?"
REASONS = {
    "tone": "The tone: it does not sound like us",
    "words": "The words: not ours, or ours are missing",
    "length": "The length",
    "structure": "The order or the form",
    "facts": "The facts: something is not true",
    "other": "Something else",
}
REASON_MISSING = "Choose at least one, or say it in your own words below."
OWN_WORDS_LABEL = "In your own words"
OWN_WORDS_HINT = "Optional. A word or two helps whoever improves the style."
BETTER_LABEL = "As it should be"
BETTER_HINT = "Optional. With your version I learn from the difference, and it is proposed as an example."
BETTER_IS_THE_SAME = "This is the draft as it is. Change it, or leave this empty."
NOTED = "Thank you, noted. It will not be learnt from."
NOT_LEARNT_HERE = "Noted for this draft. What is said in this conversation stays in it, so nothing else is stored."
