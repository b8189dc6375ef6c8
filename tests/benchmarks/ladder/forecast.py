"""Does a forecast come true? Trains `lora` on nested subsets of real pairs and stores each unseen pair's score.

    python -m tests.benchmarks.ladder.forecast --data debian-packages.jsonl [--seeds 1 2 3] [--sizes 50 100 400]

One file a seed under docs/ladder/, written after every size; what is there is not measured again, so it can be run
bit by bit. `python -m tests.benchmarks.ladder.report` makes the forecasts from the small sizes and holds them against
the largest one.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from config.rungs import Rung
from tests.benchmarks.ladder.commands import say_stored
from tests.benchmarks.ladder.pairs import Sides, draw_sides, load_records
from tests.benchmarks.ladder.study import STORED, VALIDATION, measure
from trainer.recipe import load_recipe

WORK = Path(".huisstijl/forecast")
#: The forecast is made on the first half of them; the second half are pairs that it has not seen either.
UNSEEN = 400
SIZES = [50, 100, 400]


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, required=True)
    made.add_argument("--seeds", type=int, nargs="+", default=list(range(1, 11)))
    made.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    made.add_argument("--recipe", default="cpu-small")
    made.add_argument("--stored", type=Path, default=STORED)
    made.add_argument("--work", type=Path, default=WORK)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    chosen = parser().parse_args(argv)
    recipe = load_recipe(chosen.recipe)
    knobs = recipe.evaluation.model_copy(update={"max_pairs": UNSEEN, "max_generated_pairs": 0})
    recipe = recipe.model_copy(update={"evaluation": knobs})
    chosen.stored.mkdir(parents=True, exist_ok=True)
    for seed in chosen.seeds:
        target = chosen.stored / f"forecast-{seed}.json"
        stored = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {"seed": seed, "points": {}}
        wanted = [size for size in sorted(chosen.sizes) if str(size) not in stored["points"]]
        if not wanted:
            say_stored(target)
            continue
        # The largest size is drawn always, so that smaller ones are its beginning whatever is asked for.
        records = load_records(chosen.data)
        sides = draw_sides(records, unseen=UNSEEN, train=max(SIZES), validation=VALIDATION, seed=seed)
        for size in wanted:
            part = Sides(train=sides.train[:size], validation=sides.validation, unseen=sides.unseen)
            work = chosen.work / f"{seed}-{size}"
            result = measure(part, recipe, [Rung.LORA], seed, work)
            stored["points"][str(size)] = _point(result)
            stored |= {name: result[name] for name in ("base_model", "recipe", "recipe_digest", "unseen", "versions")}
            stored["reference_bytes"] = result["cards"]["lora"]["reference_bytes"]
            _write(target, stored)
            shutil.rmtree(work)
            bits = sum(result["cards"]["lora"]["nll_nats"]) / 0.693147 / sum(stored["reference_bytes"])
            sys.stdout.write(f"{target.name}: {size} pairs, {bits:.4f} bits per byte, {result['seconds']} s\n")
            sys.stdout.flush()
    return 0


def _point(result: dict[str, Any]) -> dict[str, Any]:
    trained = result["trained"]["lora"]
    return {
        "nll_nats": result["cards"]["lora"]["nll_nats"],
        "train_pairs": trained["train_pairs"], "steps": trained["steps"], "best_step": trained["best_step"],
        "seconds": result["seconds"],
    }  # fmt: skip


def _write(target: Path, stored: dict[str, Any]) -> None:
    new = target.with_suffix(".new")
    new.write_text(json.dumps(stored, separators=(",", ":")), encoding="utf-8")
    new.replace(target)


if __name__ == "__main__":
    sys.exit(main())
