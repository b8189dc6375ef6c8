"""Where an adapter starts: the base model, or the adapter that serves now, whichever measures better.

What serves has been proven, and is what a retrain could lose; so it is the only adapter that a run may start from: the
`lora` of the run whose adapter is champion. It must not have seen anything that judges now. So every example that it
was trained on is on the training side still, with the same text, and every one that chose its step is not on the
unseen side; where one is gone, changed, or on another side, the run starts from the base model and says why. An
adapter that learnt from something withdrawn is never started from: that would undo the unlearning. As all that an
adapter and its predecessors learnt is in the dataset of its run, taint (db/taint.py) reaches whatever was started from
them.

Replay. A run trains on all approved examples, not on the new ones alone, so what the earlier adapter learnt is trained
on again, every pair as often as a new one: replay is complete, and needs no share of its own.

`measured` trains a few steps from each and compares the validation loss. The earlier adapter has a head start there,
so what the race finds is whether it is in the way (other instructions, another taste by now), not which of two long
trainings would end lower. The loss of its start is measured on pairs that may have chosen its step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.orm import Session

from config.rungs import Rung
from config.sentences import Note, note, read_note
from config.settings import Settings
from db.adapters import Adapter, AdapterStatus, find_adapter_of_run, get_adapter
from db.datasets import DatasetExample, SplitName, list_members
from db.probes import find_probe_report
from db.promotions import find_promotion
from db.runs import Run
from db.scope import Scope
from db.session import Database
from db.styles import Style
from db.taint import is_tainted
from trainer.adapter_files import fetch_verified
from trainer.artifacts.keys import load_verify_key
from trainer.base_models import base_revision, linear_shapes
from trainer.dataset import TrainingExample
from trainer.errors import AdapterError, StopReason
from trainer.recipe import Lora, Recipe
from trainer.registry import Frozen
from trainer.train import PairRow, adapted_modules, train_adapter
from trainer.workspace import read_value, write_value

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Where `lora` starts, and why. Without a folder: from the base model."""

    #: None where nothing was to be chosen.
    why: Note | None = None
    folder: Path | None = None
    adapter_name: str = ""
    #: What the earlier adapter's canaries were drawn with.
    canary_seed: str = ""

    def as_json(self) -> dict[str, Any] | None:
        return {"adapter_name": self.adapter_name, "why": self.why.as_json()} if self.why else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StartBench:
    """What the choice needs of its run."""

    database: Database
    settings: Settings
    run: Run
    style: Style
    scope: Scope
    recipe: Recipe
    frozen: Frozen
    base_path: Path
    work: Path
    #: The run's own way to put rows together, without anything planted.
    rows: Callable[[Sequence[TrainingExample]], list[PairRow]]
    should_stop: Callable[[], StopReason | None]


def choose_start(bench: StartBench) -> Start:
    """Chosen once for a run on this host; a resumed run starts from the same. Raises what training raises."""
    if bench.recipe.training.start == "base":
        return Start()
    marker = bench.work / "start.json"
    earlier = read_value(marker)
    if earlier is not None:
        folder = bench.work / "start" / earlier["adapter_name"] if earlier["adapter_name"] else None
        return Start(
            why=read_note(earlier["why"]), folder=folder, adapter_name=earlier["adapter_name"],
            canary_seed=earlier["canary_seed"],
        )  # fmt: skip
    start = _choose(bench)
    write_value(marker, (start.as_json() or {}) | {"canary_seed": start.canary_seed})
    log.info("start.chosen", adapter=start.adapter_name or None, why=str(start.why))
    return start


def _choose(bench: StartBench) -> Start:
    with bench.database.read() as session:
        found = _find_previous(session, bench)
        if isinstance(found, Note):
            return Start(why=found)
        report = find_probe_report(session, found, bench.scope)
    try:
        folder = fetch_verified(
            bench.settings.resolved_artifact_url, found.name, bench.work / "start",
            load_verify_key(bench.settings.keys_dir), expected_base_revision=base_revision(bench.base_path),
            base_shapes=linear_shapes(bench.base_path),
        )  # fmt: skip
    except AdapterError:
        log.exception("start.refused", adapter=found.name)
        return Start(why=note("Started from the base model: {adapter} could not be verified", adapter=found.name))
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if not has_shape(config, bench.recipe.lora, adapted_modules(bench.base_path, bench.recipe)):
        return Start(
            why=note(
                "Started from the base model: the recipe asks for another shape than {adapter} has", adapter=found.name
            )
        )
    seed = report.canary_seed if report else ""
    if bench.recipe.training.start == "previous":
        why = note("Started from {adapter}, as the recipe says", adapter=found.name)
        return Start(why=why, folder=folder, adapter_name=found.name, canary_seed=seed)
    anew, onwards = _race(bench, "base", None), _race(bench, "previous", folder)
    values: dict[str, Any] = {
        "adapter": found.name, "steps": bench.recipe.training.start_steps, "onwards": onwards, "anew": anew,
    }  # fmt: skip
    if onwards >= anew:
        why = note(
            "Started from the base model: after {steps} steps its validation loss is {anew:.3f}, from {adapter} "
            "{onwards:.3f}",
            **values,
        )
        return Start(why=why)
    why = note(
        "Started from {adapter}: after {steps} steps its validation loss is {onwards:.3f}, from the base model "
        "{anew:.3f}",
        **values,
    )
    return Start(why=why, folder=folder, adapter_name=found.name, canary_seed=seed)


