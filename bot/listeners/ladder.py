"""`/huisstijl ladder [STYLE]`."""

from __future__ import annotations

from bot.blocks.ladder import ladder_message
from bot.blocks.text import context
from bot.domain.values import Command
from bot.operations.ladder import get_ladder
from bot.operations.trials import get_progress
from bot.services import Services


def ladder(services: Services, command: Command, argument: str) -> None:
    actor = services.people.get_actor(command.team_id, command.user_id)
    found = get_ladder(services.database, services.settings, actor, command.channel_id, argument)
    text, blocks = ladder_message(found)
    trial = get_progress(services.database, actor, command.channel_id, argument)
    services.answer(command, text, [*blocks, context(trial)] if trial else blocks)
