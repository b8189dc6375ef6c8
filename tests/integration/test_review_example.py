"""Two deciders at once: one decision, and the other is told. On both databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial

from bot.domain.values import Actor
from bot.errors import AlreadyDecided
from bot.operations.examples import withdraw_example
from bot.operations.reviews import approve_example, edit_example, reject_example
from config.rungs import Rung
from config.settings import Settings
from db.adapters import Adapter
from db.base import now_in_database
from db.datasets import Dataset, DatasetExample, SplitName
from db.examples import ExampleStatus, get_example
from db.outbox import list_by_prefix, owe
from db.reviews import list_reviews
from db.session import Database
from db.styles import StyleReviewer, get_style
from tests.support.factories import make_example, make_run, make_style

RAVI = Actor(team_id="T1", user_id="U_RAVI", name="ravi")
NOOR = Actor(team_id="T1", user_id="U_NOOR", name="noor")


def proposed(database: Database, approvals_required: int = 1) -> str:
    with database.write() as session:
        style = make_style(session, approvals_required=approvals_required)
        style.reviewers = [StyleReviewer(user_id="U_RAVI"), StyleReviewer(user_id="U_NOOR")]
        example_id = make_example(session, style).example_id
        owe(session, team_id="T1", dedupe_key=f"review_card:{example_id}", verb="post_message", arguments={})
    return example_id


def at_once(*decisions: Callable[[], object]) -> list[str]:
    """Run all of them at the same moment; "done" or the name of the refusal, in their order."""
    barrier, outcomes = threading.Barrier(len(decisions)), [""] * len(decisions)

    def run(index: int) -> None:
        barrier.wait()
        try:
            decisions[index]()
            outcomes[index] = "done"
        except AlreadyDecided:
            outcomes[index] = "AlreadyDecided"

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(decisions))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes


def test_two_approvals_at_once_make_one_decision(database: Database) -> None:
    for _ in range(5):
        example_id = proposed(database)
        outcomes = at_once(
            partial(approve_example, database, RAVI, example_id, place="C1", seen_version=1),
            partial(approve_example, database, NOOR, example_id, place="C1", seen_version=1),
        )
        assert sorted(outcomes) == ["AlreadyDecided", "done"]
        with database.read() as session:
            assert len(list_reviews(session, example_id)) == 1


def test_two_votes_at_once_fill_a_quorum_of_two(database: Database) -> None:
    for _ in range(5):
        example_id = proposed(database, approvals_required=2)
        outcomes = at_once(
            partial(approve_example, database, RAVI, example_id, place="C1", seen_version=1),
            partial(approve_example, database, NOOR, example_id, place="C1", seen_version=1),
        )
        assert outcomes == ["done", "done"]
        with database.read() as session:
            assert get_example(session, example_id).status is ExampleStatus.APPROVED


def test_approve_and_reject_at_once_make_one_decision(database: Database) -> None:
    example_id = proposed(database)
    outcomes = at_once(
        lambda: approve_example(database, RAVI, example_id, place="C1", seen_version=1),
        lambda: reject_example(database, NOOR, example_id, place="C1", reason="No", seen_version=1),
    )
    assert sorted(outcomes) == ["AlreadyDecided", "done"]


def test_an_approval_of_the_text_before_an_edit_does_not_count(database: Database) -> None:
    example_id = proposed(database, approvals_required=2)
    edit_example(
        database, NOOR, example_id, place="C1", prompt="Another request", completion="Another answer.", seen_version=1
    )
    assert at_once(lambda: approve_example(database, RAVI, example_id, place="C1", seen_version=1)) == [
        "AlreadyDecided"
    ]
    with database.read() as session:
        assert [review.reviewer_id for review in list_reviews(session, example_id)] == ["U_NOOR"]
        # The click on the stale card renews it.
        assert any("U_RAVI" in row.dedupe_key for row in list_by_prefix(session, f"card_update:{example_id}"))


def test_the_same_click_worked_on_twice_is_one_approval_and_one_answer(database: Database) -> None:
    example_id = proposed(database)
    first = approve_example(database, RAVI, example_id, place="C1", seen_version=1)
    again = approve_example(database, RAVI, example_id, place="C1", seen_version=1)
    assert first.sentence == again.sentence and again.is_repeat


def test_a_withdrawn_example_keeps_its_row_and_leaves_every_search(database: Database, settings: Settings) -> None:
    example_id = proposed(database)
    approve_example(database, RAVI, example_id, place="C1")
    assert withdraw_example(database, settings, RAVI, example_id).adapter_names == ()
    with database.read() as session:
        assert get_example(session, example_id).status is ExampleStatus.WITHDRAWN


def test_a_withdrawal_names_every_adapter_that_was_trained_on_the_example(
    database: Database, settings: Settings
) -> None:
    example_id = proposed(database)
    approve_example(database, RAVI, example_id, place="C1")
    with database.write() as session:
        example = get_example(session, example_id)
        style = get_style(session, example.style_id)
        run = make_run(session, style)
        now = now_in_database(session)
        session.add(
            Dataset(
                dataset_id="ds_1", run_id=run.run_id, style_id=style.style_id, scope_key=style.scope_key,
                content_hash="sha256:0", seed=1, instructions="", prompt_hash="sha256:0", versions={}, skipped=[],
                frozen_at=now,
            )
        )  # fmt: skip
        session.flush()
        session.add(
            DatasetExample(
                dataset_id="ds_1", example_id=example_id, split=SplitName.TRAIN, position=0, content_hash="sha256:0"
            )
        )
        session.add(
            Adapter(
                adapter_id="ada_1", name="brand-voice-v1", version=1, team_id="T1", style_id=style.style_id,
                scope_key=style.scope_key, run_id=run.run_id, rung=Rung.LORA, base_model="m",
                manifest_digest="sha256:0", published_at=now,
            )
        )  # fmt: skip
    withdrawal = withdraw_example(database, settings, RAVI, example_id)
    assert withdrawal.adapter_names == ("brand-voice-v1",)
    assert "`brand-voice-v1`" in withdrawal.sentence
