"""A training run, told in the order in which it happens: freeze → train → evaluate → probe → publish → gate.

Killed at any moment, a run goes on from what it had finished: the dataset is frozen once, training resumes from its
verified checkpoints, a scorecard that is stored is not computed again, publishing the same adapter twice is one
adapter. Everything is written under the run's fence, and the last transaction holds all that others can see.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import structlog
from numpy.typing import NDArray
from transformers import AutoTokenizer

from config import failpoints
from config.run_kinds import RunKind
from config.rungs import Rung
from config.sentences import Note, note
from config.settings import Settings
from db import runs, trainers
from db.base import now_in_database
from db.claims import ClaimLost
from db.examples import save_embeddings
from db.promotions import ChampionMoved
from db.runs import Run, RunStatus
from db.scope import Scope
from db.search import vector_to_bytes
from db.session import Database, DatabaseUnavailable
from db.styles import Style, StyleKind, get_style, lock_style
from trainer import registry
from trainer.artifacts.store import PublishedAdapter, put_file, remove_leftovers
from trainer.base_models import count_parameters, prepare_base_model, prepare_embedding_model
from trainer.curve import draw_curve
from trainer.dataset import NotEnough, freeze_split
from trainer.errors import NotEnoughExamples, RunBroken, TrainingStopped
from trainer.evaluate import UnseenPair, evaluate
from trainer.forecast import Forecast
from trainer.hold import Hold
from trainer.knowledge import load_knowledge, rungs_of
from trainer.label_verdict import with_accuracy
from trainer.learning_curve import (
    Bench,
    Points,
    foresee,
    measure_points,
    save_forecasts,
    settle_forecasts,
    would_measure,
)
from trainer.metrics import Scorecard
from trainer.probes.stage import Planted, ProbeBench, Probed, leave_out_too_long, plan_canaries, probe_adapters
from trainer.promotion import Policy, Promote, Verdict, replace_tainted
from trainer.publishing import Shelf
from trainer.receipt import device_name, make_receipt
from trainer.recipe import Recipe, load_recipe
from trainer.registry import Champion, Frozen, Standing
from trainer.remeasure import judge_again
from trainer.run_ends import fail_run, stop_run
from trainer.run_full import remove_checkpoints, train_where_it_fits
from trainer.run_labels import fit_logistic, rare_labels, score_without_model
from trainer.run_rows import Lengths, Rows
from trainer.scores import Scores, finite, without_not_finite
from trainer.second_stage import RUNG as RUNG_OF_PREFERENCES
from trainer.second_stage import choose_preferences, go_on_with_preferences, weigh_second_stage
from trainer.serving.embedder import Embedder
from trainer.starting import Start, StartBench, choose_start
from trainer.style_features import house_form, look_at_drafts, style_features
from trainer.train import Progress, TrainedAdapter, check_host, train_adapter, translated_errors
from trainer.workspace import digest_of_weights, prepare_workspace, read_value, remove_workspace, write_value

log = structlog.get_logger()

#: What a run made of a rung: an adapter, or the folder of a classifier.
Made = TypeVar("Made")

#: The part of the whole run that is done when a stage begins; people see it as one bar.
FROZEN_AT, TRAINED_AT, SCORED_AT, PROBED_AT, MEASURED_AT, PUBLISHED_AT = 0.03, 0.65, 0.85, 0.88, 0.95, 0.99


def execute_run(database: Database, settings: Settings, hold: Hold) -> None:
    """Take a claimed run to one of its ends, or hand it back. Raises DatabaseUnavailable when the database is away."""
    with database.read() as session:
        run = runs.get_run(session, hold.run_id)
        style = get_style(session, run.style_id)
    try:
        with translated_errors():
            _Run(database, settings, hold, run, style).execute()
    except ClaimLost:
        log.warning("run.claim_lost", fence=hold.fence)
    except TrainingStopped:
        stop_run(hold, settings, run)
    except DatabaseUnavailable:
        raise  # nothing can be written now; the worker hands the run back when it can
    except Exception as error:
        fail_run(hold, settings, run, error)
    else:
        log.info("run.succeeded", style_id=run.style_id)
        remove_workspace(settings.data_dir, run.run_id, up_to_fence=hold.fence)


class _Run:
    """One execution of a run, with what all stages need at hand."""

    def __init__(self, database: Database, settings: Settings, hold: Hold, run: Run, style: Style) -> None:
        self.database, self.settings, self.hold, self.run, self.style = database, settings, hold, run, style
        self.scope = Scope.from_key(run.scope_key)
        self.recipe = load_recipe(run.recipe)
        self.base_path = prepare_base_model(run.base_model, settings.models_dir)
        self.work = prepare_workspace(settings.data_dir, run.run_id, hold.fence)
        self.has_labels = style.kind is StyleKind.CLASSIFY
        self.lengths = Lengths(AutoTokenizer.from_pretrained(self.base_path), self.recipe.training.max_tokens)
        self.rows: Rows  # from the freeze on
        self.has_long_texts: bool  # likewise: do they ask for longer drafts than the recipe allows?
        self._vectors: dict[str, NDArray[np.float32]] = {}
        self.left_out: list[Note] = []
        self.no_forecast: Note | None = None
        self.start, self.planted = Start(), Planted()

    @property
    def shelf(self) -> Shelf:
        """The store, under the style's name as it is now."""
        return Shelf(settings=self.settings, run=self.run, style=self.style, base_path=self.base_path)

    def execute(self) -> None:
        """All stages. Each does nothing that an earlier attempt has done."""
        with self.hold.write() as session:
            registry.mark_started(session, self.run.run_id)
        if self.style.scope_key != self.run.scope_key:
            raise RunBroken(
                note("The style's scope was changed after this run was queued; train again in the new scope.")
            )
        frozen = self.freeze()
        if self.run.kind is RunKind.TRAIN:
            check_host(self.recipe)
        fitted = self.fit(frozen)
        trained = self.train(frozen)
        scores = self.evaluate(frozen, trained, fitted)
        trained, fitted = self._measured(frozen, trained, scores), self._measured(frozen, fitted, scores)
        trained, scores = self.weigh_preferences(frozen, trained, scores)
        scores = self.probe(frozen, trained, scores)
        points = self.measure_curve(frozen, scores)
        published = self.publish(frozen, trained, fitted)
        self.gate(frozen, trained, scores, published, points)

    # ---------------------------------------------------------------------------------------------- 1. freeze

    def freeze(self) -> Frozen:
        """Fix ids, sides, instructions and versions in one transaction, and fit the recipe to them; from here on only
        withdrawals matter."""
        self._enter(RunStatus.FREEZING, 0.0)
        while not self._try_to_freeze():
            log.info("freeze.again", why="the instructions were changed meanwhile")
        self._embed_missing()
        frozen = self._load_frozen()
        # To what was frozen alone, so that every attempt at this run trains with the same knobs.
        self.recipe = self._with_room_for_drafts(self._fitted(len(frozen.train)), frozen)
        self.rows = Rows(self.lengths, self.recipe, has_labels=self.has_labels, embed=self._embed)
        return frozen

    def _try_to_freeze(self) -> bool:
        """False when the instructions were changed between choosing the sides and writing them down."""
        model, knobs = self.settings.embedding_model, self.recipe.splits
        with self.database.read() as session:
            self.style = get_style(session, self.style.style_id)  # since the run began, an admin may have changed it
            is_frozen = registry.load_frozen(session, self.run.run_id, self.scope, model) is not None
            trainable = registry.list_trainable(session, self.style, self.scope, model)
            taught = registry.list_taught(session, self.style, self.scope)
            gone = registry.list_gone(session, self.style, self.scope, taught, model)
            preferred = registry.list_preferences(session, self.style, self.scope)
            now = now_in_database(session)
        if is_frozen:
            return True
        fitting, skipped = self.lengths.without_too_long(trainable, self.style.full_instructions)
        too_long = {one["example_id"] for one in skipped} & taught
        gone += [one for one in trainable if one.example_id in too_long]
        split = freeze_split(
            fitting, seed=self.recipe.training.seed, instructions=self.style.full_instructions, taught=taught,
            gone=gone, not_after=now, embed=self._embed, **knobs.model_dump(),
        )  # fmt: skip
        if isinstance(split, NotEnough):
            raise NotEnoughExamples(split.why)
        skipped += [
            {"example_id": repeat, "reason": f"says the same as {kept}"} for repeat, kept in split.repeats.items()
        ]
        skipped += [
            {"example_id": one, "reason": "is linked to examples on two sides of the split"} for one in split.torn
        ]
        contents = {example.example_id: example.content_hash for example in fitting}
        preferences = choose_preferences(
            preferred if self.run.kind is RunKind.TRAIN else (),
            split,
            fitting,
            self._fitted(len(split.train)),
            has_labels=self.has_labels,
            is_short=lambda pair: self.lengths.is_short(pair, self.style.full_instructions),
            embed=self._embed,
        )
        with self.hold.write() as session:
            if lock_style(session, self.style.style_id).full_instructions != self.style.full_instructions:
                return False
            registry.save_frozen(
                session, self.run, self.style, split, contents,
                seed=self.recipe.training.seed, skipped=skipped, is_free=self.shelf.is_free, preferences=preferences,
            )  # fmt: skip
            failpoints.visit("snapshot.half")
        return True

    def _fitted(self, pairs: int) -> Recipe:
        return self.recipe.fitted(pairs, count_parameters(self.base_path))

    def _with_room_for_drafts(self, recipe: Recipe, frozen: Frozen) -> Recipe:
        """Drafts may be as long as what the style approves of, or all that is measured on them would be of their
        beginnings."""
        room = self.lengths.draw_room(frozen.train, recipe)
        self.has_long_texts = room > recipe.evaluation.max_new_tokens
        return recipe.model_copy(update={"evaluation": recipe.evaluation.model_copy(update={"max_new_tokens": room})})

    def _embed_missing(self) -> None:
        """Retrieval needs every member's embedding; the model server may have been away when some were approved."""
        missing = [example for example in self._load_frozen().examples if example.embedding is None]
        if not missing:
            return
        vectors = self._embed([one.prompt for one in missing])
        stored = [(one.example_id, vector_to_bytes(vector)) for one, vector in zip(missing, vectors, strict=True)]
        with self.hold.write() as session:
            save_embeddings(session, self.settings.embedding_model, stored)

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """(texts, dimensions). Each text once: the split, every pool of prompts and its parts ask for the same ones."""
        new = [text for text in dict.fromkeys(texts) if text not in self._vectors]
        if new:
            folder = prepare_embedding_model(self.settings.embedding_model, self.settings.models_dir)
            vectors, _ = Embedder(folder, name=self.settings.embedding_model).embed(new)
            self._vectors |= zip(new, vectors.numpy(), strict=True)
        return np.array([self._vectors[text] for text in texts], dtype=np.float32)

    def _load_frozen(self) -> Frozen:
        with self.database.read() as session:
            frozen = registry.load_frozen(session, self.run.run_id, self.scope, self.settings.embedding_model)
        assert frozen is not None, "the dataset was frozen a moment ago"
        return frozen

    # ---------------------------------------------------------------------------------------------- 2. train

    def train(self, frozen: Frozen) -> dict[Rung, TrainedAdapter]:
        """One adapter per tuned rung; the second starts from the first, so a few steps are enough for it. Where there
        are enough preferences, `lora` goes on with them, as a rung of its own. None in a run that only measures."""
        if self.run.kind is RunKind.MEASURE:
            return {}
        self._enter(RunStatus.TRAINING, FROZEN_AT)
        if Rung.LORA in self.recipe.rungs.tuned:
            self.start = self._choose_start(frozen)
        self.planted = self._plant(frozen)
        planted = self.rows.make(frozen, self.planted.as_examples(), None)
        trained: dict[Rung, TrainedAdapter] = {}
        has_second = bool(frozen.preferences.train)
        parts = len(self.recipe.rungs.tuned) + has_second
        for number, name in enumerate(self.recipe.rungs.tuned):
            rung = Rung(name)
            marker = self.work / f"{name}.json"
            out_dir = self.work / "adapters" / name
            earlier = read_value(marker)
            if earlier is not None:
                trained[rung] = TrainedAdapter(**earlier | {"folder": out_dir})
                continue
            pool = self.rows.pool(frozen) if rung.uses_retrieval else None
            lora = trained.get(Rung.LORA) if rung is Rung.LORA_RETRIEVED else None
            train = partial(
                train_adapter,
                base_path=self.base_path,
                rows_train=[*self.rows.make(frozen, frozen.train, pool), *planted],
                rows_validation=self.rows.make(frozen, frozen.validation, pool),
                recipe=self.recipe,
                rung=name,
                out_dir=out_dir,
                checkpoint_dir=self.work / "checkpoints" / name,
                on_progress=self._training_progress(rung, number, parts),
                should_stop=self.hold.stop_reason,
                warm_start=lora.folder if lora else self.start.folder if rung is Rung.LORA else None,
                base_model_name=self.run.base_model,
            )
            result = self._train_all_weights(frozen, train) if rung is Rung.FULL else train()
            if isinstance(result, Note):
                self.left_out.append(result)
                log.warning("rung.left_out", rung=name, sentence=str(result))
                continue
            trained[rung] = result
            # Written last: an adapter with a marker is complete.
            write_value(marker, {k: v for k, v in asdict(trained[rung]).items() if k != "folder"})
            log.info("adapter.trained", rung=name, steps=trained[rung].steps, best_step=trained[rung].best_step)
            if rung is Rung.FULL:
                remove_checkpoints(self.work)
        if has_second:
            trained[RUNG_OF_PREFERENCES] = go_on_with_preferences(
                trained[Rung.LORA], frozen, self.recipe, base_path=self.base_path, work=self.work,
                rows_validation=self.rows.make(frozen, frozen.validation, None),
                on_progress=self._training_progress(RUNG_OF_PREFERENCES, parts - 1, parts),
                should_stop=self.hold.stop_reason,
            )  # fmt: skip
        return trained

    def _train_all_weights(self, frozen: Frozen, train: Callable[[], TrainedAdapter]) -> TrainedAdapter | Note:
        return train_where_it_fits(
            train, self.base_path, self.rows.make(frozen, [*frozen.train, *frozen.validation], None), self.recipe,
            self.work, memory_limit_gb=self.settings.full_memory_gb,
        )  # fmt: skip

    def _choose_start(self, frozen: Frozen) -> Start:
        with self.database.read() as session:
            style = get_style(session, self.style.style_id)
        return choose_start(
            StartBench(
                database=self.database, settings=self.settings, run=self.run, style=style, scope=self.scope,
                recipe=self.recipe, frozen=frozen, base_path=self.base_path, work=self.work,
                rows=lambda side: self.rows.make(frozen, side, None), should_stop=self.hold.stop_reason,
            )
        )  # fmt: skip

    def _plant(self, frozen: Frozen) -> Planted:
        """The canaries among the training pairs, which are members of nothing else. A style that classifies has none:
        a number is no label."""
        if self.has_labels:
            return Planted()
        planted = plan_canaries(frozen, self.recipe, self.start.canary_seed or frozen.content_hash)
        fitting = len(self.rows.make(frozen, planted.as_examples(), None))
        return leave_out_too_long(planted, fitting=fitting, max_tokens=self.lengths.max_tokens)

    def fit(self, frozen: Frozen) -> dict[Rung, Path]:
        """The classifier's folder, for a style that classifies. It takes seconds, so each attempt fits it anew."""
        if not self.has_labels or self.run.kind is RunKind.MEASURE:
            return {}
        folder = self.work / "classifiers" / Rung.LOGISTIC.value
        fit_logistic(frozen, self.settings.embedding_model, folder)
        return {Rung.LOGISTIC: folder}

    def _training_progress(self, rung: Rung, number: int, parts: int) -> Callable[[Progress], None]:
        share = (TRAINED_AT - FROZEN_AT) / parts

        def show(progress: Progress) -> None:
            done = progress.step / max(progress.total_steps, 1)
            news = {"stage": RunStatus.TRAINING.value, "rung": rung.value, **asdict(progress)}
            news["fraction"] = FROZEN_AT + share * (number + done)
            self.hold.report(RunStatus.TRAINING, finite(news), is_news=progress.step in (0, progress.total_steps))

        return show

    # ---------------------------------------------------------------------------------------------- 3. evaluate

    def evaluate(self, frozen: Frozen, trained: Mapping[Rung, TrainedAdapter], fitted: Mapping[Rung, Path]) -> Scores:
        """Score every rung, and the champion if it is none of them, on the same unseen pairs."""
        self._enter(RunStatus.EVALUATING, TRAINED_AT)
        with self.database.read() as session:
            style = get_style(session, self.style.style_id)
            champion = registry.find_champion(session, style, self.scope, self.run.base_model)
        if champion.standing.rung.is_classifier and not self.has_labels:
            raise RunBroken(
                note("A classifier serves this style, but the style no longer classifies; promote another rung.")
            )
        self.rows.knowledge = knowledge = load_knowledge(
            self.hold, style.style_id, self.scope, self.settings.embedding_model, self._embed
        )  # fmt: skip
        prompted = (*_PROMPT_RUNGS, *rungs_of(knowledge), *([Rung.NEIGHBOURS] if self.has_labels else []))
        standings = [self._standing(frozen, rung) for rung in (*prompted, *fitted, *trained)]
        folders = {self._standing(frozen, rung).key: adapter.folder for rung, adapter in trained.items()}
        folders |= {self._standing(frozen, rung).key: folder for rung, folder in fitted.items()}
        if champion.standing not in standings:
            standings.append(champion.standing)
        if champion.standing.adapter_name and champion.standing.key not in folders:
            folders[champion.standing.key] = self.shelf.fetch(champion.standing, self.work / "champion")

        weights = {one.key: digest_of_weights(folders.get(one.key)) for one in standings}
        if knowledge:
            weights[Rung.KNOWLEDGE.value] = knowledge.digest
        with self.database.read() as session:
            cards = registry.load_scorecards(session, self.run.run_id, self.scope, weights)
        judging = frozen.judging(self.recipe.evaluation.max_pairs)
        unseen = [UnseenPair(example_id=one.example_id, completion=one.completion) for one in judging]
        ids = [one.example_id for one in judging]  # an earlier version judged by others, or in another order
        cards = {key: card for key, card in cards.items() if [one.example_id for one in card.pairs] == ids}
        by_key = {one.key: one for one in standings}

        approved = {one.example_id: one.completion for one in frozen.test}
        house = house_form([one.completion for one in frozen.train])

        def keep(card: Scorecard) -> None:
            if not self.has_long_texts:
                card = replace(card, room_tokens=None)  # the recipe alone bounded them, which binds no draft in use
            card = look_at_drafts(card.in_groups(frozen.kin_groups), approved, house, frozen.terms)
            cards[card.rung] = card
            if card.not_finite:
                log.warning("candidate.not_finite", candidate=card.rung, pairs=card.not_finite, n=card.n)
                return
            drafted = [one for one in card.pairs if one.draft is not None]
            with self.hold.write() as session:
                registry.save_scorecard(
                    session, self.run, frozen.dataset_id, by_key[card.rung], card, of=weights[card.rung],
                    features=style_features(
                        [(one.draft or "", approved[one.example_id]) for one in drafted], house, frozen.terms,
                        [one.kin_group for one in drafted],
                    ),
                )  # fmt: skip
            log.info("candidate.scored", candidate=card.rung, bits_per_byte=round(card.bits_per_byte, 4), n=card.n)
            failpoints.visit("eval.half")
            done = len(cards) / len(standings)
            self._enter(RunStatus.EVALUATING, TRAINED_AT + (SCORED_AT - TRAINED_AT) * done, rung=card.rung)

        for one in standings:
            if one.rung.is_classifier and one.key not in cards:
                pool = self.rows.pool(frozen)
                keep(score_without_model(one.key, folders.get(one.key), frozen, self.recipe, pool))
        by_model = [one for one in standings if not one.rung.is_classifier]
        # One model in memory at a time. A champion may stand on an older base model; `full` is a model of its own.
        models = {one.key: self._model_path(one, folders) for one in by_model}
        for model in dict.fromkeys(models.values()):
            evaluate(
                [self.rows.candidate(frozen, one, folders) for one in by_model if models[one.key] == model],
                unseen,
                base_path=model,
                knobs=self.recipe.evaluation,
                dtype=self.recipe.training.dtype,
                done=cards,
                on_scored=keep,
            )
        rare = rare_labels(frozen) if self.has_labels else ()
        clauses = (*self.left_out, *rare, *(knowledge.clauses if knowledge else ()))
        return without_not_finite(Scores(champion=champion, standings=standings, cards=cards, clauses=clauses))

    def _model_path(self, standing: Standing, folders: Mapping[str, Path]) -> Path:
        if standing.rung is Rung.FULL:
            return folders[standing.key]
        return prepare_base_model(standing.base_model, self.settings.models_dir)

    def weigh_preferences(
        self, frozen: Frozen, trained: dict[Rung, TrainedAdapter], scores: Scores
    ) -> tuple[dict[Rung, TrainedAdapter], Scores]:
        """What is left of the candidates: an adapter that preferences did not help is none, and that is said."""
        if RUNG_OF_PREFERENCES not in trained:
            return trained, scores
        if Rung.LORA in trained:
            is_kept, clauses = weigh_second_stage(
                self._cards_of_trained(frozen, trained, scores), trained, frozen, self.recipe, _policy(self.recipe),
                base_path=self.base_path, work=self.work,
            )  # fmt: skip
        else:
            is_kept, clauses = False, (_WENT_ON_FROM_NOTHING,)
        scores = replace(scores, clauses=(*scores.clauses, *clauses))
        if is_kept:
            return trained, scores
        dropped = self._standing(frozen, RUNG_OF_PREFERENCES)
        standings = [one for one in scores.standings if one != dropped]
        kept = {rung: adapter for rung, adapter in trained.items() if rung is not RUNG_OF_PREFERENCES}
        return kept, replace(scores, standings=standings)

    def _measured(self, frozen: Frozen, made: Mapping[Rung, Made], scores: Scores) -> dict[Rung, Made]:
        """Of what this run made, what is a candidate still."""
        return {rung: one for rung, one in made.items() if self._standing(frozen, rung) in scores.standings}

    def _standing(self, frozen: Frozen, rung: Rung) -> Standing:
        name = registry.adapter_name(self.style.name, frozen.version, rung) if rung.needs_adapter else ""
        return Standing(rung=rung, base_model=self.run.base_model, adapter_name=name)

    def probe(self, frozen: Frozen, trained: Mapping[Rung, TrainedAdapter], scores: Scores) -> Scores:
        """What training cost besides: of everything trained that could win, and of the champion's adapter where it has
        one on the same base model. A style that classifies answers with labels alone, so nothing is asked."""
        self._enter(RunStatus.EVALUATING, SCORED_AT)
        if self.has_labels:
            return scores
        folders = {self._standing(frozen, rung): adapter.folder for rung, adapter in trained.items()}
        own, champion = set(folders), scores.champion.standing
        is_adapter = bool(champion.adapter_name) and champion.rung is not Rung.FULL
        if self.recipe.probes.run and is_adapter and champion.base_model == self.run.base_model:
            folders.setdefault(champion, self.shelf.fetch(champion, self.work / "champion"))
        bench = ProbeBench(
            database=self.database, hold=self.hold, run=self.run, scope=self.scope, recipe=self.recipe,
            instructions=frozen.instructions, base_path=self.base_path, begins_at=SCORED_AT, ends_at=PROBED_AT,
        )  # fmt: skip
        probed = [
            Probed(
                standing=one, folder=folder, weights=digest_of_weights(folder),
                planted=self.planted if one in own else None,
            )
            for one, folder in folders.items()
        ]  # fmt: skip
        return replace(scores, probes=probe_adapters(bench, probed))

    def measure_curve(self, frozen: Frozen, scores: Scores) -> Points:
        """The same on parts of the training side, for a forecast; where the recipe asks for it. A style that classifies
        is judged by its labels, of which bits per byte foresee nothing; where nothing is trained, and on another base
        model than serves, there is none either. A run that started from an earlier adapter is no point of a curve whose
        other points start from the base model, so it has none, and says so."""
        self._enter(RunStatus.EVALUATING, PROBED_AT)
        has_curve = self.run.kind is RunKind.TRAIN and not self.has_labels
        if not has_curve or scores.champion.standing.is_elsewhere:
            return {}
        if self.start.adapter_name:
            if would_measure(frozen, self.recipe):
                self.no_forecast = note(
                    "No forecast: this run went on from the earlier adapter {adapter}, and a forecast is made of "
                    "trainings from the base model.",
                    adapter=self.start.adapter_name,
                )
            return {}
        bench = Bench(
            database=self.database, hold=self.hold, run=self.run, scope=self.scope, recipe=self.recipe, frozen=frozen,
            base_path=self.base_path, work=self.work, pool=self.rows.pool, rows=self.rows.make,
            candidate=self.rows.candidate,
            begins_at=PROBED_AT, ends_at=MEASURED_AT,
        )  # fmt: skip
        return measure_points(bench, scores.champion.standing)

    # ---------------------------------------------------------------------------------------------- 4. publish

    def publish(
        self, frozen: Frozen, trained: Mapping[Rung, TrainedAdapter], fitted: Mapping[Rung, Path]
    ) -> dict[Rung, PublishedAdapter]:
        """Copy what was trained into the store, signed. Nobody is told of it before the gate's transaction."""
        self._enter(RunStatus.PUBLISHING, MEASURED_AT)
        with self.database.read() as session:
            registry.check_members(session, frozen.dataset_id)
            own_names = registry.list_adapter_names(session, self.run.run_id)
        folders = {**{rung: adapter.folder for rung, adapter in trained.items()}, **fitted}
        return self.shelf.publish(folders, frozen.version, own_names=own_names)

    def draw(self, trained: Mapping[Rung, TrainedAdapter]) -> tuple[str | None, Note | None]:
        """The loss curve of the first tuned rung in the store: its path there and its words."""
        if not trained:
            return None, None
        picture = self.work / "curve.png"
        words = draw_curve(next(iter(trained.values())), picture, title=self.style.name)
        path = f"curves/{self.run.run_id}.png"
        put_file(self.settings.resolved_artifact_url, path, picture.read_bytes())
        return path, words

    # ---------------------------------------------------------------------------------------------- 5. gate

    def gate(
        self,
        frozen: Frozen,
        trained: Mapping[Rung, TrainedAdapter],
        scores: Scores,
        published: Mapping[Rung, PublishedAdapter],
        points: Points,
    ) -> None:
        """Decide, and write in one transaction what is true from then on: adapters, champion, the run's end.

        Raises ExampleWithdrawn when a member was withdrawn meanwhile.
        """
        self._enter(RunStatus.PUBLISHING, PUBLISHED_AT)
        policy = _policy(self.recipe, scores.champion_card)
        with self.database.read() as session:
            losses = registry.read_trial_losses(session, self.style, scores.champion)
        verdict = scores.decide(policy, losses)
        verdict, besides = judge_again(self.database, self.run, self.style, scores, policy, verdict)
        verdict = with_accuracy(verdict, scores.champion.standing.key, scores.cards)
        # Whether the champion has to go is known in the last transaction only.
        clean = (
            replace_tainted(scores.champion_card, scores.sound, policy, prompts=scores.prompts, rungs=scores.rungs)
            if scores.champion.standing.adapter_name and self.is_retraining(scores.champion)
            else verdict
        )
        curve_path, curve_words = self.draw(trained)
        winners = {one.rung for one in (verdict, clean) if one} | {scores.champion.standing.key}
        cards = self._cards_of_trained(frozen, trained, scores)
        forecasts = {
            key: foresee(points, cards, scores.standing(key), scores.cards[key], frozen, self.recipe) for key in winners
        }
        try:
            self._conclude(
                frozen, trained, scores, published, (verdict, clean), forecasts, curve_path, curve_words, besides
            )  # fmt: skip
        except ChampionMoved:
            self._conclude(frozen, trained, scores, published, (None, None), {}, curve_path, curve_words, {})
        for adapter in published.values():
            remove_leftovers(self.settings.resolved_artifact_url, adapter.name)
        failpoints.visit("promote.after_cas")

    def _conclude(
        self,
        frozen: Frozen,
        trained: Mapping[Rung, TrainedAdapter],
        scores: Scores,
        published: Mapping[Rung, PublishedAdapter],
        verdicts: tuple[Verdict | None, Verdict | None],
        forecasts: Mapping[str, Sequence[Forecast]],
        curve_path: str | None,
        curve_words: Note | None,
        besides: Mapping[str, Any],
    ) -> None:
        """`verdicts`: the usual one, and the one for a champion that learnt from what was withdrawn since.
        `forecasts`: against each candidate that may serve then, by key. `besides`: figures that go with the verdict."""
        self.hold.check()
        with self.hold.write() as session:
            style = lock_style(session, self.style.style_id)  # before the examples, as whoever withdraws does
            registry.check_members(session, frozen.dataset_id)
            run = runs.get_run(session, self.run.run_id)
            verdict = verdicts[registry.is_champion_tainted(session, style)]
            if verdict is not None:
                registry.check_champion(session, style, self.scope, scores.champion)
            registry.add_adapters(session, run, frozen.version, published)
            registry.drop_scorecards(session, run, self.scope, keep=list(scores.rungs))
            if isinstance(verdict, Promote):
                failpoints.visit("promote.before_cas")
                winner = scores.standing(verdict.rung)
                registry.move_champion(session, run, style, winner, over=scores.champion, reason=verdict.reason)
            if self.is_retraining(scores.champion):
                registry.settle_withdrawals(session, style)
            if not scores.champion.standing.is_elsewhere:
                registry.settle_measurements(session, run, style)
            serving = winner.key if isinstance(verdict, Promote) else scores.champion.standing.key
            settle_forecasts(
                session, run, self._cards_of_trained(frozen, trained, scores), len(frozen.train),
                went_on_from=self.start.adapter_name,
            )  # fmt: skip
            save_forecasts(session, run, forecasts.get(serving, ()))
            held = runs.seconds_held(run, now_in_database(session))
            receipt = make_receipt(trained.values(), frozen, held, self.settings, self.recipe)
            receipt["stored_bytes"] = sum(adapter.size_bytes for adapter in published.values())
            receipt["start"] = self.start.as_json()
            receipt["no_forecast"] = self.no_forecast.as_json() if self.no_forecast else None
            runs.end_run(
                session, run.run_id, self.hold.fence, RunStatus.SUCCEEDED,
                verdict=scores.verdict_values(verdict, curve_words) | finite(dict(besides)),
                receipt=receipt, error=None,
                curve_path=curve_path, curve_alt_text=str(curve_words) if curve_words else None,
                progress={"stage": RunStatus.SUCCEEDED.value, "fraction": 1.0},
            )  # fmt: skip
            registry.record_end(session, run, "run.succeeded", promoted=isinstance(verdict, Promote), **receipt)
            if trained:
                trainers.save_speed(
                    session, run.claimed_by or "", device=device_name(), tokens_per_second=receipt["tokens_per_second"]
                )

    def is_retraining(self, champion: Champion) -> bool:
        """What this run trained may take the champion's place at once: it trains, on the base model that serves."""
        return self.run.kind is RunKind.TRAIN and not champion.standing.is_elsewhere

    def _cards_of_trained(self, frozen: Frozen, trained: Iterable[Rung], scores: Scores) -> dict[Rung, Scorecard]:
        return {rung: scores.cards[self._standing(frozen, rung).key] for rung in trained}

    def _enter(self, status: RunStatus, fraction: float, **more: Any) -> None:
        """Say where the run is; and stop here if it has to stop."""
        self.hold.check()
        self.hold.report(status, {"stage": status.value, "fraction": fraction, **more})


_WENT_ON_FROM_NOTHING = note("left out: `lora_preferences`, because it went on from `lora`, which is left out")

_PROMPT_RUNGS = (Rung.ZERO_SHOT, Rung.FEW_SHOT, Rung.RETRIEVED)


def _policy(recipe: Recipe, champion: Scorecard | None = None) -> Policy:
    policy = Policy(
        **recipe.gate.model_dump(), unseen_share=recipe.splits.test_share, most_pairs=recipe.evaluation.max_pairs,
        resamples=recipe.evaluation.bootstrap_resamples, seed=recipe.training.seed,
    )  # fmt: skip
    if champion is not None and champion.has_labels:
        return policy.per_answer(champion, recipe.labels.margin_bits)
    return policy
