"""What Slack's client lets a person do, on the server's side: one function per verb.

A person sees and acts in the channels they are in, and nowhere else. Verbs that reach the app wait for its
acknowledgement, outside the lock, because the app calls back meanwhile.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bot.rehearsal import events, interactions, messages
from bot.rehearsal.clicks import find_click
from bot.rehearsal.client_modals import MODAL_VERBS
from bot.rehearsal.errors import PersonError
from bot.rehearsal.methods_chat import react as add_reaction
from bot.rehearsal.methods_chat import unreact as take_reaction
from bot.rehearsal.methods_conversations import add_member
from bot.rehearsal.state import channel_kind, public
from bot.texts import workspace as texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State

_TOKEN = re.compile(r"(<[@#!][^>]+>)")
#: `code`, which Slack's composer makes of the marks while one types.
_CODE = re.compile(r"`([^`\n]+)`")
#: A person as somebody types them; in Slack's own form they are left alone.
_TYPED_NAME = re.compile(r"(?<![\w<|])@([\w.-]+)")
_TROUBLE = "operation_timeout"


def active(state: State, user: str) -> Json:
    person = state.users.get(user)
    if person is None or person.get("is_bot"):
        raise PersonError(f"there is no person {user} here")
    if person["deleted"]:
        raise PersonError(texts.is_deactivated(user))
    return person


def seen_channel(state: State, user: str, ref: Any) -> Json:
    """A channel that this person is in."""
    channel = state.find_channel(ref)
    if channel is None or user not in state.members(channel):
        raise PersonError(texts.not_in_channel(user, str(ref)))
    return channel


def seen_message(state: State, channel: Json, user: str, ts: Any) -> Json:
    """A message in this channel, or one that only this person sees."""
    found = state.find_message(channel["id"], ts)
    for ephemeral in state.ephemerals:
        if ephemeral["ts"] == ts and ephemeral["_for"] == user and ephemeral["channel"] == channel["id"]:
            found = ephemeral
    if found is None:
        raise PersonError(texts.NO_SUCH_MESSAGE())
    return found


def as_typed(state: State, text: str) -> Json:
    """What Slack's client makes of typed text: escaped, with a rich_text block beside it."""
    parts = [p for p in _TOKEN.split(text) if p]
    escaped = "".join(p if _TOKEN.fullmatch(p) else _escape(p) for p in parts)
    elements = [element for p in parts for element in _rich(p)]
    section = {"type": "rich_text_section", "elements": elements}
    blocks = [{"type": "rich_text", "elements": [section]}]
    return {"text": escaped, "blocks": messages.fill_ids(blocks)}


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _rich(part: str) -> list[Json]:
    if part.startswith("<@"):
        return [{"type": "user", "user_id": part[2:-1].split("|")[0]}]
    if part.startswith("<#"):
        return [{"type": "channel", "channel_id": part[2:-1].split("|")[0]}]
    if part.startswith("<!"):
        return [{"type": "broadcast", "range": part[2:-1]}]
    pieces = _CODE.split(part)  # what stands between the marks is every other one
    code = {"style": {"code": True}}
    return [{"type": "text", "text": p} | (code if n % 2 else {}) for n, p in enumerate(pieces) if p]


def post(state: State, user: str, args: Json) -> Json:
    with state.transaction():
        channel = seen_channel(state, user, args["channel"])
        if channel["is_archived"]:
            raise PersonError(texts.is_archived(channel["name"]))
        text = str(args["text"])
        if not text.strip() or len(text) > messages.MAX_TEXT_CHARS:
            raise PersonError(texts.message_length(messages.MAX_TEXT_CHARS))
        thread_ts = args.get("thread_ts")
        if thread_ts is not None:
            thread_ts = messages.check_thread(state, channel["id"], thread_ts)
        content = as_typed(state, text)
        return _shown(channel, messages.post(state, channel, content, user=user, thread_ts=thread_ts))


def _shown(channel: Json, message: Json) -> Json:
    shown: Json = public(message)
    return shown | {"channel": channel["id"]}


def dm_bot(state: State, user: str, args: Json) -> Json:
    with state.transaction():
        channel = state.open_dm(user)
    return post(state, user, args | {"channel": channel["id"]})


def edit(state: State, user: str, args: Json) -> Json:
    with state.transaction():
        channel, message = _own(state, user, args)
        content = as_typed(state, str(args["text"]))
        return _shown(channel, messages.change(state, channel, message, content, by=user))


