"""Slack's signed HTTP requests: the bytes that are signed are the bytes that are sent.

One keep-alive connection per thread.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

if TYPE_CHECKING:
    from bot.rehearsal.options import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a request went: `failure` is None, or Slack's retry reason for it."""

    failure: str | None
    response: Any = None
    may_retry: bool = True
    status: int = 0


def sign(secret: str, timestamp: str, body: bytes) -> str:
    """X-Slack-Signature of these raw bytes."""
    digest = hmac.new(secret.encode(), f"v0:{timestamp}:".encode() + body, hashlib.sha256)
    return f"v0={digest.hexdigest()}"


def encode_body(kind: str, payload: Json) -> tuple[bytes, str]:
    """The body as Slack sends this kind of payload, and its content type."""
    if kind == "events_api":
        return json.dumps(payload, ensure_ascii=False).encode(), "application/json"
    form = payload if kind == "slash_commands" else {"payload": json.dumps(payload, ensure_ascii=False)}
    return urlencode(form).encode(), "application/x-www-form-urlencoded"


class SignedPoster:
    """Posts to one request URL with Slack's headers and Slack's patience."""

    def __init__(self, url: str, secret: str, timeout_seconds: float) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "127.0.0.1", parts.port or 80
        self._path = parts.path or "/"
        self._secret = secret
        self._timeout_seconds = timeout_seconds
        self._local = threading.local()

    def post(self, kind: str, payload: Json, retry_attempt: int = 0, retry_reason: str = "") -> Outcome:
        """Send one request; a missing or non-2xx answer becomes the failure that Slack would name."""
        body, content_type = encode_body(kind, payload)
        timestamp = str(int(time.time()))
        headers = {
            "Content-Type": content_type,
            "User-Agent": "Slackbot 1.0 (+https://api.slack.com/robots)",
            "X-Slack-Request-Timestamp": timestamp,
            "X-Slack-Signature": sign(self._secret, timestamp, body),
        }
        if retry_attempt:
            headers |= {"X-Slack-Retry-Num": str(retry_attempt), "X-Slack-Retry-Reason": retry_reason}
        try:
            answer, content = self._exchange(body, headers)
        except TimeoutError:
            self._close()
            return Outcome(failure="http_timeout")
        except (OSError, http.client.HTTPException):
            self._close()
            return Outcome(failure="connection_failed")
        if not 200 <= answer.status < 300:
            may_retry = answer.getheader("X-Slack-No-Retry") != "1"
            return Outcome(failure="http_error", may_retry=may_retry, status=answer.status)
        return Outcome(failure=None, response=_decode(answer, content), status=answer.status)

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        fresh = getattr(self._local, "connection", None) is None
        try:
            return self._once(body, headers)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
            # A kept-alive connection may have been closed by the app since; that is no failed delivery.
            self._close()
            if fresh:
                raise
            return self._once(body, headers)

    def _once(self, body: bytes, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_seconds)
            self._local.connection = connection
        connection.request("POST", self._path, body, headers)
        answer = connection.getresponse()
        return answer, answer.read()

    def _close(self) -> None:
        connection = getattr(self._local, "connection", None)
        if connection is not None:
            connection.close()
        self._local.connection = None


def _decode(answer: http.client.HTTPResponse, content: bytes) -> Any:
    if not content:
        return None
    if (answer.getheader("Content-Type") or "").startswith("application/json"):
        try:
            return json.loads(content)
        except ValueError:
            return None
    return {"text": content.decode("utf-8", "replace")}
