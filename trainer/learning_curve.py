"""The stage of a run that measures its learning curve: the same training on parts of the training side, scored on the
same unseen pairs; then the forecast made of it, and what earlier forecasts were worth.

Cheap points first, each kept in the database under the run's fence as soon as it is scored, so that a run that was
killed does not measure it again. A part contains every smaller part. Each point starts from the base model and not
from the smaller point's adapter: the run itself starts there, and a curve must be made of one kind of points. The
adapters of parts are never published; they go with the run's folder.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from config import failpoints
from config.resampling import count_unrelated
from config.rungs import Rung
from db.base import new_id, now_in_database
from db.datasets import find_dataset_of_run
from db.forecasts import SETTLED_BY_GROWTH, CurvePoint, ForecastRow, list_open, list_points
from db.runs import Run, RunStatus
from db.scope import Scope
from db.session import Database
from db.styles import Style
from trainer.dataset import Pool, TrainingExample
from trainer.evaluate import Candidate, UnseenPair, evaluate, to_json
from trainer.forecast import Curve, Forecast, bytes_of, curve_of, make_forecast
from trainer.hold import Hold
from trainer.metrics import Scorecard
from trainer.recipe import Recipe, TunedRung
from trainer.registry import Frozen, Standing
from trainer.train import PairRow, Progress, train_adapter
from trainer.workspace import read_value, write_value

log = structlog.get_logger()

#: What people see while it lasts; for the database it is a part of evaluating.
STAGE = "forecasting"

#: By rung and number of training pairs.
Points = dict[Rung, dict[int, Scorecard]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What the stage needs of its run."""

    database: Database
    hold: Hold
    run: Run
    scope: Scope
    recipe: Recipe
    frozen: Frozen
    base_path: Path
    work: Path
    #: The run's own ways to put rows and prompts together, so that a point differs in its examples alone.
    pool: Callable[[Frozen], Pool]
    rows: Callable[[Frozen, Sequence[TrainingExample], Pool | None], list[PairRow]]
    candidate: Callable[[Frozen, Standing, Mapping[str, Path]], Candidate]
    #: The part of the whole run that is done when the stage begins and ends.
    begins_at: float
    ends_at: float


def measure_points(bench: Bench, champion: Standing) -> Points:
    """Scores of every rung that the recipe asks for, and of a prompt that is champion, on each part; none when the
    recipe asks for no parts, or when there are too few pairs for them to say something.

    Raises what training and scoring raise; calling again goes on where it was.
    """
    if not would_measure(bench.frozen, bench.recipe):
        return {}
    sizes = part_sizes(len(bench.frozen.train), bench.recipe)
    rungs = _rungs(bench, champion)
    points = _load(bench)
    for number, size in enumerate(sizes):
        missing = [rung for rung in rungs if size not in points.get(rung, {})]
        _measure(bench, size, missing, points, done=number / len(sizes))
    return points


def would_measure(frozen: Frozen, recipe: Recipe) -> bool:
    """Would a run of this recipe from the base model have points?"""
    has_rung = any(name in recipe.rungs.tuned for name in recipe.forecast.rungs)
    unrelated = count_unrelated(
        frozen.kin_groups.get(one.example_id) for one in frozen.judging(recipe.evaluation.max_pairs)
    )
    return has_rung and unrelated >= recipe.gate.min_pairs and bool(part_sizes(len(frozen.train), recipe))


def part_sizes(pairs: int, recipe: Recipe) -> list[int]:
    """How many pairs each part has, ascending; parts that are too small to learn from are left out."""
    sizes = {round(pairs * share) for share in recipe.forecast.shares}
    return sorted(size for size in sizes if recipe.forecast.min_pairs <= size < pairs)


def take_part(examples: Sequence[TrainingExample], size: int, seed: int) -> list[TrainingExample]:
    """So many of them, drawn by hash: a larger part contains a smaller one. In the order of the whole."""
    drawn = sorted(examples, key=lambda one: hashlib.sha256(f"{seed}:part:{one.example_id}".encode()).digest())[:size]
    chosen = {example.example_id for example in drawn}
    return [example for example in examples if example.example_id in chosen]


