"""What people do to the app rather than say: clicks, commands, shortcuts, submissions; and response_url.

Trigger ids live three seconds and work once. A response_url works five times within thirty minutes.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from bot.rehearsal import messages
from bot.rehearsal.errors import ApiError
from bot.rehearsal.state import public

if TYPE_CHECKING:
    from bot.rehearsal.journal import Delivery
    from bot.rehearsal.options import Json
    from bot.rehearsal.state import State


def new_trigger(state: State, user: str, *, view: str | None = None) -> str:
    """A trigger id for what this person just did, in this view if they did it in one."""
    trigger = f"{int(state.now() * 1000)}.{secrets.token_hex(8)}"
    state.triggers[trigger] = {"user": user, "at": state.now(), "used": False, "view": view}
    return trigger


def use_trigger(state: State, trigger_id: Any) -> Json:
    """The trigger, once and in time."""
    trigger = state.triggers.get(trigger_id) if isinstance(trigger_id, str) else None
    if trigger is None:
        raise ApiError("invalid_trigger_id")
    if trigger["used"]:
        raise ApiError("exchanged_trigger_id")
    if state.now() - trigger["at"] > state.options.trigger_seconds:
        raise ApiError("expired_trigger_id")
    trigger["used"] = True
    return trigger


def new_response_url(state: State, user: str, channel: str, *, source: Json | None = None) -> str:
    """A URL that answers this interaction; `source` is the message that was acted on."""
    key = secrets.token_urlsafe(18)
    state.response_urls[key] = {
        "user": user,
        "channel": channel,
        "at": state.now(),
        "uses": 0,
        "source": source,
    }
    return f"{state.url}/response/{key}"


def use_response_url(state: State, key: str, body: Json) -> None:
    """What posting to a response_url does."""
    target = state.response_urls.get(key)
    if target is None:
        raise ApiError("expired_url")
    options = state.options
    if state.now() - target["at"] > options.response_url_seconds:
        raise ApiError("expired_url")
    if target["uses"] >= options.response_url_uses:
        raise ApiError("used_url")
    source = target["source"]
    channel = state.channels[target["channel"]]
    if body.get("delete_original"):
        target["uses"] += 1
        _delete_source(state, channel, source)
        return
    content = messages.read_content(body)
    target["uses"] += 1
    if body.get("replace_original") and source is not None:
        _replace_source(state, channel, source, content)
        return
    thread_ts = body.get("thread_ts")
    if thread_ts is not None:
        messages.check_thread(state, channel["id"], thread_ts)
    if body.get("response_type") == "in_channel":
        messages.post(state, channel, content, user=state.bot, thread_ts=thread_ts)
    else:
        add_ephemeral(state, channel["id"], target["user"], content, thread_ts=thread_ts)


def _delete_source(state: State, channel: Json, source: Json | None) -> None:
    if source is None:
        raise ApiError("message_not_found")
    if source.get("_ephemeral"):
        state.ephemerals[:] = [e for e in state.ephemerals if e["ts"] != source["ts"]]
    elif (message := state.find_message(channel["id"], source["ts"])) is not None:
        messages.remove(state, channel, message, by=state.bot)


def _replace_source(state: State, channel: Json, source: Json, content: Json) -> None:
    if source.get("_ephemeral"):
        for ephemeral in state.ephemerals:
            if ephemeral["ts"] == source["ts"]:
                ephemeral.pop("blocks", None)
                ephemeral |= content
        return
    message = state.find_message(channel["id"], source["ts"])
    if message is None:
        raise ApiError("message_not_found")
    messages.change(state, channel, message, {"blocks": []} | content, by=state.bot)


def add_ephemeral(
    state: State, channel: str, user: str, content: Json, *, thread_ts: str | None = None, sender: str = ""
) -> Json:
    """A message that only one person sees, and that is nowhere else."""
    ephemeral: Json = {
        "type": "message",
        "user": sender or state.bot,
        "ts": state.next_ts(),
        "text": "",
        "is_ephemeral": True,
        "channel": channel,
        "_ephemeral": True,
        "_for": user,
    } | content
    if thread_ts is not None:
        ephemeral["thread_ts"] = thread_ts
    state.ephemerals.append(ephemeral)
    return ephemeral


def who(state: State, user: str) -> Json:
    person = state.users[user]
    return {
        "id": user,
        "username": person["name"],
        "name": person["name"],
        "team_id": person["team_id"],
    }


def head(state: State, kind: str, user: str) -> Json:
    """The fields that every interaction payload opens with."""
    seed = state.seed
    return {
        "type": kind,
        "token": "verification-token-of-the-local-workspace",
        "api_app_id": seed.app_id,
        "team": {"id": seed.team_id, "domain": seed.team_domain},
        "enterprise": None,
        "is_enterprise_install": False,
        "user": who(state, user),
        "action_ts": state.next_ts(),
    }


def send_slash(state: State, user: str, command: str, text: str, channel: Json) -> Delivery:
    seed = state.seed
    payload = {
        "token": "verification-token-of-the-local-workspace",
        "team_id": seed.team_id,
        "team_domain": seed.team_domain,
        "channel_id": channel["id"],
        "channel_name": "directmessage" if channel.get("is_im") else channel["name"],
        "user_id": user,
        "user_name": state.users[user]["name"],
        "command": command,
        "text": text.strip(),
        "api_app_id": seed.app_id,
        "is_enterprise_install": "false",
        "response_url": new_response_url(state, user, channel["id"]),
        "trigger_id": new_trigger(state, user),
    }
    return state.deliveries.interaction("slash_commands", payload)


def send_shortcut(state: State, user: str, callback_id: str, channel: Json | None, message: Json | None) -> Delivery:
    """A message shortcut when there is a message, a global one otherwise."""
    payload = head(state, "message_action" if message else "shortcut", user)
    payload |= {"callback_id": callback_id, "trigger_id": new_trigger(state, user)}
    if channel is not None and message is not None:
        payload |= {
            "message_ts": message["ts"],
            "channel": {"id": channel["id"], "name": channel["name"] or "directmessage"},
            "message": public(message),
            "response_url": new_response_url(state, user, channel["id"]),
        }
    return state.deliveries.interaction("interactive", payload)


def send_message_action(state: State, user: str, channel: Json, message: Json, action: Json) -> Delivery:
    """A click in a message, which may be one that only this person sees."""
    ephemeral = bool(message.get("_ephemeral"))
    payload = head(state, "block_actions", user)
    container = {
        "type": "message",
        "message_ts": message["ts"],
        "channel_id": channel["id"],
        "is_ephemeral": ephemeral,
    }
    if message.get("thread_ts"):
        container["thread_ts"] = message["thread_ts"]
    payload |= {
        "container": container,
        "channel": {"id": channel["id"], "name": channel["name"] or "directmessage"},
        "trigger_id": new_trigger(state, user),
        "response_url": new_response_url(state, user, channel["id"], source=message),
        "state": {"values": {}},
        "actions": [action | {"action_ts": payload["action_ts"]}],
    }
    if not ephemeral:
        payload["message"] = public(message)
    return state.deliveries.interaction("interactive", payload)


def send_view_action(state: State, user: str, view: Json, action: Json) -> Delivery:
    payload = head(state, "block_actions", user)
    payload |= {
        "container": {"type": "view", "view_id": view["id"]},
        "view": public(view),
        "trigger_id": new_trigger(state, user, view=view["id"]),
        "actions": [action | {"action_ts": payload["action_ts"]}],
    }
    return state.deliveries.interaction("interactive", payload)


def send_suggestion(
    state: State, user: str, element: Json, block_id: str, typed: str, *, channel: Json | None, holder: Json
) -> Delivery:
    """What somebody typed into an external select, of a view or of a message in `channel`."""
    payload = head(state, "block_suggestion", user)
    payload |= {"action_id": element["action_id"], "block_id": block_id, "value": typed}
    if channel is None:
        payload |= {"container": {"type": "view", "view_id": holder["id"]}, "view": public(holder)}
    else:
        container = {"type": "message", "message_ts": holder["ts"], "channel_id": channel["id"], "is_ephemeral": False}
        payload |= {"container": container, "message": public(holder)}
        payload["channel"] = {"id": channel["id"], "name": channel["name"] or "directmessage"}
    return state.deliveries.interaction("interactive", payload)


def send_submission(state: State, user: str, view: Json) -> Delivery:
    payload = head(state, "view_submission", user)
    payload |= {
        "trigger_id": new_trigger(state, user, view=view["id"]),
        "view": public(view),
        "response_urls": [],
    }
    return state.deliveries.interaction("interactive", payload)


def send_closed(state: State, user: str, view: Json, *, is_cleared: bool) -> Delivery:
    payload = head(state, "view_closed", user) | {"view": public(view), "is_cleared": is_cleared}
    return state.deliveries.interaction("interactive", payload)
