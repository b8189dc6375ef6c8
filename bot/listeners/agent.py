"""The agent's side: what is offered when somebody opens the direct message, and the thumbs under a draft."""

from __future__ import annotations

from bot.blocks.rating import read_rating
from bot.domain.values import Click, HomeOpened
from bot.errors import BadInput
from bot.listeners.feedback import open_discard_window
from bot.operations.prompts import suggest_prompts
from bot.operations.ratings import may_be_discarded, rate_draft
from bot.services import Services
from bot.texts import agent as texts


def offer_prompts(services: Services, opened: HomeOpened) -> None:
    """The Messages tab was opened: offer what this person could ask for."""
    actor = services.people.get_actor(opened.team_id, opened.user_id)
    prompts = suggest_prompts(services.database, actor, opened.channel_id)
    if prompts:
        services.slack.set_suggested_prompts(opened.channel_id, texts.PROMPTS_TITLE(), prompts)


def rate(services: Services, click: Click) -> None:
    """A thumb up or down. After a thumb down the window opens that asks what is wrong, while it can still be said."""
    try:
        is_good, draft_id = read_rating(click.value)
    except ValueError as error:
        raise BadInput from error
    actor = services.people.get_actor(click.team_id, click.user_id)
    draft = rate_draft(services.database, actor, draft_id, is_good=is_good)
    if not is_good and may_be_discarded(draft):
        open_discard_window(services, click, draft_id)
        return
    services.answer(click, texts.RATED_GOOD() if is_good else texts.RATED_BAD())
