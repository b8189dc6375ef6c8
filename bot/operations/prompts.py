"""What is offered to somebody who opens the direct message: one request for each style that can be used there."""

from __future__ import annotations

from bot.domain.safe_text import shorten
from bot.domain.values import Actor
from bot.texts import agent as texts
from db.examples import find_newest_short_request
from db.session import Database
from db.styles import list_usable_styles

MAX_STYLES = 4
REQUEST_CHARS = 300
TITLE_CHARS = 75


def suggest_prompts(database: Database, actor: Actor, channel_id: str) -> list[tuple[str, str]]:
    """(title, message) of up to four prompts; none for who may not ask for drafts.

    The request is one that the style has an approved answer to, so that the first thing a person sees is what the
    style does well. A direct message is in the scope of workspace-wide styles alone.
    """
    if not actor.is_full_member:
        return []
    offered = []
    with database.read() as session:
        for style in list_usable_styles(session, actor.team_id, channel_id)[:MAX_STYLES]:
            request = find_newest_short_request(session, style.style_id, style.scope, REQUEST_CHARS)
            message = texts.prompt_message(style.name, request or texts.FIRST_PROMPT())
            offered.append((shorten(texts.prompt_title(style.name), TITLE_CHARS), message))
    return offered or [(texts.FIRST_PROMPT_TITLE(), texts.FIRST_PROMPT())]
