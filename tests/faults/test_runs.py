"""Runs whose process is killed, stopped, taken over or shut down: all of them end, none of them twice.

Every place where a run can be killed is the place of twenty kills, ten on SQLite and ten on PostgreSQL. Times are a
tenth of production's: heartbeat 0.5 s, lease 3 s. More kills inside a training, and damaged checkpoints:
`test_training_crashes.py`.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select

from config.settings import Settings
from db import runs
from db.adapters import Adapter
from db.audit import AuditEntry
from db.base import Base
from db.claims import ClaimLost
from db.datasets import Dataset, DatasetExample
from db.promotions import Promotion
from db.runs import ENDED, Run, RunStatus
from db.scorecards import ScorecardRow
from db.session import Database
from db.trainers import find_live_trainer
from tests.support.clock import lapse_leases
from tests.support.run_nursery import Nursery, NurseryLauncher, as_environment
from tests.support.runs import (
    claim,
    prepare_run,
    read_run,
    run_settings,
    wait_for_end,
    working,
)
from tests.support.wait import wait_until
from trainer.errors import StopReason
from trainer.launchers.child import EXIT_CLAIM_LOST
from trainer.launchers.local import LocalLauncher
from trainer.workspace import list_workspaces, prepare_workspace

pytestmark = [pytest.mark.faults, pytest.mark.training]

#: Scaled: lease + tick, and what polling and a start take. Production: 45 s.
RECOVERY_SECONDS = 4.0

#: Where a run's process dies, in the order in which a run gets there, and the visits at which it may.
KILLS = {
    "snapshot.half": (1, 1),
    "train.step": (1, 16),  # 12 steps of the first adapter, 4 of the second
    "ckpt.half": (1, 1),
    "ckpt.before_rename": (1, 1),
    "ckpt.before_complete": (1, 1),
    "eval.half": (1, 5),
    "artefact.upload_half": (1, 1),
    "promote.before_cas": (1, 1),
    "promote.after_cas": (1, 1),
}
ROUNDS = 10

TABLES: tuple[type[Base], ...] = (Run, Dataset, DatasetExample, ScorecardRow, Adapter, Promotion, AuditEntry)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


@pytest.fixture
def tiny(settings: Settings, database: Database, base: Path) -> Settings:
    return run_settings(settings, database, base)


@pytest.fixture(scope="module")
def undisturbed(
    nursery: Nursery, base: Path, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, bytes]:
    """The weights of a run that nothing happened to, by adapter."""
    folder = tmp_path_factory.mktemp("undisturbed")
    (folder / "huisstijl.db").write_bytes(sqlite_template.read_bytes())
    database = Database(f"sqlite:///{folder / 'huisstijl.db'}")
    settings = Settings(_env_file=None, data_dir=folder, poll_seconds=0.05)
    settings = run_settings(settings, database, base)
    with database.write() as session:
        run_id = prepare_run(session, settings).run_id
    with working(database, settings, NurseryLauncher(nursery, settings), trainer_id="calm:1"):
        run = wait_for_end(database, run_id, seconds=60)
    assert run.status is RunStatus.SUCCEEDED, run.error
    database.dispose()
    return weights_in(settings)


def weights_in(settings: Settings) -> dict[str, bytes]:
    found = Path(settings.resolved_artifact_url).glob("*/adapter_model.safetensors")
    return {path.parent.name: path.read_bytes() for path in found}


def check_invariants(database: Database, settings: Settings, run_id: str) -> Run:
    """What must hold after a run that succeeded, whatever happened on the way."""
    run = read_run(database, run_id)
    assert run.status in ENDED and run.lease_expires_at is None
    with database.read() as session:
        names = set(session.scalars(select(Adapter.name)))
        actions = list(session.scalars(select(AuditEntry.action)))
        rungs = list(session.scalars(select(ScorecardRow.rung)))
        datasets = session.scalar(select(func.count()).select_from(Dataset))
        gates = session.scalar(select(func.count()).where(Promotion.run_id == run_id))
    assert names == set(weights_in(settings)), "the store and the table name different adapters"
    assert (datasets, gates, len(rungs), len(set(rungs))) == (1, 1, 5, 5)
    assert actions.count("run.succeeded") == 1 and actions.count("dataset.frozen") == 1
    return run


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_run_that_is_killed_in_every_stage_goes_on_and_ends_with_the_same_weights(
    seed: int, database: Database, tiny: Settings, nursery: Nursery, undisturbed: dict[str, bytes]
) -> None:
    tiny = tiny.model_copy(update={"max_run_attempts": len(KILLS) + 1})
    chance = random.Random(seed)
    with database.write() as session:
        run_id = prepare_run(session, tiny).run_id
    failpoints = [f"{name}:{chance.randint(*visits)}" for name, visits in KILLS.items()]
    launcher = NurseryLauncher(nursery, tiny, *failpoints)
    with working(database, tiny, launcher, trainer_id="host:1"):
        run = wait_for_end(database, run_id, seconds=60)
        wait_until(lambda: launcher.children[-1].code is not None, seconds=5)

    assert run.status is RunStatus.SUCCEEDED, run.error
    # After the last failpoint the run has ended already: nothing is left to take up.
    assert [child.code for child in launcher.children] == [-signal.SIGKILL] * len(KILLS), failpoints
    recoveries = [
        after.launched_at - before.ended_at
        for before, after in zip(launcher.children, launcher.children[1:], strict=False)
    ]
    assert max(recoveries) < RECOVERY_SECONDS
    check_invariants(database, tiny, run_id)
    assert weights_in(tiny) == undisturbed


@pytest.mark.alone
@pytest.mark.parametrize("kills", [1, 9])
def test_a_trainer_that_is_killed_right_after_its_claim_is_replaced_within_the_lease(
    kills: int, database: Database, tiny: Settings, nursery: Nursery, undisturbed: dict[str, bytes]
) -> None:
    tiny = tiny.model_copy(update={"max_run_attempts": kills + 1})
    with database.write() as session:
        run_id = prepare_run(session, tiny).run_id
    for n in range(kills):
        environment = as_environment(tiny, failpoint="job.claimed")
        died = subprocess.run([sys.executable, "-m", "trainer.worker"], env=environment, timeout=60, check=False)
        assert died.returncode == -signal.SIGKILL
        if n < kills - 1:  # the last lease is waited for
            with database.write() as session:
                lapse_leases(session, Run)
    died_at = time.monotonic()

    launcher = NurseryLauncher(nursery, tiny)
    with working(database, tiny, launcher, trainer_id="host:2"):
        run = wait_for_end(database, run_id, seconds=60)

    assert run.status is RunStatus.SUCCEEDED, run.error
    assert run.attempts == kills + 1
    assert launcher.children[0].launched_at - died_at < RECOVERY_SECONDS
    check_invariants(database, tiny, run_id)
    assert weights_in(tiny) == undisturbed


@pytest.mark.parametrize(("failpoint", "stage"), [("train.step:1", "training"), ("promote.before_cas:1", "publishing")])
def test_a_run_whose_process_dies_every_time_is_given_up_with_a_sentence_and_leaves_nothing_behind(
    failpoint: str, stage: str, database: Database, tiny: Settings, nursery: Nursery
) -> None:
    with database.write() as session:
        run_id = prepare_run(session, tiny).run_id
    launcher = NurseryLauncher(nursery, tiny, *[failpoint] * 5)
    with working(database, tiny, launcher, trainer_id="host:1"):
        run = wait_for_end(database, run_id, seconds=60)
        wait_until(lambda: not list_workspaces(tiny.data_dir), seconds=10, what="the run's folder goes")
        wait_until(lambda: not weights_in(tiny), seconds=10, what="what it published goes")

    assert run.status is RunStatus.FAILED
    assert len(launcher.children) == run.attempts == 3
    assert f"was killed (SIGKILL), 3 times in a row, last while {stage}" in (run.error or "")
    assert "lower batch_size" in (run.error or "")


def test_what_a_run_left_that_was_cancelled_while_nobody_held_it_goes_at_the_next_start_of_a_trainer(
    sqlite_database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, sqlite_database, base)
    with sqlite_database.write() as session:
        run_id = prepare_run(session, tiny).run_id
    fence = claim(sqlite_database, tiny).fence
    (prepare_workspace(tiny.data_dir, run_id, fence) / "half.safetensors").write_bytes(b"half")
    with sqlite_database.write() as session:
        lapse_leases(session, Run)
        assert runs.request_cancel(session, run_id)
    with working(sqlite_database, tiny, LocalLauncher(tiny), trainer_id="host:2"):
        wait_until(lambda: not list_workspaces(tiny.data_dir), seconds=10, what="the run's folder goes")


def test_a_store_that_is_away_keeps_no_trainer_from_its_runs(
    sqlite_database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, sqlite_database, base, artifact_url="nowhere://store", max_run_attempts=0)
    with sqlite_database.write() as session:
        run_id = prepare_run(session, tiny).run_id
    with working(sqlite_database, tiny, LocalLauncher(tiny), trainer_id="host:1"):
        assert "stopped answering" in (wait_for_end(sqlite_database, run_id, seconds=10).error or "")


def everything(database: Database) -> dict[str, list[str]]:
    """All rows that a run writes, for comparing."""
    with database.read() as session:
        return {
            table.__tablename__: sorted(map(repr, session.execute(select(*table.__table__.columns)).all()))
            for table in TABLES
        }  # fmt: skip


def test_a_process_that_wakes_up_after_its_lease_writes_nothing(
    database: Database, tiny: Settings, nursery: Nursery, undisturbed: dict[str, bytes]
) -> None:
    with database.write() as session:
        run_id = prepare_run(session, tiny).run_id
    asleep, awake = NurseryLauncher(nursery, tiny), NurseryLauncher(nursery, tiny)
    with working(database, tiny, asleep, trainer_id="host:1"):
        wait_until(lambda: read_run(database, run_id).status is RunStatus.TRAINING, seconds=30)
        zombie = asleep.children[0]
        zombie.signal(signal.SIGSTOP)
        assert read_run(database, run_id).status in runs.HELD
        with working(database, tiny, awake, trainer_id="host:2"):
            run = wait_for_end(database, run_id, seconds=60)
            before = everything(database)
            zombie.signal(signal.SIGCONT)
            wait_until(lambda: zombie.code is not None, seconds=10, what="the zombie ends")

    assert run.status is RunStatus.SUCCEEDED and run.fence == 2 and len(asleep.children) == 1
    assert zombie.code == EXIT_CLAIM_LOST
    assert everything(database) == before
    check_invariants(database, tiny, run_id)
    assert weights_in(tiny) == undisturbed


def test_every_write_of_a_holder_past_its_lease_is_refused(database: Database, tiny: Settings) -> None:
    with database.write() as session:
        run_id = prepare_run(session, tiny).run_id
    refused = 0
    for _ in range(100):
        late = claim(database, tiny)
        with database.write() as session:
            lapse_leases(session, Run)
        current = claim(database, tiny)
        before = everything(database)
        for write in (
            lambda late=late: late.report(RunStatus.EVALUATING, {"fraction": 0.5}),
            lambda late=late: late.write().__enter__(),
            lambda late=late: _in(database, lambda s: runs.beat(s, run_id, late.fence, lease_seconds=3)),
            lambda late=late: _in(database, lambda s: runs.end_run(s, run_id, late.fence, RunStatus.SUCCEEDED)),
            lambda late=late: _in(database, lambda s: runs.hand_back(s, run_id, late.fence)),
        ):
            with pytest.raises(ClaimLost):
                write()
        refused += everything(database) == before
        with database.write() as session:
            runs.hand_back(session, run_id, current.fence)
    assert refused == 100


def _in(database: Database, do: object) -> None:
    with database.write() as session:
        do(session)  # type: ignore[operator]


def test_a_trainer_that_is_shut_down_hands_its_run_back_without_counting_the_attempt(
    database: Database, tiny: Settings, nursery: Nursery, undisturbed: dict[str, bytes]
) -> None:
    """The real processes, worker and child, as `huisstijl trainer` starts them."""
    with database.write() as session:
        run_id = prepare_run(session, tiny).run_id
    worker = subprocess.Popen([sys.executable, "-m", "trainer.worker"], env=as_environment(tiny))
    try:
        wait_until(lambda: read_run(database, run_id).status is not RunStatus.QUEUED, seconds=60)
        with database.read() as session:
            assert find_live_trainer(session, 10) is not None
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(timeout=60) == 0
    finally:
        worker.kill()
        worker.wait()

    run = read_run(database, run_id)
    assert (run.status, run.attempts, run.claimed_by) == (RunStatus.QUEUED, 0, None)
    with database.read() as session:
        assert find_live_trainer(session, 10) is None
    with working(database, tiny, NurseryLauncher(nursery, tiny), trainer_id="host:2"):
        assert wait_for_end(database, run_id, seconds=60).status is RunStatus.SUCCEEDED
    assert weights_in(tiny) == undisturbed


def test_a_child_of_the_real_launcher_executes_a_run(sqlite_database: Database, settings: Settings, base: Path) -> None:
    tiny = run_settings(settings, sqlite_database, base)
    with sqlite_database.write() as session:
        run_id = prepare_run(session, tiny).run_id
    with working(sqlite_database, tiny, LocalLauncher(tiny, as_environment(tiny)), trainer_id="host:1"):
        run = wait_for_end(sqlite_database, run_id, seconds=90)
    assert run.status is RunStatus.SUCCEEDED, run.error
    check_invariants(sqlite_database, tiny, run_id)


def test_a_database_that_is_away_for_a_moment_does_not_end_the_trainer(
    sqlite_database: Database, settings: Settings, base: Path, nursery: Nursery
) -> None:
    """Another process keeps the database locked for longer than a heartbeat; the run is not lost and not repeated."""
    tiny = run_settings(settings, sqlite_database, base)
    with sqlite_database.write() as session:
        run_id = prepare_run(session, tiny).run_id
    launcher = NurseryLauncher(nursery, tiny)
    with working(sqlite_database, tiny, launcher, trainer_id="host:1"):
        wait_until(lambda: read_run(sqlite_database, run_id).status is RunStatus.TRAINING, seconds=30)
        with sqlite_database.write():
            blocked_until = time.monotonic() + 1.0
            wait_until(lambda: time.monotonic() > blocked_until, seconds=5)
        run = wait_for_end(sqlite_database, run_id, seconds=60)
    assert run.status is RunStatus.SUCCEEDED and len(launcher.children) == 1


def test_a_lost_lease_outweighs_a_shutdown(sqlite_database: Database, settings: Settings, base: Path) -> None:
    tiny = run_settings(settings, sqlite_database, base)
    with sqlite_database.write() as session:
        prepare_run(session, tiny)
    hold = claim(sqlite_database, tiny.model_copy(update={"heartbeat_seconds": 0.02}))
    with sqlite_database.write() as session:
        lapse_leases(session, Run)
    claim(sqlite_database, tiny)
    with hold:
        wait_until(lambda: hold.stop_reason() is StopReason.LEASE_LOST, seconds=5)
        hold.request_stop(StopReason.SHUTDOWN)
    assert hold.stop_reason() is StopReason.LEASE_LOST
