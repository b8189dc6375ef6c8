"""Queues that are too long to read: a page costs a page, whatever waits, and a whole import is one click."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event, func, select

from bot.app import Bot
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from db.audit import AuditEntry
from db.examples import Example, ExampleStatus
from db.inbox import InboxEvent
from db.styles import Style
from tests.support.factories import make_examples
from tests.support.steps import create_style, teach, wait_for_card, wait_for_direct
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(120)
Json = dict[str, Any]


def fill(bot: Bot, workspace: Workspace, number: int, **different: Any) -> list[str]:
    create_style(workspace.person(ANA))
    with bot.services.database.write() as session:
        return make_examples(session, session.scalars(select(Style)).one(), number, **different)


def open_queue(person: Person) -> Json:
    person.slash("/huisstijl", "review", BRAND)
    return person.wait_for_modal(20)


def click(person: Person, view: Json, action_id: str, **more: Any) -> Json:
    assert person.click_view(view, action_id, **more).ok
    return person.wait_for_modal(20, after=view)


@contextmanager
def loaded(bot: Bot) -> Iterator[list[str]]:
    """The ids of every example that is loaded meanwhile. (What they clash with is found in a list of its own.)"""
    seen: list[str] = []

    def note(example: Example, _: Any) -> None:
        seen.append(example.example_id)

    event.listen(Example, "load", note)
    try:
        yield seen
    finally:
        event.remove(Example, "load", note)


def status_counts(bot: Bot) -> dict[ExampleStatus, int]:
    with bot.services.database.read() as session:
        rows = session.execute(select(Example.status, func.count()).group_by(Example.status))
        return {row[0]: row[1] for row in rows}


def test_ten_thousand_that_wait_are_paged_filtered_and_opened_without_loading_the_rest(
    bot: Bot, workspace: Workspace
) -> None:
    ids = fill(bot, workspace, 10_000)
    teach(workspace.person(ANA), BRAND, "We close at noon. Mail anna@example.org!", "Say that we close")
    ravi = workspace.person(RAVI)
    with loaded(bot) as read:
        queue = open_queue(ravi)
        assert "10,001 examples wait" in str(queue) and "Page 1 of 2,001" in str(queue)
        second = click(ravi, queue, "queue_next")
        assert "Page 2 of 2,001" in str(second) and f"review_open:{ids[5]}" in str(second)
        by_ana = click(ravi, second, "queue_proposer", value=ANA)
        assert "Showing 1 of 10,001" in str(by_ana) and "We close at noon" in str(by_ana)
        everybody = click(ravi, by_ana, "queue_proposer", value="-")
        one = click(ravi, everybody, f"review_open:{ids[0]}")
        assert "approve_example" in str(one) or "review_approve" in str(one)
    assert len(read) < 100, "what is not shown is not loaded"
    for view in (queue, second, by_ana, everybody, one):
        assert len(view["blocks"]) <= 100


def test_of_very_many_the_oldest_are_looked_at_for_warnings_and_the_queue_says_so(
    bot: Bot, workspace: Workspace
) -> None:
    fill(bot, workspace, 1_200, ending=" anna@example.org")
    ravi = workspace.person(RAVI)
    with loaded(bot) as read:
        warned = click(ravi, open_queue(ravi), "queue_warned", selected=["yes"])
    assert "Showing 500 with something to look at, of the oldest 500 of 1,200" in str(warned)
    assert len(read) <= 600


def test_an_import_of_three_hundred_is_one_click_answered_at_once_and_reported(bot: Bot, workspace: Workspace) -> None:
    ids = fill(bot, workspace, 300)
    ana, ravi = workspace.person(ANA), workspace.person(RAVI)
    teach(ana, BRAND, "We close at noon. Enjoy the sun!", "Say that we close")
    card = wait_for_card(ravi, containing="We close at noon")
    with bot.services.database.read() as session:
        style_id = session.scalars(select(Style.style_id)).one()
    ask = click(ravi, open_queue(ravi), f"bulk_open:{style_id}")
    assert "Approve 300 imported examples" in str(ask)
    submitted = ravi.submit(ask, {"trust": ["yes"]})
    assert submitted.errors is None
    with bot.services.database.read() as session:
        ordered = session.scalars(select(InboxEvent).where(InboxEvent.event_key.startswith("bulk:"))).one()
    assert ordered.team_id == TEAM_ID
    wait_until(lambda: status_counts(bot).get(ExampleStatus.APPROVED) == 300, seconds=60)
    told = wait_for_direct(ravi, containing="300 examples for")
    assert "are approved" in told["text"]
    shown = wait_until(lambda: (v := ravi.open_view()) and "300 examples for" in str(v) and v, seconds=20)
    assert "1 example waits" in str(shown)
    assert "Say that we close" in str(card) and status_counts(bot)[ExampleStatus.PROPOSED] == 1
    with bot.services.database.read() as session:
        approvals = select(func.count()).where(AuditEntry.action == "example.approved", AuditEntry.subject.in_(ids))
        assert session.scalar(approvals) == 300
        whole = select(func.count()).where(AuditEntry.action == "examples.bulk_approved")
        assert session.scalar(whole) == 1
