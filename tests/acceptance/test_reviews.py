"""Reviewers approve, edit and reject on cards; every decision counts once and only for the text that was seen."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from sqlalchemy import select

from bot.app import Bot
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, GENERAL, GUEST, MIA, NOOR, RAVI
from bot.rehearsal.workspace import Workspace
from db.audit import list_audit
from db.examples import Example, ExampleStatus
from db.reviews import list_reviews
from tests.support.steps import create_style, teach, wait_for_card, wait_for_direct, wait_for_ephemeral
from tests.support.wait import wait_until

pytestmark = pytest.mark.timeout(60)

GOOD = "Heads up: we close at noon this Friday. See you on Monday!"


def only_example(bot: Bot) -> Example:
    with bot.services.database.read() as session:
        return session.scalars(select(Example)).one()


def wait_for_status(bot: Bot, status: ExampleStatus) -> Example:
    wait_until(lambda: only_example(bot).status is status, what=f"the example is {status}")
    return only_example(bot)


def wait_for_answers(person: Person, count: int) -> list[dict[str, Any]]:
    """What only this person was told, once it is this many messages."""
    wait_until(lambda: len(person.ephemerals(BRAND)) == count, what=f"{person.id} is told {count} things")
    return person.ephemerals(BRAND)


def propose(workspace: Workspace, proposer: str = MIA, **style: Any) -> dict[str, Any]:
    """A style, an example of it, and its card."""
    create_style(workspace.person(ANA), **style)
    teach(workspace.person(proposer), GENERAL, GOOD)
    return wait_for_card(workspace.person(RAVI))


def test_an_approval_counts_and_the_card_says_so(bot: Bot, workspace: Workspace) -> None:
    card, ravi = propose(workspace), workspace.person(RAVI)
    ravi.click(BRAND, card["ts"], "approve_example")
    example = wait_for_status(bot, ExampleStatus.APPROVED)
    assert example.approved_at is not None and example.decided_by == RAVI
    shown = wait_for_card(ravi, containing="Approved by")
    assert shown["ts"] == card["ts"] and "approve_example" not in str(shown)
    wait_for_ephemeral(ravi, BRAND, "can shape the next draft")
    with bot.services.database.read() as session:
        actions = [entry.action for entry in list_audit(session, example.example_id)]
    assert actions == ["example.proposed", "example.vote", "example.approved"]


def test_only_reviewers_and_admins_decide(bot: Bot, workspace: Workspace) -> None:
    card = propose(workspace)
    for user_id, sentence in ((NOOR, "Only this style's reviewers"), (GUEST, "Guests")):
        person = workspace.person(user_id)
        for action_id in ("approve_example", "reject_example", "edit_example"):
            person.click(BRAND, card["ts"], action_id)
        told = wait_for_answers(person, 3)
        assert sentence in str(told)
        assert person.open_view() is None
    assert only_example(bot).status is ExampleStatus.PROPOSED
    workspace.person(ANA).click(BRAND, card["ts"], "approve_example")
    wait_for_status(bot, ExampleStatus.APPROVED)


def test_nobody_approves_their_own_unless_the_style_says_so(bot: Bot, workspace: Workspace) -> None:
    card, ravi = propose(workspace, proposer=RAVI), workspace.person(RAVI)
    ravi.click(BRAND, card["ts"], "approve_example")
    wait_for_ephemeral(ravi, BRAND, "You proposed this example")
    assert only_example(bot).status is ExampleStatus.PROPOSED
    ana = workspace.person(ANA)
    ana.slash("/huisstijl", "style edit brand-voice", GENERAL)
    assert ana.submit(ana.wait_for_modal(), {"own": ["yes"]}).errors is None
    ravi.click(BRAND, card["ts"], "approve_example")
    wait_for_status(bot, ExampleStatus.APPROVED)


def test_a_quorum_counts_people_and_not_clicks(bot: Bot, workspace: Workspace) -> None:
    card = propose(workspace, reviewers=[RAVI, NOOR], approvals="2")
    ravi, noor = workspace.person(RAVI), workspace.person(NOOR)
    ravi.click(BRAND, card["ts"], "approve_example")
    wait_for_card(ravi, containing="1 of 2 approvals")
    ravi.click(BRAND, card["ts"], "approve_example")
    wait_for_ephemeral(ravi, BRAND, "You had approved this already")
    assert only_example(bot).status is ExampleStatus.PROPOSED
    noor.click(BRAND, card["ts"], "approve_example")
    wait_for_status(bot, ExampleStatus.APPROVED)


def test_of_two_reviewers_who_click_at_once_one_decides_and_the_other_is_told(bot: Bot, workspace: Workspace) -> None:
    card = propose(workspace, reviewers=[RAVI, NOOR])
    both = [workspace.person(RAVI), workspace.person(NOOR)]
    barrier = threading.Barrier(2)

    def click(person: Person) -> None:
        barrier.wait()
        person.click(BRAND, card["ts"], "approve_example")

    threads = [threading.Thread(target=click, args=(person,)) for person in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    wait_until(lambda: all(person.ephemerals(BRAND) for person in both))
    told = sorted(str(person.ephemerals(BRAND)[0]["text"]) for person in both)
    assert "Approved. It can shape" in told[0] and "approved already" in told[1]
    with bot.services.database.read() as session:
        assert len(list_reviews(session, only_example(bot).example_id)) == 1


def test_a_rejection_needs_a_reason_and_the_proposer_reads_it(bot: Bot, workspace: Workspace) -> None:
    card, ravi = propose(workspace), workspace.person(RAVI)
    ravi.click(BRAND, card["ts"], "reject_example")
    done = ravi.submit(ravi.wait_for_modal(), {"reason": "We never say <!channel> heads up"})
    assert done.errors is None
    example = wait_for_status(bot, ExampleStatus.REJECTED)
    assert example.reason == "We never say <!channel> heads up"
    told = wait_for_direct(workspace.person(MIA), "did not take your example")
    assert "We never say &lt;!channel&gt; heads up" in told["text"]
    assert "approve_example" not in str(wait_for_card(ravi, containing="Rejected by"))


def test_an_edit_voids_votes_and_counts_as_the_editors_approval(bot: Bot, workspace: Workspace) -> None:
    card = propose(workspace, reviewers=[RAVI, NOOR], approvals="2")
    ravi, noor = workspace.person(RAVI), workspace.person(NOOR)
    ravi.click(BRAND, card["ts"], "approve_example")
    wait_for_card(ravi, containing="1 of 2 approvals")
    noor.click(BRAND, card["ts"], "edit_example")
    view = noor.wait_for_modal()
    better = "We close at noon this Friday. See you on Monday! 👋"
    assert noor.submit(view, {"completion": better}).errors is None
    example = only_example(bot)
    assert (example.completion, example.version, example.status) == (better, 2, ExampleStatus.PROPOSED)
    with bot.services.database.read() as session:
        assert [review.reviewer_id for review in list_reviews(session, example.example_id)] == [NOOR]
    wait_for_card(ravi, containing=better)
    ravi.click(BRAND, card["ts"], "approve_example")
    wait_for_status(bot, ExampleStatus.APPROVED)


def test_nobody_approves_a_text_they_have_not_seen(bot: Bot, workspace: Workspace) -> None:
    card = propose(workspace, reviewers=[RAVI, NOOR], approvals="2")
    ravi, noor = workspace.person(RAVI), workspace.person(NOOR)
    ravi.click(BRAND, card["ts"], "reject_example")
    opened = ravi.wait_for_modal()  # of the text as it was
    noor.click(BRAND, card["ts"], "edit_example")
    noor.submit(noor.wait_for_modal(), {"completion": "Something else altogether, and better."})
    done = ravi.submit(opened, {"reason": "Too long"})
    assert "Somebody edited this example after you opened it" in str(done.view)
    assert only_example(bot).status is ExampleStatus.PROPOSED


def test_an_edit_is_checked_like_a_proposal(bot: Bot, workspace: Workspace) -> None:
    card, ravi = propose(workspace), workspace.person(RAVI)
    ravi.click(BRAND, card["ts"], "edit_example")
    view = ravi.wait_for_modal()
    same = ravi.submit(view, {})
    assert same.errors is not None and "as it was" in same.errors["completion"]
    empty = ravi.submit(view, {"completion": "\u200b\u200b"})
    assert empty.errors is not None and "nothing visible" in empty.errors["completion"]
    assert only_example(bot).version == 1


def test_a_message_deleted_between_flag_and_approval_is_not_learnt_from(bot: Bot, workspace: Workspace) -> None:
    create_style(workspace.person(ANA))
    mia, ravi = workspace.person(MIA), workspace.person(RAVI)
    message, _ = teach(mia, GENERAL, GOOD)
    card = wait_for_card(ravi)
    mia.delete(GENERAL, message["ts"])
    ravi.click(BRAND, card["ts"], "approve_example")
    wait_for_status(bot, ExampleStatus.WITHDRAWN)
    wait_for_ephemeral(ravi, BRAND, "was deleted, so the example was withdrawn")
    assert GOOD not in str(wait_for_card(ravi, containing="Withdrawn"))


def test_author_and_proposer_may_withdraw_and_others_may_not(bot: Bot, workspace: Workspace) -> None:
    card = propose(workspace)
    workspace.person(RAVI).click(BRAND, card["ts"], "approve_example")
    example_id = wait_for_status(bot, ExampleStatus.APPROVED).example_id
    noor, mia = workspace.person(NOOR), workspace.person(MIA)
    noor.slash("/huisstijl", f"withdraw {example_id}", GENERAL)
    wait_for_ephemeral(noor, GENERAL, "can withdraw an example")
    mia.slash("/huisstijl", f"withdraw {example_id}", GENERAL)
    wait_for_ephemeral(mia, GENERAL, "No adapter was trained on it")
    wait_for_status(bot, ExampleStatus.WITHDRAWN)
    mia.slash("/huisstijl", "examples", GENERAL)
    listed = str(wait_for_ephemeral(mia, GENERAL, "1 withdrawn"))
    assert example_id in listed and GOOD not in listed
    mia.slash("/huisstijl", "withdraw ex_nonsense", GENERAL)
    wait_for_ephemeral(mia, GENERAL, "no longer exists")
