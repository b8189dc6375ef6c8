"""Deliveries under faults: sent several times, to several bots, in a burst, with bots killed around the commit.

The effect counted is the sentence that an empty mention gets: one owed message per event, one post in the channel.
"""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import func, select

from bot.rehearsal.burst import deliver_many, percentile
from bot.rehearsal.options import WorkspaceOptions
from bot.rehearsal.seed import GENERAL, MIA
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from db.inbox import InboxEvent, InboxStatus, count_unfinished_events
from db.outbox import OutboxMessage, OutboxStatus
from db.session import Database
from tests.support.bot_process import bot_process, free_port, http_settings_for, kill, resident_bytes, url_of
from tests.support.model_server import ScriptedModel
from tests.support.wait import PATIENCE, wait_until

pytestmark = [pytest.mark.faults, pytest.mark.timeout(900)]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(options=WorkspaceOptions(journal_entries=100_000)) as running:
        yield running


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as running:
        yield running


@pytest.fixture
def http_settings(settings: Settings, workspace: Workspace, model: ScriptedModel, database: Database) -> Settings:
    """A bot over HTTP on either database."""
    return http_settings_for(settings, workspace, model, database)


def empty_mentions(workspace: Workspace, number: int) -> list[dict[str, Any]]:
    """Mentions without a request, each an event of its own."""
    bot = workspace.seed.bot_user_id
    root = workspace.person(MIA).post(GENERAL, "a thread for all of them")["ts"]
    return [
        workspace.event_payload(
            {
                "type": "app_mention", "user": MIA, "channel": GENERAL, "text": f"<@{bot}>", "thread_ts": root,
                "ts": f"1700000000.{n:06d}", "event_ts": f"1700000000.{n:06d}",
            }
        )
        for n in range(number)
    ]  # fmt: skip


def effects(database: Database) -> Counter[str]:
    """How often each event was answered; keys are the events' own."""
    with database.read() as session:
        keys = session.scalars(select(OutboxMessage.dedupe_key).where(OutboxMessage.status == OutboxStatus.SENT))
        return Counter(keys)


def everything_is_done(database: Database) -> bool:
    with database.read() as session:
        owed = select(func.count()).select_from(OutboxMessage).where(OutboxMessage.status != OutboxStatus.SENT)
        return count_unfinished_events(session) == 0 and session.scalar(owed) == 0


def posts(workspace: Workspace) -> int:
    return sum(1 for call in workspace.calls("chat.postMessage") if call.result["ok"])


@pytest.mark.alone
def test_events_sent_several_times_to_two_bots_take_effect_once(
    http_settings: Settings, workspace: Workspace, database: Database
) -> None:
    other = http_settings.model_copy(update={"http_port": free_port()})
    events = empty_mentions(workspace, 1_000)
    chance = random.Random(1)
    repeated = [event for event in events for _ in range(chance.randint(1, 4))]
    chance.shuffle(repeated)
    half = len(repeated) // 2
    with bot_process(http_settings), bot_process(other):
        first = deliver_many(url_of(http_settings), workspace.signing_secret, repeated[:half], connections=20)
        second = deliver_many(url_of(other), workspace.signing_secret, repeated[half:], connections=20)
        assert {timing.status for timing in first + second} == {200}
        wait_until(lambda: everything_is_done(database), seconds=120, what="all answered", every=0.25)
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(InboxEvent)) == 1_000
    assert set(effects(database).values()) == {1}
    assert len(effects(database)) == posts(workspace) == 1_000


#: On SQLite, which most installations run on; on PostgreSQL a quarter of each, which is what the time allows.
KILLS, EVENTS = 200, 5_000
#: From a bot's death to the next acknowledgement; a bot's start is half a second of it.
BACK_SECONDS = 5.0


@pytest.mark.alone
def test_nothing_acknowledged_is_lost_when_bots_are_killed_around_the_commit(
    http_settings: Settings, workspace: Workspace, database: Database
) -> None:
    """Kills at random moments of a stream, three of four of them at the failpoints around commit and post."""
    http_settings = http_settings.model_copy(update={"lease_seconds": 3.0})  # what a dead bot holds is waited for
    chance = random.Random(3)
    least_kills, events = (KILLS, EVENTS) if database.is_sqlite else (KILLS // 4, EVENTS // 4)
    acknowledged: set[str] = set()
    waiting = {event["event_id"]: event for event in empty_mentions(workspace, events)}
    kills, away = 0, 0.0
    died_at = time.monotonic()
    while waiting:
        where = chance.choice(["inbox.before_commit", "inbox.after_commit", "reply.before_post", ""])
        with bot_process(http_settings, f"{where}:{chance.randint(1, 20)}" if where else "") as bot:
            batch = list(waiting.values())[: chance.randint(15, 35)]
            began = time.monotonic()
            timings = deliver_many(url_of(http_settings), workspace.signing_secret, batch, connections=8)
            answered = [timing for timing in timings if timing.status == 200]
            for timing in answered:
                acknowledged.add(timing.event_id)
                del waiting[timing.event_id]
            if answered:
                away = max(away, began + min(timing.seconds for timing in answered) - died_at)
            kill(bot)
            assert bot.exitcode == -signal.SIGKILL
            kills, died_at = kills + 1, time.monotonic()
    with bot_process(http_settings):
        wait_until(lambda: everything_is_done(database), seconds=240, what="all answered", every=0.25)
    assert len(acknowledged) == events
    assert kills >= least_kills
    assert away < PATIENCE * BACK_SECONDS
    answered_events = effects(database)
    assert len(answered_events) == events
    assert set(answered_events.values()) == {1}
    with database.read() as session:
        assert not session.scalars(select(InboxEvent).where(InboxEvent.status != InboxStatus.DONE)).all()


@pytest.mark.alone
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # the one that writes one transaction at a time
def test_a_burst_of_ten_thousand_events_is_acknowledged_in_time_and_handled_once(
    http_settings: Settings, workspace: Workspace, database: Database
) -> None:
    events = empty_mentions(workspace, 10_000)
    with bot_process(http_settings) as bot:
        before = resident_bytes(bot.pid or 0)
        timings = deliver_many(url_of(http_settings), workspace.signing_secret, events, connections=50)
        assert {timing.status for timing in timings} == {200}
        assert percentile(timings, 0.99) < 0.5
        assert max(timing.seconds for timing in timings) < 3.0
        wait_until(lambda: everything_is_done(database), seconds=240, what="all answered", every=0.25)
        assert resident_bytes(bot.pid or 0) - before < 100 * 2**20
    answered = effects(database)
    assert len(answered) == posts(workspace) == 10_000
    assert set(answered.values()) == {1}
