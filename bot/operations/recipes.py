"""What a style's recipe asks for, as far as the bot has to know."""

from __future__ import annotations

from bot.domain.quote import RecipeFacts, read_recipe_facts
from config.recipe_files import RecipeUnreadable, fit_recipe, read_recipe_file
from config.settings import Settings
from db.styles import Style


def recipe_facts(settings: Settings, style: Style, *, examples: int | None = None) -> RecipeFacts:
    """What the style's recipe asks for, with so many `examples` where that is said; a recipe that only the trainer's
    host has is taken to be like the default."""
    name = style.recipe or settings.recipe
    try:
        values = read_recipe_file(name)
        facts = read_recipe_facts(name, values)
        if examples is None:
            return facts
        return read_recipe_facts(name, fit_recipe(values, facts.count_training(examples)))
    except (RecipeUnreadable, AttributeError, TypeError):
        return RecipeFacts(name=name)
