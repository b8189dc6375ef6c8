from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.recipe_files import RECIPES_DIR, fit_recipe, read_recipe_file
from trainer.errors import RecipeInvalid, RecipeNotFound
from trainer.recipe import Recipe, list_recipes, load_recipe

FULL = ["cpu-small", "first-look", "gpu-default", "gpu-full", "tiny-test"]
PARTS = (
    "lora", "training", "rungs", "full", "splits", "evaluation", "labels", "gate", "forecast", "preferences", "probes",
)  # fmt: skip


@pytest.mark.parametrize("name", FULL)
def test_a_shipped_recipe_explains_every_knob(name: str) -> None:
    text = (RECIPES_DIR / f"{name}.toml").read_text()
    values = load_recipe(name).model_dump()
    for part in PARTS:
        written = set(re.findall(r"^(\w+) = ", text.split(f"[{part}]")[1].split("\n[")[0], re.MULTILINE))
        assert written == set(values[part]), part


@pytest.mark.parametrize("name", list_recipes())
def test_a_shipped_recipe_opens_with_the_command_that_runs_it(name: str) -> None:
    text = (RECIPES_DIR / f"{name}.toml").read_text()
    assert text.startswith(f"# huisstijl trainer --recipe {name} ")
    assert f"HUISSTIJL_RECIPE={name}" in text.splitlines()[0]
    assert load_recipe(name).name == name


def changed(name: str, than: str) -> dict[str, object]:
    mine, other = load_recipe(name).model_dump(), load_recipe(than).model_dump()
    return {
        f"{part}.{knob}": value for part in PARTS for knob, value in mine[part].items() if value != other[part][knob]
    }


def test_a_variant_changes_what_it_is_called_for_and_nothing_else() -> None:
    assert changed("auto", "cpu-small") == {}
    assert changed("dora", "auto") == {"lora.use_dora": True}
    assert changed("rslora", "auto") == {"lora.use_rslora": True, "lora.r": 64, "lora.alpha": 16}
    assert changed("qlora", "gpu-default") == {"lora.quantize": "nf4"}


def test_the_default_reads_few_pairs_more_often_unless_the_base_model_is_large() -> None:
    auto = load_recipe("auto")
    assert [auto.fitted(pairs).training.epochs for pairs in (20, 63, 64, 1000)] == [4.0, 4.0, 2.0, 2.0]
    assert auto.fitted(20, 7 * 10**9).training.epochs == 3.0


def test_a_recipe_fits_the_number_of_pairs_and_the_base_model(tmp_path: Path) -> None:
    text = """extends = "cpu-small"
[[fit]]
below_pairs = 50
training.epochs = 7.0
lora.r = 4
[[fit]]
from_pairs = 40
forecast.shares = []
[[fit]]
from_parameters = 1_000_000_000
training.epochs = 1.0
"""
    file = written(tmp_path, text)
    recipe = load_recipe(file)
    assert recipe.training.epochs == 2.0
    assert (recipe.fitted(39).training.epochs, recipe.fitted(39).lora.r) == (7.0, 4)
    assert (recipe.fitted(49).training.epochs, recipe.fitted(49).forecast.shares) == (7.0, ())
    assert (recipe.fitted(50).training.epochs, recipe.fitted(50).lora.r) == (2.0, 16)
    assert recipe.fitted(39).forecast.shares == (0.25, 0.5)
    assert recipe.fitted(39, 999_999_999).training.epochs == 7.0
    assert recipe.fitted(39, 10**9).training.epochs == 1.0  # the later one goes over the earlier
    # The bot foresees with the same rule, without the trainer's code.
    values = read_recipe_file(str(file))
    for pairs in (39, 49, 50):
        assert fit_recipe(values, pairs)["training"]["epochs"] == recipe.fitted(pairs).training.epochs
    assert recipe.fitted(39).digest != recipe.fitted(50).digest


@pytest.mark.parametrize(
    ("fit", "said"),
    [
        ("training.epoch = 3", "fit number 1 has epoch: extra inputs"),
        ("training.epochs = 0", "fit number 1 has epochs: input should be greater than 0"),
        ("training.seed = 1", "fit number 1 has seed, needed before pairs are counted"),
        ("rungs.retrieved_k = 1", "unknown key fit.0.rungs"),
        ("below_pair = 3", "unknown key fit.0.below_pair"),
    ],
)
def test_a_fit_that_could_not_be_used_is_refused_before_there_are_enough_pairs_for_it(
    fit: str, said: str, tmp_path: Path
) -> None:
    with pytest.raises(RecipeInvalid, match=re.escape(said)):
        load_recipe(written(tmp_path, f'extends = "cpu-small"\n[[fit]]\nfrom_pairs = 9999\n{fit}\n'))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('extends = "nope"', "there is no recipe 'nope'"),
        ("extends = 3", "extends has to be the name of a recipe"),
        ('extends = "{own}"', "extends itself"),
    ],
)
def test_a_recipe_that_extends_what_is_not_there_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeInvalid, match=said):
        load_recipe(written(tmp_path, text.replace("{own}", str(tmp_path / "mine.toml"))))


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(text)
    return file


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
    with pytest.raises(
        RecipeNotFound, match="auto, cpu-small, dora, first-look, gpu-default, gpu-full, qlora, rslora, tiny-test"
    ):
        load_recipe("nope")


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
