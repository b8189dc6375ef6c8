"""Claims under competition, in real processes on both databases: every row of work goes to exactly one holder."""

from __future__ import annotations

import os
import random
import signal
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from multiprocessing import get_context
from typing import Any

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from db.base import new_id, now_in_database
from db.claims import ClaimLost
from db.drafts import Draft, claim_drafts
from db.inbox import InboxEvent, claim_events, store_events
from db.outbox import OutboxMessage, claim_messages, owe
from db.runs import (
    Run,
    RunStatus,
    beat,
    claim_run,
    end_run,
    hand_back,
    queue_run,
    report,
    request_cancel,
    seconds_held,
)
from db.session import Database
from tests.support.clock import lapse_leases
from tests.support.factories import make_draft, make_run, make_style
from tests.support.processes import meet, run_together
from tests.support.wait import wait_until

pytestmark = pytest.mark.faults


def _url(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


def _count(database: Database, row_type: Any) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(row_type)) or 0


# ---------------------------------------------------------------------------------------------- runs


def test_eight_claimers_share_two_hundred_runs_without_a_double(database):
    with database.write() as session:
        style = make_style(session)
        for _ in range(200):
            make_run(session, style)
    shares = run_together(_claim_runs, [(_url(database), f"trainer-{n}") for n in range(8)])
    claimed = [run_id for share in shares for run_id in share]
    assert len(claimed) == 200
    assert len(set(claimed)) == 200
    assert all(shares), "every one had a run before anybody had two"
    with database.read() as session:
        assert {(run.fence, run.attempts) for run in session.scalars(select(Run))} == {(1, 1)}


def _claim_runs(url: str, owner: str) -> list[str]:
    database = Database(url)
    claimed: list[str] = []
    while True:
        with database.write() as session:
            run = claim_run(session, owner=owner, lease_seconds=60)
        if run is None:
            database.dispose()
            return claimed
        claimed.append(run.run_id)
        if len(claimed) == 1:
            meet()  # or on a busy machine the first has taken everything before the others are awake


def test_a_holder_that_slept_past_its_lease_writes_nothing(database):
    with database.write() as session:
        style = make_style(session)
        for _ in range(100):
            make_run(session, style)
    context = get_context("forkserver")
    ours, theirs = context.Pipe()
    sleeper = context.Process(target=_hold_a_hundred_runs, args=(_url(database), theirs))
    sleeper.start()
    assert ours.recv() == 100
    assert sleeper.pid is not None
    os.kill(sleeper.pid, signal.SIGSTOP)
    taken: list[Run] = []

    def take_one() -> bool:
        with database.write() as session:
            run = claim_run(session, owner="second", lease_seconds=60)
        if run is not None:
            taken.append(run)
        return len(taken) == 100

    try:
        wait_until(take_one, seconds=30)
    finally:
        os.kill(sleeper.pid, signal.SIGCONT)
    ours.send("write now")
    refused = ours.recv()
    sleeper.join(timeout=30)
    assert refused == {"report": 100, "beat": 100, "end_run": 100, "hand_back": 100}
    with database.read() as session:
        for run in session.scalars(select(Run)):
            assert (run.claimed_by, run.fence, run.status, run.progress) == ("second", 2, RunStatus.CLAIMED, {})
    with database.write() as session:
        for run in taken:
            beat(session, run.run_id, run.fence, lease_seconds=60)  # the second holder is not disturbed


def _hold_a_hundred_runs(url: str, pipe: Any) -> None:
    database = Database(url)
    held = []
    for _ in range(100):
        with database.write() as session:
            run = claim_run(session, owner="first", lease_seconds=6)
            assert run is not None
            held.append((run.run_id, run.fence))
    pipe.send(len(held))
    pipe.recv()
    attempts: dict[str, Callable[[Session, str, int], Any]] = {
        "report": lambda session, run_id, fence: report(session, run_id, fence, RunStatus.TRAINING, {"step": 1}),
        "beat": lambda session, run_id, fence: beat(session, run_id, fence, lease_seconds=60),
        "end_run": lambda session, run_id, fence: end_run(session, run_id, fence, RunStatus.SUCCEEDED),
        "hand_back": lambda session, run_id, fence: hand_back(session, run_id, fence),
    }
    refused: Counter[str] = Counter()
    for run_id, fence in held:
        for name, attempt in attempts.items():
            try:
                with database.write() as session:
                    attempt(session, run_id, fence)
            except ClaimLost:
                refused[name] += 1
    pipe.send(dict(refused))
    database.dispose()


