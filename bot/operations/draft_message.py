"""A draft's own message after somebody has said something about it: made anew from the row, whatever came first."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from bot.blocks.draft import decided_blocks, fallback_text
from bot.domain.safe_text import escape, shorten
from bot.domain.values import Actor
from bot.operations.drafts import buttons_of, shape_of
from bot.operations.languages import speaking_to
from bot.texts import drafting as texts
from bot.texts import variants
from db.drafts import Draft, DraftStatus
from db.outbox import owe
from db.people import find_person


def owe_update(session: Session, draft: Draft, message_ts: str, response_url: str = "") -> None:
    """The draft's message shows what was decided, and by whom, in the language it was asked for in.

    A private draft, which no call can update, is replaced through the `response_url` of the click.
    """
    text = draft.edited_completion or draft.tail
    with speaking_to(session, draft.team_id, draft.requested_by):
        said = _sentences(session, draft)
        shown: dict[str, Any] = {
            "text": fallback_text(text),
            "blocks": decided_blocks(text, shape_of(session, draft), said, buttons_of(draft)),
        }
    key = f"draft_decided:{draft.draft_id}:{draft.status.value}:{draft.used_by or ''}"
    ts = draft.message_ts or message_ts
    if draft.is_private:
        if response_url:
            arguments = shown | {"response_url": response_url, "replace": True}
            owe(session, team_id=draft.team_id, dedupe_key=key, verb="respond", arguments=arguments)
    elif ts:
        arguments = shown | {"channel_id": draft.channel_id, "ts": ts}
        owe(session, team_id=draft.team_id, dedupe_key=key, verb="update_message", arguments=arguments)


def _sentences(session: Session, draft: Draft) -> list[str]:
    said = []
    if draft.decided_by is not None:
        who = name_of(session, draft.team_id, draft.decided_by)
        decisions = {
            DraftStatus.KEPT: texts.kept_by,
            DraftStatus.EDITED: texts.edited_by,
            DraftStatus.DISCARDED: texts.discarded_by,
        }
        if draft.status in decisions:
            said.append(decisions[draft.status](who))
    if draft.used_by is not None:
        said.append(variants.used_by(name_of(session, draft.team_id, draft.used_by)))
    return said


def display_name(actor: Actor) -> str:
    """A name and no mention: nobody is called by a message about a draft."""
    return _quiet(actor.name)


def name_of(session: Session, team_id: str, user_id: str | None) -> str:
    """The name of somebody who has acted here before."""
    person = find_person(session, team_id, user_id or "")
    return _quiet(person.name) if person else variants.SOMEBODY()


def _quiet(name: str) -> str:
    return escape(shorten(name, 80))
