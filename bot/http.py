"""HTTP mode: the guard in front of Bolt. Nothing is parsed before its signature over the raw bytes is verified.

Order: size, time, signature, parse, inbox, acknowledgement. Bolt alone parses first, so that anyone who reaches the
port can make it work and fail.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import threading
import time
from collections.abc import Callable

import structlog
import uvicorn
from slack_bolt import App, BoltRequest
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from config.settings import Settings

log = structlog.get_logger()

MAX_BODY_BYTES = 1 << 20
#: A sender that drips its body byte by byte is let go after this long.
BODY_SECONDS = 3.0
#: How old or how far ahead a signature may be, as Slack recommends.
SIGNATURE_SECONDS = 300
#: Digits only, and few: anything else is no time of Slack's.
_TIMESTAMP = re.compile(r"^\d{1,12}$", re.ASCII)


class BodyTooLarge(Exception):
    """The body is larger than any delivery of Slack's."""


class HttpEvents:
    """`POST /slack/events`, in a thread of its own. A part of the bot, like SocketMode."""

    def __init__(
        self, app: App, signing_secret: str, settings: Settings, *, clock: Callable[[], float] = time.time
    ) -> None:
        self._app = app
        self._clock = clock
        self._secret = signing_secret.encode()
        routes = [
            Route("/slack/events", self._receive, methods=["POST"]),
            Route("/health", self._health, methods=["GET"]),
        ]
        self._server = uvicorn.Server(
            uvicorn.Config(
                Starlette(routes=routes),
                host=settings.http_host,
                port=settings.http_port,
                log_config=None,
                access_log=False,
                timeout_keep_alive=30,
            )
        )
        self._thread = threading.Thread(target=self._server.run, name="http-events", daemon=True)

    def start(self) -> None:
        """Raises RuntimeError when the port cannot be had."""
        self._thread.start()
        while not self._server.started:
            self._thread.join(timeout=0.01)
            if not self._thread.is_alive():
                raise RuntimeError("HTTP mode could not listen; is the port in use?")

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)

    @property
    def port(self) -> int:
        """The port it listens on, also when the system chose it."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

    async def _health(self, request: Request) -> Response:
        return PlainTextResponse("ok")

    async def _receive(self, request: Request) -> Response:
        try:
            raw = await asyncio.wait_for(_read_body(request), BODY_SECONDS)
        except BodyTooLarge:
            return PlainTextResponse("too large", 413)
        except (TimeoutError, ClientDisconnect):
            return PlainTextResponse("too slow", 408)
        if not self._is_signed(request, raw):
            return PlainTextResponse("invalid signature", 401)
        return await run_in_threadpool(self._dispatch, raw, request)

    def _is_signed(self, request: Request, raw: bytes) -> bool:
        timestamps = request.headers.getlist("x-slack-request-timestamp")
        signatures = request.headers.getlist("x-slack-signature")
        if len(timestamps) != 1 or len(signatures) != 1 or not _TIMESTAMP.match(timestamps[0]):
            return False
        if abs(self._clock() - int(timestamps[0])) > SIGNATURE_SECONDS:
            return False
        # Over the raw bytes: the SDK's verifier decodes them first, and fails on those that are no text.
        signed = b"v0:" + timestamps[0].encode() + b":" + raw
        expected = "v0=" + hmac.new(self._secret, signed, hashlib.sha256).hexdigest()
        return hmac.compare_digest(expected.encode(), signatures[0].encode())

    def _dispatch(self, raw: bytes, request: Request) -> Response:
        try:
            bolt_request = BoltRequest(body=raw.decode(), headers=dict(request.headers), mode="http")
            answer = self._app.dispatch(bolt_request)
        except Exception as error:
            # Signed, so it comes from Slack or from somebody with the secret; still nothing we can use.
            log.warning("delivery.unreadable", error=type(error).__name__)
            return PlainTextResponse("unreadable", 400)
        if answer.status == 500:  # Bolt looked into a field of another shape than Slack's, before it came to us
            log.warning("delivery.unreadable", error="Bolt could not route it")
            return PlainTextResponse("unreadable", 400)
        headers = {name: values[0] for name, values in answer.headers.items() if values}
        return Response(answer.body, status_code=answer.status, headers=headers)


async def _read_body(request: Request) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise BodyTooLarge
    received = bytearray()
    async for piece in request.stream():
        received += piece
        if len(received) > MAX_BODY_BYTES:
            raise BodyTooLarge
    return bytes(received)
