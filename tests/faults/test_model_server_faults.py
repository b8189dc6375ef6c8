"""Whatever the model server or Slack does, or when the bot is killed: one answer or one sentence, never two."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bot.app import Bot
from bot.drafting.model import CIRCUIT_FAILURES
from bot.errors import ModelError
from bot.rehearsal.seed import BRAND, MIA, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from config.settings import Settings, child_environment
from db.drafts import Draft, DraftStatus
from db.session import Database
from tests.acceptance.conftest import bot, bot_settings, model, workspace  # noqa: F401 - fixtures
from tests.support.factories import make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

pytestmark = pytest.mark.faults
Json = dict[str, Any]
OVER = (DraftStatus.SHOWN, DraftStatus.FAILED, DraftStatus.STOPPED)
LONG = "one two three four five six seven eight nine ten"


def add_style(database: Database) -> None:
    with database.write() as session:
        style = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, style, rung=Rung.RETRIEVED)


@pytest.fixture
def style(bot: Bot) -> None:  # noqa: F811
    add_style(bot.services.database)


def drafts_of(database: Database) -> list[Draft]:
    with database.read() as session:
        return list(session.query(Draft).order_by(Draft.draft_id))


def wait_for_end(database: Database, seconds: float = 10, count: int = 1) -> Draft:
    return wait_until(
        lambda: (
            (d[count - 1] if len(d) >= count and d[count - 1].status in OVER else None)
            if (d := drafts_of(database))
            else None
        ),
        seconds=seconds,
        what="a draft that is over",
    )


def answers_in(workspace: Workspace, thread_ts: str) -> list[Json]:  # noqa: F811
    return [m for m in workspace.person(MIA).messages(BRAND, thread_ts) if m.get("bot_id")]


def markdown_of(message: Json) -> str:
    """A draft's text in its message; empty while it is streamed."""
    blocks = message.get("blocks") or [{}]
    return str(blocks[0].get("text", ""))


def the_answer(workspace: Workspace, thread_ts: str, is_right: Callable[[Json], bool]) -> Json:  # noqa: F811
    """The one answer in the thread, once it is as it should be; there never is a second."""
    found = wait_until(lambda: [m for m in answers_in(workspace, thread_ts) if is_right(m)], seconds=8)
    assert len(answers_in(workspace, thread_ts)) == 1
    assert found[0].get("streaming_state") != "in_progress"
    return found[0]


#: What the server does, what the person reads, whether a part of the draft is visible.
FAULTS: list[tuple[str, Callable[[ScriptedModel], None], str, bool]] = [
    ("500", lambda m: m.fail(500), "did not answer as it should", False),
    ("loading", lambda m: setattr(m, "is_loading", True), "still loading", False),
    ("busy", lambda m: m.fail(429, times=20), "too many requests", False),
    ("too long", lambda m: m.fail(400, code="context_length_exceeded", times=9), "do not fit", False),
    ("silent", lambda m: m.hang(), "took too long", False),
    ("not JSON", lambda m: m.babble(), "did not answer as it should", False),
    ("nothing", lambda m: m.enqueue(""), "answered with nothing", False),
    ("one word a second", lambda m: m.drip(seconds=0.5), "took too long", True),
    ("cut", lambda m: m.cut_after(4), "stopped in the middle", True),
    ("ends early", lambda m: m.end_early(), "stopped in the middle", True),
    ("gone", lambda m: m.stop(), "not reachable", False),
]  # fmt: skip


