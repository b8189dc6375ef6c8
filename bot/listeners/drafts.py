"""`/draft`, and Slack's own Stop button."""

from __future__ import annotations

from bot.domain.preview import split_private
from bot.domain.values import Command, Delivery, SessionStopped
from bot.drafting.stream import end_session
from bot.operations.drafts import Requested, Throttled, owe_notice, request_draft, stop_drafts
from bot.services import Services
from bot.texts import variants


def ask_by_command(services: Services, command: Command) -> None:
    """`/draft [style:] request`: opens a thread in the channel and drafts in it; with `--private` only they see it."""
    actor = services.people.get_actor(command.team_id, command.user_id)
    channel = services.slack.get_channel(command.channel_id)
    is_private, text = split_private(command.text)
    is_private = is_private and not channel.is_direct
    outcome = request_draft(
        services.database,
        actor,
        request_key=command.event_key,
        channel=channel,
        text=text,
        max_chars=services.settings.max_request_chars,
        is_private=is_private,
    )
    if is_private and isinstance(outcome, Requested):
        services.answer(command, variants.PRIVATE_COMING())
    hear_outcome(services, command, outcome, is_direct=False)


def hear_outcome(services: Services, delivery: Delivery, outcome: Requested | Throttled, *, is_direct: bool) -> None:
    """Wake who goes on with it."""
    if isinstance(outcome, Throttled):
        owe_notice(
            services.database,
            services.people.get_actor(delivery.team_id, delivery.user_id),
            outcome,
            channel_id=delivery.channel_id,
            response_url=delivery.response_url,
            is_direct=is_direct,
        )
    services.wakeups.outbox.ring()
    services.wakeups.drafts.ring()


def stop_streaming(services: Services, stopped: SessionStopped) -> None:
    """What was shown stays; the worker that writes it notices and ends the message."""
    stop_drafts(
        services.database, stopped.team_id, stopped.user_id, stopped.channel_id, stopped.streaming_ts,
        stopped.thread_ts,
    )  # fmt: skip
    services.wakeups.stops.ring()
    end_session(services.slack, stopped.channel_id, stopped.thread_ts)
