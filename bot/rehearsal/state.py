"""The state of one workspace: people, channels, messages, files, views, streams, triggers.

Everything is a plain Slack-shaped dict, so that what is stored is what is answered; keys that begin with "_"
are ours and never leave. All access holds `lock`; `transaction()` also writes through to the store.
"""

from __future__ import annotations

import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bot.rehearsal.changes import Changes
from bot.rehearsal.errors import ApiError
from bot.rehearsal.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bot.rehearsal.delivery import Deliveries
    from bot.rehearsal.options import InstalledApp, Json, WorkspaceOptions
    from bot.rehearsal.seed import Seed
    from bot.rehearsal.store import Store


class State:
    """What a workspace remembers, and the small questions that everything asks of it."""

    def __init__(
        self, seed: Seed, app: InstalledApp, options: WorkspaceOptions, store: Store, tokens: dict[str, str]
    ) -> None:
        self.seed = seed
        self.app = app
        self.options = options
        self.store = store
        self.tokens = tokens
        self.lock = threading.RLock()
        self.changes = Changes()
        self.journal = Journal(options.journal_entries)
        self.url = ""
        self.deliveries: Deliveries
        self.installed = True
        self.users: dict[str, Json] = {}
        self.channels: dict[str, Json] = {}
        self.messages: dict[str, dict[str, Json]] = {}
        self.ephemerals: list[Json] = []
        self.files: dict[str, Json] = {}
        self.file_bytes: dict[str, bytes] = {}
        self.views: dict[str, Json] = {}
        self.homes: dict[str, Json] = {}
        self.sessions: dict[str, Json] = {}
        #: Modal stacks by user: view ids, root first.
        self.stacks: dict[str, list[str]] = {}
        self.triggers: dict[str, Json] = {}
        self.response_urls: dict[str, Json] = {}
        self.statuses: dict[str, Json] = {}
        self.prompts: dict[str, Json] = {}
        #: Up to where a person has read, by "user/channel".
        self.reads: dict[str, Json] = {}
        self._last_micros = 0
        #: How far the workspace's clock has been turned, in seconds.
        self.turned_seconds = 0.0
        self._load()

    # --- time and identity -------------------------------------------------------------------------

    def now(self) -> float:
        """Seconds since 1970 on the workspace's own clock, which a test may turn."""
        return time.time() + self.turned_seconds

    def next_ts(self) -> str:
        """A message timestamp: seconds with six decimals, unique and increasing."""
        with self.lock:
            self._last_micros = max(int(self.now() * 1_000_000), self._last_micros + 1)
            return f"{self._last_micros // 1_000_000}.{self._last_micros % 1_000_000:06d}"

    @staticmethod
    def new_id(prefix: str) -> str:
        return prefix + secrets.token_hex(5).upper()

    @property
    def bot(self) -> str:
        return self.seed.bot_user_id

    # --- persistence -------------------------------------------------------------------------------

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.lock:
            try:
                yield
            finally:
                self.store.commit()
        self.changes.ring()

    def _load(self) -> None:
        kept: list[tuple[str, dict[str, Json]]] = [
            ("user", self.users),
            ("channel", self.channels),
            ("file", self.files),
            ("home", self.homes),
            ("session", self.sessions),
            ("read", self.reads),
        ]
        for kind, into in kept:
            into.update(self.store.items(kind))
        if not self.users:
            self._plant()
        self.views.update({view["id"]: view for view in self.homes.values()})
        for key, message in self.store.items("message"):
            channel, ts = key.split("/")
            # A stream cannot outlive the server that it was streamed to.
            if message.get("_stream") == "open":
                message["_stream"] = "expired"
            self.messages.setdefault(channel, {})[ts] = message
            self._last_micros = max(self._last_micros, int(ts.replace(".", "")))
        for file_id, hexed in self.store.items("file_bytes"):
            self.file_bytes[file_id] = bytes.fromhex(hexed)

    def _plant(self) -> None:
        seed = self.seed
        for person in seed.people:
            self.save_user(user_json(seed, **asdict(person)))
        bot = user_json(seed, id=seed.bot_user_id, name=seed.bot_name, real_name="Huisstijl", is_bot=True)
        bot["profile"] |= {"bot_id": seed.bot_id, "api_app_id": seed.app_id}
        self.save_user(bot)
        for channel in seed.channels:
            values = asdict(channel)
            values["_members"] = list(values.pop("members"))
            self.save_channel(channel_json(seed, **values))
        self.store.commit()

    def save_user(self, user: Json) -> None:
        self.users[user["id"]] = user
        self.store.put("user", user["id"], user)

    def save_channel(self, channel: Json) -> None:
        self.channels[channel["id"]] = channel
        self.store.put("channel", channel["id"], channel)

    def save_message(self, channel: str, message: Json) -> None:
        self.messages.setdefault(channel, {})[message["ts"]] = message
        self.store.put("message", f"{channel}/{message['ts']}", message)
        self.changes.mark(channel, message["ts"])

    def drop_message(self, channel: str, ts: str) -> None:
        del self.messages[channel][ts]
        self.store.delete("message", f"{channel}/{ts}")
        self.changes.mark(channel, ts)

    def save_file(self, file: Json, content: bytes | None = None) -> None:
        self.files[file["id"]] = file
        self.store.put("file", file["id"], file)
        if content is not None:
            self.file_bytes[file["id"]] = content
            self.store.put("file_bytes", file["id"], content.hex())

    def save_home(self, user: str, view: Json) -> None:
        self.homes[user] = view
        self.store.put("home", user, view)

    def save_read(self, user: str, channel: str, ts: str) -> None:
        self.reads[f"{user}/{channel}"] = {"ts": ts}
        self.store.put("read", f"{user}/{channel}", {"ts": ts})

    def save_session(self, key: str, session: Json) -> None:
        self.sessions[key] = session
        self.store.put("session", key, session)

    # --- look-ups that answer as Slack does --------------------------------------------------------

    def get_user(self, user_id: Any) -> Json:
        user = self.users.get(user_id) if isinstance(user_id, str) else None
        if user is None:
            raise ApiError("user_not_found")
        return user

    def members(self, channel: Json) -> list[str]:
        members: list[str] = channel["_members"]
        return members

    def find_channel(self, ref: Any) -> Json | None:
        """By id, or by name with or without `#`."""
        if not isinstance(ref, str):
            return None
        if ref in self.channels:
            return self.channels[ref]
        name = ref.removeprefix("#")
        return next((c for c in self.channels.values() if c.get("name") == name), None)

    def visible_channel(self, ref: Any) -> Json:
        """A channel that the bot may know of: public ones, and private ones that it is in."""
        channel = self.find_channel(ref)
        if channel is None or (self.is_closed(channel) and self.bot not in self.members(channel)):
            raise ApiError("channel_not_found")
        return channel

    def joined_channel(self, ref: Any) -> Json:
        """A channel that the bot is in and may write to. A user's id stands for the direct message with them."""
        if isinstance(ref, str) and ref in self.users:
            return self.open_dm(ref)
        channel = self.visible_channel(ref)
        if channel.get("is_archived"):
            raise ApiError("is_archived")
        if self.bot not in self.members(channel):
            raise ApiError("not_in_channel")
        return channel

    @staticmethod
    def is_closed(channel: Json) -> bool:
        return bool(channel.get("is_private") or channel.get("is_im") or channel.get("is_mpim"))

    def open_dm(self, user_id: str) -> Json:
        """The bot's direct message channel with this person, opened if need be."""
        user = self.get_user(user_id)
        if user_id == self.bot or user.get("deleted"):
            raise ApiError("user_disabled" if user.get("deleted") else "cannot_dm_bot")
        channel_id = "D" + user_id[1:]
        if channel_id not in self.channels:
            channel = channel_json(self.seed, id=channel_id, name="", _members=[user_id, self.bot])
            channel |= {"is_im": True, "is_channel": False, "user": user_id}
            self.save_channel(channel)
        return self.channels[channel_id]

    def find_message(self, channel_id: str, ts: Any) -> Json | None:
        return self.messages.get(channel_id, {}).get(ts) if isinstance(ts, str) else None

    def thread(self, channel_id: str, thread_ts: str) -> list[Json]:
        inside = self.messages.get(channel_id, {}).values()
        return [m for m in inside if m["ts"] == thread_ts or m.get("thread_ts") == thread_ts]


