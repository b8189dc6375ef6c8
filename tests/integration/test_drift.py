"""Drift on real databases, with the clock turned by hand: one alarm, one sentence, one measurement that is owed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from bot.clock import Clock
from bot.operations.drift import watch_for_drift
from config.run_kinds import RunCause, RunKind
from config.rungs import Rung
from config.settings import Settings
from db.audit import list_audit
from db.base import new_id, now_in_database
from db.datasets import Dataset
from db.drafts import DraftStatus
from db.examples import ExampleSource, ExampleStatus, get_example, transition
from db.outbox import OutboxMessage, list_by_prefix
from db.prequential import save_score
from db.promotions import find_promotion
from db.runs import Run, RunStatus
from db.scorecards import ScorecardRow
from db.session import Database
from db.styles import Style, StyleKind, get_style
from db.teams import get_team
from tests.support import factories

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
BYTES = 50
USUAL, HARDER = 1.0, 1.6


def losses(n: int, mean: float, seed: int) -> list[float]:
    """Nats for each byte."""
    return list(np.random.default_rng(seed).normal(mean, 0.3, n))


def prepare_style(session: Session, *, measured: int = 100, **different: Any) -> Style:
    """A style that a measurement of so many unseen pairs says something of."""
    style = factories.make_style(session, **({"recipe": "tiny-test", "train_after_examples": 0} | different))
    promotion = factories.make_promotion(session, style, rung=Rung.RETRIEVED)
    promotion.promoted_at -= 2 * HOUR
    if measured:
        measure(session, style, losses(measured, USUAL, 0), ago=2 * HOUR)
    return style


def measure(session: Session, style: Style, nats: list[float], *, ago: timedelta = timedelta(0)) -> None:
    """What a run leaves of the champion: its scorecard, on examples that people wrote."""
    run = factories.make_run(session, style, status=RunStatus.SUCCEEDED)
    dataset = Dataset(
        dataset_id=new_id("dat"), run_id=run.run_id, style_id=style.style_id, scope_key=style.scope_key,
        content_hash="sha256:0", seed=1, instructions="", prompt_hash="sha256:0", versions={}, skipped=[],
        frozen_at=now_in_database(session),
    )  # fmt: skip
    session.add(dataset)
    session.flush()
    pairs = [
        {"example_id": f"unseen_{n}", "nll_nats": BYTES * value, "reference_bytes": BYTES}
        for n, value in enumerate(nats)
    ]
    champion = find_promotion(session, style.champion_promotion_id)
    assert champion is not None
    session.add(
        ScorecardRow(
            scorecard_id=new_id("sco"), run_id=run.run_id, style_id=style.style_id, scope_key=style.scope_key,
            dataset_id=dataset.dataset_id, rung=champion.rung, base_model=champion.base_model,
            card={"pairs": pairs, "summary": {}}, scored_at=now_in_database(session) - ago,
        )
    )  # fmt: skip


def predict(
    session: Session, style: Style, nats: list[float], *, in_a_draft: float | None = None, **different: Any
) -> list[str]:
    """Examples approved one after another an hour ago, and what the champion foretold of them. `in_a_draft`: nats for
    each byte in a draft's own prompt, where that is another than a run's."""
    ids, begun = [], now_in_database(session) - HOUR
    for number, value in enumerate(nats):
        example = factories.make_example(
            session, style, completion="x" * BYTES, status=ExampleStatus.APPROVED,
            approved_at=begun + timedelta(seconds=number), content_hash=new_id("hash"), **different,
        )  # fmt: skip
        save_score(
            session, example, promotion_id=style.champion_promotion_id or "", rung=Rung.RETRIEVED, adapter_name="",
            nll_nats=BYTES * (value if in_a_draft is None else in_a_draft), as_measured_nats=BYTES * value,
            is_right=None,
        )  # fmt: skip
        ids.append(example.example_id)
    return ids


def decide(session: Session, style: Style, statuses: list[DraftStatus], *, minute: int = 0, **different: Any) -> None:
    begun = now_in_database(session) - HOUR + timedelta(minutes=minute)
    for number, status in enumerate(statuses):
        edited = "aabb" if status is DraftStatus.EDITED else None
        values = {"rung": Rung.RETRIEVED, "completion": "aaaa", "edited_completion": edited} | different
        factories.make_draft(
            session, style, status=status, requested_at=begun + timedelta(seconds=number), **values
        )  # fmt: skip


def alarms(database: Database, style: Style) -> list[OutboxMessage]:
    with database.read() as session:
        return list_by_prefix(session, f"drift:{style.style_id}:")


def test_examples_that_cost_the_champion_more_alarm_once_and_owe_one_measurement(
    database: Database, settings: Settings
) -> None:
    with database.write() as session:
        style = prepare_style(session, channel_id="C_HOME", name="support")
        predict(session, style, [*losses(40, USUAL, 1), *losses(40, HARDER, 2)])
        get_team(session, "T1").terms_accepted_at = now_in_database(session)
    (run_id,) = Clock(database, settings, now=lambda: NOON).tick()
    (message,) = alarms(database, style)
    assert message.arguments["channel_id"] == "C_HOME"
    assert message.arguments["text"].startswith("*support* meets something new: the last ")
    assert "A measurement of the ladder is due." in message.arguments["text"]
    with database.read() as session:
        run = session.get_one(Run, run_id)
        assert (run.kind, run.cause) == (RunKind.MEASURE, RunCause.DRIFT), "also where training is by hand only"
        (entry,) = [one for one in list_audit(session, style.style_id) if one.action == "style.drifted"]
        assert entry.detail["sequence"] == "losses" and 40 < entry.detail["values"] <= 70
    assert watch_for_drift(database) == [] and len(alarms(database, style)) == 1


def test_many_clocks_say_it_once(database: Database, settings: Settings) -> None:
    with database.write() as session:
        style = prepare_style(session)
        predict(session, style, losses(60, HARDER, 2))
    start = threading.Barrier(3)

    def one_clock() -> list[str]:
        start.wait()
        return watch_for_drift(database)

    with ThreadPoolExecutor(3) as pool:
        found = [one for clock in [pool.submit(one_clock) for _ in range(3)] for one in clock.result()]
    assert found == [style.style_id] and len(alarms(database, style)) == 1


def test_as_long_as_nothing_changes_nobody_hears_of_it(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        style = prepare_style(session)
        predict(session, style, losses(150, USUAL, 1))
        decide(session, style, [DraftStatus.KEPT, DraftStatus.EDITED, DraftStatus.KEPT, DraftStatus.DISCARDED] * 30)
    assert watch_for_drift(sqlite_database) == [] and alarms(sqlite_database, style) == []


def test_what_drafts_are_shown_besides_is_no_drift_and_hides_none(sqlite_database: Database) -> None:
    """The measured pairs were predicted without kin and documents, so what follows them is looked at in that way."""
    with sqlite_database.write() as session:
        quiet = prepare_style(session)
        predict(session, quiet, losses(60, USUAL, 2), in_a_draft=HARDER)
        drifted = prepare_style(session, name="other")
        predict(session, drifted, losses(60, HARDER, 2), in_a_draft=USUAL)
    assert watch_for_drift(sqlite_database) == [drifted.style_id]


def test_a_new_measurement_and_a_new_champion_begin_anew(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        style = prepare_style(session)
        predict(session, style, losses(60, HARDER, 2))
        measure(session, style, losses(100, HARDER, 3))
    assert watch_for_drift(sqlite_database) == [], "what came before the measurement is in it"
    with sqlite_database.write() as session:
        style = get_style(session, style.style_id)
        factories.make_promotion(session, style, rung=Rung.FEW_SHOT)
    assert watch_for_drift(sqlite_database) == [], "another champion foretold them"


def test_people_who_turn_down_more_than_at_first_alarm_too(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        style = prepare_style(session, measured=0, scope_key="T1/C_PRIVATE", name="quiet")
        decide(session, style, [DraftStatus.KEPT, DraftStatus.EDITED, DraftStatus.KEPT] * 20)
        decide(session, style, [DraftStatus.DISCARDED, DraftStatus.EDITED] * 15, minute=10)
    assert watch_for_drift(sqlite_database) == [style.style_id]
    (message,) = alarms(sqlite_database, style)
    assert message.arguments["channel_id"] == "C_PRIVATE", "what is said in a private place stays there"
    assert message.arguments["text"].startswith("People accept less of *quiet*: of the last ")


def test_labels_that_were_asked_for_and_other_candidates_drafts_are_no_decisions(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        style = prepare_style(session, measured=0)
        decide(session, style, [DraftStatus.KEPT] * 40)
        decide(session, style, [DraftStatus.EDITED] * 40, minute=10, completion="")
        decide(session, style, [DraftStatus.DISCARDED] * 40, minute=20, rung=Rung.ZERO_SHOT)
        decide(session, style, [DraftStatus.DISCARDED] * 40, minute=30, adapter_name="support-v1")
    assert watch_for_drift(sqlite_database) == []


def test_the_bots_own_words_and_what_was_withdrawn_say_nothing(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        style = prepare_style(session)
        predict(session, style, losses(60, HARDER, 2), source=ExampleSource.DRAFT_EDITED)
        for example_id in predict(session, style, losses(60, HARDER, 3)):
            transition(session, get_example(session, example_id), ExampleStatus.RETIRED, decided_by="U1")
    assert watch_for_drift(sqlite_database) == []


def test_of_labels_every_source_counts_and_the_cost_is_that_of_the_right_label(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        style = prepare_style(session, kind=StyleKind.CLASSIFY, name="tickets")
        predict(session, style, losses(60, HARDER, 2), source=ExampleSource.DRAFT_KEPT)
    assert watch_for_drift(sqlite_database) == [style.style_id]
    (message,) = alarms(sqlite_database, style)
    assert "the right labels of the last " in message.arguments["text"]


def test_a_style_that_cannot_be_looked_at_keeps_no_other_waiting(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        broken, style = prepare_style(session), prepare_style(session)
        session.query(ScorecardRow).filter_by(style_id=broken.style_id).update({"card": {"pairs": [{}]}})
        predict(session, style, losses(60, HARDER, 2))
    assert watch_for_drift(sqlite_database) == [style.style_id]
