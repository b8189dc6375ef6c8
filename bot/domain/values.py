"""What Slack said, as frozen values. `bot/deliveries.py` makes them of what was delivered, `bot/slack.py` of what we
asked; everything behind those two reads only these."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """A person who asks for something, with the rights that the server looked up (never from a payload)."""

    team_id: str
    user_id: str
    name: str
    locale: str = "en-US"
    is_admin: bool = False
    #: False for guests, people from other workspaces, bots and deactivated accounts: they change nothing.
    is_full_member: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A conversation as Slack describes it to the bot."""

    channel_id: str
    name: str
    is_private: bool
    is_direct: bool = False
    #: Shared with another workspace (Slack Connect), now or pending.
    is_external: bool = False
    #: Is the bot in it?
    is_member: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageRef:
    """A message of ours in Slack."""

    channel_id: str
    ts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What every delivery says: where, who, and a key that names it when it is delivered again."""

    event_key: str
    team_id: str
    user_id: str
    channel_id: str = ""
    #: Opens a modal once, within three seconds; empty for events.
    trigger_id: str = ""
    #: Answers five times within half an hour, in channels the bot is not in too; empty for events and modals.
    response_url: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command(Delivery):
    """A slash command: `/draft …`."""

    command: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Click(Delivery):
    """A click on a button, or a choice in a select."""

    action_id: str
    #: A random id of ours, never more: the row behind it is read again on the server.
    value: str
    message_ts: str = ""
    thread_ts: str = ""
    #: In a message that only this person sees: nothing but the response_url can change it.
    is_ephemeral: bool = False
    #: For clicks in a modal or in App Home: the view, its private_metadata, its hash, and `modal` or `home`.
    view_id: str = ""
    metadata: str = ""
    view_hash: str = ""
    view_kind: str = ""
    #: What the view's inputs held at the click, by block_id, as in a submission.
    values: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    #: The view's blocks as we made them.
    blocks: tuple[dict[str, Any], ...] = ()

    def text(self, block_id: str) -> str:
        """The value of a single-valued input, without outer white space."""
        value = self.values.get(block_id, "")
        return value.strip() if isinstance(value, str) else ""

    def choices(self, block_id: str) -> tuple[str, ...]:
        value = self.values.get(block_id, ())
        return value if isinstance(value, tuple) else ((value,) if value else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcut(Delivery):
    """A message shortcut, with the message as Slack handed it over."""

    callback_id: str
    message_ts: str
    thread_ts: str
    message_text: str
    #: Who wrote the message; None for a bot's.
    author_id: str | None
    is_own_message: bool = False
    #: (id, name) of each file that was shared with the message.
    files: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedFile:
    """A file as Slack describes it to the bot."""

    file_id: str
    name: str
    size_bytes: int
    url: str
    #: Where it is shared, as far as the bot can see.
    channel_ids: frozenset[str]
    #: Who shared it.
    author_id: str | None
    #: False for what Slack only links to, and for what it has hidden or deleted.
    is_readable: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission(Delivery):
    """A submitted modal."""

    callback_id: str
    view_id: str
    #: The modal's private_metadata: an id or a small JSON text of ours.
    metadata: str
    #: Value of each input by block_id: text, a chosen value, or a tuple of chosen values ("" or () when empty).
    values: dict[str, str | tuple[str, ...]] = field(default_factory=dict)
    #: What we had put into each text input by block_id.
    initials: dict[str, str] = field(default_factory=dict)

    def text(self, block_id: str) -> str:
        """The value of a single-valued input, without outer white space."""
        value = self.values.get(block_id, "")
        return value.strip() if isinstance(value, str) else ""

    def choices(self, block_id: str) -> tuple[str, ...]:
        value = self.values.get(block_id, ())
        return value if isinstance(value, tuple) else ((value,) if value else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Message(Delivery):
    """Something a person wrote to the bot: a mention or a direct message. `text` has no bot mention in it."""

    text: str
    ts: str
    #: The thread it stands in, or its own ts: where an answer goes.
    thread_ts: str
    is_direct: bool
    #: True for a reply inside an existing thread.
    is_reply: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageDeleted(Delivery):
    ts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeOpened(Delivery):
    tab: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction(Delivery):
    """Somebody added an emoji to a message. Slack does not say what the message says."""

    name: str
    message_ts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FlaggedMessage:
    """The one message that was flagged, as Slack shows it to the bot."""

    text: str
    thread_ts: str
    #: Who wrote it; None for a bot's.
    author_id: str | None
    is_own_message: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStopped(Delivery):
    """A person pressed Slack's own Stop while we were streaming."""

    streaming_ts: tuple[str, ...]
    thread_ts: str
