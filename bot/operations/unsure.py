"""The texts that a style could not label, the least sure first: what a person can teach it most with."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.values import Actor
from bot.errors import BadInput
from bot.operations.styles import find_named_style
from bot.texts import labels as texts
from db.drafts import list_unanswered_labels
from db.session import Database
from db.styles import StyleKind

#: Of the newest so many the least sure are shown.
LOOKED_AT = 200
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsureText:
    """A text that waits for its label."""

    draft_id: str
    request: str
    offered: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsureTexts:
    style_name: str
    #: How many wait, of those that were looked at.
    waiting: int
    shown: tuple[UnsureText, ...]


def list_unsure(database: Database, actor: Actor, channel_id: str, style_name: str) -> UnsureTexts:
    """What waits in this very channel: a text from elsewhere is nobody's business here.

    Raises UnknownStyle, NoStyleYet, AmbiguousStyle, BadInput where the style does not classify.
    """
    with database.read() as session:
        style = find_named_style(session, actor.team_id, channel_id, style_name)
        if style.kind is not StyleKind.CLASSIFY:
            raise BadInput(texts.writes_texts(style.name))
        drafts = list_unanswered_labels(session, style.style_id, channel_id, LOOKED_AT)
        found = [
            UnsureText(
                draft_id=draft.draft_id, request=draft.request,
                offered=tuple((label, share) for label, share in (draft.label_choice or {}).get("offered", ())),
            )
            for draft in drafts
        ]  # fmt: skip
        found.sort(key=lambda one: one.offered[0][1] if one.offered else 0.0)
        return UnsureTexts(style_name=style.name, waiting=len(found), shown=tuple(found[:SHOWN]))
