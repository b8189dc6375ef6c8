"""The recipes for other kinds of adapters: each trains, and what is served is what was trained."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoTokenizer

from tests.support.training_nursery import rows
from trainer.adapter_files import publish_adapter
from trainer.artifacts.keys import load_or_create_signing_key
from trainer.artifacts.manifest import AdapterFacts
from trainer.base_models import base_revision, count_parameters
from trainer.drafts import generate
from trainer.errors import RecipeUnfit
from trainer.likelihood import mean_loss, pad_id
from trainer.recipe import Recipe, load_recipe
from trainer.serving.adapters import AdapterSource
from trainer.serving.engine import Engine
from trainer.serving.text import Sampling
from trainer.train import PairRow, TrainedAdapter, check_host, load_base, tokenize_rows, train_adapter

pytestmark = pytest.mark.training

VALIDATION: list[PairRow] = rows(6, start=100)  # type: ignore[assignment]


def a_variant(name: str) -> Recipe:
    """The adapter of a shipped recipe, in a training of seconds."""
    tiny = load_recipe("tiny-test")
    return tiny.model_copy(update={"name": name, "lora": load_recipe(name).lora})


@pytest.fixture(params=["dora", "rslora"])
def trained(request: pytest.FixtureRequest, tiny_base: Path, tmp_path: Path) -> tuple[str, TrainedAdapter]:
    name: str = request.param
    adapter = train_adapter(
        base_path=tiny_base, rows_train=rows(30), rows_validation=VALIDATION, recipe=a_variant(name),  # type: ignore[arg-type]
        rung="lora", out_dir=tmp_path / "adapter", checkpoint_dir=tmp_path / "checkpoints",
    )  # fmt: skip
    return name, adapter


def test_a_variants_adapter_is_served_and_merged_as_it_was_trained(
    trained: tuple[str, TrainedAdapter], tiny_base: Path, tmp_path: Path
) -> None:
    name, adapter = trained
    weights = load_file(adapter.folder / "adapter_model.safetensors")
    assert any("magnitude" in one for one in weights) == (name == "dora")
    assert {tensor.shape[0] for one, tensor in weights.items() if "lora_A" in one} == {64 if name == "rslora" else 16}
    assert adapter.best_eval_loss < adapter.eval_losses[0][1] - 0.1

    # Merged into the base it finds the validation pairs as likely as it did while it was trained ...
    tokenizer = AutoTokenizer.from_pretrained(tiny_base)
    pairs, _ = tokenize_rows(tokenizer, VALIDATION, 512)
    merged = PeftModel.from_pretrained(load_base(tiny_base, dtype="float32"), adapter.folder).merge_and_unload()
    loss = mean_loss(merged, pairs, batch_size=4, pad_id=pad_id(tokenizer))
    assert loss == pytest.approx(adapter.best_eval_loss, abs=1e-4)

    # ... and the engine, which takes it from the signed store, writes what the merged model writes.
    key = load_or_create_signing_key(tmp_path / "keys")
    facts = AdapterFacts(
        base_model="tiny", base_revision=base_revision(tiny_base), style_id="1", scope="T1", run_id="run-1",
        rung="lora", created_at=datetime(2026, 11, 1, tzinfo=UTC),
    )  # fmt: skip
    publish_adapter(str(tmp_path / "store"), f"{name}-v1", adapter.folder, facts, key)
    source = AdapterSource(store_url=str(tmp_path / "store"), cache_dir=tmp_path / "cache", keys_dir=tmp_path / "keys")
    engine = Engine(tiny_base, adapters=source, dtype=torch.float32)
    try:
        prompts = [row["prompt"] for row in VALIDATION]
        served = [engine.complete(prompt, f"{name}-v1", Sampling(max_tokens=24)).strip() for prompt in prompts]
        without = [engine.complete(prompt, None, Sampling(max_tokens=24)).strip() for prompt in prompts]
    finally:
        engine.close()
    assert served == [draft.text for draft in generate(merged, tokenizer, prompts, max_new_tokens=24)]
    assert served != without


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what happens without a GPU")
def test_a_recipe_that_needs_a_gpu_is_refused_without_one_by_name() -> None:
    with pytest.raises(RecipeUnfit) as caught:
        check_host(load_recipe("qlora"))
    assert str(caught.value) == (
        "The recipe qlora holds the base model in 4 bits, which needs a GPU, and this trainer has none; choose another "
        "recipe, or run the trainer on a GPU host."
    )
    check_host(load_recipe("gpu-default"))


def test_parameters_are_counted_from_the_headers(tiny_base: Path) -> None:
    model = load_base(tiny_base, dtype="float32")
    assert count_parameters(tiny_base) == sum(one.numel() for one in model.parameters())
