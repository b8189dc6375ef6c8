"""What one person sees of the workspace, and what has changed of it since they last looked.

Every message, channel and view that a page gets goes through here, so who may see what is decided in this file: the
channels one is in, one's own ephemeral messages, modals and Home tab. A private channel of others does not exist.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from bot.rehearsal.client_actions import active
from bot.rehearsal.events import hears
from bot.rehearsal.state import channel_kind, public

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.rehearsal.options import InstalledApp, Json
    from bot.rehearsal.state import State

#: The newest messages of a channel that a page gets.
MAX_MESSAGES = 2_000
SLACKBOT = "USLACKBOT"
_PERSON_FIELDS = (
    "id", "name", "real_name", "locale", "tz", "is_admin", "is_owner", "is_restricted", "is_bot", "deleted",
)  # fmt: skip
_OPEN_STREAMS = ("open", "stopped_by_user")


class Sight:
    """One page of one person: its whole state, then its changes. Use from one thread at a time.

    Raises PersonError when there is no such person (any more).
    """

    def __init__(self, state: State, user: str) -> None:
        self._state = state
        self._user = user
        self.version = 0
        self._known: dict[str, dict[Any, Any]] = {}
        #: What was last sent of messages that are being streamed, by (channel, ts).
        self._streams: dict[tuple[str, str], Json] = {}

    def whole(self) -> Json:
        """Everything this person sees."""
        state, user = self._state, self._user
        with state.transaction():
            active(state, user)
            dm = state.open_dm(user)["id"]
            self.version = state.changes.version
            self._known = known = self._look()
            self._streams = {}
            messages = {c: self._messages(c) for c, channel in known["channel"].items() if channel["is_member"]}
            ephemerals: dict[str, list[Json]] = {}
            for (channel, _), message in known["ephemeral"].items():
                ephemerals.setdefault(channel, []).append(message)
            seed = state.seed
            return {
                "version": self.version,
                "me": user,
                "team": {"id": seed.team_id, "name": seed.team_name, "domain": seed.team_domain},
                "bot": {
                    "user_id": seed.bot_user_id, "bot_id": seed.bot_id, "app_id": seed.app_id, "name": seed.bot_name,
                    "dm": dm,
                },
                "act_as": act_as(state),
                "people": list(known["person"].values()),
                "channels": list(known["channel"].values()),
                "messages": messages,
                "ephemerals": ephemerals,
                "views": known["views"][user],
                "home": known["home"][user],
                "statuses": {f"{channel}/{ts}": status for (channel, ts), status in known["status"].items()},
                "prompts": known["prompts"],
                "sessions": {f"{channel}/{ts}": session for (channel, ts), session in known["session"].items()},
                "read": known["read"],
                "app": app_features(state, state.app),
            }  # fmt: skip

    def changes(self) -> list[Json] | None:
        """What has changed since the last look, in order; None when only the whole state will do."""
        state = self._state
        with state.lock:
            active(state, self._user)
            marks = state.changes.since(self.version)
            if marks is None:
                return None
            before, now = self._known, self._look()
            self.version, self._known = state.changes.version, now
            found = list(self._channel_changes(before["channel"], now["channel"]))
            new = {c["channel"]["id"] for c in found if c.get("messages") is not None}
            mine = {c for c, channel in now["channel"].items() if channel["is_member"]}
            for channel, ts in marks:
                if channel in mine and channel not in new:
                    found.append(self._message_change(channel, ts))
            found += self._other_changes(before, now)
            return found

    # --- looking -----------------------------------------------------------------------------------

    def _look(self) -> dict[str, dict[Any, Any]]:
        """Everything but messages, small enough to compare with what was there before."""
        state, user = self._state, self._user
        channels = {c["id"]: _channel(state, c, user) for c in state.channels.values() if _is_visible(state, c, user)}
        mine = {c for c, channel in channels.items() if channel["is_member"]}
        stack = [state.views[view_id] for view_id in state.stacks.get(user, ())]
        home, now = state.homes.get(user), time.time()
        return {
            "person": {u["id"]: _person(u) for u in state.users.values()} | {SLACKBOT: _SLACKBOT},
            "channel": channels,
            "ephemeral": {
                (e["channel"], e["ts"]): self._message(e["channel"], e)
                for e in state.ephemerals
                if e["_for"] == user and e["channel"] in mine
            },
            "views": {user: [self._view(view) for view in stack]},
            "home": {user: self._view(home) if home is not None else None},
            "status": {
                _split(key): public(status)
                for key, status in state.statuses.items()
                if _split(key)[0] in mine and status["until"] > now
            },
            "prompts": {c: public(prompts) for c, prompts in state.prompts.items() if c in mine},
            "session": {_split(k): public(s) for k, s in state.sessions.items() if _split(k)[0] in mine},
            "read": {c: state.reads[f"{user}/{c}"]["ts"] for c in mine if f"{user}/{c}" in state.reads},
        }

    def _messages(self, channel: str) -> list[Json]:
        """A channel's newest messages, replies included, oldest first."""
        newest = sorted(self._state.messages.get(channel, {}).values(), key=lambda m: str(m["ts"]))[-MAX_MESSAGES:]
        found = [self._message(channel, message) for message in newest]
        for message in found:
            if message.get("stream") in _OPEN_STREAMS:
                self._streams[channel, message["ts"]] = message
        return found

    def _message(self, channel: str, message: Json) -> Json:
        shown: Json = public(message)
        shown["channel"] = channel
        if "_stream" in message:
            shown["stream"] = message["_stream"]
        if message.get("_blocks"):
            shown["stream_blocks"] = public(message["_blocks"])
        if shown.get("blocks"):
            shown["blocks"] = [_for_eyes_of(self._user, block) for block in shown["blocks"]]
        for file in shown.get("files", ()):
            file["page_url"] = f"/page/file/{file['id']}?as={self._user}"
        return shown

    def _view(self, view: Json) -> Json:
        shown: Json = public(view)
        shown["blocks"] = [_for_eyes_of(self._user, block) for block in shown["blocks"]]
        return shown | {"errors": view.get("_errors")}

    # --- comparing ---------------------------------------------------------------------------------

    def _channel_changes(self, before: dict[str, Json], now: dict[str, Json]) -> Iterator[Json]:
        for gone in before.keys() - now.keys():
            yield {"type": "channel_gone", "channel": gone}
        for channel_id, channel in now.items():
            old = before.get(channel_id)
            if channel == old:
                continue
            if old is not None and old["is_member"] and not channel["is_member"]:
                yield {"type": "channel_gone", "channel": channel_id}
            change: Json = {"type": "channel", "channel": channel}
            if channel["is_member"] and not (old is not None and old["is_member"]):
                change["messages"] = self._messages(channel_id)
            yield change

    def _message_change(self, channel: str, ts: str) -> Json:
        message = self._state.find_message(channel, ts)
        sent = self._streams.pop((channel, ts), None)
        if message is None:
            return {"type": "message_deleted", "channel": channel, "ts": ts}
        shown = self._message(channel, message)
        if shown.get("stream") in _OPEN_STREAMS:
            self._streams[channel, ts] = shown
            if sent is not None and _only_grew(sent, shown):
                append = shown["text"][len(sent["text"]) :]
                return {"type": "stream", "channel": channel, "ts": ts, "append": append}
        return {"type": "message", "channel": channel, "message": shown}

    @staticmethod
    def _other_changes(before: dict[str, dict[Any, Any]], now: dict[str, dict[Any, Any]]) -> Iterator[Json]:
        for key in before["ephemeral"].keys() - now["ephemeral"].keys():
            yield {"type": "ephemeral_deleted", "channel": key[0], "ts": key[1]}
        for kind, name in (("person", "person"), ("ephemeral", "message")):
            for key, value in now[kind].items():
                if before[kind].get(key) != value:
                    yield {"type": kind, name: value} | ({"channel": key[0]} if kind == "ephemeral" else {})
        for kind, name in (("views", "views"), ("home", "view")):
            for user, value in now[kind].items():
                if before[kind].get(user) != value:
                    yield {"type": kind, name: value}
        for kind in ("status", "session"):
            for key in before[kind].keys() | now[kind].keys():
                if before[kind].get(key) != now[kind].get(key):
                    yield {"type": kind, "channel": key[0], "thread_ts": key[1], kind: now[kind].get(key)}
        for kind, name in (("prompts", "prompts"), ("read", "ts")):
            for key in before[kind].keys() | now[kind].keys():
                if before[kind].get(key) != now[kind].get(key):
                    yield {"type": kind, "channel": key, name: now[kind].get(key)}


