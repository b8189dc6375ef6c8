"""Trains and scores every rung on real pairs, and stores each pair's scores.

    python -m tests.benchmarks.ladder.study --data debian-packages.jsonl [--train 400] [--seeds 1 2 3] [--unseen 300]

One file a seed under docs/ladder/; what is there is not measured again. Killed at any moment, it goes on from what it
has finished: checkpoints, adapters and each rung's scorecard are kept under .huisstijl/study/.
`python -m tests.benchmarks.ladder.report` makes docs/ladder.md of them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from transformers import AutoTokenizer

from config.rungs import Rung
from tests.benchmarks.ladder.commands import say_stored
from tests.benchmarks.ladder.pairs import INSTRUCTIONS, Sides, draw_sides, load_records
from trainer.base_models import prepare_base_model, prepare_embedding_model
from trainer.dataset import Pool, TrainingExample, prompt_for, to_trl
from trainer.evaluate import Candidate, UnseenPair, evaluate, to_json
from trainer.metrics import Scorecard
from trainer.recipe import Recipe, load_recipe
from trainer.registry import library_versions
from trainer.serving.embedder import Embedder
from trainer.train import PairRow, TrainedAdapter, train_adapter
from trainer.workspace import read_value, write_value

STORED = Path(__file__).resolve().parents[3] / "docs" / "ladder"
MODELS, WORK = Path(".huisstijl/models"), Path(".huisstijl/study")
BASE, EMBEDDINGS = "embedded:smollm2-135m-instruct", "embedded:all-minilm-l6-v2"
VALIDATION = 40
#: All weights and the second stage have measurements of their own: `tests.benchmarks.full`, `…ladder.preferences`.
MEASURED = (Rung.ZERO_SHOT, Rung.FEW_SHOT, Rung.RETRIEVED, Rung.LORA, Rung.LORA_RETRIEVED)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True)
    made.add_argument("--train", type=int, default=400)
    made.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    made.add_argument("--unseen", type=int, default=300)
    made.add_argument("--drafts", type=int, default=100, help="how many of the unseen pairs also get a draft")
    made.add_argument(
        "--rungs", nargs="+", choices=[one.value for one in MEASURED], default=[one.value for one in MEASURED]
    )
    made.add_argument("--recipe", default="cpu-small")
    made.add_argument("--stored", type=Path, default=STORED)
    made.add_argument("--work", type=Path, default=WORK)
    made.add_argument("--name", default="synopsis", help="how the stored files' names begin; `truth` for the teams")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    chosen = parser().parse_args(argv)
    recipe = _recipe(chosen.recipe, chosen.unseen, chosen.drafts)
    chosen.stored.mkdir(parents=True, exist_ok=True)
    for seed in chosen.seeds:
        target = chosen.stored / f"{chosen.name}-{chosen.train}-{seed}.json"
        if target.exists():
            say_stored(target)
            continue
        sides = draw_sides(
            load_records(chosen.data), unseen=chosen.unseen, train=chosen.train, validation=VALIDATION, seed=seed
        )
        work = chosen.work / f"{target.stem}-{chosen.unseen}-{chosen.drafts}"
        result = measure(sides, recipe, [Rung(name) for name in chosen.rungs], seed, work)
        target.write_text(json.dumps(result, separators=(",", ":")), encoding="utf-8")
        shutil.rmtree(work)
        sys.stdout.write(f"{target.name}: {json.dumps(_short(result))}\n")
        sys.stdout.flush()
    return 0


def measure(sides: Sides, recipe: Recipe, rungs: list[Rung], seed: int, work: Path) -> dict[str, Any]:
    """Train what has to be trained and score all on the unseen pairs. JSON values; `work` keeps what is finished."""
    began = time.monotonic()
    base = prepare_base_model(BASE, MODELS)
    sides = _embedded(sides)
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"seed": seed})})
    (work / "cards").mkdir(parents=True, exist_ok=True)

    def keep(card: Scorecard) -> None:
        write_value(work / "cards" / f"{card.rung}.json", to_json(card))
        sys.stderr.write(f"{card.rung} {card.bits_per_byte:.4f} n={card.n}\n")

    trained = _train(sides, recipe, [rung for rung in rungs if rung.needs_adapter], base, work)
    cards = evaluate(
        [make_candidate(rung, sides, recipe, _folder(trained, rung)) for rung in rungs],
        [UnseenPair(example_id=one.example_id, completion=one.completion) for one in sides.unseen],
        base_path=base, knobs=recipe.evaluation, dtype=recipe.training.dtype,
        done=read_cards(work / "cards"), on_scored=keep,
    )  # fmt: skip
    return {
        "base_model": BASE, "recipe": recipe.name, "recipe_digest": recipe.digest, "seed": seed,
        "train": len(sides.train), "validation": len(sides.validation), "unseen": len(sides.unseen),
        "versions": library_versions(), "cores": os.cpu_count(),
        "threads": torch.get_num_threads(), "seconds": round(time.monotonic() - began, 1),
        "trained": {rung.value: _facts(adapter) for rung, adapter in trained.items()},
        "cards": {card.rung: _as_json(card) for card in cards},
    }  # fmt: skip


def read_cards(folder: Path) -> dict[str, Scorecard]:
    """The scorecards that an earlier attempt has finished, by rung."""
    return {file.stem: Scorecard.from_json(read_value(file)) for file in sorted(folder.glob("*.json"))}


def _recipe(name: str, unseen: int, drafts: int) -> Recipe:
    recipe = load_recipe(name)
    knobs = recipe.evaluation.model_copy(update={"max_pairs": unseen, "max_generated_pairs": drafts})
    return recipe.model_copy(update={"evaluation": knobs})


def _embedded(sides: Sides) -> Sides:
    embedder = Embedder(prepare_embedding_model(EMBEDDINGS, MODELS), name=EMBEDDINGS)

    def embed(examples: list[TrainingExample]) -> list[TrainingExample]:
        vectors, _ = embedder.embed([one.prompt for one in examples])
        return [
            TrainingExample(
                example_id=one.example_id, prompt=one.prompt, completion=one.completion, group_key=one.group_key,
                embedding=vector.numpy(),
            )
            for one, vector in zip(examples, vectors, strict=True)
        ]  # fmt: skip

    return Sides(train=embed(sides.train), validation=embed(sides.validation), unseen=embed(sides.unseen))


def _train(sides: Sides, recipe: Recipe, rungs: list[Rung], base: Path, work: Path) -> dict[Rung, TrainedAdapter]:
    """As a run does it: `lora` first, and `lora_retrieved` goes on from there."""
    trained: dict[Rung, TrainedAdapter] = {}
    for rung in (one for one in (Rung.LORA, Rung.LORA_RETRIEVED) if one in rungs):
        trained[rung] = train_once(
            rung, sides.train, sides.validation, INSTRUCTIONS, recipe, base, work, trained.get(Rung.LORA)
        )  # fmt: skip
    return trained


def train_once(
    rung: Rung, train: list[TrainingExample], validation: list[TrainingExample], instructions: str, recipe: Recipe,
    base: Path, work: Path, warm_start: TrainedAdapter | None,
) -> TrainedAdapter:  # fmt: skip
    """Train a rung's adapter, or read what an earlier attempt has finished."""
    marker, folder = work / f"{rung.value}.json", work / "adapters" / rung.value
    earlier = read_value(marker)
    if earlier is not None:
        return TrainedAdapter(**earlier | {"folder": folder})
    tokenizer: Any = AutoTokenizer.from_pretrained(base)
    pool = Pool(train, validation, embed=None) if rung.uses_retrieval else None

    def rows(side: list[TrainingExample]) -> list[PairRow]:
        made, _ = to_trl(
            side, instructions=instructions, max_tokens=recipe.training.max_tokens, pool=pool,
            choice=recipe.choice(Rung.LORA_RETRIEVED),
            count_tokens=lambda messages: len(tokenizer.apply_chat_template(messages, return_dict=False)),
        )  # fmt: skip
        return [PairRow(prompt=row["prompt"], completion=row["completion"]) for row in made]

    adapter = train_adapter(
        base_path=base, rows_train=rows(train), rows_validation=rows(validation), recipe=recipe,
        rung="lora_retrieved" if rung.uses_retrieval else "lora", out_dir=folder,
        checkpoint_dir=work / "checkpoints" / rung.value, warm_start=warm_start.folder if warm_start else None,
        base_model_name=BASE,
    )  # fmt: skip
    write_value(marker, {name: value for name, value in asdict(adapter).items() if name != "folder"})
    return adapter


