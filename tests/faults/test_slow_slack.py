"""A Web API that is slow, limited or broken: deliveries are acknowledged all the same, Slack's pauses are kept to the
second, and nothing is said twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from bot.rehearsal.burst import deliver_many, percentile
from bot.rehearsal.seed import GENERAL, MIA
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from db.session import Database
from tests.faults.test_events import (  # noqa: F401 - fixtures
    effects,
    everything_is_done,
    http_settings,
    model,
    workspace,
)
from tests.support.bot_process import bot_process, url_of
from tests.support.wait import wait_until

pytestmark = [pytest.mark.faults, pytest.mark.parametrize("database", ["sqlite"], indirect=True)]

EVENTS = 60
PAUSE_SECONDS = 3  # production's thirty, scaled

WEATHER: dict[str, dict[str, Any]] = {
    "rate limited": {"times": 3, "status": 429, "retry_after_seconds": PAUSE_SECONDS},
    "broken": {"times": 15, "status": 500},
    # Well within what a call may take, half a lease. Beyond it nobody can know whether Slack took the message: it is
    # sent at least once, see the outbox.
    "hanging": {"times": 4, "status": 200, "hang_seconds": 1.0},
}


def mentions(workspace: Workspace) -> list[dict[str, Any]]:  # noqa: F811
    """Mentions without a request, each in a thread of its own, so that each answer can be told from the others."""
    bot, mia = workspace.seed.bot_user_id, workspace.person(MIA)
    events = []
    for number in range(EVENTS):
        ts = mia.post(GENERAL, f"thread {number}")["ts"]
        event = {"type": "app_mention", "user": MIA, "channel": GENERAL, "text": f"<@{bot}>", "ts": ts, "event_ts": ts}
        events.append(workspace.event_payload(event))
    return events


@pytest.mark.alone
@pytest.mark.parametrize("weather", list(WEATHER.values()), ids=list(WEATHER))
def test_a_bad_web_api_delays_answers_and_nothing_else(
    http_settings: Settings, workspace: Workspace, database: Database, weather: dict[str, Any]  # noqa: F811
) -> None:  # fmt: skip
    events = mentions(workspace)
    with bot_process(http_settings):
        workspace.fail("chat.postMessage", **weather)
        timings = deliver_many(url_of(http_settings), workspace.signing_secret, events, connections=10, per_second=50)
        assert {timing.status for timing in timings} == {200}
        assert percentile(timings, 0.99) < 0.5
        wait_until(lambda: everything_is_done(database), seconds=60, what="all answered")
    answered = Counter(call.args["thread_ts"] for call in workspace.calls("chat.postMessage") if call.result["ok"])
    assert len(answered) == EVENTS
    assert set(answered.values()) == {1}
    assert len(effects(database)) == EVENTS
    if weather["status"] == 429:
        assert early_calls(workspace) == []


def early_calls(workspace: Workspace) -> list[float]:  # noqa: F811
    """Calls that began inside a pause that Slack had asked for, by how much too early; what was under way when the
    first refusal came does not count. A call's time in the journal is when it was answered, which is at once here."""
    calls = workspace.calls("chat.postMessage")
    early, until, asked_at = [], 0.0, 0.0
    for call in calls:
        if call.at < until and call.at - asked_at > 0.25:
            early.append(until - call.at)
        if call.status == 429:
            asked_at = asked_at if call.at < until else call.at
            until = max(until, call.at + PAUSE_SECONDS)
    return early