def may_see_file(state: State, user: str, file: Json) -> bool:
    """Whether the file is shared in a channel that this person is in."""
    channels = (state.channels.get(c) for c in file.get("channels", ()))
    return any(channel is not None and user in state.members(channel) for channel in channels)


def act_as(state: State) -> list[Json]:
    """The people one can be, each with the role that makes them worth being."""
    return [
        {"id": user["id"], "role": _role(state, user)}
        for user in state.users.values()
        if not user["is_bot"] and not user["deleted"]
    ]


def _role(state: State, user: Json) -> str:
    inside = [c for c in state.channels.values() if user["id"] in state.members(c) and not c.get("is_im")]
    if user.get("is_stranger"):
        return "stranger"
    if user["is_restricted"]:
        return "guest"
    if user["is_admin"] or user["is_owner"]:
        return "admin"
    if any(user["id"] in people for people in state.seed.usergroups.values()):
        return "reviewer"
    return "private_member" if inside and all(c["is_private"] for c in inside) else "member"


def app_features(state: State, app: InstalledApp) -> Json:
    """What the installed app offers people besides its messages."""
    features = app.features
    commands = features.get("slash_commands") or [{"command": name} for name in app.commands]
    shortcuts = features.get("shortcuts") or [{"callback_id": s, "name": s, "type": "message"} for s in app.shortcuts]
    told: dict[str, list[Json]] = {"message": [], "global": []}
    for one in shortcuts:
        told[one["type"]].append({k: one.get(k, "") for k in ("callback_id", "name", "description")})
    home = features.get("app_home", {})
    return {
        "commands": [{k: one.get(k, "") for k in ("command", "description", "usage_hint")} for one in commands],
        "message_shortcuts": told["message"],
        "global_shortcuts": told["global"],
        "home_tab": bool(home.get("home_tab_enabled", not features)),
        "messages_tab": bool(home.get("messages_tab_enabled", not features)),
        "can_stop": hears(state, "agent_session_stopped"),
        "suggested_prompts": features.get("agent_view", {}).get("suggested_prompts", []),
    }