def delete(state: State, user: str, args: Json) -> None:
    with state.transaction():
        channel, message = _own(state, user, args)
        messages.remove(state, channel, message, by=user)


def _own(state: State, user: str, args: Json) -> tuple[Json, Json]:
    channel = seen_channel(state, user, args["channel"])
    message = state.find_message(channel["id"], args["ts"])
    if message is None or message["user"] != user:
        raise PersonError(texts.ONLY_ONES_OWN())
    return channel, message


def react(state: State, user: str, args: Json) -> bool:
    with state.transaction():
        channel = seen_channel(state, user, args["channel"])
        message = seen_message(state, channel, user, args["ts"])
        change = take_reaction if args.get("remove") else add_reaction
        return change(state, channel["id"], message, user, str(args["name"]))


def _with_people(state: State, command: str, text: str) -> str:
    """`@mia` as Slack sends it to a command that asks for it in its manifest (should_escape): `<@U0MIA|mia>`."""
    described = {one["command"]: one for one in state.app.features.get("slash_commands", ())}
    if not described.get(command, {}).get("should_escape"):
        return text
    ids = {str(one["name"]): user_id for user_id, one in state.users.items()}

    def named(found: re.Match[str]) -> str:
        return f"<@{ids[found[1]]}|{found[1]}>" if found[1] in ids else found[0]

    return _TYPED_NAME.sub(named, text)


def slash(state: State, user: str, args: Json) -> Json:
    with state.transaction():
        channel = seen_channel(state, user, args["channel"])
        command = str(args["command"])
        if state.app.commands and command not in state.app.commands:
            raise PersonError(texts.not_a_command(command))
        text = _with_people(state, command, str(args.get("text", "")))
        delivery = interactions.send_slash(state, user, command, text, channel)
    delivery.settled.wait(state.options.ack_seconds + 5)
    with state.transaction():
        if delivery.state != "acked":
            text = texts.command_failed(command, _TROUBLE)
            told = interactions.add_ephemeral(state, channel["id"], user, {"text": text}, sender="USLACKBOT")
            return {"ok": False, "error": _TROUBLE, "response": None, "message": public(told)}
        return _said_in_ack(state, channel, user, delivery.response)


def _said_in_ack(state: State, channel: Json, user: str, response: Any) -> Json:
    """A command's acknowledgement may carry a message, ephemeral unless it says otherwise."""
    body = {"text": response} if isinstance(response, str) else response or {}
    if not (body.get("text") or body.get("blocks")):
        return {"ok": True, "response": response, "message": None}
    content = messages.read_content(body)
    if body.get("response_type") == "in_channel":
        told = messages.post(state, channel, content, user=state.bot)
    else:
        told = interactions.add_ephemeral(state, channel["id"], user, content)
    return {"ok": True, "response": response, "message": public(told)}


def shortcut(state: State, user: str, args: Json) -> Json:
    with state.transaction():
        callback_id = str(args["callback_id"])
        if state.app.shortcuts and callback_id not in state.app.shortcuts:
            raise PersonError(texts.no_such_shortcut(callback_id))
        channel = message = None
        if args.get("channel"):
            channel = seen_channel(state, user, args["channel"])
            message = seen_message(state, channel, user, args["ts"])
        delivery = interactions.send_shortcut(state, user, callback_id, channel, message)
    return _acked(state, delivery)


def click(state: State, user: str, args: Json) -> Json:
    with state.transaction():
        channel = seen_channel(state, user, args["channel"])
        message = seen_message(state, channel, user, args["ts"])
        action = find_click(message.get("blocks", []), user, args)
        delivery = interactions.send_message_action(state, user, channel, message, action)
    return _acked(state, delivery)


def _acked(state: State, delivery: Any) -> Json:
    delivery.settled.wait(state.options.ack_seconds + 5)
    ok = delivery.state == "acked"
    return {"ok": ok, "error": None if ok else _TROUBLE}


def list_messages(state: State, user: str, args: Json) -> list[Json]:
    """A channel's top-level messages, or one thread, oldest first."""
    with state.lock:
        channel = seen_channel(state, user, args["channel"])
        if args.get("thread_ts"):
            found = state.thread(channel["id"], args["thread_ts"])
        else:
            inside = state.messages.get(channel["id"], {}).values()
            found = [m for m in inside if m.get("thread_ts", m["ts"]) == m["ts"]]
        return [_shown(channel, m) for m in found]


