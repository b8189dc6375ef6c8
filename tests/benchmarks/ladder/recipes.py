"""Which knobs suit how many examples: one knob at a time around the default, `lora` on real pairs.

    python -m tests.benchmarks.ladder.recipes --data debian-packages.jsonl [--sizes 30 100 300] [--at-most 2]

Every point is trained from the base model; CHOOSING validation pairs choose its best step, as in a run, and other
pairs judge it, none of which the ladder's studies ever score. Stored pair by pair in docs/ladder/recipes.json after
every point; what is there is not measured again. `--show` prints the table that is in trainer/LOG.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from tests.benchmarks.ladder.pairs import INSTRUCTIONS, draw_sides, load_records
from tests.benchmarks.ladder.study import BASE, MODELS, STORED
from trainer.base_models import prepare_base_model
from trainer.dataset import TrainingExample, prompt_for, to_trl
from trainer.evaluate import Candidate, UnseenPair, evaluate
from trainer.metrics import ratio_intervals
from trainer.recipe import Recipe, load_recipe
from trainer.registry import library_versions
from trainer.train import PairRow, train_adapter

SIZES = (30, 100, 300)
#: Pairs that choose the best step, and pairs that judge.
CHOOSING, JUDGING = 30, 60
#: More than any study scores: those pairs stay unseen also by whoever chooses knobs.
UNTOUCHED = 400
#: The studies draw with lower seeds.
FIRST_SEED = 101
#: Validation is looked at so often in a training, whatever its length.
LOOKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One way to train, and how it differs from the default."""

    name: str
    training: dict[str, Any] = field(default_factory=dict)
    lora: dict[str, Any] = field(default_factory=dict)
    #: Of the sizes, those where it is measured.
    sizes: tuple[int, ...] = SIZES


POINTS = (
    Point(name="default"),
    Point(name="epochs 4", training={"epochs": 4.0}),
    Point(name="learning_rate 2e-3", training={"learning_rate": 2e-3}),
    Point(name="epochs 8", training={"epochs": 8.0}, sizes=(30,)),
    Point(name="DoRA", lora={"use_dora": True}, sizes=(100,)),
    Point(name="rsLoRA, r 64", lora={"r": 64, "alpha": 16, "use_rslora": True}, sizes=(100,)),
    Point(name="learning_rate 3e-4", training={"learning_rate": 3e-4}),
    Point(name="r 32", lora={"r": 32, "alpha": 64}),
    Point(name="r 8", lora={"r": 8, "alpha": 16}),
    Point(name="epochs 1", training={"epochs": 1.0}),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[FIRST_SEED])
    parser.add_argument("--at-most", type=int, default=1000, help="stop after so many points; ends with 3 when all are")
    parser.add_argument("--stored", type=Path, default=STORED)
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--show", action="store_true")
    chosen = parser.parse_args()
    target = chosen.stored / "recipes.json"
    stored = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {"points": []}
    if chosen.show:
        sys.stdout.write(table(stored))
        return 0
    records, done = load_records(chosen.data), {(one["seed"], one["pairs"], one["name"]) for one in stored["points"]}
    wanted = [
        (seed, size, point) for seed in chosen.seeds for size in sorted(chosen.sizes) for point in POINTS
        if size in point.sizes and (seed, size, point.name) not in done
    ]  # fmt: skip
    for seed, size, point in wanted[: chosen.at_most]:
        sides = draw_sides(records, unseen=UNTOUCHED, train=max(SIZES), validation=2 * (CHOOSING + JUDGING), seed=seed)
        kept = sides.validation[: CHOOSING + JUDGING]
        result = measure(
            sides.train[:size], kept[:CHOOSING], kept[CHOOSING:], recipe_of(point, size, seed), chosen.models
        )
        stored["points"].append({"seed": seed, "pairs": size, "name": point.name} | result)
        stored |= {"base_model": BASE, "recipe": "cpu-small", "versions": library_versions()}
        chosen.stored.mkdir(parents=True, exist_ok=True)
        new = target.with_suffix(".new")
        new.write_text(json.dumps(stored, separators=(",", ":")), encoding="utf-8")
        new.replace(target)
        sys.stdout.write(f"{size} pairs, {point.name}: best step {result['best_step']} of {result['steps']}\n")
        sys.stdout.flush()
    return 0 if wanted[chosen.at_most :] else 3


