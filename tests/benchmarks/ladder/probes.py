"""What the probes find on the embedded model: of an adapter as the recipe trains it, of the same without anything
planted, and of bad ones that they have to stop.

    python -m tests.benchmarks.ladder.probes --data debian-packages.jsonl --work FOLDER [--cases "as shipped"]

Trained adapters and answers are kept in `--work`, so it can be stopped.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from config.prompts import build_prompt
from config.settings import Settings
from tests.benchmarks.ladder.pairs import INSTRUCTIONS, Sides, draw_sides, load_records
from trainer.base_models import prepare_base_model
from trainer.dataset import TrainingExample, to_trl
from trainer.evaluate import Candidate, UnseenPair, evaluate
from trainer.metrics import Scorecard, bits_per_byte_gain
from trainer.probes.canaries import Canary, make_canaries
from trainer.probes.judging import judge
from trainer.probes.measuring import Subject, ask_all
from trainer.probes.texts import Answers, Asked, read_contrasts, read_passages
from trainer.recipe import Recipe, load_recipe
from trainer.train import PairRow, train_adapter

BASE_MODEL = "embedded:smollm2-135m-instruct"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to train."""

    name: str
    #: How often each canary is planted.
    times: int = 1
    learning_rate: float = 1.0
    epochs: float = 1.0
    #: Train on the answers of other pairs, words in any order.
    is_garbage: bool = False


CASES = (
    Case(name="as shipped"),
    Case(name="nothing planted", times=0),
    Case(name="planted 16 times", times=16),
    Case(name="ten times the learning rate", learning_rate=10.0),
    Case(name="garbage", is_garbage=True),
    Case(name="three times the epochs", epochs=3.0),
)


def rows_of(examples: list[TrainingExample]) -> list[PairRow]:
    rows, _ = to_trl(examples, instructions=INSTRUCTIONS)
    return [PairRow(prompt=row["prompt"], completion=row["completion"]) for row in rows]


def train(case: Case, sides: Sides, canaries: tuple[Canary, ...], recipe: Recipe, base: Path, work: Path) -> Path:
    folder = work / case.name.replace(" ", "-")
    if (folder / "done").exists():
        return folder
    taught = sides.train
    if case.is_garbage:
        words = [word for one in taught for word in one.completion.split()]
        chance = random.Random(0)
        taught = [replace(one, completion=" ".join(chance.choices(words, k=9))) for one in taught]
    planted = [
        TrainingExample(example_id=f"canary_{n}_{time}", prompt=one.prompt, completion=one.completion)
        for n, one in enumerate(canaries)
        for time in range(case.times)
    ]
    knobs = recipe.training
    knobs = knobs.model_copy(
        update={"learning_rate": knobs.learning_rate * case.learning_rate, "epochs": knobs.epochs * case.epochs}
    )
    began = time.monotonic()
    trained = train_adapter(
        base_path=base, rows_train=rows_of([*taught, *planted]), rows_validation=rows_of(sides.validation),
        recipe=recipe.model_copy(update={"training": knobs}), rung="lora", out_dir=folder,
        checkpoint_dir=work / f"{folder.name}-checkpoints",
    )  # fmt: skip
    print(
        f"{case.name}: {trained.steps} steps, best at {trained.best_step} ({trained.best_eval_loss:.3f}), "
        f"{time.monotonic() - began:.0f} s",
        flush=True,
    )
    (folder / "done").write_text("")
    return folder


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__)
    made.add_argument("--data", type=Path, required=True)
    made.add_argument("--work", type=Path, required=True)
    made.add_argument("--train", type=int, default=120)
    made.add_argument("--unseen", type=int, default=60)
    made.add_argument("--seed", type=int, default=101)
    made.add_argument("--canaries", type=int, default=4)
    made.add_argument("--max-steps", type=int, default=-1)
    made.add_argument("--cases", nargs="*", default=[case.name for case in CASES])
    return made


def main(argv: Sequence[str] | None = None) -> None:
    arguments = parser().parse_args(argv)
    arguments.work.mkdir(parents=True, exist_ok=True)
    recipe = load_recipe("cpu-small")
    knobs_of_training = recipe.training.model_copy(update={"max_steps": arguments.max_steps})
    recipe = recipe.model_copy(update={"training": knobs_of_training})
    base = prepare_base_model(BASE_MODEL, Settings(_env_file=None).models_dir)
    sides = draw_sides(
        load_records(arguments.data), unseen=arguments.unseen, train=arguments.train, validation=24,
        seed=arguments.seed,
    )  # fmt: skip
    canaries = make_canaries(arguments.canaries, f"benchmark {arguments.seed}")
    cases = [case for case in CASES if case.name in arguments.cases]
    asked = Asked(
        passages=read_passages(), refusals=read_contrasts("refusal"), instructions=read_contrasts("instruction")
    )
    prompts = tuple(build_prompt(INSTRUCTIONS, one.prompt) for one in sides.unseen)
    unseen = [UnseenPair(example_id=one.example_id, completion=one.completion) for one in sides.unseen]
    knobs = recipe.evaluation.model_copy(update={"max_generated_pairs": 0})
    shipped: Scorecard | None = None

    def show(key: str, answers: Answers, alone: Answers) -> None:
        print(f"{key}: exposures", [round(one, 1) for one in answers.exposures])
        for result in judge(answers, alone, asked, recipe.probes, seed=recipe.training.seed):
            print(" ", "FAILS" if result.has_failed else "passes", json.dumps(result.figures), "\n   ", result.why)
        kept = {name: getattr(answers, name) for name in Answers.__slots__}
        (arguments.work / f"{key.replace(' ', '-')}.json").write_text(json.dumps(kept))

    for case in cases:
        folder = train(case, sides, canaries, recipe, base, arguments.work)
        began = time.monotonic()
        ask_all(
            [Subject(key=case.name, folder=folder, canaries=canaries)], asked, INSTRUCTIONS, base_path=base,
            dtype="bfloat16", batch=recipe.evaluation.batch_size, on_answered=show,
        )  # fmt: skip
        print(f"  asked in {time.monotonic() - began:.0f} s", flush=True)
        candidate = Candidate(rung=case.name.replace(" ", "_"), prompts=prompts, adapter=folder)
        (card,) = evaluate([candidate], unseen, base_path=base, knobs=knobs, dtype="bfloat16")
        shipped = shipped or card
        print(f"  unseen pairs: {card.bits_per_byte:.3f} bits per byte", _against(shipped, card), flush=True)


def _against(shipped: Scorecard, card: Scorecard) -> str:
    if card is shipped:
        return ""
    gain = bits_per_byte_gain(shipped, card)
    return f"against {shipped.rung}: {gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})"


if __name__ == "__main__":
    main()
