"""The gateway to Slack: our verbs become Web API calls, and what they answer becomes our values and errors.

Nothing behind this file knows a method's name or a SlackApiError.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

import httpx
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError, SlackRequestError

from bot.documents.formats import MAX_BYTES
from bot.domain.values import Channel, FlaggedMessage, MessageRef, SharedFile
from bot.errors import NotInChannel, SlackRefused, SlackUnavailable

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


class FileMissing(SlackRefused):
    """This file cannot be read any more, or was never shared where I can see it. Share it again and try once more."""


class MessageMissing(SlackRefused):
    """The message no longer exists. Choose another one."""


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


def make_web_client(token: str, base_url: str, timeout_seconds: float) -> WebClient:
    """A client that never repeats a call by itself: what is worth repeating, the outbox repeats and remembers."""
    return WebClient(token=token, base_url=base_url, timeout=timeout_seconds, retry_handlers=[])  # type: ignore[arg-type]
