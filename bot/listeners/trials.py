"""Blind trials: starting and stopping one, and the taps on two drafts."""

from __future__ import annotations

from bot.domain.values import Click, Command
from bot.errors import BadInput
from bot.operations import comparisons
from bot.operations.trials import confirm_trial, decline_trial, quote_trial, stop_trial
from bot.services import Services
from bot.texts import trials as texts
from bot.texts.variants import UNKNOWN_CHOICE
from db.trials import Choice

STOP = "stop"


def trial(services: Services, command: Command, argument: str) -> None:
    """`/huisstijl trial [STYLE] [CANDIDATE]`: what it will do, with a button; `/huisstijl trial [STYLE] stop`."""
    actor = services.people.get_actor(command.team_id, command.user_id)
    style_name, _, wanted = argument.strip().partition(" ")
    if STOP in (wanted.strip().casefold(), style_name.casefold()):
        named = "" if style_name.casefold() == STOP else style_name
        services.answer(command, stop_trial(services.database, actor, command.channel_id, named))
        return
    quote = quote_trial(
        services.database, services.settings, actor, command.channel_id, style_name, wanted.strip()
    )  # fmt: skip
    services.answer(command, quote.text, quote.blocks)


def confirm(services: Services, click: Click) -> None:
    """Start the trial, under a quote."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    started = confirm_trial(services.database, services.settings, actor, click.value)
    services.answer(click, texts.started(started.style_name, started.channel_id), replace=True)


def cancel(services: Services, click: Click) -> None:
    """Cancel, under a quote."""
    decline_trial(services.database, services.people.get_actor(click.team_id, click.user_id), click.value)
    services.answer(click, texts.NOT_STARTED(), replace=True)


def choose(services: Services, click: Click) -> None:
    """A is better, B is better, or no difference, under two drafts."""
    word = click.action_id.partition(":")[2]
    if word not in {choice.value for choice in Choice}:
        raise BadInput(UNKNOWN_CHOICE())
    actor = services.people.get_actor(click.team_id, click.user_id)
    said = comparisons.choose_draft(services.database, actor, click.value, Choice(word), click.channel_id)
    services.wakeups.outbox.ring()
    services.answer(click, said)
