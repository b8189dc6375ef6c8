"""`/huisstijl forget`: a quote, then a click, and everything of a person is erased."""

from __future__ import annotations

import re

from bot.domain.values import Click, Command
from bot.errors import BadInput
from bot.operations.forget import confirm_forgetting, decline_forgetting, quote_forgetting
from bot.services import Services
from bot.texts import forget as texts

#: As Slack writes a person whom somebody typed with an @, or the bare id of one who has left.
_PERSON = re.compile(r"<@([UW][A-Z0-9]+)(?:\|[^>]*)?>|([UW][A-Z0-9]{4,})")


def forget(services: Services, command: Command, argument: str) -> None:
    """`/huisstijl forget [@PERSON]`: what it will take with it, with a button."""
    actor = services.people.get_actor(command.team_id, command.user_id)
    user_id = command.user_id
    if argument:
        named = _PERSON.fullmatch(argument.strip())
        if named is None:
            raise BadInput(texts.FORGET_WHOM())
        user_id = named[1] or named[2]
    quote = quote_forgetting(services.database, actor, user_id)
    services.answer(command, quote.text, quote.blocks)


def confirm_forget(services: Services, click: Click) -> None:
    """Erase it all, under a quote."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    forgotten = confirm_forgetting(services.database, services.settings, actor, click.value)
    services.wakeups.outbox.ring()
    services.wakeups.stops.ring()  # what is being written for them is over
    services.answer(click, forgotten.sentence, replace=True)


def cancel_forget(services: Services, click: Click) -> None:
    """Cancel, under a quote."""
    decline_forgetting(services.database, services.people.get_actor(click.team_id, click.user_id), click.value)
    services.answer(click, texts.NOT_FORGOTTEN(), replace=True)