def _rungs(bench: Bench, champion: Standing) -> list[Rung]:
    """Prompts first: they need no training."""
    asked = [Rung(name) for name in bench.recipe.forecast.rungs if name in bench.recipe.rungs.tuned]
    is_growing_prompt = champion.rung in (Rung.FEW_SHOT, Rung.RETRIEVED) and champion.base_model == bench.run.base_model
    return [champion.rung, *asked] if is_growing_prompt else asked


def _load(bench: Bench) -> Points:
    points: Points = {}
    with bench.database.read() as session:
        for row in list_points(session, bench.run.run_id, bench.scope):
            points.setdefault(row.rung, {})[row.train_pairs] = Scorecard.from_json(row.card)
    return points


def _measure(bench: Bench, size: int, missing: Sequence[Rung], points: Points, *, done: float) -> None:
    if not missing:
        return
    fraction = bench.begins_at + done * (bench.ends_at - bench.begins_at)
    part = replace(bench.frozen, train=take_part(bench.frozen.train, size, bench.recipe.training.seed))
    standings = {rung: Standing(rung=rung, base_model=bench.run.base_model) for rung in missing}
    folders = {rung.value: _train(bench, part, rung, fraction) for rung in missing if rung.needs_adapter}
    bench.hold.check()

    def keep(card: Scorecard) -> None:
        if card.not_finite:
            log.warning("part.not_finite", rung=card.rung, train_pairs=size, pairs=card.not_finite)
            return
        rung, card = Rung(card.rung), card.in_groups(bench.frozen.kin_groups)
        points.setdefault(rung, {})[size] = card
        with bench.hold.write() as session:
            session.add(
                CurvePoint(
                    point_id=new_id("cur"), run_id=bench.run.run_id, style_id=bench.run.style_id,
                    scope_key=bench.run.scope_key, rung=rung, train_pairs=size, card=to_json(card),
                    scored_at=now_in_database(session),
                )
            )  # fmt: skip
        log.info("part.scored", rung=card.rung, train_pairs=size, bits_per_byte=round(card.bits_per_byte, 4))
        failpoints.visit("curve.half")

    judging = bench.frozen.judging(bench.recipe.evaluation.max_pairs)
    evaluate(
        [bench.candidate(part, standings[rung], folders) for rung in missing],
        [UnseenPair(example_id=one.example_id, completion=one.completion) for one in judging],
        base_path=bench.base_path,
        knobs=bench.recipe.evaluation.model_copy(update={"max_generated_pairs": 0}),
        dtype=bench.recipe.training.dtype,
        on_scored=keep,
    )


def _train(bench: Bench, part: Frozen, rung: Rung, fraction: float) -> Path:
    """The rung's adapter for this part, as the run trains its own; what is on this host already is used."""
    folder = bench.work / "parts" / str(len(part.train))
    out_dir, marker = folder / rung.value, folder / f"{rung.value}.json"
    if read_value(marker) is not None:
        return out_dir
    pool = bench.pool(part) if rung.uses_retrieval else None
    warm = _train(bench, part, Rung.LORA, fraction) if rung.uses_retrieval else None

    def show(progress: Progress) -> None:
        news = {"stage": STAGE, "fraction": fraction, "step": progress.step, "total_steps": progress.total_steps}
        bench.hold.report(RunStatus.EVALUATING, news, is_news=progress.step in (0, progress.total_steps))

    tuned: TunedRung = "lora_retrieved" if rung.uses_retrieval else "lora"
    trained = train_adapter(
        base_path=bench.base_path,
        rows_train=bench.rows(part, part.train, pool),
        rows_validation=bench.rows(part, part.validation, pool),
        recipe=bench.recipe,
        rung=tuned,
        out_dir=out_dir,
        checkpoint_dir=folder / f"{rung.value}-checkpoints",
        on_progress=show,
        should_stop=bench.hold.stop_reason,
        warm_start=warm,
        base_model_name=bench.run.base_model,
    )
    write_value(marker, {key: value for key, value in asdict(trained).items() if key != "folder"})
    return out_dir


