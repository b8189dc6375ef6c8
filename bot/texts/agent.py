"""What people read around a draft: the thread's name, what is offered in the direct message, ratings."""

from __future__ import annotations

CONTINUED = "_This draft goes on in the next message._"

#: Slack shows about so much of a thread's name.
TITLE_CHARS = 60


def session_title(request: str) -> str:
    """A thread's name in the list of conversations: the beginning of its first request, on one line."""
    words = " ".join(request.split())
    return words if len(words) <= TITLE_CHARS else f"{words[: TITLE_CHARS - 1].rstrip()}…"


# What is offered when somebody opens the direct message

PROMPTS_TITLE = "What shall I write in house style?"
FIRST_PROMPT_TITLE = "Announce something"
FIRST_PROMPT = "Announce that the office closes at noon on Friday"


def prompt_title(style: str) -> str:
    return f"Draft in {style}"


def prompt_message(style: str, request: str) -> str:
    return f"{style}: {request}"


# Ratings

RATE_GOOD = "Sounds like us"
RATE_BAD = "Does not sound like us"
RATE_GOOD_LABEL = "Rate this draft: it sounds like us"
RATE_BAD_LABEL = "Rate this draft: it does not sound like us"
RATED_GOOD = "Thank you. It counts for how well this style does; to make the draft an example, press “Keep”."
RATED_BAD = "Thank you. It counts for how well this style does."
