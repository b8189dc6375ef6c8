"""The second stage: preferences move what they should, and it ends as if it had never been killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from config.prompts import build_prompt
from tests.support.training_nursery import WORDS
from trainer.errors import NoTrainingRows, StopReason, TrainingStopped
from trainer.evaluate import Candidate, UnseenPair, evaluate
from trainer.metrics import Scorecard
from trainer.preferences import PreferencePair, count_right
from trainer.recipe import Recipe, load_recipe
from trainer.train import PairRow, Progress, TrainedAdapter, train_adapter
from trainer.train_preferences import train_preferences

pytestmark = pytest.mark.training


def asked(number: int) -> str:
    return " ".join(WORDS[(number * 3 + place) % 8] for place in range(2 + number % 5)) + f" {number}"


def pairs(count: int, start: int = 0) -> list[PreferencePair]:
    """Short answers in capitals are wanted, the same in small letters with thanks is not."""
    return [
        PreferencePair(
            preference_id=f"pre_{number}", prompt=asked(number), chosen=WORDS[number % 8].upper(),
            rejected=f"thanks, {WORDS[number % 8]}",
        )
        for number in range(start, start + count)
    ]  # fmt: skip


def rows(count: int, start: int) -> list[PairRow]:
    return [
        PairRow(
            prompt=build_prompt("Answer.", asked(number)),
            completion=[{"role": "assistant", "content": WORDS[number % 8].upper()}],
        )
        for number in range(start, start + count)
    ]


def a_recipe(**preferences: Any) -> Recipe:
    recipe = load_recipe("tiny-test")
    return recipe.model_copy(update={"preferences": recipe.preferences.model_copy(update=preferences)})


@pytest.fixture(scope="module")
def lora(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the first stage leaves after two steps."""
    folder, recipe = tmp_path_factory.mktemp("lora"), load_recipe("tiny-test")
    short = recipe.model_copy(
        update={"training": recipe.training.model_copy(update={"max_steps": 2, "eval_every_steps": 2})}
    )
    return train_adapter(
        base_path=tiny_base, rows_train=rows(16, 0), rows_validation=rows(6, 200), recipe=short, rung="lora",
        out_dir=folder / "adapter", checkpoint_dir=folder / "checkpoints",
    ).folder  # fmt: skip


def go_on(tiny_base: Path, lora: Path, out_dir: Path, recipe: Recipe | None = None, **changes: Any) -> TrainedAdapter:
    values: dict[str, Any] = {
        "base_path": tiny_base, "adapter": lora, "pairs": pairs(40), "instructions": "Answer.",
        "rows_validation": rows(6, 200), "recipe": recipe or a_recipe(epochs=2.0), "out_dir": out_dir,
    }  # fmt: skip
    return train_preferences(**{**values, **changes})


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter_model.safetensors")


def scored(tiny_base: Path, adapter: Path) -> Scorecard:
    """Chosen, then rejected, of preferences that nothing was trained on."""
    held = pairs(30, start=500)
    texts = [text for pair in held for text in (pair.chosen, pair.rejected)]
    (card,) = evaluate(
        [
            Candidate(
                rung="lora", adapter=adapter,
                prompts=tuple(build_prompt("Answer.", pair.prompt) for pair in held for _ in range(2)),
            )
        ],
        [UnseenPair(example_id="p", completion=text) for text in texts],
        base_path=tiny_base, dtype="float32",
        knobs=a_recipe().evaluation.model_copy(update={"max_pairs": 60, "max_generated_pairs": 0}),
    )  # fmt: skip
    return card


def test_preferences_that_were_never_seen_are_kept_more_often(tiny_base: Path, lora: Path, tmp_path: Path) -> None:
    before = scored(tiny_base, lora)
    seen: list[Progress] = []
    trained = go_on(tiny_base, lora, tmp_path / "adapter", on_progress=seen.append)
    after = scored(tiny_base, trained.folder)
    assert count_right(after).right >= 28 > count_right(before).right + 5
    margins = [
        sum(card.pairs[i + 1].nll_nats - card.pairs[i].nll_nats for i in range(0, 60, 2)) for card in (before, after)
    ]
    assert margins[1] > margins[0]
    # What it chose its best step by, from the first look on.
    assert [step for step, _ in trained.eval_losses] == [0, 5, 10, 15, 20]
    assert trained.best_eval_loss == min(loss for step, loss in trained.eval_losses if step)
    assert trained.train_pairs == 40 and trained.tokens > 0
    assert [one.step for one in seen if one.step == one.total_steps] and seen[0].total_steps == 20


def test_it_goes_on_from_the_adapter_and_leaves_that_and_its_shape_as_they_are(
    tiny_base: Path, lora: Path, tmp_path: Path
) -> None:
    before = (lora / "adapter_model.safetensors").read_bytes()
    still = go_on(tiny_base, lora, tmp_path / "still", a_recipe(learning_rate=1e-30))
    assert all(torch.equal(one, weights(lora)[name]) for name, one in weights(still.folder).items())
    moved = weights(go_on(tiny_base, lora, tmp_path / "moved").folder)
    assert moved.keys() == weights(lora).keys()
    for name, tensor in moved.items():
        assert not torch.equal(tensor, weights(lora)[name]), f"{name} did not move"
        assert tensor.dtype == torch.float32
    assert (lora / "adapter_model.safetensors").read_bytes() == before
    configs = [json.loads((folder / "adapter_config.json").read_text()) for folder in (lora, tmp_path / "moved")]
    assert configs[0] == configs[1]


def test_the_likelihood_of_what_was_chosen_is_held_up_where_the_recipe_asks_for_it(
    tiny_base: Path, lora: Path, tmp_path: Path
) -> None:
    """DPO alone is content when a rejected text loses more than the chosen one does."""
    with_likelihood = go_on(tiny_base, lora, tmp_path / "with", a_recipe(epochs=4.0))
    without = go_on(tiny_base, lora, tmp_path / "without", a_recipe(epochs=4.0, likelihood_weight=0.0))
    assert with_likelihood.best_eval_loss < without.best_eval_loss - 0.2


def test_a_stage_that_was_stopped_starts_again_and_ends_with_the_same_weights(
    tiny_base: Path, lora: Path, tmp_path: Path
) -> None:
    whole = go_on(tiny_base, lora, tmp_path / "whole")
    steps: list[int] = []

    def stop() -> StopReason | None:
        steps.append(1)
        return StopReason.SHUTDOWN if len(steps) == 7 else None

    with pytest.raises(TrainingStopped, match="at step 7"):
        go_on(tiny_base, lora, tmp_path / "again", should_stop=stop)
    (tmp_path / "again").mkdir(exist_ok=True)
    (tmp_path / "again" / "adapter_model.safetensors").write_bytes(b"half")
    again = go_on(tiny_base, lora, tmp_path / "again")
    assert again.eval_losses == whole.eval_losses
    names = "adapter_model.safetensors"
    assert (again.folder / names).read_bytes() == (whole.folder / names).read_bytes()


def test_preferences_that_are_too_long_are_left_out(tiny_base: Path, lora: Path, tmp_path: Path) -> None:
    long = PreferencePair(preference_id="long", prompt="x" * 600, chosen="a", rejected="b")
    assert go_on(tiny_base, lora, tmp_path / "a", pairs=[*pairs(4), long]).skipped_too_long == [4]
    with pytest.raises(NoTrainingRows):
        go_on(tiny_base, lora, tmp_path / "b", pairs=[long])
