"""What is withdrawn while a run trains, or after it, with a real (tiny) model: never served, and unlearnt exactly."""

from __future__ import annotations

import random
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update

from bot.operations.examples import withdraw_examples_of_message
from bot.operations.runs import queue_due_runs
from config.rungs import Rung
from config.settings import Settings
from db.adapters import Adapter, AdapterStatus, list_adapters
from db.base import now_in_database
from db.datasets import Dataset, DatasetExample
from db.examples import Example, get_example
from db.promotions import Promotion, find_promotion
from db.runs import Run, RunStatus, request_cancel
from db.scorecards import list_scorecards
from db.session import Database
from db.styles import get_style
from db.teams import get_team
from tests.support.runs import T1, Prepared, execute_here, prepare_run, run_settings, working
from tests.support.wait import wait_until
from trainer.artifacts.store import list_adapters as list_stored
from trainer.launchers.local import LocalLauncher

pytestmark = [pytest.mark.faults, pytest.mark.training]

CHANNEL, TS = "C1", "17.0003"


def prepare(database: Database, settings: Settings) -> tuple[Prepared, str]:
    """A queued run on forty examples, of which the fourth came from a message that will be deleted."""
    with database.write() as session:
        prepared = prepare_run(session, settings)
        get_team(session, "T1").terms_accepted_at = now_in_database(session)
        example = get_example(session, prepared.example_ids[3])
        example.channel_id, example.message_ts = CHANNEL, TS
        return prepared, example.example_id


def delete_message(database: Database, settings: Settings) -> None:
    assert withdraw_examples_of_message(database, settings, "T1", CHANNEL, TS)


def queue_retrain(database: Database, settings: Settings) -> str:
    """Three ticks of the clock: one run."""
    with database.read() as session:
        now = now_in_database(session)
    queued = [run_id for _ in range(3) for run_id in queue_due_runs(database, settings, now)]
    assert len(queued) == 1
    return queued[0]


def adapters_with(database: Database, example_id: str) -> list[str]:
    """The names of the adapters that may serve and learnt from this example."""
    with database.read() as session:
        query = (
            select(Adapter.name)
            .join(Dataset, Dataset.run_id == Adapter.run_id)
            .join(DatasetExample, DatasetExample.dataset_id == Dataset.dataset_id)
            .where(DatasetExample.example_id == example_id, Adapter.status == AdapterStatus.PUBLISHED)
        )
        return sorted(session.scalars(query))


def champion(database: Database, style_id: str) -> Promotion:
    with database.read() as session:
        found = find_promotion(session, get_style(session, style_id).champion_promotion_id)
        assert found is not None
        return found


@pytest.mark.parametrize(
    ("database", "seed"), [("sqlite", 1), ("postgres", 2), ("sqlite", 3), ("postgres", 4)], indirect=["database"]
)
def test_a_message_deleted_at_a_random_moment_is_in_no_adapter_and_one_clean_retrain_follows(
    seed: int, database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, database, base)
    prepared, example_id = prepare(database, tiny)
    moment, seen = random.Random(seed).randint(1, 18), 0
    with database.read() as session:
        text, runs = get_example(session, example_id).completion.encode(), tiny.data_dir / "runs"

    def meanwhile(stage: str, fraction: float) -> None:
        nonlocal seen
        seen += 1
        assert not [path for path in runs.rglob("*") if path.is_file() and text in path.read_bytes()], "kept in a file"
        if seen == moment:
            delete_message(database, tiny)

    run = execute_here(database, tiny, meanwhile=meanwhile)

    assert seen >= moment, f"the run spoke {seen} times only; seed {seed}"
    with database.read() as session:
        is_frozen = session.scalars(select(DatasetExample).where(DatasetExample.example_id == example_id)).first()
    assert adapters_with(database, example_id) == [], f"seed {seed}"
    if is_frozen is None:  # deleted before the freeze: the run itself is clean
        assert run.status is RunStatus.SUCCEEDED
        return
    assert run.status is RunStatus.FAILED
    assert champion(database, prepared.style_id).adapter_id is None
    queue_retrain(database, tiny)


