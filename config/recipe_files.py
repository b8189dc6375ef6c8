"""Where recipes are, and what one says as plain values. The trainer checks every key; others read what they need."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

from config.choosing import Choice
from config.rungs import Rung

RECIPES_DIR = Path(__file__).parent / "recipes"


class RecipeUnreadable(Exception):
    """The recipe is not there or is not valid TOML; the trainer's answer names what to correct."""


#: The parts of a recipe that may depend on how much there is to learn from. Not those that serving and splitting read:
#: a draft is put together, and a pair kept unseen, in the same way whatever the number of examples.
FITTED_PARTS = ("lora", "training", "evaluation", "forecast", "preferences")


def find_recipe_file(name_or_path: str) -> Path:
    """Where a shipped recipe of this name would be, or the path itself where it is one."""
    path = Path(name_or_path)
    return path if path.suffix == ".toml" else RECIPES_DIR / f"{name_or_path}.toml"


def read_recipe_file(name_or_path: str) -> dict[str, Any]:
    """The values of a shipped recipe by name, or of any TOML file by path; with `extends` what it does not say itself
    is that of the recipe named there. Raises RecipeUnreadable."""
    return _read(name_or_path, seen=())


def _read(name_or_path: str, *, seen: tuple[str, ...]) -> dict[str, Any]:
    if name_or_path in seen:
        raise RecipeUnreadable(f"{name_or_path} extends itself")
    try:
        values = tomllib.loads(find_recipe_file(name_or_path).read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeUnreadable(f"there is no recipe {name_or_path!r}") from error
    except ValueError as error:
        raise RecipeUnreadable(f"{name_or_path} is not valid TOML: {error}") from error
    extended = values.pop("extends", None)
    if extended is None:
        return values
    if not isinstance(extended, str):
        raise RecipeUnreadable("extends has to be the name of a recipe, or the path of a .toml file")
    return _over(_read(extended, seen=(*seen, name_or_path)), values)


def _over(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    """The first, with the others' values in place of its own; tables are joined, lists are replaced."""
    joined = deepcopy(dict(values))
    for name, value in others.items():
        both_tables = isinstance(value, Mapping) and isinstance(joined.get(name), Mapping)
        joined[name] = _over(joined[name], value) if both_tables else deepcopy(value)
    return joined


def fit_recipe(values: Mapping[str, Any], pairs: int, parameters: int = 0) -> dict[str, Any]:
    """A recipe's values for so many training pairs and a base model of so many parameters (0: not known): every `fit`
    whose conditions hold goes over what stands before it."""
    fitted = {name: deepcopy(value) for name, value in values.items() if name != "fit"}
    for one in values.get("fit", ()):
        below = one.get("below_pairs")
        is_met = pairs >= one.get("from_pairs", 0) and (below is None or pairs < below)
        if is_met and parameters >= one.get("from_parameters", 0):
            fitted = _over(fitted, {part: one[part] for part in FITTED_PARTS if part in one})
    return fitted


#: What a recipe means that does not say: examples in a prompt, and the tokens that they may take together.
DEFAULT_K = {Rung.FEW_SHOT: 4, Rung.RETRIEVED: 4, Rung.NEIGHBOURS: 12, Rung.LORA_RETRIEVED: 2}
DEFAULT_EXAMPLES_TOKENS = 1024
#: Rungs that carry the same examples as another one.
_AS = {Rung.KNOWLEDGE: Rung.RETRIEVED}


def choice_of(rungs: Mapping[str, Any], rung: Rung, *, forbidden: Sequence[str]) -> Choice:
    """How a prompt of this rung gets its examples, by a recipe's `[rungs]` and the style's forbidden terms; the trainer
    and the bot both ask here."""
    rung = _AS.get(rung, rung)
    k = int(rungs.get(f"{rung.value}_k", DEFAULT_K[rung])) if rung in DEFAULT_K else 0
    if rung is Rung.NEIGHBOURS:  # they vote by how near they are, and stand in no prompt
        return Choice(k=k, lexical_weight=0.0, diversity=0.0, may_repeat=True)
    max_tokens = int(rungs.get("examples_max_tokens", DEFAULT_EXAMPLES_TOKENS))
    return Choice(k=k, max_tokens=max_tokens, forbidden=tuple(forbidden))
