"""The border to Slack, both ways: payload dicts become our values, our verbs become Web API calls.

Nothing behind this file knows a payload's shape, a method's name or a SlackApiError.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import httpx
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError, SlackRequestError

from bot.documents.formats import MAX_BYTES
from bot.domain.values import (
    Channel,
    ChannelJoined,
    Click,
    Command,
    FlaggedMessage,
    HomeOpened,
    Message,
    MessageDeleted,
    MessageRef,
    Reaction,
    SessionStopped,
    SharedFile,
    Shortcut,
    Submission,
)  # fmt: skip
from bot.errors import NotInChannel, SlackRefused, SlackUnavailable

Body = dict[str, Any]
Blocks = list[dict[str, Any]]
T = TypeVar("T")

#: Slack's refusals that mean "the bot cannot see or post there".
_NOT_THERE = frozenset({"not_in_channel", "channel_not_found", "is_archived", "user_not_in_channel", "no_permission"})
#: Slack's own troubles: worth another try by itself.
_PASSING = frozenset({"ratelimited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})


#: Slack's word for an agent session in which nothing is being worked on.
SESSION_OVER = "active"
#: Slack's limit for suggested prompts.
MAX_PROMPTS = 4
#: How long a channel's description is believed.
CHANNEL_AGE_SECONDS = 60.0
#: Where Slack keeps files.
_FILE_HOST = "files.slack.com"
#: How long a file may take to come, however slowly it drips.
DOWNLOAD_SECONDS = 60.0


class StreamStopped(SlackRefused):
    """A person pressed Stop. Ask again for a whole draft."""


class StreamLost(SlackRefused):
    """Slack has ended the stream by itself; the message can still be updated."""


# ---------------------------------------------------------------------------------------------------------------
# In: what was delivered


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


def read_channel_joined(body: Body) -> ChannelJoined:
    event = body["event"]
    return ChannelJoined(
        event_key=event_key(body), team_id=team_of(body), user_id=event["user"], channel_id=event["channel"]
    )


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


# ---------------------------------------------------------------------------------------------------------------
# Out: our verbs


class SlackGateway:
    """Web API calls in our words. Every method raises only the SlackError family."""

    def __init__(self, client: WebClient) -> None:
        self.client = client
        me = self._call(lambda: client.auth_test())
        self.team_id: str = me["team_id"]
        self.bot_user_id: str = me["user_id"]
        self.bot_id: str = me.get("bot_id") or ""
        self._channels: dict[str, tuple[float, Channel]] = {}
        self._members: dict[str, tuple[float, frozenset[str]]] = {}

    # Messages

    def post_message(
        self, channel_id: str, text: str, blocks: Blocks | None = None, thread_ts: str | None = None
    ) -> MessageRef:
        # Never link_names or parse: what a text says of people stays text. Never a preview of what it links to.
        sent = self._call(
            lambda: self.client.chat_postMessage(
                channel=channel_id,
                text=text,
                blocks=blocks,
                thread_ts=thread_ts or None,
                unfurl_links=False,
                unfurl_media=False,
            )
        )
        return MessageRef(channel_id=sent["channel"], ts=sent["ts"])

    def post_direct(self, user_id: str, text: str, blocks: Blocks | None = None) -> MessageRef:
        opened = self._call(lambda: self.client.conversations_open(users=user_id))
        return self.post_message(opened["channel"]["id"], text, blocks)

    def post_ephemeral(
        self, channel_id: str, user_id: str, text: str, blocks: Blocks | None = None, thread_ts: str | None = None
    ) -> None:
        self._call(
            lambda: self.client.chat_postEphemeral(
                channel=channel_id, user=user_id, text=text, blocks=blocks, thread_ts=thread_ts or None
            )
        )

    def update_message(self, message: MessageRef, text: str, blocks: Blocks | None = None) -> MessageRef:
        # Without blocks, Slack would keep the old ones under the new text: an empty list takes them away.
        self._call(
            lambda: self.client.chat_update(
                channel=message.channel_id, ts=message.ts, text=text, blocks=blocks if blocks is not None else []
            )
        )
        return message

    def delete_message(self, message: MessageRef) -> None:
        """Take a message of ours away."""
        self._call(lambda: self.client.chat_delete(channel=message.channel_id, ts=message.ts))

    def respond(self, response_url: str, text: str, blocks: Blocks | None = None, *, replace: bool = False) -> None:
        """Answer through a response_url; only the person who acted sees it."""
        payload: dict[str, Any] = {
            "text": text, "response_type": "ephemeral", "replace_original": replace,
            "unfurl_links": False, "unfurl_media": False,
        }  # fmt: skip
        if blocks is not None:
            payload["blocks"] = blocks
        try:
            answer = httpx.post(response_url, json=payload, timeout=10.0, trust_env=False)
        except httpx.HTTPError as error:
            raise SlackUnavailable from error
        if answer.status_code >= 500 or answer.status_code == 429:
            raise SlackUnavailable(retry_after_seconds=float(answer.headers.get("Retry-After", 1)))
        if answer.status_code >= 400:
            raise SlackRefused(code=answer.text[:200] or str(answer.status_code))

    def upload_image(
        self, channel_id: str, *, filename: str, content: bytes, title: str, comment: str, thread_ts: str | None
    ) -> None:
        # No alt text parameter: with it Slack takes the file and silently does not share it.
        self._call(
            lambda: self.client.files_upload_v2(
                channel=channel_id,
                filename=filename,
                content=content,
                title=title,
                initial_comment=comment,
                thread_ts=thread_ts,
            )
        )

    # Streams

    def start_stream(self, channel_id: str, thread_ts: str, *, team_id: str, user_id: str, markdown: str) -> str:
        """Open a streamed message in a thread; returns its ts."""
        started = self._call(
            lambda: self.client.chat_startStream(
                channel=channel_id,
                thread_ts=thread_ts,
                recipient_team_id=team_id,
                recipient_user_id=user_id,
                markdown_text=markdown,
                unfurl_links=False,
                unfurl_media=False,
            )
        )
        return str(started["ts"])

    def append_stream(self, message: MessageRef, markdown: str) -> None:
        self._call(
            lambda: self.client.chat_appendStream(channel=message.channel_id, ts=message.ts, markdown_text=markdown)
        )

    def stop_stream(
        self, message: MessageRef, markdown: str = "", blocks: Blocks | None = None, *, ends_session: bool = False
    ) -> None:
        """End a streamed message; `ends_session` also ends the thread's agent session, in the same call."""
        self._call(
            lambda: self.client.chat_stopStream(
                channel=message.channel_id,
                ts=message.ts,
                markdown_text=markdown or None,
                blocks=blocks,
                session_status=SESSION_OVER if ends_session else None,
            )
        )

    # The agent's side of a thread

    def begin_session(self, channel_id: str, thread_ts: str, *, user_id: str, title: str | None) -> None:
        """Say that the bot works in this thread, which shows Slack's own Stop button; `title` names the thread."""
        self._call(
            lambda: self.client.agents_sessions_setStatus(
                channel_id=channel_id,
                thread_ts=thread_ts,
                status="processing",
                initiator_user_id=user_id,
                title=title,
            )
        )

    def end_session(self, channel_id: str, thread_ts: str) -> None:
        """Say that the bot works in this thread no more; Slack does not see that by itself, not even after a Stop."""
        self._call(
            lambda: self.client.agents_sessions_setStatus(
                channel_id=channel_id, thread_ts=thread_ts, status=SESSION_OVER
            )
        )

    def set_suggested_prompts(self, channel_id: str, title: str, prompts: Sequence[tuple[str, str]]) -> None:
        """Offer up to four prompts, each (title, message), in the direct message with the bot.

        No thread is named: in Slack's agent view a call that names one does nothing and says nothing.
        """
        offered: list[Any] = [{"title": name, "message": message} for name, message in prompts[:MAX_PROMPTS]]
        self._call(
            lambda: self.client.assistant_threads_setSuggestedPrompts(
                channel_id=channel_id, title=title, prompts=offered
            )
        )

    def set_status(self, channel_id: str, thread_ts: str, status: str) -> None:
        self._call(
            lambda: self.client.assistant_threads_setStatus(channel_id=channel_id, thread_ts=thread_ts, status=status)
        )

    # Views

    def open_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        """Open a modal; returns its view id. The trigger lives three seconds and works once."""
        return self.open_view_with_hash(trigger_id, view)[0]

    def open_view_with_hash(self, trigger_id: str, view: dict[str, Any]) -> tuple[str, str]:
        """As `open_view`, with the hash that a later `update_view` names, so that it only replaces this very view."""
        opened = self._call(lambda: self.client.views_open(trigger_id=trigger_id, view=view))["view"]
        return str(opened["id"]), str(opened["hash"])

    def push_view(self, trigger_id: str, view: dict[str, Any]) -> str:
        """Put a modal on the one that was clicked in (three is the most); returns its view id."""
        return str(self._call(lambda: self.client.views_push(trigger_id=trigger_id, view=view))["view"]["id"])

    def update_view(self, view_id: str, view: dict[str, Any], *, view_hash: str = "") -> bool:
        """Show something else in an open modal. What people typed stays in inputs whose block_id and action_id stay.

        False when the modal is closed, or (with `view_hash`) is no longer as it was then.
        """
        try:
            self._call(lambda: self.client.views_update(view_id=view_id, view=view, hash=view_hash or None))
        except SlackRefused as error:
            if error.code in ("not_found", "hash_conflict", "view_not_found"):
                return False
            raise
        return True

    def publish_home(self, user_id: str, view: dict[str, Any]) -> None:
        """Show this person a Home tab, in place of the one before."""
        self._call(lambda: self.client.views_publish(user_id=user_id, view=view))

    # Look-ups

    def list_channel_members(self, channel_id: str) -> frozenset[str]:
        """Who is in a channel, at most a minute old; nobody when the bot is not in it and so is not told."""
        asked_at, known = self._members.get(channel_id, (0.0, frozenset()))
        if asked_at and time.monotonic() - asked_at < CHANNEL_AGE_SECONDS:
            return known
        try:
            members = frozenset(self._read_members(channel_id))
        except NotInChannel:
            members = frozenset()
        self._members[channel_id] = (time.monotonic(), members)
        return members

    def _read_members(self, channel_id: str) -> Iterator[str]:
        cursor: str | None = None
        while cursor != "":
            page = self._call(partial(self.client.conversations_members, channel=channel_id, limit=200, cursor=cursor))
            yield from page["members"]
            cursor = (page.get("response_metadata") or {}).get("next_cursor") or ""

    def get_user(self, user_id: str) -> dict[str, Any]:
        """Slack's own description of a person, with locale."""
        user: dict[str, Any] = self._call(lambda: self.client.users_info(user=user_id, include_locale=True))["user"]
        return user

    def list_usergroup_members(self, usergroup: str) -> list[str]:
        """User ids of a user group's members."""
        found: list[str] = self._call(lambda: self.client.usergroups_users_list(usergroup=usergroup))["users"]
        return found

    def get_channel(self, channel_id: str, *, fresh: bool = False) -> Channel:
        """What Slack says of a conversation, at most a minute old: Slack allows this question about once a second.
        `fresh` asks in any case: what is about to be learnt must not come from a channel that has become private.

        One that the bot cannot see is private to it: Slack says no more.
        """
        asked_at, known = self._channels.get(channel_id, (0.0, None))
        if known is not None and not fresh and time.monotonic() - asked_at < CHANNEL_AGE_SECONDS:
            return known
        channel = self._describe_channel(channel_id)
        if channel.is_member:  # an invitation must count at once
            self._channels[channel_id] = (time.monotonic(), channel)
        return channel

    def _describe_channel(self, channel_id: str) -> Channel:
        try:
            found = self._call(lambda: self.client.conversations_info(channel=channel_id))["channel"]
        except NotInChannel:
            return Channel(channel_id=channel_id, name="", is_private=True, is_member=False)
        return Channel(
            channel_id=channel_id,
            name=found.get("name", ""),
            is_private=bool(found.get("is_private")),
            is_direct=bool(found.get("is_im") or found.get("is_mpim")),
            is_external=bool(found.get("is_ext_shared") or found.get("is_pending_ext_shared")),
            is_member=bool(found.get("is_member") or found.get("is_im")),
        )

    def find_message(self, channel_id: str, ts: str) -> FlaggedMessage | None:
        """One message that somebody pointed at: flagged with an emoji, or answered by the reply that they teach.
        None when it is gone or cannot be seen.

        The only question about history that the bot ever asks, and only where the operator has turned flagging on: it
        names one timestamp and takes one message.
        """
        try:
            found = self._call(
                lambda: self.client.conversations_replies(
                    channel=channel_id, ts=ts, oldest=ts, latest=ts, inclusive=True, limit=1
                )
            )["messages"]
        except (NotInChannel, SlackRefused):
            return None
        message = next((one for one in found if one["ts"] == ts), None)
        if message is None or message.get("subtype") not in (None, "bot_message", "thread_broadcast"):
            return None
        return FlaggedMessage(
            text=message.get("text", ""),
            thread_ts=message.get("thread_ts", ""),
            author_id=None if message.get("bot_id") else message.get("user"),
            is_own_message=message.get("user") == self.bot_user_id,
        )

    # Files

    def get_file(self, file_id: str) -> SharedFile:
        """What Slack says of a file now, whatever a payload said. Raises FileMissing."""
        try:
            found = self._call(lambda: self.client.files_info(file=file_id))["file"]
        except SlackRefused as error:
            if error.code in ("file_not_found", "file_deleted", "access_denied", "not_visible"):
                raise FileMissing(code=error.code) from error
            raise
        shares = found.get("shares") or {}
        places = [*(found.get("channels") or ()), *(found.get("groups") or ())]
        places += [channel for kind in ("public", "private") for channel in shares.get(kind) or ()]
        return SharedFile(
            file_id=file_id, name=str(found.get("name") or file_id), size_bytes=int(found.get("size") or 0),
            url=str(found.get("url_private_download") or found.get("url_private") or ""),
            channel_ids=frozenset(places), author_id=found.get("user"),
            is_readable=found.get("mode") in ("hosted", "snippet") and not found.get("is_external"),
        )  # fmt: skip

    def download_file(self, file: SharedFile) -> bytes:
        """Its bytes; of one that is too large only so many that this shows. Raises FileMissing, SlackUnavailable.

        Our token goes to Slack alone: to its file host, or to where the Web API is.
        """
        if _origin(file.url) not in (("https", _FILE_HOST, None), _origin(self.client.base_url)):
            raise FileMissing(code="unknown_host")
        until = time.monotonic() + DOWNLOAD_SECONDS
        headers = {"Authorization": f"Bearer {self.client.token}"}
        data = bytearray()
        try:
            with httpx.stream("GET", file.url, headers=headers, timeout=20.0, trust_env=False) as answer:
                if answer.status_code >= 500 or answer.status_code == 429:
                    raise SlackUnavailable(retry_after_seconds=float(answer.headers.get("Retry-After", 1)))
                if answer.status_code != 200:
                    raise FileMissing(code=f"status {answer.status_code}")
                for chunk in answer.iter_bytes():
                    data += chunk
                    if len(data) > MAX_BYTES:
                        break
                    if time.monotonic() > until:
                        raise SlackUnavailable
        except httpx.HTTPError as error:
            raise SlackUnavailable from error
        # Without the right to a file Slack sends a page to sign in on, and calls it a success.
        if len(data) <= MAX_BYTES and len(data) != file.size_bytes:
            raise FileMissing(code="other_bytes")
        return bytes(data)

    def find_permalink(self, channel_id: str, ts: str) -> str | None:
        """A link to a message, or None where the bot cannot see the channel. Raises MessageMissing when deleted.

        This method needs no history scope, so it is also how we learn that a message is gone.
        """
        try:
            return str(
                self._call(lambda: self.client.chat_getPermalink(channel=channel_id, message_ts=ts))["permalink"]
            )
        except NotInChannel:
            return None
        except SlackRefused as error:
            if error.code == "message_not_found":
                raise MessageMissing from error
            return None

    def _call(self, method: Callable[[], T]) -> T:
        """Call Slack; its errors cross the border here, once."""
        try:
            return method()
        except SlackApiError as error:
            response: Any = error.response
            code = str(response.get("error", "")) if not isinstance(response, str) else response
            if response.status_code == 429 or code in _PASSING or response.status_code >= 500:
                seconds = float(response.headers.get("Retry-After", 1) or 1)
                is_rate_limit = response.status_code == 429 or code == "ratelimited"
                raise SlackUnavailable(retry_after_seconds=seconds, is_rate_limit=is_rate_limit) from error
            if code in _NOT_THERE:
                raise NotInChannel from error
            if code == "stopped_by_user":
                raise StreamStopped(code=code) from error
            if code in ("message_not_in_streaming_state", "streaming_state_conflict"):
                raise StreamLost(code=code) from error
            details = "; ".join((response.get("response_metadata") or {}).get("messages") or ())
            raise SlackRefused(f"Slack refused the call: {code}. {details}".strip(), code=code) from error
        except (SlackRequestError, SlackClientError, OSError) as error:
            raise SlackUnavailable from error


def _origin(url: str) -> tuple[str, str, int | None]:
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL:
        return "", "", None
    return read.scheme, read.host, read.port


class FileMissing(SlackRefused):
    """This file cannot be read any more, or was never shared where I can see it. Share it again and try once more."""


class MessageMissing(SlackRefused):
    """The message no longer exists. Choose another one."""


def make_web_client(token: str, base_url: str, timeout_seconds: float) -> WebClient:
    """A client that never repeats a call by itself: what is worth repeating, the outbox repeats and remembers."""
    return WebClient(token=token, base_url=base_url, timeout=timeout_seconds, retry_handlers=[])  # type: ignore[arg-type]


__all__ = [
    "Body", "MessageMissing", "SlackGateway", "StreamLost", "StreamStopped", "event_key", "kind_of",
    "make_web_client", "read_channel_joined", "read_click", "read_command", "read_deletion", "read_home_opened",
    "read_message", "read_reaction", "read_session_stopped", "read_shortcut", "read_submission", "sender_of", "team_of",
]  # fmt: skip
