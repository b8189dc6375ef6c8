"""Training of all weights, proven by physics: what must move moves, nothing is lost between training and the file."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer

from tests.support.training_nursery import rows
from trainer import checkpoints
from trainer.likelihood import completion_losses, pad_batch, tokenize_pair
from trainer.recipe import Recipe, load_recipe
from trainer.train import TrainedAdapter, load_base, train_adapter

pytestmark = pytest.mark.training


def a_recipe(training: dict[str, Any] | None = None, **full: Any) -> Recipe:
    recipe = load_recipe("tiny-test")
    return recipe.model_copy(
        update={
            "training": recipe.training.model_copy(update=training or {}), "full": recipe.full.model_copy(update=full)
        }
    )  # fmt: skip


def train(base: Path, folder: Path, recipe: Recipe | None = None) -> TrainedAdapter:
    return train_adapter(
        base_path=base, rows_train=rows(30), rows_validation=rows(6, start=100),  # type: ignore[arg-type]
        recipe=recipe or a_recipe(), rung="full", out_dir=folder / "model", checkpoint_dir=folder / "checkpoints",
    )  # fmt: skip


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_every_weight_matrix_moves_and_the_base_models_file_does_not(tiny_base: Path, tmp_path: Path) -> None:
    before = (tiny_base / "model.safetensors").read_bytes()
    trained = train(tiny_base, tmp_path)
    after, base = weights(trained.folder), weights(tiny_base)
    assert after.keys() == base.keys()
    for name, tensor in after.items():
        assert tensor.dtype == base[name].dtype
        assert not torch.equal(tensor, base[name]), f"{name} did not move"
    assert trained.best_eval_loss < trained.eval_losses[0][1]
    assert (tiny_base / "model.safetensors").read_bytes() == before
    kept = {folder.name for folder in (tmp_path / "checkpoints").glob(f"{checkpoints.PREFIX}*")}
    assert kept == {f"{checkpoints.PREFIX}{step}" for step in (trained.steps, trained.best_step)}


def test_without_a_step_what_comes_out_is_the_base_model_to_the_bit(tiny_base: Path, tmp_path: Path) -> None:
    trained = train(tiny_base, tmp_path, a_recipe(max_steps=1, learning_rate=1e-30))
    base = weights(tiny_base)
    assert all(torch.equal(tensor, base[name]) for name, tensor in weights(trained.folder).items())


def test_the_model_that_comes_out_has_the_loss_that_training_ended_with(tiny_base: Path, tmp_path: Path) -> None:
    trained = train(tiny_base, tmp_path)
    model, tokenizer = load_base(trained.folder, dtype="float32"), AutoTokenizer.from_pretrained(trained.folder)
    pairs = [tokenize_pair(tokenizer, row["prompt"], row["completion"][0]["content"]) for row in rows(6, start=100)]
    losses, _ = completion_losses(model, pad_batch(pairs, 0, "cpu"))
    assert float(losses.detach().mean()) == pytest.approx(trained.best_eval_loss, rel=1e-4)


def test_one_batch_of_four_gives_the_path_of_four_batches_of_one(tiny_base: Path, tmp_path: Path) -> None:
    whole = train(tiny_base, tmp_path / "a", a_recipe({"batch_size": 4, "gradient_accumulation": 1}))
    parts = train(tiny_base, tmp_path / "b", a_recipe({"batch_size": 1, "gradient_accumulation": 4}))
    assert [loss for _, loss in parts.train_losses] == pytest.approx([loss for _, loss in whole.train_losses], rel=1e-4)
    assert [loss for _, loss in parts.eval_losses] == pytest.approx([loss for _, loss in whole.eval_losses], rel=1e-4)


def test_recomputing_activations_does_not_change_what_is_learnt(tiny_base: Path, tmp_path: Path) -> None:
    plain = train(tiny_base, tmp_path / "a")
    other = train(tiny_base, tmp_path / "b", a_recipe(gradient_checkpointing=True))
    assert [loss for _, loss in other.train_losses] == pytest.approx([loss for _, loss in plain.train_losses], rel=1e-3)


def test_steps_that_are_smaller_than_bfloat16_can_hold_are_kept_in_float32(tiny_base: Path, tmp_path: Path) -> None:
    """Both multiply in bfloat16. A step of 1e-5 on a weight of 0.2 is less than its rounding, which is 1 in 256."""
    rounded = tmp_path / "rounded"  # so that holding them in bfloat16 changes nothing yet
    shutil.copytree(tiny_base, rounded)
    base = {name: tensor.bfloat16().float() for name, tensor in weights(tiny_base).items()}
    save_file(base, rounded / "model.safetensors", metadata={"format": "pt"})

    def share_that_moved(weights_as: str) -> float:
        recipe = a_recipe({"dtype": "bfloat16"}, learning_rate=1e-5, weights=weights_as)
        trained = train(rounded, tmp_path / weights_as, recipe)
        moved = [(tensor != base[name]).float() for name, tensor in weights(trained.folder).items()]
        return float(torch.cat([one.flatten() for one in moved]).mean())

    assert share_that_moved("float32") > 0.8  # of the embedding, only the bytes that stand in the pairs
    assert share_that_moved("bfloat16") < 0.1
