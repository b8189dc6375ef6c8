"""A style with approved pairs and a queued run on the tiny model, and a trainer to execute it, in this process or in
another that can be killed."""

from __future__ import annotations

import gc
import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy.orm import Session

from config.rungs import Rung
from config.settings import Settings
from db import runs
from db.examples import ExampleStatus
from db.promotions import PromotionKind
from db.runs import ENDED, Run, RunStatus
from db.scope import Scope
from db.search import vector_to_bytes
from db.session import Database
from db.styles import Style
from tests.support import factories
from tests.support.tiny_model import make_tiny_model
from tests.support.wait import wait_until
from trainer.hold import Hold
from trainer.launchers import Launcher
from trainer.worker import Worker

#: The scope of the style that `prepare_run` makes.
T1 = Scope(team_id="T1")

_THINGS = (
    "parcel",
    "invoice",
    "password",
    "subscription",
    "refund",
    "delivery",
    "voucher",
    "account",
    "printer",
    "key",
)
_WAYS = ("is late", "is lost", "does not work", "was charged twice", "should be cancelled", "is the wrong one")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Ids of what a test starts from."""

    style_id: str
    run_id: str
    example_ids: list[str]


def run_settings(settings: Settings, database: Database, base_model: Path, **different: Any) -> Settings:
    """Settings under which a run of the tiny model executes against this database."""
    url = database.url.render_as_string(hide_password=False)
    values = {"database_url": url, "base_model": str(base_model), "recipe": "tiny-test", **different}
    return settings.model_copy(update=values)


def prepare_run(session: Session, settings: Settings, *, pairs: int = 40, **different: Any) -> Prepared:
    """A style whose champion is the zero-shot prompt, approved pairs with embeddings, and a queued run."""
    style = factories.make_style(session, name="support", instructions="Answer briefly.")
    factories.make_promotion(
        session, style, kind=PromotionKind.INITIAL, rung=Rung.ZERO_SHOT, base_model=settings.base_model, actor="U_ADMIN"
    )
    examples = approve_pairs(session, style, settings, pairs)
    run = factories.make_run(session, style, recipe=settings.recipe, base_model=settings.base_model, **different)
    return Prepared(style_id=style.style_id, run_id=run.run_id, example_ids=examples)


def approve_pairs(session: Session, style: Style, settings: Settings, count: int, *, start: int = 0) -> list[str]:
    """Approved pairs that differ enough not to be near-duplicates; ids and texts are the same in every test."""
    ids = []
    for number in range(start, start + count):
        thing, way = _THINGS[number % len(_THINGS)], _WAYS[(number // len(_THINGS)) % len(_WAYS)]
        noise = hashlib.sha256(f"{number}".encode()).hexdigest()
        vector = np.random.default_rng(number).normal(size=64).astype(np.float32)
        ids.append(
            factories.make_example(
                session,
                style,
                example_id=f"ex_{number:04d}",
                prompt=f"My {thing} {way} {noise[:12]}",
                completion=f"{noise[12:24]}: sorry about the {thing}. {noise[24:34]}",
                status=ExampleStatus.APPROVED,
                embedding=vector_to_bytes(vector / np.linalg.norm(vector)),
                embedding_model=settings.embedding_model,
            ).example_id
        )
    return ids


def make_base_model(folder: Path) -> Path:
    return make_tiny_model(folder / "tiny")


def execute_here(
    database: Database, settings: Settings, *, meanwhile: Callable[[str, float], None] | None = None
) -> Run:
    """Claim the oldest run and execute it in this process; returns it as it ended.

    `meanwhile(stage, fraction)` is called whenever the run says where it is: for what others do at that moment.
    """
    from trainer.run import execute_run

    gc.freeze()  # accelerate collects garbage often, and need not look through all modules each time
    hold = claim(database, settings, meanwhile=meanwhile)
    with hold:
        execute_run(database, settings, hold)
    return read_run(database, hold.run_id)


class WatchedHold(Hold):
    """A hold that tells a test where the run is."""

    meanwhile: Callable[[str, float], None] | None = None

    def report(self, status: RunStatus, progress: dict[str, Any], *, is_news: bool = True) -> None:
        super().report(status, progress, is_news=is_news)
        if self.meanwhile is not None:
            self.meanwhile(status.value, float(progress["fraction"]))


def claim(
    database: Database, settings: Settings, *, meanwhile: Callable[[str, float], None] | None = None
) -> WatchedHold:
    with database.write() as session:
        run = runs.claim_run(session, owner="here:1", lease_seconds=settings.lease_seconds)
        assert run is not None, "no run is waiting"
    hold = WatchedHold(
        database, run.run_id, run.fence,
        heartbeat_seconds=settings.heartbeat_seconds, lease_seconds=settings.lease_seconds,
    )  # fmt: skip
    hold.meanwhile = meanwhile
    return hold


def read_run(database: Database, run_id: str) -> Run:
    with database.read() as session:
        return runs.get_run(session, run_id)


def wait_for_end(database: Database, run_id: str, *, seconds: float) -> Run:
    def ended() -> Run | None:
        run = read_run(database, run_id)
        return run if run.status in ENDED else None

    return wait_until(ended, seconds=seconds, what=f"the end of {run_id}")


@contextmanager
def working(database: Database, settings: Settings, launcher: Launcher, *, trainer_id: str) -> Iterator[Worker]:
    """A worker in a thread of this process; its children are real processes."""
    worker, stop = Worker(database, settings, launcher, trainer_id=trainer_id), threading.Event()
    thread = threading.Thread(target=worker.work_until, args=(stop,), name=trainer_id)
    thread.start()
    try:
        yield worker
    finally:
        stop.set()
        thread.join(timeout=60)
        assert not thread.is_alive()
