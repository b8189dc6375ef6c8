"""A flood of questions: one person asks without end, and a hundred others get their answers all the same."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from bot.domain import throttle
from bot.rehearsal.burst import deliver_many
from bot.rehearsal.options import WorkspaceOptions
from bot.rehearsal.seed import BRAND, MIA, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from db.drafts import Draft, DraftStatus
from db.session import Database
from tests.support.bot_process import bot_process, http_settings_for, resident_bytes, url_of
from tests.support.crowd import OTHERS, Watch, crowded_seed, is_quiet, notices_by_person
from tests.support.factories import make_promotion, make_style
from tests.support.model_server import ScriptedModel
from tests.support.wait import wait_until

pytestmark = pytest.mark.faults

Json = dict[str, Any]
#: What the flooder asks, and how fast all of it comes: more than ten times as fast as a minute would bring it.
FLOOD, PER_SECOND = 500, 100.0
MOST_GROWTH = 100 * 2**20


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    """With a hundred more people in the style's channel."""
    with Workspace(seed=crowded_seed(), options=WorkspaceOptions(journal_entries=100_000)) as running:
        yield running


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as running:
        yield running


@pytest.fixture
def http_settings(
    settings: Settings, workspace: Workspace, model: ScriptedModel, sqlite_database: Database
) -> Settings:
    with sqlite_database.write() as session:
        style = make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice")
        make_promotion(session, style)
    return http_settings_for(settings, workspace, model, sqlite_database)


def question(workspace: Workspace, user_id: str, number: int) -> Json:
    """A mention in a message of the channel, as Slack would deliver it."""
    ts = f"17000{number:05}.000000"
    text = f"<@{workspace.seed.bot_user_id}> question {number}"
    workspace.state.save_message(BRAND, {"type": "message", "ts": ts, "user": user_id, "text": text})
    return workspace.event_payload(
        {"type": "app_mention", "user": user_id, "channel": BRAND, "text": text, "ts": ts, "event_ts": ts}
    )


def test_who_floods_gets_ten_answers_and_one_notice_and_a_hundred_others_all_of_theirs(
    http_settings: Settings, workspace: Workspace, sqlite_database: Database
) -> None:
    url, secret = url_of(http_settings), workspace.signing_secret
    crowd = [question(workspace, user_id, number) for number, user_id in enumerate(OTHERS)]
    crowd += [question(workspace, MIA, 1_000 + number) for number in range(FLOOD)]
    random.Random(32).shuffle(crowd)
    with bot_process(http_settings) as bot:
        deliver_many(url, secret, [question(workspace, OTHERS[0], 999)])
        wait_until(lambda: is_quiet(sqlite_database), what="the first question is answered")
        before = resident_bytes(bot.pid or 0)
        watch = Watch(sqlite_database)
        watch.start()
        timings = deliver_many(url, secret, crowd, per_second=PER_SECOND)
        wait_until(lambda: is_quiet(sqlite_database), seconds=120, what="the flood is worked off")
        assert {timing.status for timing in timings} == {200}
        assert 0 < watch.end() <= throttle.OPEN_PER_WORKSPACE
        assert resident_bytes(bot.pid or 0) - before < MOST_GROWTH
    with sqlite_database.read() as session:
        mine = list(session.scalars(select(Draft).where(Draft.requested_by == MIA)))
        theirs = list(session.scalars(select(Draft).where(Draft.requested_by.in_(OTHERS))))
    took = max(draft.requested_at for draft in mine) - min(draft.requested_at for draft in mine)
    minutes = 1 + int(took.total_seconds() // throttle.WINDOW_SECONDS)
    assert throttle.PER_PERSON <= len(mine) <= throttle.PER_PERSON * minutes
    assert {draft.status for draft in [*mine, *theirs]} == {DraftStatus.SHOWN}
    notices = notices_by_person(workspace)
    # One a minute; where the flood crosses the end of a clock's minute there are two.
    assert 1 <= notices.pop(MIA) <= minutes + 1
    assert not notices, "others were held back"
    assert Counter(draft.requested_by for draft in theirs) == Counter(OTHERS) + Counter([OTHERS[0]])
