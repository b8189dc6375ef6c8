"""What a style's recipe asks for, as far as the bot has to know."""

from __future__ import annotations

from bot.domain.quote import RecipeFacts, read_recipe_facts
from config.recipe_files import RecipeUnreadable, read_recipe_file
from config.settings import Settings
from db.styles import Style


def recipe_facts(settings: Settings, style: Style) -> RecipeFacts:
    """What the style's recipe asks for; a recipe that only the trainer's host has is taken to be like the default."""
    name = style.recipe or settings.recipe
    try:
        return read_recipe_facts(name, read_recipe_file(name))
    except (RecipeUnreadable, AttributeError, TypeError):
        return RecipeFacts(name=name)
