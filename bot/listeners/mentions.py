"""Mentions in channels and direct messages: both ask for a draft in the thread they stand in."""

from __future__ import annotations

from bot.domain.values import Message
from bot.listeners.drafts import hear_outcome
from bot.operations.drafts import request_draft
from bot.services import Services


def answer_mention(services: Services, message: Message) -> None:
    """Draft in the thread of the mention."""
    actor = services.people.get_actor(message.team_id, message.user_id)
    outcome = request_draft(
        services.database,
        actor,
        # One post may come as a mention and as a message, each with an event of its own.
        request_key=f"msg:{message.channel_id}:{message.ts}",
        channel=services.slack.get_channel(message.channel_id),
        text=message.text,
        max_chars=services.settings.max_request_chars,
        thread_ts=message.thread_ts,
    )
    hear_outcome(services, message, outcome, is_direct=message.is_direct)


def answer_direct_message(services: Services, message: Message) -> None:
    """In a direct message everything is a request; in a channel only a mention is."""
    if message.is_direct:
        answer_mention(services, message)
