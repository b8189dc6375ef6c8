"""What people read about blind trials: the quote, two drafts to compare, what a tap did, and how a trial ended."""

from __future__ import annotations

from datetime import datetime

from bot.language import lines, moment, say, say_count, sentence, sentences

# --- starting one ---------------------------------------------------------------------------------------------------

START_BUTTON = sentence("Start the trial")
CANCEL_BUTTON = sentence("Cancel")
NOT_STARTED = sentence("No trial was started.")


def quote_headline(style: str, champion: str, challenger: str) -> str:
    return say(
        "A blind trial in *{style}*: {challenger} against the champion, {champion}.",
        style=style, challenger=challenger, champion=champion,
    )  # fmt: skip


def quote_how(style: str, share: float) -> str:
    if share < 1:
        asked = say(
            "While it runs, {share:.0%} of the requests for *{style}* in channels are drafted twice, once by each.",
            share=share, style=style,
        )  # fmt: skip
    else:
        asked = say(
            "While it runs, every request for *{style}* in a channel is drafted twice, once by each.", style=style
        )
    return sentences(asked, QUOTE_BLIND())


QUOTE_BLIND = sentence(
    "Both drafts appear together, in an order that nobody knows, and one tap says which is better. Direct messages, "
    "private previews and further versions of a draft stay as they are."
)


def quote_cost(most: int) -> str:
    return say(
        "*At most {most} comparisons.* Each costs twice what a draft costs: two for the model server, and two of the "
        "drafts that a person may ask for in a minute; where that is too much at once, there is one draft as usual.",
        most=most,
    )


QUOTE_END = sentence(
    "It ends by itself as soon as the taps tell the two apart; looking after every tap is allowed for, so that equals "
    "are told apart by mistake in at most 5 of 100 trials. If the challenger is better, it serves from then on; if it "
    "is worse, or no difference is found, the champion stays. The result, with names, goes to the style's channel."
)


def started(style: str, channel_id: str) -> str:
    return say(
        "The blind trial in *{style}* runs. {channel} reads how it ends; `/huisstijl status {style}` shows how far it "
        "is.",
        style=style, channel=f"<#{channel_id}>",
    )  # fmt: skip


def announced(style: str, user_id: str, most: int) -> str:
    return say(
        "{who} started a blind trial in *{style}*: for a while, requests in channels get two drafts in hidden order. "
        "Tap the one that is better; it becomes the draft. At most {most} comparisons.",
        who=f"<@{user_id}>", style=style, most=most,
    )  # fmt: skip


def is_running(style: str) -> str:
    return say(
        "A blind trial of *{style}* is running already. `/huisstijl trial {style} stop` ends it; then start another.",
        style=style,
    )  # fmt: skip


def not_running(style: str) -> str:
    return say("No blind trial of *{style}* is running. `/huisstijl trial {style}` starts one.", style=style)


def no_free_text(style: str) -> str:
    return say(
        "*{style}* answers with labels, and there is nothing to compare side by side. Use `/huisstijl ladder {style}`.",
        style=style,
    )


def no_challenger(style: str) -> str:
    return say(
        "The last measurement of *{style}* has no candidate besides the champion that could serve. Train once more, or "
        "name one that `/huisstijl ladder {style}` lists.",
        style=style,
    )  # fmt: skip


# --- two drafts -----------------------------------------------------------------------------------------------------

WRITING_TWO = sentence("is writing two drafts to compare…")
A = sentence("A is better")
B = sentence("B is better")
NEITHER = sentence("No difference")
HOW_TO_CHOOSE = sentence(
    "The first tap decides, for everybody here: what is chosen becomes the draft, the other one goes. Which is which "
    "is told when the trial has ended."
)


def compare(style: str) -> str:
    return say("*A comparison:* two drafts in *{style}*, in hidden order. Which is better?", style=style)


def side(letter: str) -> str:
    return say("*Draft {letter}*", letter=letter)


def read_aloud(intro: str, text_a: str, text_b: str) -> str:
    """What notifications and screen readers say."""
    return lines(intro, say("Draft A: {text}", text=text_a), say("Draft B: {text}", text=text_b))


CHOSEN = {
    "a": sentence("{who} chose this one of two drafts (A)."),
    "b": sentence("{who} chose this one of two drafts (B)."),
    "neither": sentence("{who} found no difference between two drafts, so the first one stays."),
}
ANSWERED = {
    "a": sentence("{who} tapped: A is better."),
    "b": sentence("{who} tapped: B is better."),
    "neither": sentence("{who} tapped: no difference."),
}
PUT_AWAY = sentence("This one of two drafts was put away: the other one stays.")
SAME = sentence("Two candidates wrote exactly this, so there was nothing to compare; it counts as no difference.")
ALONE = sentence("The second of two drafts to compare did not come, so this one is alone and nothing is counted.")
ERASED = sentence("These drafts were erased, because whoever asked for them is to be forgotten.")


def hidden_shape(style: str) -> str:
    return say("*{style}* · from a blind trial; what made it is told when the trial has ended", style=style)


def counted(style: str) -> str:
    return say("Your tap counts in the blind trial of *{style}*; thank you.", style=style)


def not_counted(style: str) -> str:
    return say(
        "The blind trial of *{style}* had ended already, so your tap does not count; the text you chose is the draft.",
        style=style,
    )  # fmt: skip


