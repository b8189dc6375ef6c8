"""What people did with an example, as one number: how well it may stand for its style.

Only what no longer changes once an example is approved, so that measuring and serving see the same.
"""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from config.choosing import NEUTRAL_QUALITY
from config.prompt_sources import PromptSource
from db.examples import Example, ExampleSource, ExampleStatus
from db.reviews import Review, ReviewDecision
from db.scope import Scope

#: An example that nobody edited has this version when it is approved.
_UNTOUCHED = 2


def list_qualities(session: Session, style_id: str, scope: Scope) -> dict[str, float]:
    """example_id → 0 to 1, of the approved examples of a style; NEUTRAL_QUALITY where people did nothing special."""
    votes = (
        select(Review.example_id, func.count().label("votes"))
        .where(Review.decision == ReviewDecision.APPROVE)
        .group_by(Review.example_id)
        .subquery()
    )
    query = (
        select(Example.example_id, Example.source, Example.version, Example.prompt_source, votes.c.votes)
        .outerjoin(votes, votes.c.example_id == Example.example_id)
        .where(
            Example.style_id == style_id, Example.scope_key == scope.key, Example.status == ExampleStatus.APPROVED
        )
    )  # fmt: skip
    return {row[0]: rate(row[1], row[2], row[3], int(row[4] or 0)) for row in session.execute(query)}


def rate(source: ExampleSource, version: int, prompt_source: PromptSource | None, votes: int) -> float:
    """A person's own words count for more than the model's, which would only teach it to be itself."""
    quality = NEUTRAL_QUALITY
    if source is ExampleSource.DRAFT_EDITED or version > _UNTOUCHED:
        quality += 0.2  # somebody took the trouble to put it right
    elif source is ExampleSource.DRAFT_KEPT:
        quality -= 0.2
    if prompt_source is PromptSource.SUGGESTED:
        quality -= 0.1
    quality += min(max(votes - 1, 0), 2) * 0.1  # more than one person stands behind it
    return min(max(quality, 0.0), 1.0)
