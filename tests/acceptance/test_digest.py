"""The weekly digest as the channel reads it, and the button under it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.app import Bot
from bot.clock import Clock
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, MIA, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.rungs import Rung
from db.base import now_in_database
from db.drafts import DraftStatus
from db.examples import ExampleStatus
from db.promotions import PromotionKind
from db.session import Database
from db.styles import Style, StyleReviewer, get_style
from tests.support import factories
from tests.support.steps import wait_for_ephemeral
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(60)


@pytest.fixture
def style(sqlite_database: Database) -> Style:
    with sqlite_database.write() as session:
        now = now_in_database(session)
        style = factories.make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="support", created_by=ANA,
            created_at=now - timedelta(weeks=9), recipe="tiny-test",
        )  # fmt: skip
        style.reviewers = [StyleReviewer(user_id=RAVI)]
        factories.make_promotion(session, style, kind=PromotionKind.INITIAL, rung=Rung.RETRIEVED, actor=ANA)
        for week in range(6):
            at = now - timedelta(weeks=week, days=8)
            factories.make_example(session, style, status=ExampleStatus.APPROVED, approved_at=at, proposed_by=MIA)
            factories.make_draft(session, style, status=DraftStatus.KEPT, requested_at=at)
        return style


def wait_for_digest(person: Person) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        return next((one for one in person.messages(BRAND) if "The week of support" in one["text"]), None)

    return wait_until(look, what="a digest in the channel")


def test_the_clock_brings_the_digest_into_the_channel_once_with_charts_that_slack_draws(
    bot: Bot, workspace: Workspace, sqlite_database: Database, style: Style
) -> None:
    clocks = [Clock(sqlite_database, bot.services.settings, now=lambda: datetime.now(UTC)) for _ in range(2)]
    for clock in (*clocks, *clocks):
        clock.tick()
    mia = workspace.person(MIA)
    message = wait_for_digest(mia)
    kinds = [block["type"] for block in message["blocks"]]
    assert kinds.count("data_visualization") == 2
    # Every chart is followed by its figures in words.
    assert all(kinds[n + 1] == "context" for n, kind in enumerate(kinds) if kind == "data_visualization")
    assert "*Next best step:*" in str(message["blocks"])
    assert len([one for one in mia.messages(BRAND) if "The week of support" in one["text"]]) == 1


def test_a_reviewer_can_switch_it_off_and_a_member_cannot(
    bot: Bot, workspace: Workspace, sqlite_database: Database, style: Style
) -> None:
    Clock(sqlite_database, bot.services.settings, now=lambda: datetime.now(UTC)).tick()
    mia, ravi = workspace.person(MIA), workspace.person(RAVI)
    message = wait_for_digest(mia)
    assert mia.click(BRAND, message["ts"], "digest_off").ok
    wait_for_ephemeral(mia, BRAND, "Only this style's reviewers")
    with sqlite_database.read() as session:
        assert get_style(session, style.style_id).is_digest_on
    assert ravi.click(BRAND, message["ts"], "digest_off").ok
    wait_for_ephemeral(ravi, BRAND, "gets no weekly digest any more")
    with sqlite_database.read() as session:
        assert not get_style(session, style.style_id).is_digest_on
    later = Clock(sqlite_database, bot.services.settings, now=lambda: datetime.now(UTC) + timedelta(weeks=2))
    later.tick()
    assert len([one for one in mia.messages(BRAND) if "The week of support" in one["text"]]) == 1
