from __future__ import annotations

import re
from pathlib import Path

import pytest

from trainer.errors import RecipeInvalid, RecipeNotFound
from trainer.recipe import RECIPES_DIR, Recipe, list_recipes, load_recipe


@pytest.mark.parametrize("name", ["cpu-small", "first-look", "gpu-default", "gpu-full", "tiny-test"])
def test_a_shipped_recipe_opens_with_the_command_that_runs_it_and_explains_every_knob(name: str) -> None:
    text = (RECIPES_DIR / f"{name}.toml").read_text()
    assert text.startswith(f"# huisstijl trainer --recipe {name} ")
    assert f"HUISSTIJL_RECIPE={name}" in text.splitlines()[0]
    values = load_recipe(name).model_dump()
    for part in ("lora", "training", "rungs", "full", "splits", "evaluation", "gate"):
        written = set(re.findall(r"^(\w+) = ", text.split(f"[{part}]")[1].split("\n[")[0], re.MULTILINE))
        assert written == set(values[part]), part


def test_unknown_keys_are_refused_by_name(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("surprise = 1\n[lora]\nrank = 8\n[training]\nlearning_rate = -1\n")
    with pytest.raises(RecipeInvalid) as caught:
        load_recipe(file)
    assert "unknown keys lora.rank, surprise" in str(caught.value) or "unknown keys surprise, lora.rank" in str(
        caught.value
    )
    assert "training.learning_rate: input should be greater than 0" in str(caught.value)


def test_a_recipe_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[lora\n")
    with pytest.raises(RecipeInvalid, match="not valid TOML"):
        load_recipe(file)


def test_an_unknown_recipe_names_those_there_are() -> None:
    with pytest.raises(RecipeNotFound, match="cpu-small, first-look, gpu-default, gpu-full, tiny-test"):
        load_recipe("nope")
    assert list_recipes() == ["cpu-small", "first-look", "gpu-default", "gpu-full", "tiny-test"]


def test_the_digest_names_the_values() -> None:
    recipe = Recipe(name="a")
    assert recipe.digest == Recipe(name="a").digest
    assert recipe.digest != Recipe.model_validate({"name": "a", "lora": {"r": 8}}).digest


def test_a_rung_has_its_own_steps_and_shares_the_rest() -> None:
    recipe = load_recipe("cpu-small")
    assert recipe.for_rung("lora") == recipe.training
    retrieved = recipe.for_rung("lora_retrieved")
    assert retrieved.max_steps == recipe.rungs.lora_retrieved_max_steps
    assert retrieved.batch_size == recipe.training.batch_size
    full = recipe.for_rung("full")
    assert full.learning_rate == recipe.full.learning_rate <= recipe.training.learning_rate / 5
    assert (full.epochs, full.batch_size) == (recipe.full.epochs, recipe.training.batch_size)