def test_a_heartbeat_keeps_a_run_and_silence_gives_it_away(database):
    with database.write() as session:
        run_id = make_run(session, make_style(session)).run_id
    with database.write() as session:
        assert claim_run(session, owner="first", lease_seconds=60) is not None
    with database.write() as session:
        lapse_leases(session, Run)
        beat(session, run_id, 1, lease_seconds=60)  # it wakes just in time
    with database.write() as session:
        assert claim_run(session, owner="second", lease_seconds=60) is None
        lapse_leases(session, Run)
    with database.write() as session:
        taken = claim_run(session, owner="second", lease_seconds=60)
        assert taken is not None
        assert (taken.run_id, taken.fence, taken.attempts) == (run_id, 2, 2)


def test_a_run_sums_the_seconds_in_which_a_trainer_had_it_and_a_silent_one_counts_for_its_lease(database):
    with database.write() as session:
        run_id = make_run(session, make_style(session)).run_id

    def read_held() -> float:
        with database.read() as session:
            return seconds_held(session.get_one(Run, run_id), now_in_database(session))

    def go_back(seconds: float, *, lease: float) -> None:
        """As if the last heartbeat was so long ago."""
        with database.write() as session:
            beat_at = now_in_database(session) - timedelta(seconds=seconds)
            run = session.get_one(Run, run_id)
            run.heartbeat_at, run.lease_expires_at = beat_at, beat_at + timedelta(seconds=lease)

    def do(verb: Callable[[Session], Any]) -> None:
        with database.write() as session:
            verb(session)

    assert read_held() == 0
    do(lambda session: claim_run(session, owner="first", lease_seconds=30))
    go_back(10, lease=30)
    assert read_held() == pytest.approx(10, abs=2)
    do(lambda session: beat(session, run_id, 1, lease_seconds=30))
    go_back(43_200, lease=30)  # twelve hours of silence
    assert read_held() == pytest.approx(40, abs=2)
    do(lambda session: claim_run(session, owner="second", lease_seconds=30))
    assert read_held() == pytest.approx(40, abs=2)
    go_back(5, lease=30)
    do(lambda session: hand_back(session, run_id, 2))
    assert read_held() == pytest.approx(45, abs=2)  # and it stays so while the run waits
    do(lambda session: claim_run(session, owner="third", lease_seconds=30))
    assert read_held() == pytest.approx(45, abs=2)
    go_back(20, lease=30)
    do(lambda session: end_run(session, run_id, 3, RunStatus.SUCCEEDED))
    assert read_held() == pytest.approx(65, abs=2)


def test_a_run_that_is_cancelled_while_its_trainer_is_silent_has_held_it_for_its_lease(database):
    with database.write() as session:
        long_ago = now_in_database(session) - timedelta(hours=12)
        run_id = make_run(
            session, make_style(session), status=RunStatus.TRAINING, fence=1, held_seconds=100.0,
            heartbeat_at=long_ago, lease_expires_at=long_ago + timedelta(seconds=30),
        ).run_id  # fmt: skip
        assert request_cancel(session, run_id)
    with database.read() as session:
        run = session.get_one(Run, run_id)
        assert (run.status, run.held_seconds) == (RunStatus.CANCELLED, pytest.approx(130.0, abs=0.01))


def test_an_ended_run_is_never_brought_back_by_late_news(database):
    with database.write() as session:
        run_id = make_run(session, make_style(session)).run_id
        claim_run(session, owner="first", lease_seconds=60)
        end_run(session, run_id, 1, RunStatus.CANCELLED)
    for late in (
        lambda session: report(session, run_id, 1, RunStatus.TRAINING, {}),
        lambda session: end_run(session, run_id, 1, RunStatus.SUCCEEDED),
        lambda session: hand_back(session, run_id, 1),
    ):
        with pytest.raises(ClaimLost), database.write() as session:
            late(session)
    with database.read() as session:
        assert session.scalars(select(Run)).one().status is RunStatus.CANCELLED


