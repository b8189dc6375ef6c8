"""The door of HTTP mode: forged, replayed, dated wrongly, far too large, or sent a byte at a time.

What has no valid signature is refused before anything of it is read, and whoever misbehaves holds up nobody else.
"""

from __future__ import annotations

import gzip
import hashlib
import hmac
import json
import random
import secrets
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx
import pytest
from sqlalchemy import func, select

from bot.http import BODY_SECONDS, MAX_BODY_BYTES
from bot.rehearsal.seed import GENERAL, MIA, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from db.inbox import InboxEvent
from db.outbox import OutboxMessage
from db.session import Database
from tests.faults.test_events import (  # noqa: F401 - fixtures
    empty_mentions,
    everything_is_done,
    http_settings,
    model,
    workspace,
)
from tests.support.bot_process import bot_process, resident_bytes, url_of
from tests.support.wait import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]

FORGERIES = 10_000
SENDERS = 8


def signature_of(secret: str, timestamp: str, body: bytes, version: str = "v0") -> str:
    base = f"{version}:{timestamp}:".encode() + body
    return f"{version}={hmac.new(secret.encode(), base, hashlib.sha256).hexdigest()}"


def headers_for(secret: str, body: bytes, *, at: int | None = None, kind: str = "application/json") -> dict[str, str]:
    timestamp = str(at if at is not None else int(time.time()))
    return {
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": signature_of(secret, timestamp, body),
        "Content-Type": kind,
    }


def rows(database: Database) -> tuple[int, int]:
    """Deliveries stored, messages owed."""
    with database.read() as session:
        counted = [session.scalar(select(func.count()).select_from(table)) for table in (InboxEvent, OutboxMessage)]
    return counted[0] or 0, counted[1] or 0


def forge(chance: random.Random, secret: str, body: bytes) -> list[tuple[bytes, bytes]]:
    """Headers that are not Slack's: some random, most a hair's breadth from right."""
    now = str(int(time.time()))
    right = signature_of(secret, now, body)
    position = chance.randrange(3, len(right))
    flipped = right[:position] + ("0" if right[position] != "0" else "1") + right[position + 1 :]
    name, time_name = b"X-Slack-Signature", b"X-Slack-Request-Timestamp"
    candidates: list[list[tuple[bytes, bytes]]] = [
        [(name, f"v0={chance.randbytes(32).hex()}".encode())],
        [(name, flipped.encode())],
        [(name, signature_of(secret + "x", now, body).encode())],
        [(name, signature_of(secret, now, body, "v1").encode())],
        [(name, right.replace("v0=", "v1=").encode())],
        [(name, right.replace("v0=", "").encode())],
        [(name, signature_of(secret, now, body + b" ").encode())],
        [(name, right[:-1].encode())],
        [(name, (right + "0").encode())],
        [(name, right.upper().encode())],
        [(name, b"")],
        [(name, "v0=é".encode() + b"\xff")],
        [(name, right.encode()), (name, right.encode())],
        [(name, b"v0=0"), (name, right.encode())],
        [],
    ]
    return [(time_name, now.encode()), *chance.choice(candidates)]