# ------------------------------------------------------------------------------------------------ the forecast


def foresee(
    points: Points, cards: Mapping[Rung, Scorecard], champion: Standing, champion_card: Scorecard, frozen: Frozen,
    recipe: Recipe,
) -> list[Forecast]:  # fmt: skip
    """One forecast for each trained rung against this champion; none without points.

    `cards` are the run's own, by rung, on all training pairs. A rung without points of its own goes on as the rung that
    it was started from does (its pairs' scores, scaled to its own): recipes leave it out to save the time.
    """
    now = len(frozen.train)
    found = []
    for rung in (one for one in (Rung.LORA, Rung.LORA_RETRIEVED) if one in cards):
        own = points.get(rung) or _borrowed(points.get(Rung.LORA, {}), cards, rung)
        if not own:
            continue
        found.append(
            make_forecast(
                rung.value, curve_of({**own, now: cards[rung]}),
                champion.rung.value, _champion_curve(points, champion, champion_card, now),
                bytes_of(champion_card), examples=len(frozen.examples), seed=recipe.training.seed,
            )
        )  # fmt: skip
    return found


def _champion_curve(points: Points, champion: Standing, card: Scorecard, now: int) -> Curve:
    """A prompt grows with what it can show; an adapter stays what it is."""
    measured = {} if champion.adapter_name else points.get(champion.rung, {})
    return curve_of({**measured, now: card}, is_constant=not measured)


def _borrowed(points: Mapping[int, Scorecard], cards: Mapping[Rung, Scorecard], rung: Rung) -> dict[int, Scorecard]:
    if Rung.LORA not in cards or not points:
        return {}
    scale = cards[rung].bits_per_byte / cards[Rung.LORA].bits_per_byte
    return {
        size: replace(card, pairs=tuple(replace(pair, nll_nats=pair.nll_nats * scale) for pair in card.pairs))
        for size, card in points.items()
    }


def save_forecasts(session: Session, run: Run, forecasts: Sequence[Forecast]) -> None:
    """Keep a run's forecasts, in the transaction that moves the champion they are compared with."""
    dataset = find_dataset_of_run(session, run.run_id)
    assert dataset is not None, "a run is frozen before it is judged"
    promotion_id = session.scalar(select(Style.champion_promotion_id).where(Style.style_id == run.style_id))
    session.add_all(
        ForecastRow(
            forecast_id=new_id("for"), run_id=run.run_id, style_id=run.style_id, scope_key=run.scope_key,
            rung=Rung(one.rung), champion_promotion_id=promotion_id, prompt_hash=dataset.prompt_hash,
            base_model=run.base_model, recipe=run.recipe, train_pairs=one.train_pairs, forecast=one.as_json(),
            made_at=now_in_database(session),
        )
        for one in forecasts
    )  # fmt: skip


def settle_forecasts(
    session: Session, run: Run, cards: Mapping[Rung, Scorecard], train_pairs: int, *, went_on_from: str = ""
) -> None:
    """Hold earlier forecasts against what this run measured: those that were made for runs like it. `went_on_from`: the
    adapter that it started from, which is marked, because they foresaw a training from the base model."""
    dataset = find_dataset_of_run(session, run.run_id)
    assert dataset is not None, "a run is frozen before it is judged"
    for row in list_open(session, run.style_id, Scope.from_key(run.scope_key)):
        is_alike = (row.prompt_hash, row.base_model, row.recipe) == (dataset.prompt_hash, run.base_model, run.recipe)
        if not is_alike or row.rung not in cards or train_pairs < SETTLED_BY_GROWTH * row.train_pairs:
            continue
        mean, low, high = row.at(train_pairs).score
        row.settled_by, row.settled_at, row.measured_pairs = run.run_id, now_in_database(session), train_pairs
        row.went_on_from = went_on_from
        row.measured, row.foreseen = cards[row.rung].bits_per_byte, mean
        row.has_held = low <= row.measured <= high
        log.info("forecast.settled", forecast_id=row.forecast_id, has_held=row.has_held)
