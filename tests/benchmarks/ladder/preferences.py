"""What a second stage brings: `lora` goes on with preferences, at several settings, on real pairs.

    python -m tests.benchmarks.ladder.preferences --data debian-packages.jsonl [--train 100] [--at-most 1]

A preference is a training pair's own synopsis over what the bare model wrote for it, which is what people meet and
correct first. The pairs are those of `recipes`: validation chooses the best step, other pairs judge, and the
preferences of these are kept back. Stored in docs/ladder/preferences.json after every point; what is there is not
measured again.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from transformers import AutoTokenizer

from config.prompts import build_prompt
from tests.benchmarks.ladder.commands import ask_for_data, say_stored
from tests.benchmarks.ladder.pairs import INSTRUCTIONS, draw_sides, load_records
from tests.benchmarks.ladder.recipes import CHOOSING, FIRST_SEED, JUDGING, UNTOUCHED
from tests.benchmarks.ladder.study import BASE, MODELS, STORED
from trainer.base_models import prepare_base_model
from trainer.dataset import TrainingExample, to_trl
from trainer.drafts import generate
from trainer.evaluate import Candidate, UnseenPair, evaluate
from trainer.metrics import Scorecard, ratio_intervals
from trainer.preferences import PreferencePair, count_right
from trainer.recipe import Recipe, load_recipe
from trainer.registry import library_versions
from trainer.train import PairRow, load_base, train_adapter
from trainer.train_preferences import train_preferences

MOST_PAIRS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    name: str
    knobs: dict[str, Any] = field(default_factory=dict)


POINTS = (
    Point(name="default"),
    Point(name="likelihood_weight 0", knobs={"likelihood_weight": 0.0}),
    Point(name="learning_rate 3e-4", knobs={"learning_rate": 3e-4}),
    Point(name="learning_rate 3e-5", knobs={"learning_rate": 3e-5}),
)
#: Written out: the shipped recipe may follow what is found.
DEFAULT = {"learning_rate": 1e-4, "epochs": 1.0, "batch_size": 4, "beta": 0.1, "likelihood_weight": 1.0}


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--data", type=Path, help="needed unless --show")
    made.add_argument("--train", type=int, default=100)
    made.add_argument("--seed", type=int, default=FIRST_SEED)
    made.add_argument("--at-most", type=int, default=100, help="stop after so many points; ends with 3 when all are")
    made.add_argument("--stored", type=Path, default=STORED)
    made.add_argument("--models", type=Path, default=MODELS)
    made.add_argument("--work", type=Path, default=Path(".huisstijl/preferences"), help="the first stage's adapter")
    made.add_argument("--show", action="store_true")
    return made


def main(argv: Sequence[str] | None = None) -> int:
    chosen = parser().parse_args(argv)
    target = chosen.stored / "preferences.json"
    stored: dict[str, Any] = json.loads(target.read_text(encoding="utf-8")) if target.exists() else {"points": []}
    if chosen.show:
        sys.stdout.write(table(stored))
        return 0
    data = ask_for_data(parser(), chosen.data)
    done = {one["name"] for one in stored["points"]}
    wanted = [point for point in POINTS if point.name not in done]
    if "lora" not in done:
        wanted = [Point(name="lora"), *wanted]
    if not wanted:
        say_stored(target)
        return 3
    sides = draw_sides(
        load_records(data), unseen=UNTOUCHED, train=MOST_PAIRS, validation=2 * (CHOOSING + JUDGING),
        seed=chosen.seed,
    )  # fmt: skip
    kept = sides.validation[: CHOOSING + JUDGING]
    bench = Bench(
        train=sides.train[: chosen.train], choosing=kept[:CHOOSING], judging=kept[CHOOSING:], seed=chosen.seed,
        work=chosen.work, base=prepare_base_model(BASE, chosen.models),
    )  # fmt: skip
    for point in wanted[: chosen.at_most]:
        stored["points"].append({"name": point.name} | bench.measure(point))
        stored |= {"base_model": BASE, "train": chosen.train, "seed": chosen.seed, "versions": library_versions()}
        chosen.stored.mkdir(parents=True, exist_ok=True)
        new = target.with_suffix(".new")
        new.write_text(json.dumps(stored, separators=(",", ":")), encoding="utf-8")
        new.replace(target)
        sys.stdout.write(f"{point.name}: {stored['points'][-1]['right']} of {stored['points'][-1]['kept_back']}\n")
        sys.stdout.flush()
    return 0 if wanted[chosen.at_most :] else 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    train: list[TrainingExample]
    choosing: list[TrainingExample]
    judging: list[TrainingExample]
    seed: int
    work: Path
    base: Path

    def measure(self, point: Point) -> dict[str, Any]:
        """One point: scores of the judging pairs, and the preferences kept back. JSON values."""
        recipe = self._recipe(point)
        lora = self._first_stage(recipe)
        if point.name == "lora":
            return self._scored(lora, recipe)
        trained = train_preferences(
            base_path=self.base, adapter=lora, pairs=self._preferences(self.train, "train"), instructions=INSTRUCTIONS,
            rows_validation=self._rows(self.choosing), recipe=recipe, out_dir=self.work / "second",
        )  # fmt: skip
        facts = {
            "steps": trained.steps, "best_step": trained.best_step,
            "eval_losses": [[step, round(loss, 4)] for step, loss in trained.eval_losses],
        }  # fmt: skip
        return facts | self._scored(trained.folder, recipe)

    def _recipe(self, point: Point) -> Recipe:
        recipe = load_recipe("cpu-small")
        knobs = {"learning_rate": 1e-3, "epochs": 2.0, "seed": self.seed, "eval_every_steps": 6}
        return recipe.model_copy(
            update={
                "training": recipe.training.model_copy(update=knobs),
                "preferences": recipe.preferences.model_copy(update=DEFAULT | point.knobs),
            }
        )

    def _rows(self, side: list[TrainingExample]) -> list[PairRow]:
        rows, _ = to_trl(side, instructions=INSTRUCTIONS)
        return [PairRow(prompt=row["prompt"], completion=row["completion"]) for row in rows]

    def _first_stage(self, recipe: Recipe) -> Path:
        """Trained once, and used by every point."""
        out_dir = self.work / "first"
        if not (out_dir / "adapter_config.json").exists():
            train_adapter(
                base_path=self.base, rows_train=self._rows(self.train), rows_validation=self._rows(self.choosing),
                recipe=recipe, rung="lora", out_dir=out_dir, checkpoint_dir=self.work / "checkpoints",
                base_model_name=BASE,
            )  # fmt: skip
        return out_dir

    def _preferences(self, side: list[TrainingExample], name: str) -> list[PreferencePair]:
        """Each pair's completion over what the bare model writes; that is drafted once."""
        file = self.work / f"drafts-{name}.json"
        if file.exists():
            drafts = json.loads(file.read_text(encoding="utf-8"))
        else:
            tokenizer: Any = AutoTokenizer.from_pretrained(self.base)
            model = load_base(self.base, dtype="bfloat16")
            prompts = [build_prompt(INSTRUCTIONS, one.prompt) for one in side]
            drafts = [one.text for one in generate(model, tokenizer, prompts, max_new_tokens=40)]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(drafts), encoding="utf-8")
        return [
            PreferencePair(preference_id=one.example_id, prompt=one.prompt, chosen=one.completion, rejected=draft)
            for one, draft in zip(side, drafts, strict=True) if draft.strip()
        ]  # fmt: skip

    def _scored(self, adapter: Path, recipe: Recipe) -> dict[str, Any]:
        held = self._preferences(self.judging, "judging")
        card = self._card(adapter, recipe, [(one.prompt, one.completion) for one in self.judging])
        texts = [(one.prompt, text) for one in held for text in (one.chosen, one.rejected)]
        share = count_right(self._card(adapter, recipe, texts))
        return {
            "nll_nats": [round(pair.nll_nats, 4) for pair in card.pairs],
            "reference_bytes": [pair.reference_bytes for pair in card.pairs],
            "right": share.right, "kept_back": share.n,
        }  # fmt: skip

    def _card(self, adapter: Path, recipe: Recipe, texts: list[tuple[str, str]]) -> Scorecard:
        prompts = tuple(build_prompt(INSTRUCTIONS, prompt) for prompt, _ in texts)
        knobs = recipe.evaluation.model_copy(update={"max_pairs": len(texts), "max_generated_pairs": 0})
        (card,) = evaluate(
            [Candidate(rung="lora", prompts=prompts, adapter=adapter)],
            [UnseenPair(example_id=str(number), completion=text) for number, (_, text) in enumerate(texts)],
            base_path=self.base, knobs=knobs, dtype=recipe.training.dtype,
        )  # fmt: skip
        return card


def table(stored: dict[str, Any]) -> str:
    """Markdown; intervals hold for all points together."""
    lines = [
        "| second stage | bits per byte | gain over `lora` (95 %) | kept back: chosen likelier | best step |",
        "|---|---|---|---|---|",
    ]
    lora = next(one for one in stored["points"] if one["name"] == "lora")
    others = [one for one in stored["points"] if one is not lora]
    size, own = np.array(lora["reference_bytes"], dtype=float), np.array(lora["nll_nats"]) / np.log(2)
    saved = np.array([own - np.array(one["nll_nats"]) / np.log(2) for one in others]).reshape(-1, len(own)).T
    gains = ratio_intervals(saved, size, resamples=2000, seed=0, confidence=0.95)
    lines.append(f"| none | {own.sum() / size.sum():.3f} | | {lora['right']} of {lora['kept_back']} | |")
    for one, gain in zip(others, gains, strict=True):
        bits = np.array(one["nll_nats"]).sum() / np.log(2) / size.sum()
        lines.append(
            f"| {one['name']} | {bits:.3f} | {gain.mean:+.3f} ({gain.low:+.3f} to {gain.high:+.3f}) | "
            f"{one['right']} of {one['kept_back']} | {one['best_step']} of {one['steps']} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