def already_answered(who: str) -> str:
    return say(
        "{who} was quicker, and the first tap decides. Use the draft that stayed, or ask for a new one.", who=who
    )


OWN_TAP = sentence("You have answered this one already; use the draft that stayed, or ask for a new one.")
CANNOT_ANSWER = sentence("There is nothing to compare here any more. Ask for a new draft with `/draft`.")


# --- how far it is --------------------------------------------------------------------------------------------------


def progress(challenger: str, made: int, most: int, answered: int, since: datetime) -> str:
    """Without the score: who knows it could tell the two apart by their own tap."""
    return say(
        "*Blind trial:* the champion against {challenger}, since {moment}; {made} of at most {most} comparisons made, "
        "{answered} answered. The score is told at the end.",
        challenger=challenger, moment=moment(since), made=made, most=most, answered=answered,
    )  # fmt: skip


# --- how it ended ---------------------------------------------------------------------------------------------------


def score(challenger: str, champion: str, wins: int, losses: int, ties: int, low: float, high: float) -> str:
    decided = wins + losses
    if not decided:
        return say_count(ties, "{count} comparison was answered.", "{count} comparisons were answered.")
    return sentences(
        say(
            "Of {decided} comparisons with a preference {challenger} won {wins} and {champion} {losses}: a win rate of "
            "{rate:.0%}, interval {low:.0%} to {high:.0%}.",
            decided=decided, challenger=challenger, champion=champion, wins=wins, losses=losses, rate=wins / decided,
            low=low, high=high,
        ),
        say_count(ties, "{count} was without a difference.", "{count} were without a difference."),
    )  # fmt: skip


def challenger_won(style: str, challenger: str, champion: str, said: str) -> str:
    return sentences(
        say(
            "The blind trial in *{style}* has ended: {challenger} is better than {champion} beyond the noise, and "
            "makes the next draft.",
            style=style, challenger=challenger, champion=champion,
        ),
        said,
        say("`/huisstijl rollback {style}` goes back.", style=style),
    )  # fmt: skip


def champion_won(style: str, challenger: str, champion: str, said: str) -> str:
    return sentences(
        say(
            "The blind trial in *{style}* has ended: {challenger} is worse than {champion} beyond the noise. The "
            "champion stays, and no later measurement puts {challenger} in its place.",
            style=style, challenger=challenger, champion=champion,
        ),
        said,
    )  # fmt: skip


def no_difference(style: str, challenger: str, champion: str, said: str) -> str:
    return sentences(
        say(
            "The blind trial in *{style}* has ended: no difference found between {challenger} and {champion}, so the "
            "champion stays.",
            style=style, challenger=challenger, champion=champion,
        ),
        said,
    )  # fmt: skip


def stopped(style: str, user_id: str, challenger: str, champion: str, said: str) -> str:
    return sentences(
        say(
            "{who} stopped the blind trial in *{style}* ({challenger} against {champion}). Nothing changes.",
            who=f"<@{user_id}>", style=style, challenger=challenger, champion=champion,
        ),
        said,
    )  # fmt: skip


CAUSES = {
    "champion_moved": sentence("the champion was changed meanwhile"),
    "adapter_gone": sentence("an adapter in it must not serve any more"),
    "style_changed": sentence("the style was changed"),
}


def overtaken(style: str, challenger: str, champion: str, cause: str, said: str) -> str:
    return sentences(
        say(
            "The blind trial in *{style}* ({challenger} against {champion}) has ended without a result: {cause}. "
            "Nothing was promoted by it.",
            style=style, challenger=challenger, champion=champion, cause=CAUSES[cause](),
        ),
        said,
    )  # fmt: skip


def change_started(actor: str, style: str) -> str:
    return say("{who} started a blind trial in *{style}*.", who=f"<@{actor}>", style=style)


CHANGES = {
    "challenger_won": sentence("The blind trial in *{style}* has ended: the challenger won."),
    "champion_won": sentence("The blind trial in *{style}* has ended: the champion won."),
    "no_difference": sentence("The blind trial in *{style}* has ended: no difference found."),
    "stopped": sentence("The blind trial in *{style}* was stopped."),
    "overtaken": sentence("The blind trial in *{style}* has ended without a result."),
}


def change_ended(style: str, status: str) -> str:
    return CHANGES[status](style=style)


def promoted_reason(challenger: str, champion: str, wins: int, decided: int, low: float, high: float) -> str:
    return say(
        "Won a blind trial against {champion}: {challenger} was chosen in {wins} of {decided} comparisons with a "
        "preference, win rate {low:.0%} to {high:.0%}.",
        champion=champion, challenger=challenger, wins=wins, decided=decided, low=low, high=high,
    )  # fmt: skip


def lost_before(candidate: str, champion: str, style: str, wanted: str, at: datetime, wins: int, decided: int) -> str:
    return sentences(
        say(
            "{candidate} lost a blind trial against {champion} ({moment}): it was chosen in {wins} of {decided} "
            "comparisons with a preference.",
            candidate=candidate, champion=champion, moment=moment(at), wins=wins, decided=decided,
        ),
        say(
            "To make it the champion all the same: `/huisstijl promote {style} {wanted} anyway`.",
            style=style, wanted=wanted,
        ),
    )  # fmt: skip
