"""`/huisstijl unsure [STYLE]`."""

from __future__ import annotations

from bot.blocks.label_buttons import unsure_message
from bot.domain.values import Command
from bot.operations.unsure import list_unsure
from bot.services import Services


def unsure(services: Services, command: Command, argument: str) -> None:
    actor = services.people.get_actor(command.team_id, command.user_id)
    found = list_unsure(services.database, actor, command.channel_id, argument)
    shown = [(one.draft_id, one.request, one.offered) for one in found.shown]
    services.answer(command, *unsure_message(found.style_name, found.waiting, shown))
