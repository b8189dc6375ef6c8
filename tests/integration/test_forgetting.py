"""Forgetting a person on real databases: no table holds a text of theirs any more, and others keep what is theirs."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.domain.values import Actor
from bot.errors import AdminsOnly, ForgetQuoteGone, MembersOnly
from bot.operations.forget import Forgotten, confirm_forgetting, quote_forgetting
from bot.operations.runs import queue_due_runs
from config.rungs import Rung
from config.settings import Settings
from db.audit import AuditEntry
from db.base import Base, new_id, now_in_database
from db.datasets import Dataset, DatasetExample, SplitName
from db.drafts import Draft, DraftStatus
from db.example_versions import keep_version
from db.examples import Example, ExampleStatus
from db.inbox import InboxStatus, store_events
from db.outbox import OutboxMessage, OutboxStatus, owe
from db.preferences import Preference
from db.promotions import PromotionKind
from db.reviews import ReviewDecision, save_review
from db.runs import RunStatus
from db.session import Database
from db.styles import Style, get_style
from tests.integration.test_clean_retrain import NOON, champion, lines_in_channel, prepare, slots
from tests.support import factories
from trainer.metrics import PairScore, Scorecard
from trainer.registry import Standing, save_scorecard

MIA = Actor(team_id="T1", user_id="U0MIA", name="mia")
NOOR = Actor(team_id="T1", user_id="U0NOOR", name="noor")
ADMIN = Actor(team_id="T1", user_id="U_ADMIN", name="admin", is_admin=True)
GUEST = Actor(team_id="T1", user_id="U0GUEST", name="guest", is_full_member=False)
CANARY = "pelican-"


def rows_with(database: Database, text: str) -> list[str]:
    """Every table that holds it, in any column."""
    with database.read() as session:
        return [
            table.name
            for table in Base.metadata.sorted_tables
            for row in session.execute(select(table))
            if text in repr(row)
        ]


def leave_traces(session: Session, style_id: str) -> str:
    """What Mia can leave behind, in every state and table; returns the id of Noor's own example."""
    style = get_style(session, style_id)

    def canary() -> str:
        return f"{CANARY}{new_id('can')}"

    def example(**different: object) -> Example:
        return factories.make_example(session, style, prompt=canary(), completion=canary(), **different)

    proposed = example(proposed_by="U0MIA")
    keep_version(session, proposed, "U_RAVI")
    proposed.prompt = canary()
    key = f"review_card:{proposed.example_id}"
    owe(session, team_id="T1", dedupe_key=key, verb="post_message", arguments={"channel_id": "C1", "text": canary()})
    rejected = example(author_id="U0MIA", status=ExampleStatus.REJECTED, reason=canary())
    save_review(session, rejected.example_id, "U_RAVI", ReviewDecision.REJECT, seen_version=1, reason=canary())
    example(proposed_by="U0MIA", status=ExampleStatus.RETIRED)
    asked = factories.make_draft(
        session,
        style,
        requested_by="U0MIA",
        request=canary(),
        completion=canary(),
        status=DraftStatus.KEPT,
        label_choice={"offered": [[canary(), 0.5]], "is_sure": False},
    )
    judging = example(proposed_by="U0NOOR", draft_id=asked.draft_id, status=ExampleStatus.APPROVED)  # Mia asked for it
    leave_scorecard(session, style, judging, canary())
    edited = factories.make_draft(
        session, style, requested_by="U0NOOR", completion="By the model.", status=DraftStatus.EDITED,
        edited_completion=canary(), decided_by="U0MIA",
    )  # fmt: skip
    for draft in (asked, edited):
        session.add(
            Preference(
                preference_id=new_id("pre"), style_id=style_id, scope_key="T1", draft_id=draft.draft_id,
                prompt=canary(), chosen=canary(), rejected=canary(), reason=canary(), given_by="U0MIA",
                given_at=now_in_database(session),
            )
        )  # fmt: skip
    delivery = {"event": {"user": "U0MIA", "text": canary()}}
    store_events(
        session,
        [{"inbox_id": new_id("in"), "event_key": "failed", "team_id": "T1", "kind": "event", "body": delivery,
          "status": InboxStatus.FAILED, "received_at": now_in_database(session)}],
    )  # fmt: skip
    owe(
        session, team_id="T1", dedupe_key="rejected:x", verb="post_direct",
        arguments={"user_id": "U0MIA", "text": canary()},
    )  # fmt: skip
    refused = session.scalars(select(OutboxMessage).where(OutboxMessage.dedupe_key == "rejected:x")).one()
    refused.status = OutboxStatus.FAILED
    return factories.make_example(session, style, proposed_by="U0NOOR", completion="Noor's own.").example_id