def test_a_run_that_was_handed_back_is_claimable_whatever_its_old_holder_still_says(database):
    with database.write() as session:
        run_id = make_run(session, make_style(session)).run_id
        claim_run(session, owner="first", lease_seconds=60)
        hand_back(session, run_id, 1)
    with pytest.raises(ClaimLost), database.write() as session:
        report(session, run_id, 1, RunStatus.TRAINING, {})
    with database.write() as session:
        taken = claim_run(session, owner="second", lease_seconds=60)
        assert taken is not None
        assert taken.run_id == run_id


def test_runs_are_claimed_oldest_first(database):
    with database.write() as session:
        style = make_style(session)
        waiting = [make_run(session, style).run_id for _ in range(10)]
    with database.write() as session:
        runs = [claim_run(session, owner="one", lease_seconds=60) for _ in range(11)]
    assert [run.run_id for run in runs[:10] if run] == waiting
    assert runs[10] is None


def test_three_schedulers_queue_two_hundred_due_slots_once_each(database):
    with database.write() as session:
        style_id = make_style(session).style_id
    slots = [f"schedule:2026-11-{n:03}" for n in range(200)]
    counts = run_together(_queue_slots, [(_url(database), style_id, slots, n) for n in range(3)])
    assert sum(counts) == 200
    with database.read() as session:
        assert sorted(session.scalars(select(Run.slot))) == slots


def _queue_slots(url: str, style_id: str, slots: list[str], seed: int) -> int:
    database = Database(url)
    queued = 0
    for position in range(len(slots)):
        slot = slots[(position + seed * 7) % len(slots)]
        with database.write() as session:
            queued += _queue(session, style_id, slot) is not None
    database.dispose()
    return queued


def _queue(session: Any, style_id: str, slot: str) -> Run | None:
    return queue_run(
        session, team_id="T1", style_id=style_id, scope_key="T1", slot=slot, reason="50 new examples",
        recipe="cpu-small", base_model="embedded:smollm2-135m-instruct",
    )  # fmt: skip


def test_a_slot_that_is_taken_leaves_the_transaction_usable(database):
    with database.write() as session:
        style_id = make_style(session).style_id
        assert _queue(session, style_id, "slot") is not None
    with database.write() as session:
        assert _queue(session, style_id, "slot") is None
        assert _queue(session, style_id, "other slot") is not None
    assert _count(database, Run) == 2


# --------------------------------------------------------------------------------------------- inbox


def _delivery(session: Any, key: str) -> dict[str, Any]:
    return {
        "inbox_id": new_id("inb"), "event_key": key, "team_id": "T1", "kind": "event_callback",
        "body": {"event_id": key}, "received_at": now_in_database(session),
    }  # fmt: skip


def test_a_thousand_events_delivered_up_to_four_times_are_stored_once_each(database):
    shares = run_together(_deliver, [(_url(database), seed) for seed in range(4)])
    assert sum(shares) == 1000
    assert _count(database, InboxEvent) == 1000


def _deliver(url: str, process: int) -> int:
    """Process n delivers every event whose number leaves enough turns, in an order of its own, in batches of 16."""
    database = Database(url)
    keys = [f"Ev{number:04}" for number in range(1000) if process == 0 or number % 4 >= process]
    order = random.Random(process).sample(keys, len(keys))
    new = 0
    for start in range(0, len(order), 16):
        with database.write() as session:
            batch = order[start : start + 16]
            new += len(store_events(session, [_delivery(session, key) for key in [*batch, batch[0]]]))
    database.dispose()
    return new


def test_a_batch_goes_in_by_key_so_that_overlapping_batches_cannot_deadlock(database):
    keys = [f"Ev{number:03}" for number in range(50)]
    with database.write() as session:
        store_events(session, [_delivery(session, key) for key in random.Random(1).sample(keys, 50)])
    order_of_insertion = text("rowid" if database.is_sqlite else "ctid")
    with database.read() as session:
        assert list(session.scalars(select(InboxEvent.event_key).order_by(order_of_insertion))) == keys


def test_every_event_is_handed_to_one_worker(database):
    with database.write() as session:
        store_events(session, [_delivery(session, f"Ev{n}") for n in range(300)])
    shares = run_together(_claim_all_events, [(_url(database), f"bot-{n}") for n in range(4)])
    claimed = [key for share in shares for key in share]
    assert len(claimed) == len(set(claimed)) == 300


