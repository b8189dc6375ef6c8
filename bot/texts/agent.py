"""What people read around a draft: the thread's name, what is offered in the direct message, ratings."""

from __future__ import annotations

from bot.domain.safe_text import shorten
from bot.language import say, sentence

CONTINUED = sentence("_This draft goes on in the next message._")

#: Slack shows about so much of a thread's name.
TITLE_CHARS = 60


def session_title(request: str) -> str:
    """A thread's name in the list of conversations: the beginning of its first request, on one line."""
    return shorten(request, TITLE_CHARS)


# What is offered when somebody opens the direct message

PROMPTS_TITLE = sentence("What shall I write in house style?")
FIRST_PROMPT_TITLE = sentence("Announce something")
FIRST_PROMPT = sentence("Announce that the office closes at noon on Friday")


def prompt_title(style: str) -> str:
    return say("Draft in {style}", style=style)


def prompt_message(style: str, request: str) -> str:
    return f"{style}: {request}"


# Ratings

RATE_GOOD = sentence("Sounds like us")
RATE_BAD = sentence("Does not sound like us")
RATE_GOOD_LABEL = sentence("Rate this draft: it sounds like us")
RATE_BAD_LABEL = sentence("Rate this draft: it does not sound like us")
RATED_GOOD = sentence("Thank you. It counts for how well this style does; to make the draft an example, press “Keep”.")
RATED_BAD = sentence("Thank you. It counts for how well this style does.")