def test_ten_thousand_forged_requests_are_refused_unread(
    http_settings: Settings, workspace: Workspace, database: Database  # noqa: F811
) -> None:  # fmt: skip
    """Every other body is one that no parser survives, so a door that read first would answer something else."""
    bodies = [json.dumps(workspace.event_payload({"type": "app_mention", "user": MIA})).encode(), b"[" * 50_000, b"{{{"]
    with bot_process(http_settings):

        def send(number: int) -> list[int]:
            chance = random.Random(number)
            with httpx.Client(trust_env=False) as client:
                return [
                    client.post(
                        url_of(http_settings), content=body, headers=forge(chance, workspace.signing_secret, body)
                    ).status_code
                    for body in (chance.choice(bodies) for _ in range(FORGERIES // SENDERS))
                ]

        with ThreadPoolExecutor(SENDERS) as pool:
            statuses = Counter(status for found in pool.map(send, range(SENDERS)) for status in found)
        assert statuses == {401: FORGERIES}
        assert rows(database) == (0, 0)


BAD_TIMES = ["abc", "", "9" * 5_000, "-1", "1e9", "NaN", "1.5", "0x10", "\u0661\u0662\u0663", "12 34", "+1", "inf"]


def test_a_time_that_is_none_is_refused_even_when_it_is_signed(
    http_settings: Settings, workspace: Workspace, database: Database  # noqa: F811
) -> None:  # fmt: skip
    body = b"{}"
    with bot_process(http_settings), httpx.Client(trust_env=False) as client:
        for bad in BAD_TIMES:
            headers = [
                (b"X-Slack-Request-Timestamp", bad.encode()),
                (b"X-Slack-Signature", signature_of(workspace.signing_secret, bad, body).encode()),
            ]
            assert client.post(url_of(http_settings), content=body, headers=headers).status_code == 401, bad[:20]
        assert rows(database) == (0, 0)


# Between signing and reading a busy machine may lose seconds, which only ever makes a delivery older. To the second:
# tests/integration/test_http_mode.py, with a clock that stands still.
SECONDS_LOST = 20


@pytest.mark.parametrize(
    ("seconds", "status"),
    [(-1, 200), (-300 + SECONDS_LOST, 200), (-301, 401), (299, 200), (301 + SECONDS_LOST, 401)],
)
def test_a_replay_has_no_second_effect_and_outside_five_minutes_none_at_all(
    http_settings: Settings, workspace: Workspace, database: Database, seconds: int, status: int  # noqa: F811
) -> None:  # fmt: skip
    event = json.dumps(empty_mentions(workspace, 1)[0]).encode()
    slash = urlencode(
        {
            "command": "/huisstijl", "text": "help", "user_id": MIA, "team_id": TEAM_ID, "channel_id": GENERAL,
            "trigger_id": "1.2.3", "response_url": workspace.response_url(MIA, GENERAL), "token": "t",
        }
    ).encode()  # fmt: skip
    at = int(time.time()) + seconds
    with bot_process(http_settings), httpx.Client(trust_env=False) as client:
        for body, kind in ((event, "application/json"), (slash, "application/x-www-form-urlencoded")):
            headers = headers_for(workspace.signing_secret, body, at=at, kind=kind)
            answers = [client.post(url_of(http_settings), content=body, headers=headers) for _ in range(3)]
            assert {answer.status_code for answer in answers} == {status}
        wait_until(lambda: everything_is_done(database), seconds=20)
        assert rows(database) == ((2, 2) if status == 200 else (0, 0))


@contextmanager
def others_being_served(settings: Settings, secret: str) -> Iterator[list[float]]:
    """Other people's deliveries, one after another, timed; each ends in a 200."""
    seconds: list[float] = []
    stop = threading.Event()
    statuses: set[int] = set()

    def keep_asking() -> None:
        body = json.dumps({"type": "url_verification", "challenge": "c"}).encode()
        with httpx.Client(trust_env=False, timeout=10) as client:
            while not stop.is_set():
                began = time.monotonic()
                headers = headers_for(secret, body)
                statuses.add(client.post(url_of(settings), content=body, headers=headers).status_code)
                seconds.append(time.monotonic() - began)
                stop.wait(0.02)

    thread = threading.Thread(target=keep_asking, daemon=True)
    thread.start()
    try:
        yield seconds
    finally:
        stop.set()
        thread.join(10)
    assert statuses == {200}


def post_raw(port: int, head: bytes, pieces: Iterator[bytes]) -> tuple[int, float, int]:
    """Send and listen at once. Returns the status, seconds until it came, and how much was sent until then."""
    began, sent = time.monotonic(), 0
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(head)
        connection.setblocking(False)
        answer = b""
        for piece in pieces:
            deadline = time.monotonic() + 5
            while piece and time.monotonic() < deadline:
                try:
                    count = connection.send(piece)
                    sent, piece = sent + count, piece[count:]
                except BlockingIOError:
                    break
                except OSError:
                    break
            try:
                answer += connection.recv(4096)
            except BlockingIOError:
                continue
            except OSError:
                break
            if answer:
                break
        connection.setblocking(True)
        while not answer:
            answer = connection.recv(4096)
    return int(answer.split()[1]), time.monotonic() - began, sent


HEAD = b"POST /slack/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
PIECE = b"x" * 65_536
FIFTY_MIB = 50 * 2**20


def chunked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield f"{len(piece):x}\r\n".encode() + piece + b"\r\n"


@pytest.mark.alone
def test_fifty_megabytes_are_refused_at_once_and_kept_nowhere(
    http_settings: Settings, workspace: Workspace, database: Database  # noqa: F811
) -> None:  # fmt: skip
    pieces = FIFTY_MIB // len(PIECE)
    with bot_process(http_settings) as bot:
        with others_being_served(http_settings, workspace.signing_secret) as seconds:
            wait_until(lambda: len(seconds) > 20)
            before = resident_bytes(bot.pid or 0)
            for _ in range(3):
                declared = HEAD + f"Content-Length: {FIFTY_MIB}\r\n\r\n".encode()
                status, took, _ = post_raw(http_settings.http_port, declared, (PIECE for _ in range(pieces)))
                assert (status, took < 1.0) == (413, True), took
                open_ended = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
                stream = chunked(PIECE for _ in range(pieces))
                status, took, sent = post_raw(http_settings.http_port, open_ended, stream)
                assert (status, took < 1.0) == (413, True), took
                assert sent < 8 * MAX_BODY_BYTES  # what the kernel had taken; it is not read on
            grown = resident_bytes(bot.pid or 0) - before
        assert grown < 20 * 2**20, grown
        assert sorted(seconds)[int(len(seconds) * 0.99)] < 0.5
        assert rows(database) == (0, 0)


def test_a_gzip_bomb_is_never_unpacked(
    http_settings: Settings, workspace: Workspace, database: Database  # noqa: F811
) -> None:  # fmt: skip
    bomb = gzip.compress(b"[" * (200 * 2**20), 9)
    assert len(bomb) < MAX_BODY_BYTES
    with bot_process(http_settings) as bot, httpx.Client(trust_env=False) as client:
        before = resident_bytes(bot.pid or 0)
        signed = headers_for(workspace.signing_secret, bomb) | {"Content-Encoding": "gzip"}
        assert client.post(url_of(http_settings), content=bomb, headers=signed).status_code == 400
        unsigned = signed | {"X-Slack-Signature": f"v0={secrets.token_hex(32)}"}
        assert client.post(url_of(http_settings), content=bomb, headers=unsigned).status_code == 401
        assert resident_bytes(bot.pid or 0) - before < 20 * 2**20
        assert rows(database) == (0, 0)


@pytest.mark.alone
def test_who_sends_a_byte_at_a_time_is_let_go_and_holds_up_nobody(
    http_settings: Settings, workspace: Workspace, database: Database  # noqa: F811
) -> None:  # fmt: skip
    with bot_process(http_settings):
        with others_being_served(http_settings, workspace.signing_secret) as seconds:
            dripping = [socket.create_connection(("127.0.0.1", http_settings.http_port)) for _ in range(40)]
            for connection in dripping:
                connection.sendall(HEAD + b"Content-Length: 1000\r\n\r\n{")
                connection.settimeout(BODY_SECONDS + 2)
            began = time.monotonic()
            answers = [connection.recv(4096) for connection in dripping]
            assert time.monotonic() - began < BODY_SECONDS + 1.5
            for connection in dripping:
                connection.close()
        assert all(answer.startswith(b"HTTP/1.1 408") for answer in answers)
        assert sorted(seconds)[int(len(seconds) * 0.99)] < 0.5
        assert rows(database) == (0, 0)
