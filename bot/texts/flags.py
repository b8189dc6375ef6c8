"""What who flags a message with an emoji reads."""

from __future__ import annotations

from bot.language import sentence

QUESTION = sentence("You flagged this message as a good example. Shall I learn from it?")
TEACH = sentence("Teach house style")


def quoted(text: str) -> str:
    """Slack's mark for a quotation, before one line."""
    return f"> {text}"