def make_candidate(rung: Rung, sides: Sides, recipe: Recipe, adapter: Path | None) -> Candidate:
    """A rung with its prompts for the unseen pairs, as a run puts them together."""
    pool, choice = Pool(sides.train, sides.unseen, embed=None), recipe.choice(rung)
    shots = pool.choose_shots(choice) if rung is Rung.FEW_SHOT else []
    prompts = tuple(
        prompt_for(rung.value, INSTRUCTIONS, one, shots=shots, pool=pool, choice=choice) for one in sides.unseen
    )
    return Candidate(rung=rung.value, prompts=prompts, adapter=adapter)


def _folder(trained: dict[Rung, TrainedAdapter], rung: Rung) -> Path | None:
    return trained[rung].folder if rung in trained else None


def _facts(adapter: TrainedAdapter) -> dict[str, Any]:
    names = ("steps", "best_step", "best_eval_loss", "tokens", "tokens_per_second", "seconds", "train_pairs")
    facts: dict[str, Any] = asdict(adapter)
    return {name: facts[name] for name in names} | {"eval_losses": facts["eval_losses"]}


def _as_json(card: Scorecard) -> dict[str, Any]:
    """A scorecard by columns, four decimals, with the first five drafts only: small enough to keep."""
    drafted = [pair for pair in card.pairs if pair.draft is not None]
    return {
        "nll_nats": [round(pair.nll_nats, 4) for pair in card.pairs],
        "reference_bytes": [pair.reference_bytes for pair in card.pairs],
        "prompt_tokens": [pair.prompt_tokens for pair in card.pairs],
        "chrf": [round(pair.chrf or 0.0, 2) for pair in drafted],
        "exact": [bool(pair.exact) for pair in drafted],
        "edit_similarity": [round(pair.edit_similarity or 0.0, 4) for pair in drafted],
        "completion_tokens": [pair.completion_tokens for pair in drafted],
        "drafts": [pair.draft for pair in drafted[:5]],
        "seconds_per_draft": round(card.seconds_per_draft, 3), "scoring_seconds": round(card.scoring_seconds, 1),
    }  # fmt: skip


def _short(result: dict[str, Any]) -> dict[str, Any]:
    bits = {
        rung: round(sum(card["nll_nats"]) / 0.693147 / sum(card["reference_bytes"]), 4)
        for rung, card in result["cards"].items()
    }
    return {"seconds": result["seconds"], "bits_per_byte": bits}


if __name__ == "__main__":
    sys.exit(main())
