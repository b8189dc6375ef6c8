"""Where recipes are, and what one says as plain values. The trainer checks every key; others read what they need."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

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