def ephemerals(state: State, user: str, args: Json) -> list[Json]:
    with state.lock:
        channel = seen_channel(state, user, args["channel"])
        mine = [e for e in state.ephemerals if e["_for"] == user and e["channel"] == channel["id"]]
        return [public(e) for e in mine]


def files(state: State, user: str, args: Json) -> list[Json]:
    with state.lock:
        channel = seen_channel(state, user, args["channel"])
        inside = state.messages.get(channel["id"], {}).values()
        return [public(f) for m in inside for f in m.get("files", ())]


def channels(state: State, user: str, args: Json) -> list[Json]:
    with state.lock:
        mine = [c for c in state.channels.values() if user in state.members(c)]
        return [public(c) | {"members": list(state.members(c)), "kind": channel_kind(c)} for c in mine]


def join(state: State, user: str, args: Json) -> None:
    with state.transaction():
        channel, person = state.find_channel(args["channel"]), state.get_user(user)
        is_outsider = person["is_restricted"] or person.get("is_stranger")
        if channel is None or state.is_closed(channel) or is_outsider:
            raise PersonError(texts.cannot_join(user, str(args["channel"])))
        add_member(state, channel, user, None)


def invite(state: State, user: str, args: Json) -> None:
    with state.transaction():
        channel = seen_channel(state, user, args["channel"])
        add_member(state, channel, state.get_user(args["user"])["id"], user)


def open_home(state: State, user: str, args: Json) -> Json:
    """Open the app: its Home tab or its Messages tab. The answer is what there was to see before."""
    with state.transaction():
        tab = args.get("tab", "home")
        events.home_opened(state, user, tab)
        return {"view": public(state.homes.get(user)), "channel": state.open_dm(user)["id"]}


def home(state: State, user: str, args: Json) -> Json:
    with state.lock:
        channel = state.open_dm(user)["id"]
        return {"view": public(state.homes.get(user)), "prompts": state.prompts.get(channel)}


def look_at(state: State, user: str, args: Json) -> None:
    """Look at a channel while the app is open beside it."""
    with state.transaction():
        events.context_changed(state, user, seen_channel(state, user, args["channel"])["id"])


def stop_stream(state: State, user: str, args: Json) -> None:
    """The stop button under a streaming answer; it is there only if the app hears agent_session_stopped."""
    with state.transaction():
        channel = seen_channel(state, user, args["channel"])
        message = seen_message(state, channel, user, args["ts"])
        if message.get("_stream") != "open" or not events.hears(state, "agent_session_stopped"):
            raise PersonError(texts.NO_STOP_ON_MESSAGE())
        message["_stream"] = "stopped_by_user"
        state.save_message(channel["id"], message)
        events.session_stopped(state, channel["id"], message["thread_ts"], user, [message["ts"]])


def stop_session(state: State, user: str, args: Json) -> None:
    """The stop button beside a session that is being worked on; it is there only if the app hears of it."""
    with state.transaction():
        channel = seen_channel(state, user, args["channel"])
        thread_ts = str(args["thread_ts"])
        session = state.sessions.get(f"{channel['id']}/{thread_ts}", {})
        if session.get("status") != "processing" or not events.hears(state, "agent_session_stopped"):
            raise PersonError(texts.NO_STOP_IN_THREAD())
        streams = [m for m in state.thread(channel["id"], thread_ts) if m.get("_stream") == "open"]
        for message in streams:
            message["_stream"] = "stopped_by_user"
            state.save_message(channel["id"], message)
        events.session_stopped(state, channel["id"], thread_ts, user, [m["ts"] for m in streams])


def session(state: State, user: str, args: Json) -> Json:
    """What Slack's client shows of a thread's agent session: its status, title and the line while it works."""
    with state.lock:
        channel = seen_channel(state, user, args["channel"])
        key = f"{channel['id']}/{args['thread_ts']}"
        line = state.statuses.get(key)
        if line is not None and line["until"] < state.now():
            line = None
        return state.sessions.get(key, {}) | {"line": line["status"] if line else None}


CLIENT_VERBS: dict[str, Callable[[State, str, Json], Any]] = {
    "post": post,
    "dm_bot": dm_bot,
    "edit": edit,
    "delete": delete,
    "react": react,
    "slash": slash,
    "shortcut": shortcut,
    "click": click,
    "messages": list_messages,
    "ephemerals": ephemerals,
    "files": files,
    "channels": channels,
    "join": join,
    "invite": invite,
    "open_home": open_home,
    "home": home,
    "look_at": look_at,
    "stop_stream": stop_stream,
    "stop_session": stop_session,
    "session": session,
    **MODAL_VERBS,
}
