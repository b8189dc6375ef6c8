"""Which scope each Web API method needs; for conversations the kind of channel decides."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.rehearsal.errors import ApiError
from bot.rehearsal.state import channel_kind

if TYPE_CHECKING:
    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State

#: Methods that are missing here need no scope.
METHOD_SCOPES: dict[str, str] = {
    "chat.postMessage": "chat:write",
    "chat.update": "chat:write",
    "chat.delete": "chat:write",
    "chat.postEphemeral": "chat:write",
    "chat.startStream": "chat:write",
    "chat.appendStream": "chat:write",
    "chat.stopStream": "chat:write",
    "conversations.open": "im:write",
    "conversations.join": "channels:join",
    "users.info": "users:read",
    "users.list": "users:read",
    "bots.info": "users:read",
    "usergroups.users.list": "usergroups:read",
    "reactions.add": "reactions:write",
    "files.getUploadURLExternal": "files:write",
    "files.completeUploadExternal": "files:write",
    "files.info": "files:read",
    "assistant.threads.setStatus": "chat:write",
    "assistant.threads.setTitle": "assistant:write",
    "assistant.threads.setSuggestedPrompts": "assistant:write",
    "agents.sessions.setStatus": "chat:write",
    "agents.sessions.rename": "chat:write",
}

_PREFIX = {"channel": "channels", "group": "groups", "im": "im", "mpim": "mpim"}


def require(state: State, scope: str) -> None:
    """Answer missing_scope, as Slack does, unless the app holds this scope."""
    if scope not in state.app.scopes:
        raise ApiError("missing_scope", needed=scope, provided=",".join(state.app.scopes))


def require_for_channel(state: State, channel: Json, right: str) -> None:
    """`right` is `read` or `history`; the kind of channel decides the scope."""
    require(state, f"{_PREFIX[channel_kind(channel)]}:{right}")