@pytest.mark.parametrize(("fault", "expected", "is_visible"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_a_failing_model_server_means_one_sentence_within_the_deadline(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: None,  # noqa: F811
    fault: Callable[[ScriptedModel], None], expected: str, is_visible: bool,
) -> None:  # fmt: skip
    fault(model)
    began = time.monotonic()
    asked = workspace.person(MIA).mention_bot(BRAND, "hello there")
    draft = wait_for_end(bot.services.database)
    assert time.monotonic() - began < bot.services.settings.draft_deadline_seconds + 4
    assert draft.status is DraftStatus.FAILED
    assert draft.error
    assert expected in draft.error
    answer = the_answer(workspace, asked["ts"], lambda m: expected in str(m))
    assert (answer["blocks"][0]["type"] == "markdown") == is_visible


def test_a_server_killed_in_mid_stream_leaves_what_was_shown_and_the_next_draft_works_after_its_return(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: None  # noqa: F811
) -> None:  # fmt: skip
    model.enqueue(LONG, delay=0.3, first_delay=0)
    asked = workspace.person(MIA).mention_bot(BRAND, "count")
    wait_until(lambda: answers_in(workspace, asked["ts"]), seconds=5)
    model.stop()
    answer = the_answer(workspace, asked["ts"], lambda m: "incomplete" in str(m))
    assert answer["blocks"][0]["text"].startswith("one")
    model.start()
    again = workspace.person(MIA).mention_bot(BRAND, "count again")
    the_answer(workspace, again["ts"], lambda m: "count again" in markdown_of(m))


def test_after_five_failures_people_hear_at_once_and_soon_after_the_recovery_it_works(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: None  # noqa: F811
) -> None:  # fmt: skip
    model.fail(500, times=CIRCUIT_FAILURES)
    mia = workspace.person(MIA)
    for number in range(CIRCUIT_FAILURES):
        mia.mention_bot(BRAND, f"hello {number}")
        wait_for_end(bot.services.database, count=number + 1)
    asked = mia.mention_bot(BRAND, "and now")
    the_answer(workspace, asked["ts"], lambda m: "leave it alone" in str(m))
    assert len(model.history) == CIRCUIT_FAILURES
    wait_until(lambda: not bot.services.model.is_left_alone, seconds=10)
    asked = mia.mention_bot(BRAND, "healthy again")
    the_answer(workspace, asked["ts"], lambda m: "healthy again" in markdown_of(m))


#: What Slack does to which method, and how often.
WEATHER: list[tuple[str, dict[str, Any]]] = [
    ("chat.startStream", {"times": 1, "status": 429}),
    ("chat.startStream", {"times": 3, "status": 200, "error": "channel_type_not_supported"}),
    ("chat.appendStream", {"times": 1, "status": 429}),
    ("chat.appendStream", {"times": 1, "status": 500, "after": True}),
    ("chat.appendStream", {"times": 9, "status": 200, "error": "message_not_in_streaming_state"}),
    ("chat.stopStream", {"times": 1, "status": 500, "after": True}),
    ("chat.stopStream", {"times": 1, "status": 429}),
    ("assistant.threads.setStatus", {"times": 9, "status": 200, "hang_seconds": 3.0}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "fault"), WEATHER, ids=[f"{m}-{f['status']}-{f['times']}" for m, f in WEATHER])
def test_whatever_slack_refuses_the_whole_draft_ends_up_in_one_message(
    bot: Bot, workspace: Workspace, model: ScriptedModel, style: None, method: str, fault: dict[str, Any]  # noqa: F811
) -> None:  # fmt: skip
    workspace.fail(method, **fault)
    model.enqueue(LONG, delay=0.1, first_delay=0)
    asked = workspace.person(MIA).mention_bot(BRAND, "count")
    assert wait_for_end(bot.services.database).status is DraftStatus.SHOWN
    answer = the_answer(workspace, asked["ts"], lambda m: "keep_draft" in str(m.get("blocks")))
    assert answer["blocks"][0]["text"] == LONG


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_five_hundred_streams_that_break_leave_no_thread_and_no_open_file(
    bot: Bot, model: ScriptedModel  # noqa: F811
) -> None:  # fmt: skip
    client = bot.services.model

    def break_one() -> None:
        model.cut_after(1, "x y")
        with pytest.raises(ModelError):
            list(client.stream([], model="m", max_tokens=1, deadline=time.monotonic() + 2))
        client._drafting.succeeded()  # the circuit would leave the server alone

    for _ in range(20):
        break_one()
    files, threads = open_files(), threading.active_count()
    for _ in range(480):
        break_one()
    wait_until(lambda: threading.active_count() <= threads + 5, seconds=5)
    wait_until(lambda: open_files() <= files + 10, seconds=5)


# ------------------------------------------------------------------------------------------ the bot is killed


@contextmanager
def bot_process(settings: Settings, failpoint: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A bot in a process of its own."""
    assert settings.slack_bot_token is not None and settings.slack_app_token is not None
    environment = child_environment(
        settings,
        SLACK_BOT_TOKEN=settings.slack_bot_token.get_secret_value(),
        SLACK_APP_TOKEN=settings.slack_app_token.get_secret_value(),
        HUISSTIJL_SLACK_API_URL=settings.slack_api_url,
        HUISSTIJL_MODEL_URL=settings.model_url,
        HUISSTIJL_DATABASE_URL=settings.database_url,
        HUISSTIJL_LEASE_SECONDS="2.0",
        HUISSTIJL_POLL_SECONDS="0.05",
        HUISSTIJL_HEARTBEAT_SECONDS="0.3",
        HUISSTIJL_FAILPOINT=failpoint,
    )
    process = subprocess.Popen([sys.executable, "-m", "bot.cli", "bot"], env=environment)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


KILLS = {
    "reply.before_post": "whole",  # nothing was visible: drafted from the start
    "draft.streaming": "interrupted",  # a part was visible: it says that it is incomplete
}


@pytest.mark.parametrize("failpoint", list(KILLS))
def test_a_draft_survives_the_bots_death(
    bot_settings: Settings, workspace: Workspace, model: ScriptedModel, sqlite_database: Database, failpoint: str  # noqa: F811
) -> None:  # fmt: skip
    add_style(sqlite_database)
    model.default = type(model.default)(text=LONG, delay=0.05)
    with bot_process(bot_settings, failpoint) as killed:
        wait_until(lambda: workspace.connections > 0, seconds=30)
        asked = workspace.person(MIA).mention_bot(BRAND, "count")
        wait_until(lambda: killed.poll() is not None, seconds=20)
        assert killed.returncode == -signal.SIGKILL
    with bot_process(bot_settings):
        draft = wait_for_end(sqlite_database, seconds=30)
        if KILLS[failpoint] == "whole":
            assert draft.status is DraftStatus.SHOWN
            the_answer(workspace, asked["ts"], lambda m: markdown_of(m) == LONG)
        else:
            assert draft.status is DraftStatus.FAILED
            answer = the_answer(workspace, asked["ts"], lambda m: "interrupted" in str(m))
            assert answer["blocks"][0]["text"].startswith("one")


def test_a_bot_killed_before_it_noted_its_message_drafts_again(
    bot_settings: Settings, workspace: Workspace, model: ScriptedModel, sqlite_database: Database  # noqa: F811
) -> None:  # fmt: skip
    """The one moment in which nobody can know: like everything we owe Slack, it is sent at least once."""
    add_style(sqlite_database)
    model.default = type(model.default)(text=LONG, delay=0.05)
    with bot_process(bot_settings, "reply.after_post") as killed:
        wait_until(lambda: workspace.connections > 0, seconds=30)
        asked = workspace.person(MIA).mention_bot(BRAND, "count")
        wait_until(lambda: killed.poll() is not None, seconds=20)
    with bot_process(bot_settings):
        assert wait_for_end(sqlite_database, seconds=30).status is DraftStatus.SHOWN
    whole = [m for m in answers_in(workspace, asked["ts"]) if markdown_of(m) == LONG]
    assert len(whole) == 1
