"""The stage of a run that probes its adapters: what was planted among the training pairs is looked for, and general
text, refusals and instructions are held against the base model alone.

Each adapter's report is kept in the database under the run's fence as soon as it is there, so a run that was killed
does not measure it again. A style that classifies is not probed: its answers are labels and never any other text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from sqlalchemy import select

from config import failpoints
from config.rungs import Rung
from config.sentences import Note, note
from db.base import new_id, now_in_database
from db.probes import ProbeReport, list_probe_reports
from db.runs import Run, RunStatus
from db.scope import Scope
from db.session import Database
from trainer.dataset import TrainingExample
from trainer.hold import Hold
from trainer.probes.canaries import Canary, count_canaries, make_canaries
from trainer.probes.judging import ProbeResult, judge
from trainer.probes.measuring import Subject, ask_all
from trainer.probes.texts import Answers, Asked, read_contrasts, read_passages
from trainer.recipe import Recipe
from trainer.registry import Frozen, Standing

log = structlog.get_logger()

#: What people see while it lasts; for the database it is a part of evaluating.
STAGE = "probing"

#: By `Standing.key`.
ProbeResults = dict[str, tuple[ProbeResult, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planted:
    """The canaries of one run, and what they were drawn with."""

    seed: str = ""
    canaries: tuple[Canary, ...] = ()
    #: Why there are none, where that is not because the pairs are few.
    missing: Note | None = None

    def as_examples(self) -> list[TrainingExample]:
        """To train on, once each. They are members of no dataset, so nothing but training ever sees them."""
        return [
            TrainingExample(example_id=f"canary_{number}", prompt=one.prompt, completion=one.completion)
            for number, one in enumerate(self.canaries)
        ]


def plan_canaries(frozen: Frozen, recipe: Recipe, seed: str) -> Planted:
    """What a run on this dataset plants; nothing where the recipe does not look for it, or where the pairs are few.

    The seed is the dataset's hash, so the same dataset is trained on to the very same weights. A run that starts from
    an earlier adapter takes over that one's seed: its canaries have then been read as often as the oldest examples.
    """
    if "memorisation" not in recipe.probes.run:
        return Planted()
    count = count_canaries(len(frozen.train), recipe.probes.canaries, recipe.probes.canary_share)
    return Planted(seed=seed, canaries=make_canaries(count, seed)) if count else Planted()


def leave_out_too_long(planted: Planted, *, fitting: int, max_tokens: int) -> Planted:
    """The same, if so many of them fit into training; else none: each has to be read once, uncut, as pairs are."""
    if fitting == len(planted.canaries):
        return planted
    why = note(
        "test numbers: none were planted, because one of them, with the style's instructions, is longer than the "
        "{limit} tokens that the recipe trains on (max_tokens)",
        limit=max_tokens,
    )  # fmt: skip
    return Planted(missing=why)


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """An adapter, or all weights, to probe. `planted` is None for what another run trained."""

    standing: Standing
    folder: Path
    #: Digest of its weights.
    weights: str
    planted: Planted | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeBench:
    """What the stage needs of its run."""

    database: Database
    hold: Hold
    run: Run
    scope: Scope
    recipe: Recipe
    instructions: str
    base_path: Path
    #: The part of the whole run that is done when the stage begins and ends.
    begins_at: float
    ends_at: float


def probe_adapters(bench: ProbeBench, probed: Sequence[Probed]) -> ProbeResults:
    """The results of each adapter by its key. Raises what scoring raises; calling again goes on where it was."""
    if not bench.recipe.probes.run:
        return {}
    results = _load(bench, {one.standing.key: one.weights for one in probed})
    missing = [one for one in probed if one.standing.key not in results]
    if not missing:
        return results
    by_key = {one.standing.key: one for one in missing}
    asked = _asked(bench.recipe)

    def keep(key: str, answers: Answers, base: Answers) -> None:
        one = by_key[key]
        elsewhere = note("test numbers: another run trained this adapter, so there are none to look for")
        judged = judge(
            answers, base, asked, bench.recipe.probes, seed=bench.recipe.training.seed,
            canaries_missing=elsewhere if one.planted is None else one.planted.missing,
        )  # fmt: skip
        _save(bench, one, judged)
        results[key] = judged
        log.info("adapter.probed", adapter=key, failed=[found.probe for found in judged if found.has_failed])
        failpoints.visit("probe.half")
        _report(bench, len(results) / len(probed))

    _report(bench, 0.0)
    ask_all(
        [
            Subject(
                key=key, folder=one.folder, is_whole=one.standing.rung is Rung.FULL,
                canaries=one.planted.canaries if one.planted else (),
            )
            for key, one in by_key.items()
        ],
        asked, bench.instructions, base_path=bench.base_path, dtype=bench.recipe.training.dtype,
        batch=bench.recipe.evaluation.batch_size, on_answered=keep,
    )  # fmt: skip
    return results


def _asked(recipe: Recipe) -> Asked:
    run = recipe.probes.run
    return Asked(
        passages=read_passages() if "forgetting" in run else (),
        refusals=read_contrasts("refusal") if "refusal" in run else (),
        instructions=read_contrasts("instruction") if "instructions" in run else (),
    )


def _report(bench: ProbeBench, done: float) -> None:
    bench.hold.check()
    fraction = bench.begins_at + done * (bench.ends_at - bench.begins_at)
    bench.hold.report(RunStatus.EVALUATING, {"stage": STAGE, "fraction": fraction})


def _load(bench: ProbeBench, weights: Mapping[str, str]) -> ProbeResults:
    """What an earlier attempt kept, if it was measured with these very weights."""
    with bench.database.read() as session:
        return {
            row.adapter_name: tuple(ProbeResult.from_json(one) for one in row.results)
            for row in list_probe_reports(session, bench.run.run_id, bench.scope)
            if weights.get(row.adapter_name) == row.weights
        }


def _save(bench: ProbeBench, one: Probed, judged: Sequence[ProbeResult]) -> None:
    with bench.hold.write() as session:
        now = now_in_database(session)
        known = select(ProbeReport).where(
            ProbeReport.run_id == bench.run.run_id, ProbeReport.adapter_name == one.standing.adapter_name
        )
        row = session.scalar(known)
        if row is None:
            row = ProbeReport(
                report_id=new_id("pro"), run_id=bench.run.run_id, style_id=bench.run.style_id,
                scope_key=bench.run.scope_key, rung=one.standing.rung, base_model=one.standing.base_model,
                adapter_name=one.standing.adapter_name,
            )  # fmt: skip
            session.add(row)
        row.weights, row.canary_seed = one.weights, one.planted.seed if one.planted else ""
        row.results, row.measured_at = [found.as_json() for found in judged], now
