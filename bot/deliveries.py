"""What Slack delivers, read: payload dicts become our values. Nothing behind this file knows a payload's shape."""

from __future__ import annotations

import re
from typing import Any

from bot.domain.values import (
    Click,
    Command,
    HomeOpened,
    Message,
    MessageDeleted,
    Reaction,
    SessionStopped,
    Shortcut,
    Submission,
)  # fmt: skip

Body = dict[str, Any]


def event_key(body: Body) -> str:
    """A name for this delivery that stays the same when Slack delivers it again, and is never used twice."""
    if body.get("type") == "event_callback":
        return f"event:{body.get('team_id')}:{body['event_id']}"
    kind = str(body.get("type") or "command")
    if kind == "block_actions":
        action = body["actions"][0]
        where = (body.get("container") or {}).get("message_ts") or (body.get("view") or {}).get("id") or ""
        return f"click:{where}:{body['user']['id']}:{action['action_id']}:{action.get('action_ts', '')}"[:255]
    return f"{kind}:{body['trigger_id']}"[:255]


def kind_of(body: Body) -> str:
    """Slack's word for the delivery; for an event its own type."""
    if body.get("type") == "event_callback":
        return str((body.get("event") or {}).get("type", "event"))
    return str(body.get("type") or ("slash_command" if "command" in body else "unknown"))


def team_of(body: Body) -> str:
    team = body.get("team_id") or (body.get("team") or {}).get("id") or (body.get("user") or {}).get("team_id")
    return str(team or "")


def sender_of(body: Body) -> str:
    """The person who caused a delivery; "" for one that nobody caused."""
    event, user = body.get("event") or {}, body.get("user")
    caused_by = body.get("user_id") or (user.get("id") if isinstance(user, dict) else "") or event.get("user")
    return str(caused_by or "")


def read_command(body: Body) -> Command:
    return Command(
        event_key=event_key(body), team_id=team_of(body), user_id=body["user_id"], channel_id=body["channel_id"],
        trigger_id=body["trigger_id"], response_url=body.get("response_url", ""),
        command=body["command"], text=(body.get("text") or "").strip(),
    )  # fmt: skip


def read_click(body: Body) -> Click:
    action = body["actions"][0]
    container = body.get("container") or {}
    message, view = body.get("message") or {}, body.get("view") or {}
    return Click(
        event_key=event_key(body), team_id=team_of(body), user_id=body["user"]["id"],
        channel_id=(body.get("channel") or {}).get("id") or container.get("channel_id") or "",
        trigger_id=body.get("trigger_id", ""), response_url=body.get("response_url", ""),
        action_id=action["action_id"], value=_value_of(action),
        message_ts=container.get("message_ts", ""), is_ephemeral=bool(container.get("is_ephemeral")),
        thread_ts=message.get("thread_ts") or container.get("thread_ts") or "",
        view_id=view.get("id", ""), metadata=view.get("private_metadata") or "", view_hash=view.get("hash") or "",
        view_kind=view.get("type") or "", values=_values_of(view), blocks=tuple(view.get("blocks") or ()),
    )  # fmt: skip


def own_click(team_id: str, user_id: str, action_id: str, value: str, *, view_id: str, metadata: str) -> Body:
    """The body of a click that we make ourselves in a person's name: for work that they ordered and need not wait for.
    What they may do is checked again when it is worked on."""
    return {
        "type": "block_actions", "team": {"id": team_id}, "user": {"id": user_id}, "trigger_id": "",
        "view": {"id": view_id, "type": "modal", "private_metadata": metadata},
        "actions": [{"type": "button", "action_id": action_id, "block_id": action_id, "value": value}],
    }  # fmt: skip


def read_shortcut(body: Body, own_bot_user_id: str) -> Shortcut:
    message = body["message"]
    is_bot = bool(message.get("bot_id"))
    return Shortcut(
        event_key=event_key(body), team_id=team_of(body), user_id=body["user"]["id"],
        channel_id=body["channel"]["id"], trigger_id=body["trigger_id"], response_url=body.get("response_url", ""),
        callback_id=body["callback_id"], message_ts=message["ts"], thread_ts=message.get("thread_ts", ""),
        message_text=message.get("text", ""), author_id=None if is_bot else message.get("user"),
        is_own_message=message.get("user") == own_bot_user_id,
        files=tuple((file["id"], str(file.get("name") or file["id"])) for file in message.get("files") or ()),
    )  # fmt: skip


