"""What people read when we gave up: for whatever nothing more exact can be said."""

from __future__ import annotations

from bot.language import say


def given_up(reference: str) -> str:
    return say(
        "I tried several times and could not finish what you asked. Ask again in a few minutes; if it happens once "
        "more, give your operator this reference: {reference}.",
        reference=reference,
    )
