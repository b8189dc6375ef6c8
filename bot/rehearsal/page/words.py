"""What the page says in other languages than English: the bot's own catalogue of the page's sentences, as JSON."""

from __future__ import annotations

from functools import cache

from bot.language import TRANSLATIONS, read_catalogue


@cache
def words() -> dict[str, dict[str, str | list[str]]]:
    """Language → sentence → its translation; one and many of it, under the one, for what is counted."""
    found: dict[str, dict[str, str | list[str]]] = {}
    for language in TRANSLATIONS:
        said = [message for message in read_catalogue(language, "page") if message.id]
        found[language] = {}
        for message in said:
            of, translated = message.id, message.string or ""
            found[language][of if isinstance(of, str) else of[0]] = (
                translated if isinstance(translated, str) else list(translated)
            )
    return found
