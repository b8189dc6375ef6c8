"""Which events the app hears, and what they look like.

An event reaches the app only if the app subscribed to it, holds the scope for it, and is a member where it
happened. Two subscriptions that match one message give two deliveries, each with its own event_id.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bot.rehearsal.state import channel_kind, public

if TYPE_CHECKING:
    from bot.rehearsal.journal import Delivery
    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State

#: Any one of these scopes lets the app hear the event; events that are not named need none.
EVENT_SCOPES: dict[str, tuple[str, ...]] = {
    "app_mention": ("app_mentions:read",),
    "message.channels": ("channels:history",),
    "message.groups": ("groups:history",),
    "message.im": ("im:history",),
    "message.mpim": ("mpim:history",),
    "reaction_added": ("reactions:read",),
    "reaction_removed": ("reactions:read",),
    "member_joined_channel": ("channels:read", "groups:read"),
    "member_left_channel": ("channels:read", "groups:read"),
    "channel_shared": ("channels:read",),
    "channel_unshared": ("channels:read",),
    "app_context_changed": ("assistant:write",),
}

_MESSAGE_EVENT = {
    "channel": "message.channels",
    "group": "message.groups",
    "im": "message.im",
    "mpim": "message.mpim",
}


def hears(state: State, name: str) -> bool:
    """Whether the app is subscribed to this event and holds a scope for it."""
    needed = EVENT_SCOPES.get(name, ())
    granted = state.app.scopes
    return name in state.app.events and (not needed or any(scope in granted for scope in needed))


def emit(state: State, name: str, event: Json, *, actor: str | None = None) -> Delivery | None:
    """Deliver this event if the app hears it; `name` is the subscription, `event["type"]` the type."""
    if not state.installed or not hears(state, name):
        return None
    channel = state.channels.get(str(event.get("channel", "")))
    if channel is not None and state.bot not in state.members(channel):
        return None
    return state.deliveries.event(envelope(state, event, actor=actor))


def envelope(state: State, event: Json, *, actor: str | None = None) -> Json:
    """The event_callback body around an event."""
    seed = state.seed
    channel = state.channels.get(str(event.get("channel", "")))
    source_team = state.users.get(actor or "", {}).get("team_id", seed.team_id)
    return {
        "token": "verification-token-of-the-local-workspace",
        "team_id": source_team,
        "context_team_id": seed.team_id,
        "api_app_id": seed.app_id,
        "event": public(event),
        "type": "event_callback",
        "event_id": state.new_id("Ev"),
        "event_time": int(time.time()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": seed.team_id,
                "user_id": seed.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": bool(channel and channel.get("is_ext_shared")),
        "event_context": f"EC-{state.new_id('')}",
    }


def message_posted(state: State, channel: Json, message: Json) -> None:
    """A new message: its message.* event, and app_mention when it names the bot."""
    kind = channel_kind(channel)
    event = message | {"channel": channel["id"], "channel_type": kind, "event_ts": message["ts"]}
    actor = message.get("user")
    mentions = f"<@{state.bot}" in message.get("text", "") and kind != "im" and actor != state.bot
    if mentions and message.get("subtype") in (None, "file_share", "thread_broadcast"):
        mention = {k: v for k, v in event.items() if k != "channel_type"} | {"type": "app_mention"}
        emit(state, "app_mention", mention, actor=actor)
    emit(state, _MESSAGE_EVENT[kind], event, actor=actor)


def message_changed(state: State, channel: Json, before: Json, after: Json) -> None:
    _hidden(
        state,
        channel,
        after.get("user"),
        {"subtype": "message_changed", "message": after, "previous_message": before},
    )


def message_deleted(state: State, channel: Json, before: Json, actor: str) -> None:
    _hidden(
        state,
        channel,
        actor,
        {"subtype": "message_deleted", "deleted_ts": before["ts"], "previous_message": before},
    )


def _hidden(state: State, channel: Json, actor: str | None, fields: Json) -> None:
    kind, ts = channel_kind(channel), state.next_ts()
    event = {
        "type": "message",
        "hidden": True,
        "channel": channel["id"],
        "channel_type": kind,
        "ts": ts,
        "event_ts": ts,
    }
    emit(state, _MESSAGE_EVENT[kind], event | fields, actor=actor)


def reaction(state: State, added: bool, channel: str, message: Json, user: str, name: str) -> None:
    kind = "reaction_added" if added else "reaction_removed"
    event = {
        "type": kind,
        "user": user,
        "reaction": name,
        "item_user": message.get("user"),
        "item": {"type": "message", "channel": channel, "ts": message["ts"]},
        "event_ts": state.next_ts(),
    }
    target = state.channels[channel]
    if state.bot in state.members(target):
        emit(state, kind, event, actor=user)


def member_joined(state: State, channel: Json, user: str, inviter: str | None) -> None:
    event = {
        "type": "member_joined_channel",
        "user": user,
        "channel": channel["id"],
        "channel_type": "G" if channel.get("is_private") else "C",
        "team": state.seed.team_id,
        "event_ts": state.next_ts(),
    }
    if inviter:
        event["inviter"] = inviter
    emit(state, "member_joined_channel", event, actor=user)


def home_opened(state: State, user: str, tab: str) -> None:
    event = {
        "type": "app_home_opened",
        "user": user,
        "channel": state.open_dm(user)["id"],
        "tab": tab,
        "event_ts": state.next_ts(),
    }
    if tab == "home" and user in state.homes:
        event["view"] = state.homes[user]
    emit(state, "app_home_opened", event, actor=user)


def context_changed(state: State, user: str, channel: str) -> None:
    entity = {"type": "slack#/types/channel_id", "value": channel, "team_id": state.seed.team_id}
    event = {
        "type": "app_context_changed",
        "user": user,
        "context": {"entities": [entity]},
        "event_ts": state.next_ts(),
    }
    emit(state, "app_context_changed", event, actor=user)


def session_stopped(state: State, channel: str, thread_ts: str, user: str, streams: list[str]) -> None:
    event = {
        "type": "agent_session_stopped",
        "channel": channel,
        "thread_ts": thread_ts,
        "user": user,
        "streaming_message_ts": streams,
        "event_ts": state.next_ts(),
    }
    emit(state, "agent_session_stopped", event, actor=user)
