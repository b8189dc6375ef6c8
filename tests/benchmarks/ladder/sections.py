"""Trains and scores every rung of a style that classifies on real pairs: a package's description → its section.

    python -m tests.benchmarks.ladder.sections --data debian-packages.jsonl [--train 400] [--seeds 1 2 3] [--unseen 300]

One file a seed under docs/ladder/; what is there is not measured again. Killed at any moment, it goes on from what it
has finished: embeddings, checkpoints, adapters and each rung's scorecard are kept under .huisstijl/sections/.
`python -m tests.benchmarks.ladder.report` makes docs/ladder-labels.md of them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from config.prompts import ChatMessages
from config.rungs import Rung
from tests.benchmarks.ladder.commands import say_stored
from tests.benchmarks.ladder.pairs import Record, load_records, without_repeats
from tests.benchmarks.ladder.study import BASE, EMBEDDINGS, MODELS, STORED, read_cards, train_once
from trainer.base_models import prepare_base_model, prepare_embedding_model
from trainer.dataset import Pool, TrainingExample, prompt_for
from trainer.evaluate import Candidate, UnseenPair, evaluate, to_json
from trainer.label_metrics import label_figures
from trainer.metrics import Scorecard
from trainer.recipe import Recipe, load_recipe
from trainer.registry import Frozen, library_versions
from trainer.run_labels import fit_logistic, known_labels, label_prompts, score_logistic, score_neighbours
from trainer.serving.embedder import Embedder
from trainer.train import TrainedAdapter
from trainer.workspace import write_value

WORK = Path(".huisstijl/sections")
INSTRUCTIONS = "Name the section of the package archive that the described software package belongs to."
VALIDATION = 60
RUNGS = (
    Rung.NEIGHBOURS, Rung.LOGISTIC, Rung.ZERO_SHOT, Rung.FEW_SHOT, Rung.RETRIEVED, Rung.LORA, Rung.LORA_RETRIEVED,
)  # fmt: skip

Json = dict[str, Any]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True)
    made.add_argument("--train", type=int, default=400)
    made.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    made.add_argument("--unseen", type=int, default=300)
    made.add_argument("--recipe", default="cpu-small")
    made.add_argument("--stored", type=Path, default=STORED)
    made.add_argument("--work", type=Path, default=WORK)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    chosen = parser().parse_args(argv)
    chosen.stored.mkdir(parents=True, exist_ok=True)
    for seed in chosen.seeds:
        target = chosen.stored / f"sections-{chosen.train}-{seed}.json"
        if target.exists():
            say_stored(target)
            continue
        work = chosen.work / f"{chosen.train}-{chosen.unseen}-{seed}"
        frozen = _load_sides(chosen.data, train=chosen.train, unseen=chosen.unseen, seed=seed, work=work)
        result = measure(frozen, _recipe(chosen.recipe, chosen.unseen, seed), work) | {"seed": seed}
        write_value(target, result)
        shutil.rmtree(work)
        accuracies = {rung: _accuracy(card) for rung, card in result["cards"].items()}
        sys.stdout.write(f"{target.name}: {json.dumps(accuracies)}\n")
        sys.stdout.flush()
    return 0


def measure(frozen: Frozen, recipe: Recipe, work: Path) -> Json:
    """Train what has to be trained and score all on the unseen pairs, as a run does it. JSON values."""
    base = prepare_base_model(BASE, MODELS)
    cards = read_cards(work / "cards")
    (work / "cards").mkdir(exist_ok=True)

    def keep(card: Scorecard) -> None:
        cards[card.rung] = card
        write_value(work / "cards" / f"{card.rung}.json", to_json(card))
        figures = label_figures(card)
        sys.stderr.write(f"{card.rung}: accuracy {figures['accuracy']:.3f} ece {figures['ece']:.3f} n={card.n}\n")

    if Rung.NEIGHBOURS not in cards:
        keep(score_neighbours(Rung.NEIGHBOURS.value, frozen, recipe, _pool(frozen)))
    if Rung.LOGISTIC not in cards:
        fit_logistic(frozen, EMBEDDINGS, work / "logistic")
        keep(score_logistic(Rung.LOGISTIC.value, work / "logistic", frozen, recipe))
    unseen = [
        UnseenPair(example_id=one.example_id, completion=one.completion)
        for one in frozen.judging(recipe.evaluation.max_pairs)
    ]
    trained: dict[Rung, TrainedAdapter] = {}
    for rung in (one for one in RUNGS if not one.is_classifier):
        if rung.needs_adapter:
            trained[rung] = train_once(
                rung, frozen.train, frozen.validation, INSTRUCTIONS, recipe, base, work, trained.get(Rung.LORA)
            )  # fmt: skip
        evaluate(
            [_candidate(rung, frozen, recipe, trained)], unseen, base_path=base, knobs=recipe.evaluation,
            dtype=recipe.training.dtype, done=cards, on_scored=keep,
        )  # fmt: skip
    return {
        "base_model": BASE, "recipe": recipe.name, "recipe_digest": recipe.digest, "labels": list(known_labels(frozen)),
        "train": len(frozen.train), "validation": len(frozen.validation), "unseen": len(frozen.test),
        "versions": library_versions(), "cores": os.cpu_count(), "threads": torch.get_num_threads(),
        "trained": {rung.value: _facts(adapter) for rung, adapter in trained.items()},
        "cards": {rung.value: _as_json(cards[rung.value]) for rung in RUNGS},
    }  # fmt: skip


def _recipe(name: str, unseen: int, seed: int) -> Recipe:
    recipe = load_recipe(name)
    knobs = recipe.evaluation.model_copy(update={"max_pairs": unseen})
    training = recipe.training.model_copy(update={"seed": seed})
    return recipe.model_copy(update={"evaluation": knobs, "training": training})


def _load_sides(data: Path, *, train: int, unseen: int, seed: int, work: Path) -> Frozen:
    """The sides with their embeddings, which are computed once."""
    work.mkdir(parents=True, exist_ok=True)
    sides = draw_labelled(load_records(data), train=train, unseen=unseen, seed=seed)
    stored = work / "embeddings.npy"
    every = [one for side in sides for one in side]
    if not stored.exists():
        embedder = Embedder(prepare_embedding_model(EMBEDDINGS, MODELS), name=EMBEDDINGS)
        vectors = embedder.embed([one.prompt for one in every])[0].numpy()
        with stored.with_suffix(".new").open("wb") as file:
            np.save(file, vectors)
        stored.with_suffix(".new").replace(stored)
    known = dict(zip((one.example_id for one in every), np.load(stored), strict=True))
    embedded = [[replace(one, embedding=known[one.example_id]) for one in side] for side in sides]
    return Frozen(
        dataset_id="", instructions=INSTRUCTIONS, version=1, train=embedded[0], validation=embedded[1],
        test=embedded[2],
    )  # fmt: skip


def draw_labelled(records: list[Record], *, train: int, unseen: int, seed: int) -> tuple[list[TrainingExample], ...]:
    """Training, validation and unseen pairs. The unseen ones are those of `pairs.draw_sides`: one a family, the same
    for every seed. So are the validation pairs, of families of their own, for what is calibrated on them must be of
    the same kind; the training pairs come from all other families. Raises ValueError when there are too few records.
    """
    families: dict[str, list[Record]] = {}
    for record in records:
        families.setdefault(record.family, []).append(record)
    names = sorted(families)
    random.Random(0).shuffle(names)
    kept, others = names[:unseen], names[unseen:]
    random.Random(seed).shuffle(others)
    judged = [random.Random(name).choice(families[name]) for name in (*kept, *others[:VALIDATION])]
    pool = [record for name in others[VALIDATION:] for record in families[name]]
    random.Random(seed).shuffle(pool)
    chosen = without_repeats(judged, pool[: 2 * train])[:train]
    if len(judged) < unseen + VALIDATION or len(chosen) < train:
        raise ValueError(f"{len(records)} short records are too few for {unseen} unseen and {train} training pairs")
    return (
        [_labelled(one) for one in chosen],
        [_labelled(one) for one in judged[unseen:]],
        [_labelled(one) for one in judged[:unseen]],
    )


def _labelled(record: Record) -> TrainingExample:
    return replace(record.as_example(), completion=record.section)


def _pool(frozen: Frozen) -> Pool:
    return Pool(frozen.train, [*frozen.validation, *frozen.test], embed=None)


def _candidate(rung: Rung, frozen: Frozen, recipe: Recipe, trained: dict[Rung, TrainedAdapter]) -> Candidate:
    pool, choice = _pool(frozen), recipe.choice(rung)
    shots = pool.choose_shots(choice) if rung is Rung.FEW_SHOT else []

    def prompt_of(one: TrainingExample) -> ChatMessages:
        return prompt_for(rung.value, INSTRUCTIONS, one, shots=shots, pool=pool, choice=choice)

    adapter = trained.get(rung)
    return Candidate(
        rung=rung.value, prompts=tuple(map(prompt_of, frozen.judging(recipe.evaluation.max_pairs))),
        adapter=adapter.folder if adapter else None,
        known=label_prompts(frozen, prompt_of, recipe),
    )  # fmt: skip


def _facts(adapter: TrainedAdapter) -> Json:
    names = ("steps", "best_step", "best_eval_loss", "tokens", "tokens_per_second", "seconds", "train_pairs")
    facts: Json = asdict(adapter)
    return {name: facts[name] for name in names}


def _as_json(card: Scorecard) -> Json:
    """A scorecard by columns, four decimals: small enough to keep."""
    return {
        "ids": [pair.example_id for pair in card.pairs],
        "truths": [pair.truth for pair in card.pairs],
        "answers": [pair.draft for pair in card.pairs],
        "confidence": [round(pair.confidence or 0.0, 4) for pair in card.pairs],
        "nll_nats": [round(pair.nll_nats, 4) for pair in card.pairs],
        "prompt_tokens": [pair.prompt_tokens for pair in card.pairs],
        "calibration": card.calibration, "seconds_per_draft": round(card.seconds_per_draft, 4),
    }  # fmt: skip


def _accuracy(card: Json) -> float:
    right = [answer == truth for answer, truth in zip(card["answers"], card["truths"], strict=True)]
    return float(round(sum(right) / len(right), 3))


if __name__ == "__main__":
    began = time.monotonic()
    code = main()
    sys.stderr.write(f"{time.monotonic() - began:.0f} seconds\n")
    sys.exit(code)
