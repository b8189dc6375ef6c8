"""Proposing: once however often, never from a private place, and never a pair that is known."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from bot.domain.values import Actor, Channel
from bot.errors import MembersOnly, OutOfScope, UnusablePair
from bot.operations.examples import Proposal, ProposalOutcome, propose_example
from db.audit import list_audit
from db.examples import ExampleSource, ExampleStatus, get_example
from db.outbox import find_by_dedupe_key
from db.session import Database
from db.styles import StyleKind, StyleReviewer, get_style
from tests.support.factories import make_draft, make_style

MEMBER = Actor(team_id="T1", user_id="U_MEMBER", name="mia")
REVIEWER = Actor(team_id="T1", user_id="U_REVIEWER", name="ravi")
GUEST = Actor(team_id="T1", user_id="U_GUEST", name="gus", is_full_member=False)
PUBLIC = Channel(channel_id="C1", name="general", is_private=False)
PRIVATE = Channel(channel_id="G1", name="leads", is_private=True)
DIRECT = Channel(channel_id="D1", name="", is_private=True, is_direct=True)
SHARED = Channel(channel_id="C9", name="partners", is_private=False, is_external=True)


def style_of(database: Database, **different: Any) -> str:
    with database.write() as session:
        style = make_style(session, **different)
        style.reviewers = [StyleReviewer(user_id="U_REVIEWER")]
        session.flush()
        return style.style_id


def propose(database: Database, style_id: str, actor: Actor = MEMBER, **different: Any) -> Proposal:
    values: dict[str, Any] = {
        "prompt": "Say that the office closes at noon on Friday",
        "completion": "Heads up: the office closes at noon this Friday. See you Monday!",
        "source": ExampleSource.SHORTCUT,
        "channel": PUBLIC,
        "message_ts": "1700000000.000100",
        "author_id": "U_AUTHOR",
    }
    return propose_example(database, actor, style_id=style_id, **(values | different))


def test_a_proposal_keeps_its_texts_and_provenance_and_owes_one_card(database: Database) -> None:
    style_id = style_of(database)
    text = "Ħi 👩‍👩‍👧 — שלום\u200f \u200bnul-breed\u2060 einde  "
    made = propose(database, style_id, completion=text, thread_ts="1699.1", permalink="https://x.slack.com/p1")
    assert made.outcome is ProposalOutcome.PROPOSED
    with database.read() as session:
        example = get_example(session, made.example_id)
        assert example.completion == text
        assert (example.channel_id, example.message_ts, example.thread_ts) == ("C1", "1700000000.000100", "1699.1")
        assert (example.author_id, example.proposed_by) == ("U_AUTHOR", "U_MEMBER")
        assert example.permalink == "https://x.slack.com/p1"
        card = find_by_dedupe_key(session, f"review_card:{made.example_id}")
        assert card is not None and card.arguments["channel_id"] == "C1"
        assert [entry.action for entry in list_audit(session, made.example_id)] == ["example.proposed"]


@pytest.mark.parametrize(
    ("prompt", "completion", "is_exact"),
    [
        (
            " say that the OFFICE closes at noon on friday",
            "Heads up:\u200b the office closes at noon this  Friday.\nSee you Monday!",
            True,
        ),
        (
            "Say that the office closes at noon on Friday",
            "Heads up: the office closes at noon this Friday. See you on Monday!",
            False,
        ),
    ],
)
def test_the_same_pair_again_names_the_example_there_is(
    database: Database, prompt: str, completion: str, is_exact: bool
) -> None:
    style_id = style_of(database)
    first = propose(database, style_id)
    again = propose(database, style_id, prompt=prompt, completion=completion)
    assert again.outcome is ProposalOutcome.DUPLICATE
    assert (again.example_id, again.status, again.is_exact) == (first.example_id, ExampleStatus.PROPOSED, is_exact)
    assert first.example_id in again.sentence


def test_another_style_may_learn_the_same_pair(database: Database) -> None:
    assert propose(database, style_of(database)).outcome is ProposalOutcome.PROPOSED
    assert propose(database, style_of(database)).outcome is ProposalOutcome.PROPOSED


def test_a_corrected_answer_under_a_long_prompt_is_not_a_duplicate(database: Database) -> None:
    style_id = style_of(database)
    prompt = "Write the release note for this change. " * 40
    propose(database, style_id, prompt=prompt, completion="Fixed a bug in the parser.")
    corrected = propose(database, style_id, prompt=prompt, completion="Dates before 1970 are read correctly again.")
    assert corrected.outcome is ProposalOutcome.PROPOSED


def test_another_label_for_the_same_ticket_is_not_a_duplicate(database: Database) -> None:
    style_id = style_of(database, kind=StyleKind.CLASSIFY)
    ticket = "My parcel has not arrived although the tracker says delivered. " * 3
    propose(database, style_id, prompt=ticket, completion="delivery")
    assert propose(database, style_id, prompt=ticket, completion="deliverx").outcome is ProposalOutcome.PROPOSED


def test_the_same_pair_proposed_by_many_at_once_is_one_example(database: Database) -> None:
    style_id = style_of(database)
    outcomes: list[Proposal] = []
    barrier = threading.Barrier(6)

    def run() -> None:
        barrier.wait()
        outcomes.append(propose(database, style_id))

    threads = [threading.Thread(target=run) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [o.outcome for o in outcomes].count(ProposalOutcome.PROPOSED) == 1
    assert len({o.example_id for o in outcomes}) == 1


@pytest.mark.parametrize("channel", [PRIVATE, DIRECT, SHARED])
def test_a_workspace_style_learns_nothing_from_private_places(database: Database, channel: Channel) -> None:
    with pytest.raises(OutOfScope):
        propose(database, style_of(database), channel=channel)


def test_a_private_style_learns_from_its_own_channel_only(database: Database) -> None:
    style_id = style_of(database, scope_key="T1/G1", channel_id="G1")
    assert propose(database, style_id, channel=PRIVATE).outcome is ProposalOutcome.PROPOSED
    with pytest.raises(OutOfScope):
        propose(database, style_id, channel=PUBLIC)


def test_guests_propose_nothing_and_the_refusal_is_on_record(database: Database) -> None:
    style_id = style_of(database)
    with pytest.raises(MembersOnly):
        propose(database, style_id, GUEST)
    with database.read() as session:
        assert [entry.action for entry in list_audit(session, style_id)] == ["example.refused"]


@pytest.mark.parametrize("nothing", ["", "  \n\t", "\u200b\u200d\ufeff", "\u3164"])
def test_text_that_nobody_can_see_is_refused_by_field(database: Database, nothing: str) -> None:
    with pytest.raises(UnusablePair) as refused:
        propose(database, style_of(database), prompt=nothing, completion=nothing)
    assert set(refused.value.errors) == {"prompt", "completion"}


def test_text_that_a_database_cannot_store_is_refused(database: Database) -> None:
    with pytest.raises(UnusablePair):
        propose(database, style_of(database), completion="half \ud83d an emoji")
    with pytest.raises(UnusablePair):
        propose(database, style_of(database), completion="a NUL \x00 in it")


def kept(database: Database, style_id: str, actor: Actor, requested_by: str) -> Proposal:
    with database.write() as session:
        draft_id = make_draft(session, get_style(session, style_id), requested_by=requested_by).draft_id
    again = [
        propose(database, style_id, actor, source=ExampleSource.DRAFT_KEPT, channel=DIRECT, draft_id=draft_id)
        for _ in range(2)
    ]
    assert again[0] == again[1]  # a click that is worked on twice
    return again[0]


def test_a_reviewer_who_keeps_a_colleagues_draft_approves_it_in_one_step(database: Database) -> None:
    made = kept(database, style_of(database), REVIEWER, requested_by="U_MEMBER")
    assert made.outcome is ProposalOutcome.APPROVED
    with database.read() as session:
        example = get_example(session, made.example_id)
        assert example.status is ExampleStatus.APPROVED and example.approved_at is not None
        assert find_by_dedupe_key(session, f"review_card:{made.example_id}") is None


def test_keeping_ones_own_draft_is_a_proposal_unless_the_style_allows_it(database: Database) -> None:
    assert kept(database, style_of(database), REVIEWER, "U_REVIEWER").outcome is ProposalOutcome.PROPOSED
    own = style_of(database, may_approve_own=True)
    assert kept(database, own, REVIEWER, "U_REVIEWER").outcome is ProposalOutcome.APPROVED


def test_a_member_who_keeps_a_draft_only_proposes_it(database: Database) -> None:
    assert kept(database, style_of(database), MEMBER, "U_OTHER").outcome is ProposalOutcome.PROPOSED


def test_keeping_counts_as_one_approval_of_several(database: Database) -> None:
    made = kept(database, style_of(database, approvals_required=2), REVIEWER, requested_by="U_MEMBER")
    assert made.outcome is ProposalOutcome.PROPOSED
