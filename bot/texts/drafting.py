"""What people read while they ask for drafts, and when they say what they think of them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.language import apart, figures, listed, say, say_count, sentence

EXTERNAL = sentence(
    "This channel is shared with another company, and a house style is learnt from ours alone. Ask me in one of our "
    "own channels, or in a direct message."
)
MEMBERS_ONLY = sentence("Drafts are made from this team's own examples, so only full members can ask for them.")
WORKSPACE_BUSY = sentence(
    "I am writing many drafts for this workspace at the moment and left your last one. Ask again in a minute."
)
FAR_TOO_MANY_TRIES = sentence(
    "I started this draft several times and was interrupted each time. Ask again for a new one."
)
ROOT_NOT_POSTED = sentence(
    "I could not post in that channel, so there is no draft. Check that I am in it and ask again."
)
NO_ANSWER = sentence("The model server answered with nothing. Ask again, or word the request differently.")
BASE_MODEL_UNKNOWN = sentence(
    "I could not write a draft, because the model server does not serve the base model of this style. An operator can "
    "compare HUISSTIJL_BASE_MODEL with the server's list of models."
)
BASE_MODEL_TOO_LARGE = sentence(
    "I could not write a draft, because the base model of this style does not fit into the model server's memory "
    "beside the other one. An operator can free some, or see `huisstijl base status`."
)
KEY_REFUSED = sentence(
    "I could not write a draft, because the model server refused my key. An operator can set HUISSTIJL_MODEL_API_KEY "
    "to the same value on both sides."
)
LEFT_ALONE = sentence(
    "The model server failed several times in a row, so I leave it alone for a few seconds. Ask again in a moment; if "
    "it goes on, an operator should look at `huisstijl serve`."
)
DRAFT_TEXT = sentence("A draft in house style")


def person_busy(most: int) -> str:
    return say(
        "You asked for {most} drafts within a minute. I made those and left the rest; ask again in a minute.", most=most
    )


def too_long(chars: int, most: int) -> str:
    return say(
        "That request has {chars} characters and {most} is the most. Shorten it and ask again.", chars=chars, most=most
    )


def asked(name: str, style: str, request: str) -> str:
    return say("*{name}* asked for a draft in *{style}*:\n{request}", name=name, style=style, request=request)


# Status while nothing is visible yet


def reading(count: int) -> str:
    if count == 0:
        return say("is reading the instructions…")
    return say_count(count, "is reading {count} example…", "is reading {count} examples…")


WAITING_FOR_MODEL = sentence("is waiting for the model server to load its model…")


# What shaped it

RUNGS = {
    "zero_shot": sentence("*{style}* · `{rung}`: the style's instructions alone"),
    "few_shot": sentence("*{style}* · `{rung}`: the style's fixed examples"),
    "retrieved": sentence("*{style}* · `{rung}`: the examples most like the request"),
    "knowledge": sentence("*{style}* · `{rung}`: the examples most like the request, and the team's documents"),
    "neighbours": sentence("*{style}* · `{rung}`: the labels of the examples most like the text"),
    "logistic": sentence("*{style}* · `{rung}`: a small classifier on the text's embedding"),
    "lora": sentence("*{style}* · `{rung}`: the tuned adapter"),
    "lora_preferences": sentence("*{style}* · `{rung}`: the tuned adapter, with what was preferred"),
    "lora_retrieved": sentence("*{style}* · `{rung}`: the tuned adapter and the examples most like the request"),
    "full": sentence("*{style}* · `{rung}`: a model whose weights were all trained"),
}


def shaped_by(
    style: str, rung: str, adapter: str | None, examples: Sequence[str], facts: Sequence[str], notes: Sequence[str]
) -> str:
    """One line of mrkdwn under a draft; `examples` are links or ids, `facts` are links to documents or their names."""
    parts = [RUNGS[rung](style=style, rung=rung)]
    if adapter:
        is_model = rung == "full"
        parts.append(say("model `{model}`", model=adapter) if is_model else say("adapter `{adapter}`", adapter=adapter))
    if examples:
        parts.append(say("examples {examples}", examples=listed(examples)))
    if facts:
        parts.append(say("facts from {documents}", documents=apart(facts)))
    return figures([*parts, *notes])


NO_EXAMPLES = sentence("no approved examples yet")
ONLY_FORBIDDEN = sentence("no examples, because every approved one holds a term that the style never uses")
ONLY_TOO_LONG = sentence("no examples, because those that could be shown are too long for the prompt")
ALIKE_FORBIDDEN = sentence(
    "no examples, because every approved one that is like this request holds a term that the style never uses"
)
NONE_ALIKE = sentence("no examples, because no approved one is like this request")
BY_WORDS = sentence("compared by words, because the embedding service did not answer")
NO_PASSAGE = sentence("no passage of the documents is about this")
FEWER_PASSAGES = sentence("with fewer passages, because more did not fit into the model")
FEWER_EXAMPLES = sentence("with fewer examples, because more did not fit into the model")
CUT_SHORT = sentence("cut off where a message ends")
NO_ADAPTER = sentence(
    "the champion's adapter was not available, so this is made without it; an admin can `/huisstijl rollback`"
)


def cut_at(tokens: int) -> str:
    return say_count(tokens, "cut off at {count} token", "cut off at {count} tokens")


def adapter_refused(name: str) -> str:
    return say(
        "the adapter `{name}` was not available, so this is made without it; an admin can `/huisstijl rollback`",
        name=name,
    )


def model_refused(name: str) -> str:
    return say(
        "the model `{name}` was not available, so the champion before it made this; an admin can `/huisstijl rollback`",
        name=name,
    )


INTERRUPTED = sentence("I was interrupted while I wrote this, so it is incomplete. Ask again for a new one.")
STOPPED = sentence("Stopped. What you see is incomplete.")

# Feedback

KEEP = sentence("Keep")
EDIT = sentence("Edit")
DISCARD = sentence("Not our style")
EDIT_TITLE = sentence("Edit the draft")
EDIT_SUBMIT = sentence("Keep this")
EDIT_LABEL = sentence("As it should be")
EDIT_HINT = sentence("Your version is proposed as an example, and the difference is remembered.")
DISCARD_TITLE = sentence("Not our style")
DISCARD_SUBMIT = sentence("Send")
CANCEL = sentence("Cancel")
EMPTY_EDIT = sentence("Write the text as it should be, or close this window.")
TOO_LONG_TO_EDIT = sentence(
    "This draft is too long for an edit window. Post your version as a message and use the shortcut “Teach house "
    "style” on it."
)


def kept_by(who: str) -> str:
    return say("Kept as it is by {who}.", who=who)


def edited_by(who: str) -> str:
    return say("Kept with changes by {who}; this is the edited text.", who=who)


def discarded_by(who: str) -> str:
    return say("{who} says: not our style.", who=who)


ALREADY = {
    "kept": sentence("Somebody kept this draft already, so your click changed nothing."),
    "edited": sentence("Somebody edited and kept this draft already, so your click changed nothing."),
    "discarded": sentence("Somebody said already that this is not our style, so your click changed nothing."),
    "stopped": sentence("This draft was stopped before it was complete. Ask for a new one with `/draft`."),
    "failed": sentence("This draft is incomplete. Ask for a new one with `/draft`."),
    "paired": sentence("This draft stands beside another one. Tap which of the two is better; that one can be kept."),
    "passed_over": sentence("The draft beside this one was chosen. Use that one, or ask for a new one with `/draft`."),
}
NOT_YET_COMPLETE = sentence("This draft is still being written. Wait until it is complete.")