def read_submission(body: Body) -> Submission:
    view = body["view"]
    return Submission(
        event_key=event_key(body), team_id=team_of(body), user_id=body["user"]["id"],
        trigger_id=body.get("trigger_id", ""), callback_id=view["callback_id"], view_id=view["id"],
        metadata=view.get("private_metadata", ""), values=_values_of(view), initials=_initials_of(view),
    )  # fmt: skip


def read_message(body: Body, own_bot_user_id: str) -> Message | None:
    """A mention or direct message written by a person; None for everything else that comes as a message."""
    event = body["event"]
    if event.get("subtype") not in (None, "file_share") or event.get("bot_id") or not event.get("user"):
        return None
    if event["user"] == own_bot_user_id:
        return None
    text = re.sub(rf"<@{re.escape(own_bot_user_id)}(\|[^>]*)?>", " ", event.get("text") or "")
    return Message(
        event_key=event_key(body), team_id=team_of(body), user_id=event["user"], channel_id=event["channel"],
        text=text.strip(), ts=event["ts"], thread_ts=event.get("thread_ts") or event["ts"],
        is_direct=event.get("channel_type") == "im",
        is_reply="thread_ts" in event and event["thread_ts"] != event["ts"],
    )  # fmt: skip


def read_deletion(body: Body) -> MessageDeleted:
    event = body["event"]
    previous = event.get("previous_message") or {}
    return MessageDeleted(
        event_key=event_key(body), team_id=team_of(body), user_id=previous.get("user") or "",
        channel_id=event["channel"], ts=event.get("deleted_ts") or previous.get("ts") or "",
    )  # fmt: skip


def read_home_opened(body: Body) -> HomeOpened:
    event = body["event"]
    return HomeOpened(
        event_key=event_key(body), team_id=team_of(body), user_id=event["user"],
        channel_id=event.get("channel", ""), tab=event.get("tab", "home"),
    )  # fmt: skip


def read_session_stopped(body: Body) -> SessionStopped:
    event = body["event"]
    return SessionStopped(
        event_key=event_key(body), team_id=team_of(body), user_id=event["user"], channel_id=event["channel"],
        streaming_ts=tuple(event.get("streaming_message_ts") or ()), thread_ts=event.get("thread_ts", ""),
    )  # fmt: skip


def read_reaction(body: Body) -> Reaction | None:
    """An emoji on a message; None for one on a file."""
    event = body["event"]
    item = event["item"]
    if item.get("type") != "message":
        return None
    return Reaction(
        event_key=event_key(body), team_id=team_of(body), user_id=event["user"], channel_id=item["channel"],
        name=str(event["reaction"]).split("::")[0], message_ts=item["ts"],
    )  # fmt: skip


def _values_of(view: dict[str, Any]) -> dict[str, str | tuple[str, ...]]:
    values: dict[str, str | tuple[str, ...]] = {}
    for block_id, inputs in ((view.get("state") or {}).get("values") or {}).items():
        for element in inputs.values():
            values[block_id] = _state_of(element)
    return values


def _initials_of(view: dict[str, Any]) -> dict[str, str]:
    inputs = [block for block in view.get("blocks") or () if block.get("type") == "input"]
    return {block["block_id"]: str(block["element"].get("initial_value") or "") for block in inputs}


def _value_of(action: dict[str, Any]) -> str:
    selected = action.get("selected_option") or {}
    if "selected_options" in action:
        return ",".join(option["value"] for option in action["selected_options"] or ())
    return str(action.get("value") or selected.get("value") or action.get("selected_user") or "")


def _state_of(element: dict[str, Any]) -> str | tuple[str, ...]:
    if "selected_options" in element:
        return tuple(option["value"] for option in element["selected_options"] or ())
    for several in ("selected_users", "selected_channels", "selected_conversations"):
        if several in element:
            return tuple(element[several] or ())
    chosen = (element.get("selected_option") or {}).get("value")
    for single in ("value", "selected_user", "selected_channel", "selected_conversation"):
        chosen = chosen or element.get(single)
    return str(chosen or "")
