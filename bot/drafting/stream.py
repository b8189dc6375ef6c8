"""One draft in a thread, however the stream to it behaves.

The first text goes out at once, then a few times a second. A stream that cannot be started means that the rest is
posted at the end; one that breaks after text is visible means that the message is updated at the end. There is a
second message only when a draft outlives a stream: Slack ends one after five minutes, so ours is closed in good order
before, and the draft goes on in the next message.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum

import structlog

from bot.blocks.draft import Blocks
from bot.blocks.text import context
from bot.domain.values import MessageRef
from bot.errors import NotInChannel, SlackError, SlackUnavailable
from bot.slack import SlackGateway, StreamLost, StreamStopped
from bot.texts import agent as texts
from config import failpoints

log = structlog.get_logger()

FLUSH_SECONDS = 0.4
FLUSH_CHARS = 256
#: From this share of a stream's life on, the end of a sentence is where the draft goes on in another message.
SOON = 0.85
FENCE = "```"
#: Slack's limit for one append.
APPEND_CHARS = 11_000
END_ATTEMPTS = 3
LONGEST_WAIT_SECONDS = 5.0


class Mode(StrEnum):
    NEW = "new"  #: Nothing is visible.
    STREAMING = "streaming"  #: A message is open.
    BROKEN = "broken"  #: A message is visible that appending no longer reaches.
    WHOLE = "whole"  #: No stream could be started: everything is posted at the end.


class PressedStop(Exception):
    """A person pressed Stop."""


class ThreadStream:
    """Where a draft appears. Not thread-safe: one worker owns it."""

    def __init__(
        self,
        slack: SlackGateway,
        *,
        channel_id: str,
        thread_ts: str,
        team_id: str,
        user_id: str,
        on_visible: Callable[[str], None],
        on_continued: Callable[[], None],
        is_in_code: Callable[[], bool],
        stream_seconds: float,
        is_whole: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`on_visible` hears a message's ts as soon as there is one; `on_continued` that everything fed so far stands
        in messages that are closed. `is_in_code` says whether the text so far ends inside a block of code. A stream is
        closed when it is `stream_seconds` old. `is_whole`: nothing is shown before the end."""
        self._slack = slack
        self._channel_id = channel_id
        self._thread_ts = thread_ts
        self._team_id = team_id
        self._user_id = user_id
        self._on_visible = on_visible
        self._on_continued = on_continued
        self._is_in_code = is_in_code
        self._stream_seconds = stream_seconds
        self._clock = clock
        self._buffer = ""
        #: What a continuing message begins with: a block of code is opened again in it.
        self._opening = ""
        self._flushed_at = 0.0
        self._started_at = 0.0
        self.mode = Mode.WHOLE if is_whole else Mode.NEW
        #: The message that is written now, or was last; None while there is none to write into.
        self.message: MessageRef | None = None
        #: The messages before this one, oldest first.
        self._closed: list[MessageRef] = []
        #: Is a part of the draft in a message before this one?
        self.is_continued = False

    @property
    def is_visible(self) -> bool:
        return self.message is not None or self.is_continued

    def feed(self, safe_text: str) -> None:
        """More text. Raises PressedStop, and NotInChannel when nothing can be posted there at all."""
        self._buffer += safe_text
        self.tick()

    def tick(self) -> None:
        """Send what is due."""
        if not self._buffer:
            return
        if self.mode is Mode.NEW:
            self._start()
        elif self.mode is Mode.STREAMING:
            now = self._clock()
            if len(self._buffer) >= FLUSH_CHARS or now - self._flushed_at >= FLUSH_SECONDS:
                self._append()

    def _start(self) -> None:
        if not self._buffer.strip():
            return
        failpoints.visit("reply.before_post")
        try:
            ts = self._slack.start_stream(
                self._channel_id, self._thread_ts, team_id=self._team_id, user_id=self._user_id,
                markdown=self._opening + self._buffer[:APPEND_CHARS],
            )  # fmt: skip
        except NotInChannel:
            raise
        except SlackError as error:
            log.warning("stream.not_started", error=type(error).__name__)
            self.mode = Mode.WHOLE
            return
        self._buffer = self._buffer[APPEND_CHARS:]
        self.message = MessageRef(channel_id=self._channel_id, ts=ts)
        self.mode = Mode.STREAMING
        self._started_at = self._flushed_at = self._clock()
        self._on_visible(ts)

    def _append(self) -> None:
        assert self.message is not None, "a stream that is open has a message"
        age = self._clock() - self._started_at
        if age > self._stream_seconds or (age > SOON * self._stream_seconds and self._buffer[-1] in ".!?:"):
            self._roll_over()
            return
        try:
            self._slack.append_stream(self.message, self._buffer[:APPEND_CHARS])
        except StreamStopped as error:
            raise PressedStop from error
        except SlackError as error:
            # Slack may or may not have taken it: the update at the end puts it right either way.
            log.warning("stream.broken", error=type(error).__name__)
            self.mode = Mode.BROKEN
            return
        self._buffer = self._buffer[APPEND_CHARS:]
        self._flushed_at = self._clock()

    def _roll_over(self) -> None:
        """Close this message with what there is, and go on in a new one with what comes."""
        assert self.message is not None, "a stream that is open has a message"
        opens, closes = (f"{FENCE}\n", f"\n{FENCE}") if self._is_in_code() else ("", "")
        try:
            self._slack.stop_stream(self.message, self._buffer + closes, [context(texts.CONTINUED())])
        except StreamStopped as error:
            raise PressedStop from error
        except SlackError as error:
            log.warning("stream.not_rolled_over", error=type(error).__name__)
            self.mode = Mode.BROKEN
            self._end()
            return
        self._closed.append(self.message)
        self.message, self.mode, self.is_continued = None, Mode.NEW, True
        self._buffer, self._opening = "", opens
        self._on_continued()
        log.info("stream.rolled_over")

    def close(self, blocks: Blocks, *, ends_session: bool = False) -> bool:
        """End the open stream with its last text and blocks. False: the message needs an update with the whole, or
        there is none yet."""
        if self.mode is Mode.STREAMING and self.message is not None:
            try:
                if len(self._buffer) > APPEND_CHARS:
                    raise StreamLost("the rest is longer than one call takes")
                self._slack.stop_stream(self.message, self._buffer, blocks, ends_session=ends_session)
                return True
            except SlackError as error:
                log.warning("stream.not_ended", error=type(error).__name__)
                self.mode = Mode.BROKEN
        self._end()
        return False

    def retract(self, *, with_earlier: bool = False) -> None:
        """Take away the message that is open: nobody will end it. `with_earlier`: those before it as well."""
        self._end()
        earlier = self._closed if with_earlier else []
        for message in [*earlier, *([self.message] if self.message is not None else [])]:
            with suppress(SlackError):
                self._slack.delete_message(message)

    def _end(self) -> None:
        if self.message is not None:
            end_stream(self._slack, self.message)


def end_stream(slack: SlackGateway, message: MessageRef) -> None:
    """Make sure that no stream is open on a message, so that it can be updated. Waits for Slack a little."""
    for attempt in range(END_ATTEMPTS):
        try:
            slack.stop_stream(message)
            return
        except SlackUnavailable as error:
            if attempt + 1 < END_ATTEMPTS:
                time.sleep(min(error.retry_after_seconds, LONGEST_WAIT_SECONDS))
        except SlackError:
            return  # it has ended already, or the message is gone


def end_session(slack: SlackGateway, channel_id: str, thread_ts: str) -> None:
    """Tell Slack that nothing is being worked on in this thread, where it listens."""
    with suppress(SlackError):
        slack.end_session(channel_id, thread_ts)