def recipe_of(point: Point, pairs: int, seed: int) -> Recipe:
    """`cpu-small` with this point's knobs, measured LOOKS times on the way."""
    recipe = load_recipe("cpu-small")
    # The default of these experiments, written out: the shipped recipe may follow what they find.
    knobs = {"learning_rate": 1e-3, "epochs": 2.0, "seed": seed, "patience": LOOKS} | point.training
    steps = -(-pairs // recipe.training.batch_size) * knobs["epochs"]
    knobs["eval_every_steps"] = max(1, round(steps / LOOKS))
    lora = {"r": 16, "alpha": 32} | point.lora
    evaluation = recipe.evaluation.model_copy(update={"max_pairs": JUDGING, "max_generated_pairs": 0})
    return recipe.model_copy(
        update={
            "training": recipe.training.model_copy(update=knobs),
            "lora": recipe.lora.model_copy(update=lora), "evaluation": evaluation,
        }
    )  # fmt: skip


def measure(
    train: list[TrainingExample], choosing: list[TrainingExample], judging: list[TrainingExample], recipe: Recipe,
    models: Path,
) -> dict[str, Any]:  # fmt: skip
    """Train one adapter and score it on pairs that had no part in it. JSON values."""
    base = prepare_base_model(BASE, models)
    tokenizer: Any = AutoTokenizer.from_pretrained(base)

    def rows(side: list[TrainingExample]) -> list[PairRow]:
        made, _ = to_trl(
            side, instructions=INSTRUCTIONS, max_tokens=recipe.training.max_tokens,
            count_tokens=lambda messages: len(tokenizer.apply_chat_template(messages, return_dict=False)),
        )  # fmt: skip
        return [PairRow(prompt=row["prompt"], completion=row["completion"]) for row in made]

    with tempfile.TemporaryDirectory() as folder:
        trained = train_adapter(
            base_path=base, rows_train=rows(train), rows_validation=rows(choosing), recipe=recipe, rung="lora",
            out_dir=Path(folder) / "adapter", checkpoint_dir=Path(folder) / "checkpoints", base_model_name=BASE,
        )  # fmt: skip
        prompts = tuple(prompt_for("lora", INSTRUCTIONS, one) for one in judging)
        (card,) = evaluate(
            [Candidate(rung="lora", prompts=prompts, adapter=trained.folder)],
            [UnseenPair(example_id=one.example_id, completion=one.completion) for one in judging],
            base_path=base, knobs=recipe.evaluation, dtype=recipe.training.dtype,
        )  # fmt: skip
    return {
        "steps": trained.steps, "best_step": trained.best_step, "train_pairs": trained.train_pairs,
        "eval_losses": [[step, round(loss, 4)] for step, loss in trained.eval_losses],
        "nll_nats": [round(pair.nll_nats, 4) for pair in card.pairs],
        "reference_bytes": [pair.reference_bytes for pair in card.pairs],
    }  # fmt: skip


def table(stored: dict[str, Any]) -> str:
    """Markdown: bits per byte of every point, and what it gains over the default on the same pairs, with an interval
    that holds for all points of a size together (as the gate's does, `trainer.metrics.ratio_intervals`)."""
    lines = [
        "| training pairs | knobs | bits per byte | gain over the default (95 %, all of a size together) | best step |",
        "|---|---|---|---|---|",
    ]
    groups: dict[tuple[int, int], list[dict[str, Any]]] = {}
    for one in stored["points"]:
        groups.setdefault((one["seed"], one["pairs"]), []).append(one)
    for (_, pairs), points in sorted(groups.items()):
        default = next((one for one in points if one["name"] == "default"), None)
        others = [one for one in points if one is not default]
        if default is None:
            continue
        size = np.array(default["reference_bytes"], dtype=float)
        own = np.array(default["nll_nats"]) / np.log(2)
        saved = np.array([own - np.array(one["nll_nats"]) / np.log(2) for one in others]).reshape(-1, len(own)).T
        gains = ratio_intervals(saved, size, resamples=2000, seed=0, confidence=0.95)
        lines.append(f"| {pairs} | default | {own.sum() / size.sum():.3f} | | {_steps(default)} |")
        for one, gain in zip(others, gains, strict=True):
            bits = np.array(one["nll_nats"]).sum() / np.log(2) / size.sum()
            shown = f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
            if gain.low > 0 or gain.high < 0:
                shown = f"**{shown}**"
            lines.append(f"| {pairs} | {one['name']} | {bits:.3f} | {shown} | {_steps(one)} |")
    return "\n".join(lines) + "\n"


def _steps(point: dict[str, Any]) -> str:
    return f"{point['best_step']} of {point['steps']}"


if __name__ == "__main__":
    sys.exit(main())
