"""Two tiny base models, a style that is served on the first, and the operator's commands."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import openai

from config.settings import Settings
from db.base import now_in_database
from db.promotions import find_promotion
from db.runs import Run
from db.session import Database
from db.styles import get_style, lock_style
from db.teams import get_team
from tests.support.run_nursery import as_environment
from tests.support.runs import execute_here, prepare_run, run_settings
from tests.support.serving import running
from tests.support.tiny_model import make_tiny_model
from trainer.serving.bases import make_engine
from trainer.serving.embedder import Embedder
from trainer.serving.server import build_server


@dataclass(frozen=True, slots=True, kw_only=True)
class TwoBases:
    """`old` serves, `new` is asked about; their names are those of their folders."""

    old: Path
    new: Path


def make_two_bases(folder: Path) -> TwoBases:
    return TwoBases(old=make_tiny_model(folder / "old"), new=make_tiny_model(folder / "new", seed=7))


def prepare_trained_style(database: Database, settings: Settings, bases: TwoBases) -> tuple[Settings, str, Run]:
    """A style whose champion is an adapter on the old base model; its settings, its id, and the run that trained it."""
    tiny = run_settings(settings, database, bases.old)
    with database.write() as session:
        style_id = prepare_run(session, tiny).style_id
    run = execute_here(database, tiny)
    assert run.verdict is not None and run.verdict["promoted"], run.verdict
    with database.write() as session:
        get_team(session, "T1").terms_accepted_at = now_in_database(session)
        lock_style(session, style_id).recipe = tiny.recipe
    return tiny, style_id, run


def serving_of(database: Database, style_id: str) -> tuple[str, str, str | None]:
    """Rung, base model and adapter id of what serves."""
    with database.read() as session:
        champion = find_promotion(session, get_style(session, style_id).champion_promotion_id)
        assert champion is not None
        return champion.rung.value, champion.base_model, champion.adapter_id


def huisstijl(settings: Settings, *arguments: str, failpoint: str = "") -> subprocess.CompletedProcess[str]:
    """The command as the operator types it, in a process of its own."""
    environment = as_environment(settings, failpoint=failpoint, log_level="WARNING", model_url=settings.model_url)
    return subprocess.run(
        [sys.executable, "-m", "bot.cli", *arguments], env=environment, capture_output=True, text=True, timeout=120,
        check=False,
    )  # fmt: skip


@contextmanager
def model_server(settings: Settings, embedder: Embedder) -> Iterator[tuple[openai.OpenAI, Settings]]:
    """A model server on the settings' base model; a client of it, and the settings that point at it."""
    quick = settings.model_copy(update={"heartbeat_seconds": 0.05})
    engine = make_engine(quick, quick.base_model)
    try:
        with running(build_server(quick, engine, embedder)) as url:
            client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60)
            yield client, settings.model_copy(update={"model_url": f"{url}/v1"})
            client.close()
    finally:
        engine.close()


def answer(client: openai.OpenAI, model: str) -> str:
    """What this model says, greedily."""
    said = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hello"}], max_tokens=24, temperature=0
    )
    return said.choices[0].message.content or ""