def _find_previous(session: Session, bench: StartBench) -> Adapter | Note:
    """The adapter that may be started from, or why there is none."""
    champion = find_promotion(session, bench.style.champion_promotion_id)
    if champion is None or champion.adapter_id is None or champion.scope_key != bench.scope.key:
        return note("Started from the base model: no adapter serves yet")
    run_id = get_adapter(session, champion.adapter_id, bench.scope).run_id
    found = find_adapter_of_run(session, run_id, Rung.LORA, bench.scope)
    if found is None or found.base_model != bench.run.base_model:
        return note("Started from the base model: what serves stands on no adapter of this base model")
    if found.status is not AdapterStatus.PUBLISHED or is_tainted(session, found):
        return note(
            "Started from the base model: {adapter} learnt from something that was withdrawn", adapter=found.name
        )
    report = find_probe_report(session, found, bench.scope)
    if report is not None and report.has_failed:
        return note("Started from the base model: {adapter} fails a probe", adapter=found.name)
    return find_leak(found.name, list_members(session, run_id, bench.scope), bench.frozen) or found


def find_leak(adapter_name: str, members: Sequence[DatasetExample], frozen: Frozen) -> Note | None:
    """What the earlier adapter saw that it should not have, seen from the dataset of now; None where there is nothing.

    `members` are those of the earlier run's dataset. What is gone or changed counts, too: what tells about it may be on
    the unseen side by now, and nobody would know.
    """
    sides = {
        name: {one.example_id: one.content_hash for one in side}
        for name, side in (
            (SplitName.TRAIN, frozen.train), (SplitName.VALIDATION, frozen.validation), (SplitName.TEST, frozen.test),
        )
    }  # fmt: skip
    seen = [one for one in members if one.split is not SplitName.TEST]
    judging = [
        one
        for one in seen
        if one.example_id in sides[SplitName.TEST]
        or (one.split is SplitName.TRAIN and one.example_id in sides[SplitName.VALIDATION])
    ]
    if judging:
        return note(
            "Started from the base model: {adapter} saw {count} of the pairs that judge now",
            adapter=adapter_name, count=len(judging),
        )  # fmt: skip
    known = sides[SplitName.TRAIN] | sides[SplitName.VALIDATION]
    gone = [one for one in seen if known.get(one.example_id) != one.content_hash]
    if gone:
        return note(
            "Started from the base model: of what {adapter} learnt from, {count} examples are no longer among those of "
            "now",
            adapter=adapter_name, count=len(gone),
        )  # fmt: skip
    return None


def has_shape(config: Mapping[str, Any], lora: Lora, modules: Collection[str]) -> bool:
    """Is this the adapter_config.json of an adapter as the recipe would make it, on these modules?"""
    wanted = {"r": lora.r, "lora_alpha": lora.alpha, "use_dora": lora.use_dora, "use_rslora": lora.use_rslora}
    if any(config.get(name, False) != value for name, value in wanted.items()):
        return False
    return set(config.get("target_modules") or ()) == set(modules)


def _race(bench: StartBench, name: str, warm_start: Path | None) -> float:
    """Validation loss, nats per completion token, after a few steps."""
    steps = bench.recipe.training.start_steps
    short = {"max_steps": steps, "eval_every_steps": steps, "patience": 1}
    recipe = bench.recipe.model_copy(update={"training": bench.recipe.training.model_copy(update=short)})
    trained = train_adapter(
        base_path=bench.base_path,
        rows_train=bench.rows(bench.frozen.train),
        rows_validation=bench.rows(bench.frozen.validation),
        recipe=recipe,
        rung="lora",
        out_dir=bench.work / "race" / name,
        checkpoint_dir=bench.work / "race" / f"{name}-checkpoints",
        should_stop=bench.should_stop,
        warm_start=warm_start,
        base_model_name=bench.run.base_model,
    )
    return dict(trained.eval_losses)[trained.steps]
