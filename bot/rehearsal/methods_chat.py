"""chat.postMessage, update, delete, postEphemeral, getPermalink, and reactions.add."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bot.rehearsal import events, messages
from bot.rehearsal.errors import ApiError
from bot.rehearsal.interactions import add_ephemeral
from bot.rehearsal.state import public

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State


def post_message(state: State, args: Json) -> Json:
    channel = _target(state, args)
    content = messages.read_content(args)
    thread_ts = args.get("thread_ts")
    if thread_ts is not None:
        thread_ts = messages.check_thread(state, channel["id"], thread_ts)
    message = messages.post(state, channel, content, user=state.bot, thread_ts=thread_ts)
    return {"channel": channel["id"], "ts": message["ts"], "message": public(message)}


def _target(state: State, args: Json) -> Json:
    ref = args.get("channel")
    if not ref:
        raise ApiError("channel_not_found")
    channel = state.find_channel(ref)
    if channel is not None and not state.is_closed(channel) and not channel["is_archived"]:
        # chat:write.public lets an app post where it is not a member.
        if state.bot in state.members(channel) or "chat:write.public" in state.app.scopes:
            return channel
        raise ApiError("not_in_channel")
    return state.joined_channel(ref)


def own_message(state: State, args: Json, refusal: str) -> tuple[Json, Json]:
    """The channel and the bot's own message that `channel` and `ts` name."""
    channel = state.joined_channel(args.get("channel"))
    message = state.find_message(channel["id"], args.get("ts"))
    if message is None or message.get("subtype") == "tombstone":
        raise ApiError("message_not_found")
    if message.get("bot_id") != state.seed.bot_id:
        raise ApiError(refusal)
    return channel, message


def update(state: State, args: Json) -> Json:
    channel, message = own_message(state, args, "cant_update_message")
    if message.get("_stream") == "open":
        raise ApiError("streaming_state_conflict")
    content = messages.read_content(args)
    if "blocks" not in content and not message.get("_own_blocks"):
        # Blocks that Slack made from markdown go with it; blocks that the app sent stay.
        content["blocks"] = []
    if message.get("_stream"):
        content |= {"_stream": "repaired", "streaming_state": "completed"}
    message = messages.change(state, channel, message, content, by=state.bot)
    shown = public(message)
    return {"channel": channel["id"], "ts": message["ts"], "text": message["text"], "message": shown}


def delete(state: State, args: Json) -> Json:
    channel, message = own_message(state, args, "cant_delete_message")
    messages.remove(state, channel, message, by=state.bot)
    return {"channel": channel["id"], "ts": message["ts"]}


def post_ephemeral(state: State, args: Json) -> Json:
    channel = state.joined_channel(args.get("channel"))
    content = messages.read_content(args)
    user = args.get("user")
    if not isinstance(user, str) or user not in state.members(channel):
        raise ApiError("user_not_in_channel")
    thread_ts = args.get("thread_ts")
    if thread_ts is not None:
        thread_ts = messages.check_thread(state, channel["id"], thread_ts)
    ephemeral = add_ephemeral(state, channel["id"], user, content, thread_ts=thread_ts)
    return {"message_ts": ephemeral["ts"]}


def get_permalink(state: State, args: Json) -> Json:
    channel = state.visible_channel(args.get("channel"))
    message = state.find_message(channel["id"], args.get("message_ts"))
    if message is None:
        raise ApiError("message_not_found")
    link = f"{state.url}/archives/{channel['id']}/p{message['ts'].replace('.', '')}"
    root = message.get("thread_ts", message["ts"])
    if root != message["ts"]:
        link += f"?thread_ts={root}&cid={channel['id']}"
    return {"channel": channel["id"], "permalink": link}


def add_reaction(state: State, args: Json) -> Json:
    channel = state.joined_channel(args.get("channel"))
    message = state.find_message(channel["id"], args.get("timestamp"))
    if message is None:
        raise ApiError("message_not_found")
    name = str(args.get("name", ""))
    if not re.fullmatch(r"[a-z0-9_+'-]+(::skin-tone-[2-6])?", name):
        raise ApiError("invalid_name")
    if not react(state, channel["id"], message, state.bot, name):
        raise ApiError("already_reacted")
    return {}


def react(state: State, channel: str, message: Json, user: str, name: str) -> bool:
    """Add a reaction; False if this person had already added it."""
    reactions: list[Json] = message.setdefault("reactions", [])
    entry = next((r for r in reactions if r["name"] == name), None)
    if entry is None:
        entry = {"name": name, "users": [], "count": 0}
        reactions.append(entry)
    if user in entry["users"]:
        return False
    entry["users"].append(user)
    entry["count"] += 1
    state.save_message(channel, message)
    events.reaction(state, True, channel, message, user, name)
    return True


def unreact(state: State, channel: str, message: Json, user: str, name: str) -> bool:
    """Take a reaction away; False if it was not there."""
    entry = next((r for r in message.get("reactions", []) if r["name"] == name), None)
    if entry is None or user not in entry["users"]:
        return False
    entry["users"].remove(user)
    entry["count"] -= 1
    message["reactions"] = [r for r in message["reactions"] if r["count"]]
    state.save_message(channel, message)
    events.reaction(state, False, channel, message, user, name)
    return True


METHODS: dict[str, Callable[[State, Json], Json]] = {
    "chat.postMessage": post_message,
    "chat.update": update,
    "chat.delete": delete,
    "chat.postEphemeral": post_ephemeral,
    "chat.getPermalink": get_permalink,
    "reactions.add": add_reaction,
}
