"""Training, promotion, rollback and status, as people ask for them in Slack."""

from __future__ import annotations

from bot.domain.values import Click, Command
from bot.errors import BadInput
from bot.operations.measurements import measure_by_hand
from bot.operations.promotions import promote_by_hand, roll_back
from bot.operations.runs import accept_statement, confirm_training, decline_training, quote_training
from bot.operations.runs import cancel_run as cancel_run_of
from bot.operations.status import get_status
from bot.services import Services
from bot.texts import champion as champion_texts
from bot.texts import training as texts


def train(services: Services, command: Command, argument: str) -> None:
    """`/huisstijl train [STYLE]`: what it will take, with a button."""
    actor = services.people.get_actor(command.team_id, command.user_id)
    quote = quote_training(services.database, services.settings, actor, command.channel_id, argument)
    services.answer(command, quote.text, quote.blocks)


def measure(services: Services, command: Command, argument: str) -> None:
    """`/huisstijl measure [STYLE]`: measure again, train nothing."""
    actor = services.people.get_actor(command.team_id, command.user_id)
    run = measure_by_hand(
        services.database, services.settings, actor, command.channel_id, argument, request_key=command.event_key
    )
    services.answer(command, texts.measurement_queued(run.style_name, run.channel_id))


def confirm_train(services: Services, click: Click) -> None:
    """Train, or "I accept this, train", under a quote."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    run = confirm_training(services.database, services.settings, actor, click.value)
    services.answer(click, texts.queued(run.style_name, run.channel_id), replace=True)


def accept_terms(services: Services, click: Click) -> None:
    """The button under the clock's notice; the notice itself says what came of it."""
    accept_statement(services.database, services.people.get_actor(click.team_id, click.user_id), click.value)
    services.wakeups.outbox.ring()


def cancel_train(services: Services, click: Click) -> None:
    """Cancel under a quote."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    services.answer(click, texts.not_queued(decline_training(services.database, actor, click.value)), replace=True)


def cancel_run(services: Services, click: Click) -> None:
    """Cancel under a run's progress; the message itself says what came of it."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    cancel_run_of(services.database, actor, click.value)


def promote(services: Services, command: Command, argument: str) -> None:
    """`/huisstijl promote STYLE RUNG-OR-ADAPTER`."""
    actor = services.people.get_actor(command.team_id, command.user_id)
    style_name, _, candidate = argument.strip().partition(" ")
    if not candidate.strip() and actor.is_admin:
        raise BadInput(champion_texts.PROMOTE_USAGE())
    moved = promote_by_hand(
        services.database, services.settings, actor, command.channel_id, style_name, candidate,
        request_key=command.event_key,
    )  # fmt: skip
    services.answer(command, moved.sentence)


def rollback(services: Services, command: Command, argument: str) -> None:
    """`/huisstijl rollback [STYLE]`."""
    actor = services.people.get_actor(command.team_id, command.user_id)
    moved = roll_back(
        services.database, services.settings, actor, command.channel_id, argument, request_key=command.event_key
    )
    services.answer(command, moved.sentence)


def status(services: Services, command: Command, argument: str) -> None:
    """`/huisstijl status [STYLE]`."""
    actor = services.people.get_actor(command.team_id, command.user_id)
    lines = get_status(
        services.database, services.settings, actor, command.channel_id, argument, is_model_up=services.model.is_up()
    )
    services.answer(command, "\n".join(lines))