def test_a_clean_retrain_replaces_the_champion_and_is_byte_for_byte_a_run_that_never_saw_the_example(
    sqlite_database: Database, sqlite_template: Path, settings: Settings, base: Path, tmp_path: Path
) -> None:
    database = sqlite_database
    tiny = run_settings(settings, database, base)
    prepared, example_id = prepare(database, tiny)
    assert execute_here(database, tiny).status is RunStatus.SUCCEEDED
    before = champion(database, prepared.style_id)
    assert before.rung.needs_adapter
    assert adapters_with(database, example_id) == ["support-v1", "support-v1-retrieved"]

    delete_message(database, tiny)
    run_id = queue_retrain(database, tiny)
    clean = execute_here(database, tiny)

    assert (clean.run_id, clean.status, clean.error) == (run_id, RunStatus.SUCCEEDED, None)
    assert clean.verdict is not None
    assert clean.verdict["promoted"], clean.verdict
    assert "learnt from something that was withdrawn" in clean.verdict["sentence"]
    now = champion(database, prepared.style_id)
    assert now.promotion_id != before.promotion_id
    assert adapters_with(database, example_id) == []
    with database.read() as session:
        states = {one.name: one.status for one in list_adapters(session, prepared.style_id, T1)}
        assert get_style(session, prepared.style_id).clean_retrain_owed_at is None
    assert states == {
        "support-v1": AdapterStatus.WITHDRAWN, "support-v1-retrieved": AdapterStatus.WITHDRAWN,
        "support-v2": AdapterStatus.PUBLISHED, "support-v2-retrieved": AdapterStatus.PUBLISHED,
    }  # fmt: skip
    with database.read() as session:
        later = now_in_database(session)
    assert queue_due_runs(database, tiny, later) == []

    (tmp_path / "elsewhere").mkdir()
    shutil.copyfile(sqlite_template, tmp_path / "elsewhere" / "huisstijl.db")
    never = Database(f"sqlite:///{tmp_path / 'elsewhere' / 'huisstijl.db'}")
    elsewhere = run_settings(settings, never, base, data_dir=tmp_path / "elsewhere")
    with never.write() as session:
        prepare_run(session, elsewhere)
        session.delete(session.get_one(Example, example_id))
    assert execute_here(never, elsewhere).status is RunStatus.SUCCEEDED
    for rung in (Rung.LORA, Rung.LORA_RETRIEVED):
        tail = "-retrieved" if rung is Rung.LORA_RETRIEVED else ""
        unlearnt = weights(tiny, f"support-v2{tail}")
        assert unlearnt == weights(elsewhere, f"support-v1{tail}")
        assert unlearnt != weights(tiny, f"support-v1{tail}")
    never.dispose()

    with working(database, tiny, LocalLauncher(tiny), trainer_id="here:2"):
        what = "the tainted weights deleted from the store"
        wait_until(lambda: list_stored(tiny.resolved_artifact_url) == ["support-v2", "support-v2-retrieved"], what=what)


def weights(settings: Settings, name: str) -> bytes:
    return (Path(settings.resolved_artifact_url) / name / "adapter_model.safetensors").read_bytes()


def drafts_on_cards(database: Database, run_id: str) -> list[str]:
    """What candidates of this run wrote, as far as it is kept."""
    with database.read() as session:
        cards = [row.card for row in list_scorecards(session, run_id, T1)]
    return [pair["draft"] for card in cards for pair in card["pairs"] if pair["draft"] is not None]


def test_nothing_is_written_on_a_scorecard_after_the_erasure_also_where_the_run_is_cancelled_while_it_is_silent(
    database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, database, base)
    prepared, _ = prepare(database, tiny)
    seen: list[int] = []

    def meanwhile(stage: str, fraction: float) -> None:
        """The message is deleted between two scorecards; at the next news nobody has heard of the trainer for long,
        and an admin cancels."""
        if stage != "evaluating" or not (written := len(drafts_on_cards(database, prepared.run_id))):
            return
        seen.append(written)
        if len(seen) == 1:
            delete_message(database, tiny)
            assert drafts_on_cards(database, prepared.run_id) == []
        else:
            with database.write() as session:
                session.execute(update(Run).values(lease_expires_at=now_in_database(session) - timedelta(hours=1)))
                assert request_cancel(session, prepared.run_id)

    run = execute_here(database, tiny, meanwhile=meanwhile)

    assert len(seen) == 1, "the run went on measuring"
    assert drafts_on_cards(database, prepared.run_id) == []
    assert run.status is RunStatus.FAILED and "withdrawn while the run was training" in (run.error or "")