def channel_kind(channel: Json) -> str:
    """`channel`, `group`, `im` or `mpim`, as `channel_type` says in events."""
    if channel.get("is_im"):
        return "im"
    if channel.get("is_mpim"):
        return "mpim"
    return "group" if channel.get("is_private") else "channel"


def public(value: Any) -> Any:
    """A copy without our own keys: what may leave the server."""
    if isinstance(value, dict):
        return {k: public(v) for k, v in value.items() if not k.startswith("_")}
    if isinstance(value, list):
        return [public(v) for v in value]
    return value


def user_json(seed: Seed, **fields: Any) -> Json:
    """A user as users.info answers it."""
    is_stranger = bool(fields.get("is_stranger"))
    team = "T0PARTNER" if is_stranger else seed.team_id
    user: Json = {
        "id": "",
        "team_id": team,
        "name": "",
        "real_name": "",
        "deleted": False,
        "is_admin": False,
        "is_owner": False,
        "is_primary_owner": False,
        "is_restricted": False,
        "is_ultra_restricted": False,
        "is_bot": False,
        "is_app_user": False,
        "locale": "en-US",
        "tz": "Europe/Amsterdam",
        "tz_offset": 3600,
        "updated": int(time.time()),
    }
    user |= fields
    user["profile"] = {
        "real_name": user["real_name"],
        "display_name": user["name"],
        "team": team,
    }
    if not is_stranger:
        user.pop("is_stranger", None)
    return user


def channel_json(seed: Seed, **fields: Any) -> Json:
    """A conversation as conversations.info answers it."""
    channel: Json = {
        "id": "",
        "name": "",
        "is_channel": not fields.get("is_private"),
        "is_group": bool(fields.get("is_private")),
        "is_im": False,
        "is_mpim": False,
        "is_private": False,
        "is_archived": False,
        "is_general": fields.get("name") == "general",
        "is_shared": bool(fields.get("is_ext_shared")),
        "is_ext_shared": False,
        "is_org_shared": False,
        "is_pending_ext_shared": False,
        "context_team_id": seed.team_id,
        "created": int(time.time()),
        "creator": "U0ANA",
        "topic": {"value": "", "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "_members": [],
    }
    channel |= fields
    channel["name_normalized"] = channel["name"]
    return channel
