"""Which knobs suit how many examples: one knob at a time around the default, `lora` on real pairs.

    python -m tests.benchmarks.ladder.recipes --data debian-packages.jsonl [--sizes 30 100 300] [--seeds 101]
        [--points "default" "epochs 4"] [--at-most 2]

Every point is trained from the base model, but for those that go on: they start from an adapter that was trained on the
first pairs of the same draw, as a style's next run does. CHOOSING validation pairs choose its best step, as in a run,
and other pairs judge it, none of them of the first UNTOUCHED families, which all studies of up to so many pairs score
(the one with 2,000 goes beyond: it shares families with them). Stored pair by pair in docs/ladder/recipes.json
after every point; what is there is not measured again. `--show` prints the table that is in trainer/LOG.md.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from transformers import AutoTokenizer

from tests.benchmarks.ladder.commands import ask_for_data, command, numbers, say_stored
from tests.benchmarks.ladder.pairs import INSTRUCTIONS, draw_sides, load_records
from tests.benchmarks.ladder.study import BASE, MODELS, STORED
from trainer.base_models import prepare_base_model
from trainer.dataset import TrainingExample, prompt_for, to_trl
from trainer.evaluate import Candidate, UnseenPair, evaluate
from trainer.metrics import ratio_intervals
from trainer.recipe import Recipe, load_recipe
from trainer.registry import library_versions
from trainer.train import PairRow, TrainedAdapter, train_adapter

SIZES = (30, 100, 300)
#: Pairs that choose the best step, and pairs that judge.
CHOOSING, JUDGING = 30, 60
#: Families that stay unseen also by whoever chooses knobs: those of the studies with 300 and 400 unseen pairs.
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
    #: First an adapter is trained on so many of the pairs, with the default; this one goes on from it with all.
    goes_on_from: int = 0
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
    Point(name="goes on from 50", goes_on_from=50, sizes=(100,)),
    Point(name="goes on from 200", goes_on_from=200, sizes=(300,)),
    Point(name="goes on from 200, epochs 1", training={"epochs": 1.0}, goes_on_from=200, sizes=(300,)),
)


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, help="needed unless --show")
    made.add_argument("--sizes", type=int, nargs="+", default=list(SIZES))
    made.add_argument("--seeds", type=int, nargs="+", default=[FIRST_SEED])
    made.add_argument("--points", nargs="+", default=[point.name for point in POINTS])
    made.add_argument("--at-most", type=int, default=1000, help="stop after so many points; ends with 3 when all are")
    made.add_argument("--stored", type=Path, default=STORED)
    made.add_argument("--models", type=Path, default=MODELS)
    made.add_argument("--show", action="store_true")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    chosen = parser().parse_args(argv)
    target = chosen.stored / "recipes.json"
    stored = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {"points": []}
    if chosen.show:
        sys.stdout.write(table(stored))
        return 0
    data = ask_for_data(parser(), chosen.data)
    done = {(one["seed"], one["pairs"], one["name"]) for one in stored["points"]}
    wanted = [
        (seed, size, point) for seed in chosen.seeds for size in sorted(chosen.sizes) for point in POINTS
        if size in point.sizes and point.name in chosen.points and (seed, size, point.name) not in done
    ]  # fmt: skip
    if not wanted:
        say_stored(target)
        return 3
    records = load_records(data)
    for seed, size, point in wanted[: chosen.at_most]:
        sides = draw_sides(records, unseen=UNTOUCHED, train=max(SIZES), validation=2 * (CHOOSING + JUDGING), seed=seed)
        kept = sides.validation[: CHOOSING + JUDGING]
        result = measure(sides.train[:size], kept[:CHOOSING], kept[CHOOSING:], point, seed, chosen.models)
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
    train: list[TrainingExample], choosing: list[TrainingExample], judging: list[TrainingExample], point: Point,
    seed: int, models: Path,
) -> dict[str, Any]:  # fmt: skip
    """Train one adapter and score it on pairs that had no part in it. JSON values."""
    base = prepare_base_model(BASE, models)
    recipe = recipe_of(point, len(train), seed)
    tokenizer: Any = AutoTokenizer.from_pretrained(base)

    def rows(side: list[TrainingExample]) -> list[PairRow]:
        made, _ = to_trl(
            side, instructions=INSTRUCTIONS, max_tokens=recipe.training.max_tokens,
            count_tokens=lambda messages: len(tokenizer.apply_chat_template(messages, return_dict=False)),
        )  # fmt: skip
        return [PairRow(prompt=row["prompt"], completion=row["completion"]) for row in made]

    def trained_on(side: list[TrainingExample], recipe: Recipe, folder: Path, start: Path | None) -> TrainedAdapter:
        return train_adapter(
            base_path=base, rows_train=rows(side), rows_validation=rows(choosing), recipe=recipe, rung="lora",
            out_dir=folder / "adapter", checkpoint_dir=folder / "checkpoints", base_model_name=BASE, warm_start=start,
        )  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        earlier = None
        if point.goes_on_from:
            default = recipe_of(Point(name="default"), point.goes_on_from, seed)
            earlier = trained_on(train[: point.goes_on_from], default, Path(folder) / "earlier", None).folder
        trained = trained_on(train, recipe, Path(folder) / "now", earlier)
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
        "judged": [pair.example_id for pair in card.pairs],
    }  # fmt: skip


#: What has to be known to read `table`.
LEGEND = """\
The gain is over the default **on the same draws and pairs**, whose score stands beside it; bold where its interval
leaves zero out. Intervals hold for all rows of a size with as many draws together. They are over pairs: with one to
three draws, what a training owes to its own draw is hardly in them. Scores of different draws are of different pairs
and not to be compared: a row with one draw has other pairs than one with three."""


def table(stored: dict[str, Any]) -> str:
    """Markdown: bits per byte of every point, and what it gains over the default on the same draws, with an interval
    that holds for all points of a size together (as the gate's does, `trainer.metrics.ratio_intervals`).

    Several draws of the training pairs are taken together; a pair that judges in two of them counts as one group.
    """
    lines = [
        "| training pairs | knobs | draws | bits per byte | the default there | gain (95 %) | best step |",
        "|---|---|---|---|---|---|---|",
    ]
    for pairs, points in sorted(_by_size(stored).items()):
        default = points.pop("default", {})
        lines.append(
            f"| {pairs} | default | {len(default)} | {_bits(list(default.values())):.3f} | | | {_steps(default)} |"
        )
        # Points of the same draws are one family of questions.
        families: dict[tuple[int, ...], list[str]] = {}
        for name, draws in points.items():
            families.setdefault(tuple(sorted(draws.keys() & default.keys())), []).append(name)
        for seeds, names in sorted(families.items(), reverse=True):
            if not seeds:
                continue
            base = [default[seed] for seed in seeds]
            size = _joined(base, "reference_bytes")
            own = _joined(base, "nll_nats")
            saved = np.stack([own - _joined([points[name][seed] for seed in seeds], "nll_nats") for name in names], 1)
            judged = [example for one in base for example in one["judged"]]
            groups = np.array([sorted(set(judged)).index(example) for example in judged])
            gains = ratio_intervals(
                saved / np.log(2), size, resamples=2000, seed=0, confidence=0.95, groups=groups
            )  # fmt: skip
            for name, gain in zip(names, gains, strict=True):
                shown = f"{gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"
                if gain.low > 0 or gain.high < 0:
                    shown = f"**{shown}**"
                own_points = [points[name][seed] for seed in seeds]
                lines.append(
                    f"| {pairs} | {name} | {len(seeds)} | {_bits(own_points):.3f} | {_bits(base):.3f} | {shown} "
                    f"| {_steps(points[name])} |"
                )
    return "\n".join(lines) + "\n"


def commands(stored: dict[str, Any]) -> list[str]:
    """What measured the points that are stored: one for each size and its points of the same draws."""
    found = []
    for pairs, points in sorted(_by_size(stored).items()):
        together: dict[tuple[int, ...], list[str]] = {}
        for name, draws in points.items():
            together.setdefault(numbers(draws), []).append(name)
        for seeds, names in sorted(together.items(), key=lambda one: -len(one[0])):
            found.append(command("recipes", "--sizes", pairs, "--seeds", *seeds, "--points", *names))
    return found


def _by_size(stored: dict[str, Any]) -> dict[int, dict[str, dict[int, dict[str, Any]]]]:
    """Points by training pairs, name and seed."""
    sizes: dict[int, dict[str, dict[int, dict[str, Any]]]] = {}
    for one in stored["points"]:
        sizes.setdefault(one["pairs"], {}).setdefault(one["name"], {})[one["seed"]] = one
    return sizes


def _joined(points: list[dict[str, Any]], key: str) -> NDArray[np.float64]:
    return np.concatenate([np.array(one[key], dtype=float) for one in points])


def _bits(points: list[dict[str, Any]]) -> float:
    return float(_joined(points, "nll_nats").sum() / np.log(2) / _joined(points, "reference_bytes").sum())


def _steps(draws: dict[int, dict[str, Any]]) -> str:
    return ", ".join(f"{draws[seed]['best_step']} of {draws[seed]['steps']}" for seed in sorted(draws))


if __name__ == "__main__":
    sys.exit(main())
