"""Posting what we owe. Each row is sent once Slack allows; a 429 is waited out to the second; a refusal is kept."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import fsspec
import structlog

from bot.domain.values import MessageRef
from bot.errors import HuisstijlError, SlackRefused, SlackUnavailable, explain
from bot.ingress import RightOfWay
from bot.slack import SlackGateway
from bot.update_order import UpdateOrder
from bot.workers import Bell, Workers
from config import failpoints
from config.settings import Settings
from db.base import now_in_database
from db.claims import ClaimLost, write_fenced
from db.outbox import OutboxMessage, OutboxStatus, claim_messages, find_by_dedupe_key
from db.session import Database

log = structlog.get_logger()

BATCH = 10
MAX_ATTEMPTS = 10
CALLS_OF_UPLOAD = 4
#: What Slack has we do not keep, but for these, which are compared with later and carry no text of an example.
_READ_AGAIN = ("run:", "champion:")
Verb = Callable[[SlackGateway, dict[str, Any]], MessageRef | None]


class OutboxSender(Workers):
    """Threads that claim owed messages and post them."""

    def __init__(
        self, slack: SlackGateway, database: Database, settings: Settings, bell: Bell, right_of_way: RightOfWay,
        threads: int = 4,
    ) -> None:  # fmt: skip
        super().__init__("outbox", bell=bell, poll_seconds=settings.poll_seconds, threads=threads)
        self._slack = slack
        self._database = database
        self._settings = settings
        self._right_of_way = right_of_way
        #: Verb → time until which Slack has asked us not to use it: all messages wait, not only the one that heard it.
        self._paused_until: dict[str, float] = {}
        self._order = UpdateOrder()

    def work_once(self, owner: str) -> bool:
        with self._database.write() as session:
            messages = claim_messages(session, owner=owner, lease_seconds=self._settings.lease_seconds, limit=BATCH)
        if len(messages) == BATCH:
            self._bell.ring()  # there may be more: another sender looks
        claimed_at = time.monotonic()
        for message in messages:
            self._right_of_way.give()
            try:
                self._keep_hold(message, claimed_at)
                self._send(message)
            except ClaimLost:  # this one took too long and belongs to another sender now; the rest are still ours
                log.warning("message.claim_lost", outbox_id=message.outbox_id)
        return bool(messages)

    def _keep_hold(self, message: OutboxMessage, claimed_at: float) -> None:
        """Renew the lease before a call that could outlast it: a call gives up after half a lease, see bot/app.py, and
        an upload is several calls. Without this, a slow Slack would have two senders post one message."""
        calls = CALLS_OF_UPLOAD if message.verb == "upload_image" else 1
        if calls == 1 and time.monotonic() - claimed_at < self._settings.lease_seconds / 4:
            return
        with self._database.write() as session:
            until = now_in_database(session) + timedelta(seconds=calls * self._settings.lease_seconds)
            write_fenced(session, OutboxMessage, message.outbox_id, message.fence, lease_expires_at=until)

    def _send(self, message: OutboxMessage) -> None:
        pause_seconds = self._paused_until.get(message.verb, 0.0) - time.monotonic()
        if pause_seconds > 0:
            self._put_back(message, pause_seconds, attempts=message.attempts - 1)  # this was no attempt
            return
        try:
            arguments = self._resolve(message)
            failpoints.visit("reply.before_post")
            posted = self._call(message, arguments)
            failpoints.visit("reply.after_post")
        except SlackUnavailable as error:
            if error.is_rate_limit:
                self._paused_until[message.verb] = time.monotonic() + error.retry_after_seconds
            self._postpone(message, error.retry_after_seconds)
            return
        except _NotYetSent:
            self._postpone(message, 0.5)
            return
        except HuisstijlError as error:
            log.warning(
                "message.refused", verb=message.verb, outbox_id=message.outbox_id, error=explain(error).sentence
            )
            self._finish(message, OutboxStatus.FAILED, error=explain(error).sentence)
            return
        result = {"channel_id": posted.channel_id, "ts": posted.ts} if posted else {}
        emptied: dict[str, Any] = {} if message.dedupe_key.startswith(_READ_AGAIN) else {"arguments": {}}
        self._finish(message, OutboxStatus.SENT, result=result, **emptied)

    def _call(self, message: OutboxMessage, arguments: dict[str, Any]) -> MessageRef | None:
        if message.verb != "update_message":
            return VERBS[message.verb](self._slack, arguments)
        with self._order.turn(arguments["channel_id"], arguments["ts"], message.outbox_id) as is_newest:
            return VERBS[message.verb](self._slack, arguments) if is_newest else None

    def _resolve(self, message: OutboxMessage) -> dict[str, Any]:
        """Fill in channel and ts of a message that was itself sent from here."""
        arguments = dict(message.arguments)
        source = arguments.pop("ts_from", None)
        if source is not None:
            with self._database.read() as session:
                earlier = find_by_dedupe_key(session, source)
            if earlier is None or earlier.status is OutboxStatus.FAILED:
                raise HuisstijlError(f"the message {source} that this one follows was never posted")
            if earlier.result is None:
                raise _NotYetSent
            arguments |= {"channel_id": earlier.result["channel_id"], "ts": earlier.result["ts"]}
        return arguments

    def _postpone(self, message: OutboxMessage, seconds: float) -> None:
        if message.attempts >= MAX_ATTEMPTS:
            self._finish(message, OutboxStatus.FAILED, error=f"Slack did not take it in {message.attempts} attempts")
            return
        self._put_back(message, seconds)

    def _put_back(self, message: OutboxMessage, seconds: float, **changes: Any) -> None:
        with self._database.write() as session:
            write_fenced(
                session, OutboxMessage, message.outbox_id, message.fence, status=OutboxStatus.PENDING,
                not_before=now_in_database(session) + timedelta(seconds=seconds), **changes,
            )  # fmt: skip

    def _finish(self, message: OutboxMessage, status: OutboxStatus, **changes: Any) -> None:
        with self._database.write() as session:
            write_fenced(
                session, OutboxMessage, message.outbox_id, message.fence,
                status=status, finished_at=now_in_database(session), **changes,
            )  # fmt: skip


class _NotYetSent(Exception):
    """The message to be updated is still on its way."""


def _post_message(slack: SlackGateway, a: dict[str, Any]) -> MessageRef:
    return slack.post_message(a["channel_id"], a["text"], a.get("blocks"), a.get("thread_ts") or a.get("ts"))


def _update_message(slack: SlackGateway, a: dict[str, Any]) -> MessageRef:
    return slack.update_message(MessageRef(channel_id=a["channel_id"], ts=a["ts"]), a["text"], a.get("blocks"))


def _delete_message(slack: SlackGateway, a: dict[str, Any]) -> None:
    """Take a message of ours away, also one that is being streamed, and one that is gone already."""
    message = MessageRef(channel_id=a["channel_id"], ts=a["ts"])
    with suppress(SlackRefused):  # no stream is open on it
        slack.stop_stream(message)
    try:
        slack.delete_message(message)
    except SlackRefused as error:
        if error.code != "message_not_found":
            raise


def _post_ephemeral(slack: SlackGateway, a: dict[str, Any]) -> None:
    slack.post_ephemeral(a["channel_id"], a["user_id"], a["text"], a.get("blocks"), a.get("thread_ts"))


def _post_direct(slack: SlackGateway, a: dict[str, Any]) -> MessageRef:
    return slack.post_direct(a["user_id"], a["text"], a.get("blocks"))


def _respond(slack: SlackGateway, a: dict[str, Any]) -> None:
    slack.respond(a["response_url"], a["text"], a.get("blocks"), replace=a.get("replace", False))


def _upload_image(slack: SlackGateway, a: dict[str, Any]) -> None:
    """Upload a picture of the artifact store into a thread. Its words go into the comment: see SlackGateway."""
    try:
        with fsspec.open(f"{a['store_url'].rstrip('/')}/{a['path']}", "rb") as file:
            content = file.read()
    except FileNotFoundError as error:
        raise PictureMissing from error
    except OSError as error:  # the store is away, not the picture
        raise SlackUnavailable(retry_after_seconds=5.0) from error
    slack.upload_image(
        a["channel_id"],
        filename=a["filename"],
        content=content,
        title=a["title"],
        comment=a["comment"],
        thread_ts=a.get("thread_ts") or a.get("ts"),
    )


class PictureMissing(HuisstijlError):
    """The picture is not in the artifact store. Look whether the trainer and the bot use the same one."""


#: Every verb an outbox row may carry. `post_message` with `ts_from` posts into the thread of that message.
VERBS: dict[str, Verb] = {
    "post_message": _post_message,
    "update_message": _update_message,
    "delete_message": _delete_message,
    "post_ephemeral": _post_ephemeral,
    "post_direct": _post_direct,
    "respond": _respond,
    "upload_image": _upload_image,
}
