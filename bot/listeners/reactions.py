"""Flagging any message with an emoji: who flags is asked, alone, whether it shall be taught. Off unless turned on.

A reaction teaches nothing by itself. Slack's event carries no text, and a tap is soon done: the person confirms in the
same window as everybody else, so what becomes an example was submitted on purpose.
"""

from __future__ import annotations

from bot.blocks.flags import flag_blocks
from bot.domain.values import Click, Reaction, Shortcut
from bot.errors import MessageGone
from bot.listeners.teach import open_teach
from bot.operations.examples import find_teachable
from bot.operations.flags import owe_flag_question
from bot.services import Services
from bot.texts import flags as texts


def ask_about_flagged(services: Services, reaction: Reaction) -> None:
    """Quiet where it cannot be taught: a reaction is not a command, and most are meant for people."""
    if reaction.name != services.settings.flag_reaction.strip(":"):
        return
    actor = services.people.get_actor(reaction.team_id, reaction.user_id)
    if not actor.is_full_member:
        return
    channel = services.slack.get_channel(reaction.channel_id)
    if not find_teachable(services.database, actor, channel, reaction.message_ts).styles:
        return
    message = services.slack.find_message(reaction.channel_id, reaction.message_ts)
    if message is None:
        return
    owe_flag_question(
        services.database, actor, channel_id=reaction.channel_id, message_ts=reaction.message_ts,
        thread_ts=message.thread_ts, text=texts.QUESTION(), blocks=flag_blocks(message.text, reaction.message_ts),
    )  # fmt: skip
    services.wakeups.outbox.ring()


def teach_flagged(services: Services, click: Click) -> None:
    """The window to teach in, with the message as it is now. The channel is the one that Slack says was clicked in."""
    message = services.slack.find_message(click.channel_id, click.value)
    if message is None:
        raise MessageGone
    flagged = Shortcut(
        event_key=click.event_key, team_id=click.team_id, user_id=click.user_id, channel_id=click.channel_id,
        trigger_id=click.trigger_id, response_url=click.response_url, callback_id=click.action_id,
        message_ts=click.value, thread_ts=message.thread_ts, message_text=message.text,
        author_id=message.author_id, is_own_message=message.is_own_message,
    )  # fmt: skip
    open_teach(services, flagged)
