"""To whom something is said that is not an answer to the person who caused it: a channel, or somebody else.

A channel hears the language that the installation sets; where it sets none, that of whoever made the style.
"""

from __future__ import annotations

from contextlib import AbstractContextManager

from sqlalchemy.orm import Session

from bot.language import speaking, workspace_language
from db.people import find_person
from db.styles import Style


def speaking_to(session: Session, team_id: str, user_id: str) -> AbstractContextManager[None]:
    """Everything said inside is for this person, as far as their language is known."""
    return speaking(find_locale(session, team_id, user_id))


def speaking_in_channel(session: Session, style: Style) -> AbstractContextManager[None]:
    """Everything said inside is for the channel of this style: cards, progress, results."""
    return speaking(workspace_language() or find_locale(session, style.team_id, style.created_by))


def find_locale(session: Session, team_id: str, user_id: str) -> str:
    """The locale of a person as Slack said it last; the installation's language for whom we have not met."""
    person = find_person(session, team_id, user_id)
    return person.locale if person else workspace_language()
