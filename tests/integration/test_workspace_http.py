"""Signed HTTP events against a real slack-bolt app on loopback, one at a time and in bursts."""

from __future__ import annotations

import http.client
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from slack_bolt import BoltResponse
from starlette.responses import PlainTextResponse

from bot.rehearsal.burst import percentile
from bot.rehearsal.loopback import LoopbackServer
from bot.rehearsal.options import InstalledApp, WorkspaceOptions
from bot.rehearsal.seed import BRAND, MIA
from bot.rehearsal.signed_http import sign
from bot.rehearsal.workspace import Workspace
from tests.support.bolt_apps import bolt_app, over_http
from tests.support.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slack_bolt import App
    from starlette.types import ASGIApp, Receive, Scope, Send

FAST = WorkspaceOptions(ack_seconds=0.5, retry_seconds=(0.0, 0.1, 0.2))


@contextmanager
def http_workspace() -> Iterator[tuple[Workspace, App]]:
    server = LoopbackServer()
    installed = InstalledApp(request_url=f"{server.url}/slack/events")
    with Workspace(app=installed, options=FAST) as workspace:
        app = bolt_app(workspace)
        with over_http(app, server):
            yield workspace, app


@contextmanager
def raw_workspace(receiver: ASGIApp) -> Iterator[Workspace]:
    """A workspace that delivers to this ASGI app."""
    server = LoopbackServer()
    server.start(receiver)
    installed = InstalledApp(request_url=f"{server.url}/slack/events")
    try:
        with Workspace(app=installed, options=FAST) as workspace:
            yield workspace
    finally:
        server.stop()


def test_a_signed_event_passes_bolts_own_check_and_is_acknowledged() -> None:
    with http_workspace() as (workspace, app):
        heard = threading.Event()

        @app.event("app_mention")
        def hear(say: Any, event: dict[str, Any]) -> None:
            say(text="over HTTP", thread_ts=event["ts"])
            heard.set()

        asked = workspace.person(MIA).mention_bot(BRAND, "hi")
        assert heard.wait(5)
        delivery = workspace.deliveries("app_mention")[0]
        assert delivery.settled.wait(5)
        assert (delivery.state, len(delivery.attempts)) == ("acked", 1)
        assert workspace.person(MIA).messages(BRAND, asked["ts"])[1]["text"] == "over HTTP"


def test_a_request_signed_with_another_secret_is_refused_by_bolt() -> None:
    with http_workspace() as (workspace, _):
        url = workspace.state.app.request_url
        assert url is not None
        body, stamp = b"{}", "1700000000"
        host = url.removeprefix("http://").split("/")[0]
        connection = http.client.HTTPConnection(host, timeout=5)
        headers = {
            "Content-Type": "application/json",
            "X-Slack-Request-Timestamp": stamp,
            "X-Slack-Signature": sign("another secret", stamp, body),
        }
        connection.request("POST", "/slack/events", body, headers)
        assert connection.getresponse().status == 401
        connection.close()


def test_a_failing_app_gets_slacks_retry_headers_three_times() -> None:
    seen: list[tuple[str | None, str | None]] = []
    with http_workspace() as (workspace, app):

        @app.use
        def refuse(request: Any, next: Any) -> BoltResponse:
            headers = request.headers
            number = headers.get("x-slack-retry-num", [None])[0]
            seen.append((number, headers.get("x-slack-retry-reason", [None])[0]))
            return BoltResponse(status=503)

        workspace.person(MIA).mention_bot(BRAND, "hi")
        delivery = wait_until(lambda: workspace.deliveries("app_mention"))[0]
        assert delivery.settled.wait(10)
    assert seen == [(None, None), ("1", "http_error"), ("2", "http_error"), ("3", "http_error")]
    assert delivery.state == "failed"


def test_an_app_can_decline_to_be_tried_again() -> None:
    answer = PlainTextResponse("no", 500, headers={"X-Slack-No-Retry": "1"})
    with raw_workspace(answer) as workspace:
        workspace.person(MIA).mention_bot(BRAND, "hi")
        delivery = wait_until(lambda: workspace.deliveries("app_mention"))[0]
        assert delivery.settled.wait(5)
        assert (delivery.state, len(delivery.attempts)) == ("failed", 1)


def test_an_app_that_does_not_answer_in_time_is_told_so_in_the_next_attempt() -> None:
    reasons: list[str] = []
    release = threading.Event()

    async def slow_once(scope: Scope, receive: Receive, send: Send) -> None:
        from starlette.concurrency import run_in_threadpool

        headers = {k.decode(): v.decode() for k, v in scope["headers"]}
        reasons.append(headers.get("x-slack-retry-reason", ""))
        if len(reasons) == 1:
            await run_in_threadpool(release.wait, 5)
        await PlainTextResponse("")(scope, receive, send)

    with raw_workspace(slow_once) as workspace:
        workspace.person(MIA).mention_bot(BRAND, "hi")
        delivery = wait_until(lambda: workspace.deliveries("app_mention"))[0]
        assert delivery.settled.wait(5)
        release.set()
    assert reasons == ["", "http_timeout"]


def test_commands_and_submissions_answer_over_http_too() -> None:
    with http_workspace() as (workspace, app):

        @app.command("/draft")
        def answer(ack: Any) -> None:
            ack({"text": "for all to see", "response_type": "in_channel"})

        answered = workspace.person(MIA).slash("/draft", "x", BRAND)
        assert answered.ok
        assert workspace.person(MIA).messages(BRAND)[-1]["text"] == "for all to see"


def test_a_burst_times_every_acknowledgement_and_loses_none() -> None:
    heard: list[bytes] = []

    async def receiver(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append((await receive())["body"])
        await PlainTextResponse("")(scope, receive, send)

    with raw_workspace(receiver) as workspace:
        event = {"type": "app_mention", "user": MIA, "channel": BRAND, "text": "x", "ts": "1.0"}
        payloads = [workspace.event_payload(event) for _ in range(1000)]
        timings = workspace.deliver_many(payloads, connections=50)
        paced = workspace.deliver_many(payloads[:25], connections=5, per_second=50)
    assert {t.event_id for t in timings} == {p["event_id"] for p in payloads}
    assert [t.failure for t in timings + paced] == [None] * 1025
    assert len(heard) == 1025
    assert 0 < percentile(timings, 0.5) <= percentile(timings, 0.99) < 3.0


def test_a_workspace_without_a_request_url_says_why_it_cannot_burst() -> None:
    with Workspace() as workspace, pytest.raises(Exception, match="no request_url"):
        workspace.deliver_many([])
