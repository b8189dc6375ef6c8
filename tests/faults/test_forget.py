"""A person is being forgotten when the bot is killed: the next one goes on, and it is done once."""

from __future__ import annotations

from collections import Counter

import pytest
from sqlalchemy import select

from bot.rehearsal.seed import ANA, BRAND, GENERAL, MIA, NOOR, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.settings import Settings
from db.audit import AuditEntry
from db.examples import Example, ExampleStatus
from db.inbox import InboxEvent
from db.session import Database
from tests.acceptance.conftest import bot_settings, model  # noqa: F401 - fixtures
from tests.faults.test_bulk_approval import workspace  # noqa: F401 - a fixture
from tests.support.bot_process import inbox_is_done, socket_bot_process
from tests.support.clock import lapse_leases
from tests.support.factories import make_example, make_style
from tests.support.steps import wait_for_ephemeral
from tests.support.wait import wait_until

pytestmark = pytest.mark.faults

#: After the first style of two; after both, with drafts and record to come; all is done and the delivery is not noted.
MOMENTS = ["erase.half:1", "erase.half:2", "listener.done:2"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_person_is_forgotten_whole_and_once_though_the_bot_is_killed_in_the_middle(
    bot_settings: Settings,  # noqa: F811
    workspace: Workspace,  # noqa: F811
    sqlite_database: Database,
    moment: str,
) -> None:
    with sqlite_database.write() as session:
        for name, channel in (("brand-voice", BRAND), ("letters", GENERAL)):
            style = make_style(
                session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=channel, name=name, created_by=ANA
            )
            for who in (MIA, MIA, NOOR):
                make_example(session, style, author_id=who, proposed_by=who, status=ExampleStatus.APPROVED)
    mia = workspace.person(MIA)
    with socket_bot_process(bot_settings, workspace, moment) as process:
        mia.slash("/huisstijl", "forget", BRAND)
        quote = wait_for_ephemeral(mia, BRAND, "confirm_forget")
        assert mia.click(BRAND, quote["ts"], "confirm_forget").ok
        wait_until(lambda: not process.is_alive(), seconds=30, what="the bot is killed")
    with sqlite_database.write() as session:
        lapse_leases(session, InboxEvent)
    with socket_bot_process(bot_settings, workspace):
        wait_for_ephemeral(mia, BRAND, "4 examples in 2 styles")
        wait_until(lambda: inbox_is_done(sqlite_database), seconds=20)
    with sqlite_database.read() as session:
        left = Counter((one.author_id, one.status, bool(one.completion)) for one in session.scalars(select(Example)))
        audit = Counter(session.scalars(select(AuditEntry.action)))
    assert left == {(MIA, ExampleStatus.WITHDRAWN, False): 4, (NOOR, ExampleStatus.APPROVED, True): 2}
    assert (audit["examples.forgotten"], audit["person.forgotten"]) == (2, 1)
