"""Slack's signed HTTP requests: the bytes that are signed are the bytes that are sent.

Connections are kept alive and shared; each carries one request at a time.
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
        self._lock = threading.Lock()
        self._idle: list[http.client.HTTPConnection] = []
        self._closed = False

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
            return Outcome(failure="http_timeout")
        except (OSError, http.client.HTTPException):
            return Outcome(failure="connection_failed")
        if not 200 <= answer.status < 300:
            may_retry = answer.getheader("X-Slack-No-Retry") != "1"
            return Outcome(failure="http_error", may_retry=may_retry, status=answer.status)
        return Outcome(failure=None, response=_decode(answer, content), status=answer.status)

    def close(self) -> None:
        """Close the connections that are kept alive; the ones in use close when they are done."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _exchange(self, body: bytes, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        with self._lock:
            kept = self._idle.pop() if self._idle else None
        if kept is not None:
            try:
                return self._once(kept, body, headers)
            except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError):
                # The app may have closed a kept-alive connection since; that is no failed delivery.
                pass
        fresh = http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_seconds)
        return self._once(fresh, body, headers)

    def _once(
        self, connection: http.client.HTTPConnection, body: bytes, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        try:
            connection.request("POST", self._path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
        except BaseException:
            connection.close()
            raise
        with self._lock:
            if not self._closed and not answer.will_close:
                self._idle.append(connection)
                return answer, content
        connection.close()
        return answer, content


def _decode(answer: http.client.HTTPResponse, content: bytes) -> Any:
    if not content:
        return None
    if (answer.getheader("Content-Type") or "").startswith("application/json"):
        try:
            return json.loads(content)
        except ValueError:
            return None
    return {"text": content.decode("utf-8", "replace")}
