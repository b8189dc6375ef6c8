"""The embedded model learns for real, once: a few steps on real text shapes beat the untrained model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from config.prompts import build_prompt
from config.settings import EMBEDDED_BASE_MODEL
from trainer.base_models import prepare_base_model
from trainer.evaluate import Candidate, UnseenPair, evaluate
from trainer.metrics import bits_per_byte_gain
from trainer.recipe import load_recipe
from trainer.train import train_adapter

# A slow machine may take its time: a stopwatch is not what this holds.
pytestmark = [pytest.mark.training, pytest.mark.timeout(600)]

INSTRUCTIONS = "Name the room in our house style."
FLOORS = ["ground", "first", "second", "third"]
ROOMS = ["kitchen", "library", "workshop", "office", "studio", "archive", "canteen", "laboratory"]


def a_pair(number: int) -> tuple[str, str]:
    floor, room = FLOORS[number % 4], ROOMS[number // 4 % 8]
    return f"The {room} on the {floor} floor", f"{room.upper()}/{floor[0].upper()}{number % 4}"


def test_the_embedded_model_learns_a_style_from_24_pairs_and_unseen_ones_show_it(
    embedded_models: Path, tmp_path: Path
) -> None:
    base = prepare_base_model(EMBEDDED_BASE_MODEL, embedded_models)
    pairs = [a_pair(number) for number in range(32)]
    rows: list[Any] = [
        {
            "prompt": build_prompt(INSTRUCTIONS, prompt),
            "completion": [{"role": "assistant", "content": completion}],
        }
        for prompt, completion in pairs
    ]
    unseen = range(3, 32, 4)  # never trained on; same style, other rooms on the third floor
    seen = [number for number in range(32) if number not in unseen]
    recipe = load_recipe("cpu-small")
    recipe = recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"max_steps": 6, "eval_every_steps": 3})}
    )
    trained = train_adapter(
        base_path=base,
        rows_train=[rows[number] for number in seen[:20]],
        rows_validation=[rows[number] for number in seen[20:]],
        recipe=recipe,
        rung="lora",
        out_dir=tmp_path / "adapter",
        checkpoint_dir=tmp_path / "checkpoints",
    )
    prompts = tuple(rows[number]["prompt"] for number in unseen)
    zero_shot, lora = evaluate(
        [
            Candidate(rung="zero_shot", prompts=prompts),
            Candidate(rung="lora", prompts=prompts, adapter=trained.folder),
        ],
        [UnseenPair(example_id=str(number), completion=pairs[number][1]) for number in unseen],
        base_path=base,
        knobs=recipe.evaluation.model_copy(update={"max_generated_pairs": 2, "max_new_tokens": 6}),
        dtype=recipe.training.dtype,
    )
    assert math.isfinite(trained.best_eval_loss)
    gain = bits_per_byte_gain(zero_shot, lora)
    assert gain.low > 0, f"{zero_shot.bits_per_byte:.2f} → {lora.bits_per_byte:.2f} bits per byte, {gain}"
