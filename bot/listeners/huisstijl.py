"""`/huisstijl SUBCOMMAND …`: one line per subcommand. A subcommand gets the words after its name."""

from __future__ import annotations

from collections.abc import Callable

from bot.blocks.text import section
from bot.domain.safe_text import escape, shorten
from bot.domain.style_names import find_nearest
from bot.domain.values import Command
from bot.errors import UnknownCommand
from bot.listeners import examples, forget, knowledge, ladder, review_queue, styles, training, trials, unsure
from bot.services import Services
from bot.texts import commands as texts

Subcommand = Callable[[Services, Command, str], None]


def show_help(services: Services, command: Command, args: str) -> None:
    text = texts.help_text(list(SUBCOMMANDS))
    services.answer(command, text, [section(text)])


SUBCOMMANDS: dict[str, Subcommand] = {
    "help": show_help,
    "styles": styles.show_styles,
    "style": styles.style,
    "examples": examples.show_examples,
    "withdraw": examples.withdraw,
    "forget": forget.forget,
    "review": review_queue.open_by_command,
    "knowledge": knowledge.knowledge,
    "unsure": unsure.unsure,
    "train": training.train,
    "measure": training.measure,
    "ladder": ladder.ladder,
    "status": training.status,
    "trial": trials.trial,
    "promote": training.promote,
    "rollback": training.rollback,
}


def huisstijl(services: Services, command: Command) -> None:
    word, _, args = command.text.strip().partition(" ")
    subcommand = SUBCOMMANDS.get(word.casefold() or "help")
    if subcommand is None:
        nearest = find_nearest(word, SUBCOMMANDS)
        raise UnknownCommand(texts.unknown(escape(shorten(word, 40)), nearest))
    subcommand(services, command, args.strip())
