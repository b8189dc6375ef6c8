"""conversations.*: what the bot may see of channels, and the history methods that need their own scopes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bot.rehearsal import events
from bot.rehearsal.errors import ApiError
from bot.rehearsal.scopes import require, require_for_channel
from bot.rehearsal.state import channel_kind, public

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State

_KIND_OF_TYPE = {"public_channel": "channel", "private_channel": "group", "im": "im", "mpim": "mpim"}
_SCOPE_OF_TYPE = {
    "public_channel": "channels:read",
    "private_channel": "groups:read",
    "im": "im:read",
    "mpim": "mpim:read",
}


def _described(state: State, channel: Json) -> Json:
    is_member = state.bot in state.members(channel)
    described: Json = public(channel)
    return described | {"is_member": is_member, "num_members": len(state.members(channel))}


def info(state: State, args: Json) -> Json:
    channel = state.visible_channel(args.get("channel"))
    require_for_channel(state, channel, "read")
    described = _described(state, channel)
    if not _truthy(args.get("include_num_members")):
        described.pop("num_members")
    return {"channel": described}


def list_(state: State, args: Json) -> Json:
    types = [t.strip() for t in str(args.get("types") or "public_channel").split(",")]
    if any(t not in _KIND_OF_TYPE for t in types):
        raise ApiError("invalid_types")
    for name in types:
        require(state, _SCOPE_OF_TYPE[name])
    kinds = {_KIND_OF_TYPE[t] for t in types}
    found = [
        _described(state, c)
        for c in state.channels.values()
        if channel_kind(c) in kinds
        and (not state.is_closed(c) or state.bot in state.members(c))
        and not (_truthy(args.get("exclude_archived")) and c["is_archived"])
    ]
    return _paged("channels", found, args, default=100)


def members(state: State, args: Json) -> Json:
    channel = state.visible_channel(args.get("channel"))
    require_for_channel(state, channel, "read")
    return _paged("members", list(state.members(channel)), args, default=100)


def open_(state: State, args: Json) -> Json:
    users = [u for u in str(args.get("users") or "").split(",") if u]
    if not users and args.get("channel"):
        return {"channel": {"id": state.visible_channel(args["channel"])["id"]}}
    if len(users) != 1:
        raise ApiError("users_list_not_supplied" if not users else "not_enough_users")
    channel = state.open_dm(users[0])
    return {"channel": public(channel) if _truthy(args.get("return_im")) else {"id": channel["id"]}}


def join(state: State, args: Json) -> Json:
    channel = state.visible_channel(args.get("channel"))
    if state.is_closed(channel):
        raise ApiError("method_not_supported_for_channel_type")
    if channel["is_archived"]:
        raise ApiError("is_archived")
    add_member(state, channel, state.bot, None)
    return {"channel": _described(state, channel)}


def add_member(state: State, channel: Json, user: str, inviter: str | None) -> None:
    """Let someone in, once, and tell the app."""
    if user in state.members(channel):
        return
    state.members(channel).append(user)
    state.save_channel(channel)
    events.member_joined(state, channel, user, inviter)


def history(state: State, args: Json) -> Json:
    channel = _readable(state, args)
    found = [
        m
        for m in state.messages.get(channel["id"], {}).values()
        if m.get("thread_ts", m["ts"]) == m["ts"] and _within(m["ts"], args)
    ]
    return _paged("messages", [public(m) for m in reversed(found)], args, default=100)


def replies(state: State, args: Json) -> Json:
    channel = _readable(state, args)
    root = state.find_message(channel["id"], args.get("ts"))
    if root is None:
        raise ApiError("thread_not_found")
    found = [m for m in state.thread(channel["id"], root["ts"]) if _within(m["ts"], args)]
    return _paged("messages", [public(m) for m in found], args, default=1000)


def _readable(state: State, args: Json) -> Json:
    channel = state.visible_channel(args.get("channel"))
    require_for_channel(state, channel, "history")
    if state.bot not in state.members(channel):
        raise ApiError("not_in_channel")
    return channel


def _within(ts: str, args: Json) -> bool:
    oldest, latest = float(args.get("oldest") or 0), float(args.get("latest") or "inf")
    if _truthy(args.get("inclusive")):
        return oldest <= float(ts) <= latest
    return oldest < float(ts) < latest


def _paged(name: str, items: list[Any], args: Json, *, default: int) -> Json:
    try:
        limit, start = int(args.get("limit") or default), int(args.get("cursor") or 0)
    except ValueError as error:
        raise ApiError("invalid_cursor") from error
    if not 1 <= limit <= 1000:
        raise ApiError("invalid_limit")
    rest = start + limit < len(items)
    cursor = str(start + limit) if rest else ""
    page: Json = {name: items[start : start + limit], "response_metadata": {"next_cursor": cursor}}
    return page | ({"has_more": rest} if name == "messages" else {})


def _truthy(value: Any) -> bool:
    return value in (True, 1, "1", "true", "True")


METHODS: dict[str, Callable[[State, Json], Json]] = {
    "conversations.info": info,
    "conversations.list": list_,
    "conversations.members": members,
    "conversations.open": open_,
    "conversations.join": join,
    "conversations.history": history,
    "conversations.replies": replies,
}