def _claim_all_events(url: str, owner: str) -> list[str]:
    database = Database(url)
    claimed: list[str] = []
    while True:
        with database.write() as session:
            events = claim_events(session, owner=owner, lease_seconds=60, limit=7)
        if not events:
            database.dispose()
            return claimed
        claimed += [event.event_key for event in events]


def test_an_event_whose_worker_went_silent_is_handed_to_another(database):
    with database.write() as session:
        store_events(session, [_delivery(session, "Ev1"), _delivery(session, "Ev2")])
        assert len(claim_events(session, owner="first", lease_seconds=60, limit=5)) == 2
    with database.write() as session:
        assert claim_events(session, owner="second", lease_seconds=60, limit=5) == []
        lapse_leases(session, InboxEvent, InboxEvent.event_key == "Ev1")
    with database.write() as session:
        [event] = claim_events(session, owner="second", lease_seconds=60, limit=5)
        assert (event.event_key, event.claimed_by, event.fence) == ("Ev1", "second", 2)


# -------------------------------------------------------------------------------------------- outbox


def test_what_four_processes_owe_at_once_is_owed_once(database):
    owed = run_together(_owe_everything, [(_url(database), seed) for seed in range(4)])
    assert sum(owed) == 150
    assert _count(database, OutboxMessage) == 150


def _owe_everything(url: str, process: int) -> int:
    database = Database(url)
    owed = 0
    for position in range(150):
        key = f"card:{(position + process * 3) % 150}"
        with database.write() as session:
            owed += owe(session, team_id="T1", dedupe_key=key, verb="post_message", arguments={"text": key})
    database.dispose()
    return owed


def test_owing_twice_is_one_message_and_the_first_one_stays(database):
    with database.write() as session:
        assert owe(session, team_id="T1", dedupe_key="card:1", verb="post_message", arguments={"text": "first"})
        assert not owe(session, team_id="T1", dedupe_key="card:1", verb="post_message", arguments={"text": "again"})
    with database.read() as session:
        assert session.scalars(select(OutboxMessage)).one().arguments == {"text": "first"}


def test_every_message_goes_to_one_sender_and_a_silent_senders_to_the_next(database):
    with database.write() as session:
        for number in range(100):
            owe(session, team_id="T1", dedupe_key=f"card:{number}", verb="post_message", arguments={})
    shares = run_together(_claim_all_messages, [(_url(database), f"bot-{n}") for n in range(3)])
    claimed = [key for share in shares for key in share]
    assert len(claimed) == len(set(claimed)) == 100
    with database.write() as session:
        assert claim_messages(session, owner="late", lease_seconds=60, limit=200) == []
        lapse_leases(session, OutboxMessage)
        assert len(claim_messages(session, owner="late", lease_seconds=60, limit=200)) == 100


def _claim_all_messages(url: str, owner: str) -> list[str]:
    database = Database(url)
    claimed: list[str] = []
    while True:
        with database.write() as session:
            messages = claim_messages(session, owner=owner, lease_seconds=60, limit=5)
        if not messages:
            database.dispose()
            return claimed
        claimed += [message.dedupe_key for message in messages]


# -------------------------------------------------------------------------------------------- drafts


def test_every_draft_is_written_by_one_worker_and_a_dead_workers_is_found(database):
    with database.write() as session:
        style = make_style(session)
        for _ in range(60):
            make_draft(session, style)
    shares = run_together(_claim_all_drafts, [(_url(database), f"bot-{n}") for n in range(3)])
    claimed = [draft_id for share in shares for draft_id in share]
    assert len(claimed) == len(set(claimed)) == 60
    with database.write() as session:
        lapse_leases(session, Draft, Draft.draft_id == claimed[0])
        [found] = claim_drafts(session, owner="late", lease_seconds=60, limit=5)
        assert (found.draft_id, found.fence, found.attempts) == (claimed[0], 2, 2)


def _claim_all_drafts(url: str, owner: str) -> list[str]:
    database = Database(url)
    claimed: list[str] = []
    while True:
        with database.write() as session:
            drafts = claim_drafts(session, owner=owner, lease_seconds=60, limit=4)
        if not drafts:
            database.dispose()
            return claimed
        claimed += [draft.draft_id for draft in drafts]