def leave_scorecard(session: Session, style: Style, judging: Example, draft: str) -> None:
    """A run in which a candidate wrote this when it was asked what the example asks."""
    run = factories.make_run(session, style, slot="measured", status=RunStatus.SUCCEEDED)
    dataset = Dataset(
        dataset_id=new_id("dat"), run_id=run.run_id, style_id=style.style_id, scope_key=style.scope_key,
        content_hash="sha256:0", seed=1, instructions="", prompt_hash="sha256:0", versions={}, skipped=[],
        frozen_at=now_in_database(session),
    )  # fmt: skip
    session.add(dataset)
    session.flush()
    session.add(
        DatasetExample(
            dataset_id=dataset.dataset_id, example_id=judging.example_id, split=SplitName.TEST, position=0,
            content_hash=judging.content_hash,
        )
    )  # fmt: skip
    pair = PairScore(example_id=judging.example_id, nll_nats=1.0, reference_bytes=4, prompt_tokens=9, draft=draft)
    card = Scorecard(rung="retrieved", pairs=(pair,), seconds_per_draft=0.1, scoring_seconds=0.1)
    standing = Standing(rung=Rung.RETRIEVED, base_model=run.base_model)
    save_scorecard(session, run, dataset.dataset_id, standing, card, of="", features={})


def test_every_text_of_theirs_is_gone_and_what_is_others_stays(database: Database, settings: Settings) -> None:
    style_id, _ = prepare(database)
    with database.write() as session:
        noors = leave_traces(session, style_id)
    assert len(set(rows_with(database, CANARY))) >= 7
    quote = quote_forgetting(database, MIA, MIA.user_id)
    assert "4 examples in 1 style, 2 drafts, and 2 opinions on drafts" in quote.text
    assert quote.blocks is not None
    quote_id = quote.blocks[-1]["elements"][0]["value"]

    done = confirm_forgetting(database, settings, MIA, quote_id)
    again = confirm_forgetting(database, settings, MIA, quote_id)

    assert done == again
    assert "4 examples in 1 style, 2 drafts, and 2 opinions on drafts were erased" in done.sentence
    assert rows_with(database, CANARY) == []
    with database.read() as session:
        assert session.get_one(Example, noors).completion == "Noor's own."
        states = set(session.scalars(select(Example.status).where(Example.completion == "")))
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "person.forgotten"))
        counted = {name: entry.detail[name] for name in ("examples", "styles", "drafts", "adapters")}
        draft = session.scalars(select(Draft).where(Draft.requested_by == "U0NOOR")).one()
        assert draft.request != "" or draft.completion == ""
    assert states == {ExampleStatus.WITHDRAWN}
    assert counted == {"examples": 4, "styles": 1, "drafts": 2, "adapters": []}
    assert champion(database, style_id) == (PromotionKind.GATE, Rung.LORA)  # it learnt nothing of hers
    assert quote_forgetting(database, MIA, MIA.user_id).blocks is None


