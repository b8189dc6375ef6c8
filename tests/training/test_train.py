"""Training proven by physics: what must move moves, what must not does not, equal settings give equal paths."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoTokenizer

from tests.support.training_nursery import rows
from trainer.errors import LossNotFinite, NoTrainingRows, OutOfMemory, StopReason, TrainingStopped
from trainer.likelihood import completion_losses, pad_batch, shared_prefix_tokens, tokenize_pair
from trainer.recipe import Recipe, load_recipe
from trainer.train import LengthGroupedOrder, Progress, TrainedAdapter, load_base, train_adapter

pytestmark = pytest.mark.training


def a_recipe(**training: Any) -> Recipe:
    recipe = load_recipe("tiny-test")
    return recipe.model_copy(update={"training": recipe.training.model_copy(update=training)})


def train(base: Path, folder: Path, recipe: Recipe | None = None, **changes: Any) -> TrainedAdapter:
    values: dict[str, Any] = {
        "base_path": base,
        "rows_train": rows(30),
        "rows_validation": rows(6, start=100),
        "recipe": recipe or a_recipe(),
        "rung": "lora",
        "out_dir": folder / "adapter",
        "checkpoint_dir": folder / "checkpoints",
    }
    return train_adapter(**{**values, **changes})


def adapter_weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "adapter" / "adapter_model.safetensors")


def test_every_adapter_tensor_moves_and_the_base_does_not(tiny_base: Path, tmp_path: Path) -> None:
    before = (tiny_base / "model.safetensors").read_bytes()
    seen: dict[str, torch.Tensor] = {}
    # One step at a step size of almost zero leaves the adapter's first weights in the checkpoint.
    train(tiny_base, tmp_path / "first", a_recipe(max_steps=1, learning_rate=1e-30))
    seen = adapter_weights(tmp_path / "first")
    trained = train(tiny_base, tmp_path / "second", a_recipe(max_steps=12))
    after = adapter_weights(tmp_path / "second")
    assert after.keys() == seen.keys()
    assert len(after) == 2 * 7 * 2  # A and B, seven linear layers, two blocks
    for name, tensor in after.items():
        assert not torch.equal(tensor, seen[name]), f"{name} did not move"
        assert tensor.dtype == torch.float32
    assert trained.best_eval_loss < trained.eval_losses[0][1]
    assert (tiny_base / "model.safetensors").read_bytes() == before


def test_the_base_in_memory_stays_as_it_was(tiny_base: Path, tmp_path: Path) -> None:
    """A fresh base under the saved adapter gives the very loss that training ended with: nothing else had moved."""
    trained = train(tiny_base, tmp_path / "first")
    again = train(tiny_base, tmp_path / "second", a_recipe(max_steps=1, learning_rate=1e-30), warm_start=trained.folder)
    assert trained.best_eval_loss < trained.eval_losses[0][1]
    assert again.eval_losses[0][1] == pytest.approx(trained.best_eval_loss, rel=1e-5)


def test_one_batch_of_four_gives_the_path_of_four_batches_of_one(tiny_base: Path, tmp_path: Path) -> None:
    whole = train(tiny_base, tmp_path / "4x1", a_recipe(batch_size=4, gradient_accumulation=1))
    parts = train(tiny_base, tmp_path / "1x4", a_recipe(batch_size=1, gradient_accumulation=4))
    assert [loss for _, loss in parts.train_losses] == pytest.approx([loss for _, loss in whole.train_losses], rel=1e-4)
    assert [loss for _, loss in parts.eval_losses] == pytest.approx([loss for _, loss in whole.eval_losses], rel=1e-4)


@pytest.mark.parametrize("changes", [{"share_prefix": False}, {"gradient_checkpointing": True}, {"attention": "sdpa"}])
def test_what_makes_training_fast_does_not_change_what_is_learnt(
    tiny_base: Path, tmp_path: Path, changes: dict[str, Any]
) -> None:
    plain, other = train(tiny_base, tmp_path / "a"), train(tiny_base, tmp_path / "b", a_recipe(**changes))
    assert [loss for _, loss in other.train_losses] == pytest.approx([loss for _, loss in plain.train_losses], rel=1e-3)


@pytest.mark.parametrize("alike", [False, True])
def test_our_loss_is_the_models_own_loss(tiny_base: Path, alike: bool) -> None:
    model, tokenizer = load_base(tiny_base, dtype="float32"), AutoTokenizer.from_pretrained(tiny_base)
    pairs = [tokenize_pair(tokenizer, row["prompt"], row["completion"][0]["content"]) for row in rows(5)]
    if alike:  # the whole prompt is shared, up to the token that predicts the first one of the completion
        prompt = rows(1)[0]["prompt"]
        pairs = [tokenize_pair(tokenizer, prompt, text) for text in ("AMBER", "amber", "A")]
    batch = pad_batch(pairs, 0, "cpu")
    assert shared_prefix_tokens(batch["input_ids"], batch["labels"]) > 20
    expected = float(model(**batch).loss.detach())
    for share_prefix in (True, False):
        losses, in_row = completion_losses(model, batch, share_prefix=share_prefix)
        assert float(losses.detach().mean()) == pytest.approx(expected, rel=1e-5)
        assert in_row.tolist() == sorted(in_row.tolist())
        assert losses.numel() == sum(pair.completion_tokens for pair in pairs)


def test_only_the_completion_up_to_the_end_of_its_turn_is_learnt(tiny_base: Path) -> None:
    tokenizer: Any = AutoTokenizer.from_pretrained(tiny_base)
    pair = tokenize_pair(tokenizer, [{"role": "user", "content": "hello"}], "GOOD")
    assert tokenizer.decode(pair.input_ids[pair.prompt_tokens :]) == "GOOD<|im_end|>"
    assert tokenizer.decode(pair.input_ids[: pair.prompt_tokens]).endswith("<|im_start|>assistant\n")


def test_the_best_checkpoint_is_what_comes_out_and_training_stops_when_it_only_gets_worse(
    tiny_base: Path, tmp_path: Path
) -> None:
    recipe = a_recipe(max_steps=80, learning_rate=0.05, eval_every_steps=2, patience=2, scheduler="constant")
    trained = train(tiny_base, tmp_path, recipe)
    losses = {step: loss for step, loss in trained.eval_losses if step > 0}
    assert trained.steps < 80
    assert trained.best_step == min(losses, key=lambda step: losses[step])
    assert trained.steps - trained.best_step == 2 * 2
    best = load_file(tmp_path / "checkpoints" / f"checkpoint-{trained.best_step}" / "adapter_model.safetensors")
    assert all(torch.equal(best[name], tensor) for name, tensor in adapter_weights(tmp_path).items())


def test_the_adapter_folder_is_what_peft_saves_and_names_no_path_of_this_machine(
    tiny_base: Path, tmp_path: Path
) -> None:
    trained = train(tiny_base, tmp_path, base_model_name="embedded:tiny")
    assert {file.name for file in trained.folder.iterdir()} == {"adapter_config.json", "adapter_model.safetensors"}
    text = (trained.folder / "adapter_config.json").read_text()
    assert json.loads(text)["base_model_name_or_path"] == "embedded:tiny"
    assert str(tmp_path.parent) not in text
    assert str(tiny_base) not in text


def test_progress_is_told_at_every_step(tiny_base: Path, tmp_path: Path) -> None:
    told: list[Progress] = []
    train(tiny_base, tmp_path, on_progress=told.append)
    assert sorted({progress.step for progress in told}) == list(range(13))
    assert told[-1].total_steps == 12
    assert all(math.isfinite(progress.loss) for progress in told if progress.step > 0)
    assert told[-1].tokens_per_second > 0
    assert told[-1].seconds_left == 0


def test_a_training_that_is_asked_to_stop_stops_with_the_reason_and_continues_later(
    tiny_base: Path, tmp_path: Path
) -> None:
    asked = iter([None] * 5 + [StopReason.SHUTDOWN])
    with pytest.raises(TrainingStopped, match="at step 6: shutdown"):
        train(tiny_base, tmp_path, should_stop=lambda: next(asked))
    assert train(tiny_base, tmp_path).resumed_from_step == 4


def test_a_checkpoint_of_other_pairs_or_another_recipe_is_not_resumed(tiny_base: Path, tmp_path: Path) -> None:
    train(tiny_base, tmp_path)
    assert train(tiny_base, tmp_path, rows_train=rows(29)).resumed_from_step == 0
    assert train(tiny_base, tmp_path, a_recipe(seed=7)).resumed_from_step == 0


def test_a_loss_that_is_not_a_number_ends_training_by_name(tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(LossNotFinite, match="lower learning_rate"):
        train(tiny_base, tmp_path, a_recipe(learning_rate=1e30, max_grad_norm=1e30, warmup_share=0.0))


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate")]
)
def test_memory_that_runs_out_ends_training_by_name(tiny_base: Path, tmp_path: Path, error: Exception) -> None:
    def fail(progress: Progress) -> None:
        raise error

    with pytest.raises(OutOfMemory, match="lower batch_size"):
        train(tiny_base, tmp_path, on_progress=fail)


def test_pairs_that_are_too_long_are_left_out_and_named(tiny_base: Path, tmp_path: Path) -> None:
    long: Any = {
        "prompt": [{"role": "user", "content": "x" * 600}],
        "completion": [{"role": "assistant", "content": "y"}],
    }
    trained = train(tiny_base, tmp_path, rows_train=[*rows(8), long])
    assert trained.skipped_too_long == [8]
    assert trained.train_pairs == 8
    with pytest.raises(NoTrainingRows):
        train(tiny_base, tmp_path / "none", rows_train=[long])


def test_a_warm_start_continues_from_the_given_adapter(tiny_base: Path, tmp_path: Path) -> None:
    first = train(tiny_base, tmp_path / "lora")
    second = train(tiny_base, tmp_path / "retrieved", rung="lora_retrieved", warm_start=first.folder)
    assert second.steps == 4
    assert second.eval_losses[0][1] == pytest.approx(first.best_eval_loss, rel=1e-5)


def test_dora_and_rslora_train(tiny_base: Path, tmp_path: Path) -> None:
    recipe = a_recipe(max_steps=2)
    recipe = recipe.model_copy(update={"lora": recipe.lora.model_copy(update={"use_dora": True, "use_rslora": True})})
    train(tiny_base, tmp_path, recipe)
    assert any("magnitude" in name for name in adapter_weights(tmp_path))


def test_the_order_of_batches_depends_on_seed_and_epoch_alone_and_groups_lengths() -> None:
    lengths = [10 * (i % 37) + 5 for i in range(100)]
    order = LengthGroupedOrder(lengths, 8, seed=3)
    first = list(order)
    torch.rand(5)
    assert list(order) == first
    assert sorted(first) == list(range(100))
    order.set_epoch(1)
    assert list(order) != first
    batches = [[lengths[i] for i in first[k : k + 8]] for k in range(0, 100, 8)]
    assert sum(max(batch) * len(batch) for batch in batches) < 1.25 * sum(lengths)
