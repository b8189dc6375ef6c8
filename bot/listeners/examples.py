"""`/huisstijl examples` and `/huisstijl withdraw`."""

from __future__ import annotations

from bot.blocks.examples import examples_blocks
from bot.domain.values import Command
from bot.errors import BadInput, MembersOnly
from bot.operations.examples import list_examples, withdraw_example
from bot.operations.styles import find_named_style
from bot.services import Services
from bot.texts import learning as texts
from db.styles import list_usable_styles

NEWEST_SHOWN = 5


def show_examples(services: Services, command: Command, args: str) -> None:
    if not services.people.get_actor(command.team_id, command.user_id).is_full_member:
        raise MembersOnly
    with services.database.read() as session:
        if args:
            styles = [find_named_style(session, command.team_id, command.channel_id, args)]
        else:
            styles = list_usable_styles(session, command.team_id, command.channel_id)
        style_ids = [style.style_id for style in styles]
    overviews = list_examples(services.database, style_ids, newest=NEWEST_SHOWN)
    services.answer(command, texts.EXAMPLES_TEXT(), examples_blocks(overviews))


def withdraw(services: Services, command: Command, args: str) -> None:
    actor = services.people.get_actor(command.team_id, command.user_id)
    example_id = args.strip().strip("`")
    if not example_id:
        raise BadInput(texts.WITHDRAW_WHICH())
    withdrawal = withdraw_example(services.database, services.settings, actor, example_id)
    services.answer(command, withdrawal.sentence)