def test_what_learnt_from_a_forgotten_person_is_out_of_use_at_once_and_one_clean_retrain_follows(
    database: Database, settings: Settings
) -> None:
    style_id, ids = prepare(database)
    with database.write() as session:
        for example_id in ids[:2]:
            session.get_one(Example, example_id).author_id = "U0MIA"
    quote = quote_forgetting(database, ADMIN, MIA.user_id)
    assert "trained on them: `support-v2`, `support-v1`" in str(quote.blocks)
    assert quote.blocks is not None
    done = confirm_forgetting(database, settings, ADMIN, quote.blocks[-1]["elements"][0]["value"])
    assert "2 adapters that had learnt from them are out of use" in done.sentence
    assert champion(database, style_id) == (PromotionKind.WITHDRAWAL, Rung.RETRIEVED)
    (told,) = lines_in_channel(database)
    assert "a clean retrain follows by itself" in told and "MIA" not in told
    assert len(queue_due_runs(database, settings, NOON)) == 1
    assert queue_due_runs(database, settings, NOON) == []
    assert [one.partition(":")[0] for one in slots(database)] == ["withdrawal"]


def test_no_clean_retrain_is_promised_that_no_months_budget_allows(database: Database, settings: Settings) -> None:
    dear = settings.model_copy(update={"price_per_hour": 1000.0})
    _, ids = prepare(database, monthly_budget=0.01)
    with database.write() as session:
        session.get_one(Example, ids[0]).author_id = "U0MIA"
    quote = quote_forgetting(database, ADMIN, MIA.user_id)
    assert quote.blocks is not None
    confirm_forgetting(database, dear, ADMIN, quote.blocks[-1]["elements"][0]["value"])
    (told,) = lines_in_channel(database)
    assert "follows by itself" not in told and "training without it costs more than a month's budget" in told


def test_an_admin_does_not_read_the_name_of_a_private_style(database: Database) -> None:
    with database.write() as session:
        style = factories.make_style(session, name="margins", scope_key="T1/C_SECRET", channel_id="C_SECRET")
        factories.make_example(session, style, proposed_by="U0MIA")
    assert "margins" not in str(quote_forgetting(database, ADMIN, MIA.user_id))
    assert "margins" in str(quote_forgetting(database, MIA, MIA.user_id))


def test_who_may_not_is_refused_on_record_and_a_quote_is_its_askers_alone(
    sqlite_database: Database, settings: Settings
) -> None:
    database = sqlite_database
    style_id, _ = prepare(database)
    with database.write() as session:
        leave_traces(session, style_id)
    with pytest.raises(MembersOnly):
        quote_forgetting(database, GUEST, GUEST.user_id)
    with pytest.raises(AdminsOnly):
        quote_forgetting(database, NOOR, MIA.user_id)
    quote = quote_forgetting(database, MIA, MIA.user_id)
    assert quote.blocks is not None
    quote_id = quote.blocks[-1]["elements"][0]["value"]
    for other in (NOOR, ADMIN, Actor(team_id="T2", user_id="U0MIA", name="mia")):
        with pytest.raises(ForgetQuoteGone):
            confirm_forgetting(database, settings, other, quote_id)
    guest = Actor(team_id="T1", user_id="U0MIA", name="mia", is_full_member=False)
    with pytest.raises(MembersOnly):
        confirm_forgetting(database, settings, guest, quote_id)
    assert rows_with(database, CANARY) != []
    with database.read() as session:
        refused = session.scalars(select(AuditEntry).where(AuditEntry.action == "forget.refused")).all()
    assert [entry.actor for entry in refused] == ["U0GUEST", "U0NOOR", "U0MIA"]


def test_two_clicks_at_once_on_one_quote_are_one_record_with_all_its_figures(
    database: Database, settings: Settings
) -> None:
    with database.write() as session:
        for name in ("brand", "legal", "support"):
            style = factories.make_style(session, name=name)
            for _ in range(3):
                factories.make_example(session, style, proposed_by="U0MIA")
    quote = quote_forgetting(database, MIA, MIA.user_id)
    assert quote.blocks is not None
    quote_id, start = quote.blocks[-1]["elements"][0]["value"], threading.Barrier(3)

    def click() -> Forgotten:
        start.wait()
        return confirm_forgetting(database, settings, MIA, quote_id)

    with ThreadPoolExecutor(3) as pool:
        answers = [one.result() for one in [pool.submit(click) for _ in range(3)]]
    assert {(one.examples, one.styles) for one in answers} == {(9, 3)}
    with database.read() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "person.forgotten"))
    assert (entry.detail["examples"], entry.detail["styles"]) == (9, 3)
