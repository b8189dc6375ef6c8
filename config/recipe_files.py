"""Where recipes are, and what one says as plain values. The trainer checks every key; others read what they need."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from config.choosing import Choice
from config.rungs import Rung

RECIPES_DIR = Path(__file__).parent / "recipes"


class RecipeUnreadable(Exception):
    """The recipe is not there or is not valid TOML; the trainer's answer names what to correct."""


def read_recipe_file(name_or_path: str) -> dict[str, Any]:
    """The values of a shipped recipe by name, or of any TOML file by path. Raises RecipeUnreadable."""
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = RECIPES_DIR / f"{name_or_path}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecipeUnreadable(name_or_path) from error


#: What a recipe means that does not say: examples in a prompt, and the tokens that they may take together.
DEFAULT_K = {Rung.FEW_SHOT: 4, Rung.RETRIEVED: 4, Rung.NEIGHBOURS: 12, Rung.LORA_RETRIEVED: 2}
DEFAULT_EXAMPLES_TOKENS = 1024
#: Rungs that carry the same examples as another one.
_AS = {Rung.KNOWLEDGE: Rung.RETRIEVED}


def choice_of(rungs: Mapping[str, Any], rung: Rung) -> Choice:
    """How a prompt of this rung gets its examples, by a recipe's `[rungs]`; the trainer and the bot both ask here."""
    rung = _AS.get(rung, rung)
    k = int(rungs.get(f"{rung.value}_k", DEFAULT_K[rung])) if rung in DEFAULT_K else 0
    if rung is Rung.NEIGHBOURS:  # they vote by how near they are, and stand in no prompt
        return Choice(k=k, lexical_weight=0.0, diversity=0.0, may_repeat=True)
    return Choice(k=k, max_tokens=int(rungs.get("examples_max_tokens", DEFAULT_EXAMPLES_TOKENS)))