_SLACKBOT = {
    "id": SLACKBOT, "name": "slackbot", "real_name": "Slackbot", "locale": "en-US", "tz": "UTC", "is_admin": False,
    "is_owner": False, "is_restricted": False, "is_bot": True, "deleted": False, "is_stranger": False,
}  # fmt: skip


def _person(user: Json) -> Json:
    return {name: user[name] for name in _PERSON_FIELDS} | {"is_stranger": bool(user.get("is_stranger"))}


def _is_visible(state: State, channel: Json, user: str) -> bool:
    if user in state.members(channel):
        return True
    person = state.users[user]
    is_outsider = person["is_restricted"] or person.get("is_stranger")
    return not state.is_closed(channel) and not is_outsider


def _channel(state: State, channel: Json, user: str) -> Json:
    members = state.members(channel)
    shown: Json = {
        "id": channel["id"], "name": channel["name"], "kind": channel_kind(channel),
        "is_private": bool(channel["is_private"]), "is_archived": bool(channel["is_archived"]),
        "is_ext_shared": bool(channel["is_ext_shared"]), "is_member": user in members,
        "bot_is_member": state.bot in members,
        "topic": channel["topic"]["value"], "purpose": channel["purpose"]["value"],
    }  # fmt: skip
    if channel.get("is_im"):
        shown["user"] = next((member for member in members if member != user), user)
    if user in members:
        shown["members"] = list(members)
    return shown


def _for_eyes_of(user: str, block: Json) -> Json:
    """A block without the elements that only others see."""
    if "elements" not in block or block["type"] not in ("actions", "context_actions"):
        return block
    seen = [e for e in block["elements"] if user in (e.get("visible_to_user_ids") or (user,))]
    return block | {"elements": seen}


def _split(key: str) -> tuple[str, str]:
    channel, _, rest = key.partition("/")
    return channel, rest


def _only_grew(sent: Json, now: Json) -> bool:
    """Whether nothing but more text has come since it was sent."""
    others = {k: v for k, v in now.items() if k != "text"} == {k: v for k, v in sent.items() if k != "text"}
    return others and str(now["text"]).startswith(sent["text"])
