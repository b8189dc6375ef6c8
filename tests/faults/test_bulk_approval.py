"""A whole import is being approved when the bot is killed: the next one goes on, and each example counts once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import func, select

from bot.operations.bulk_reviews import AT_A_TIME, AT_ONCE
from bot.rehearsal.options import WorkspaceOptions
from bot.rehearsal.seed import ANA, BRAND, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from db.audit import AuditEntry
from db.examples import Example, ExampleStatus
from db.inbox import InboxEvent, InboxStatus
from db.session import Database
from db.styles import StyleReviewer
from tests.acceptance.conftest import bot_settings, model  # noqa: F401 - fixtures
from tests.support.bot_process import inbox_is_done, socket_bot_process
from tests.support.factories import make_examples, make_style
from tests.support.steps import wait_for_direct
from tests.support.wait import wait_until

pytestmark = pytest.mark.faults

NUMBER = 2 * AT_ONCE + 30
#: In the first part; in the last; when a part is stored and its delivery is not noted as done.
MOMENTS = ["bulk.part:2", f"bulk.part:{2 * AT_ONCE // AT_A_TIME + 1}", "listener.done:4"]


@pytest.fixture
def workspace() -> Iterator[Workspace]:
    with Workspace(options=WorkspaceOptions(ack_seconds=1.0)) as running:
        yield running


def counted(database: Database, status: ExampleStatus) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(Example).where(Example.status == status)) or 0


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_import_is_approved_whole_and_once_though_the_bot_is_killed_in_the_middle(
    bot_settings: Settings,  # noqa: F811
    workspace: Workspace,
    sqlite_database: Database,
    moment: str,
) -> None:
    with sqlite_database.write() as session:
        style = make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="brand-voice", created_by=ANA
        )
        style.reviewers.append(StyleReviewer(user_id=RAVI))
        ids = make_examples(session, style, NUMBER)
    ravi = workspace.person(RAVI)
    with socket_bot_process(bot_settings, workspace, moment) as process:
        ravi.slash("/huisstijl", "review", BRAND)
        queue = ravi.wait_for_modal(20)
        assert ravi.click_view(queue, f"bulk_open:{style.style_id}").ok
        assert ravi.submit(ravi.wait_for_modal(20, after=queue), {"trust": ["yes"]}).errors is None
        wait_until(lambda: not process.is_alive(), seconds=30, what="the bot is killed")
    assert 0 < counted(sqlite_database, ExampleStatus.APPROVED) < NUMBER
    with socket_bot_process(bot_settings, workspace):
        assert f"{NUMBER} examples for" in wait_for_direct(ravi, containing="are approved")["text"]
        wait_until(lambda: inbox_is_done(sqlite_database), seconds=20)
    assert counted(sqlite_database, ExampleStatus.APPROVED) == NUMBER
    with sqlite_database.read() as session:
        audit = Counter(session.scalars(select(AuditEntry.action)))
        assert (audit["example.approved"], audit["examples.bulk_approved"]) == (len(ids), 1)
        orders = session.scalars(select(InboxEvent).where(InboxEvent.event_key.startswith("bulk:"))).all()
        assert {order.status for order in orders} == {InboxStatus.DONE} and len(orders) >= 2
    assert len([m for m in ravi.messages(ravi.open_messages_tab()) if "are approved" in str(m)]) == 1
