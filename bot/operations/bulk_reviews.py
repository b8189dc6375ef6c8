"""Approving an import at once: each example counts as this person's own approval and is on record by itself.

What has something to look at, is the person's own or was edited stays in the queue, and so does what came in after
the question was asked.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from bot.blocks.review_queue import ImportBatch
from bot.domain.reviewing import is_reviewer, may_approve
from bot.domain.safe_text import escape
from bot.domain.values import Actor
from bot.errors import MembersOnly, OutOfScope, ReviewersOnly
from bot.operations.examples import count_approval, owe_card_update, policy_of, voters_of
from bot.operations.people import refuse
from bot.operations.review_queue import is_untouched_import, list_unwarned
from bot.texts import review as texts
from db.audit import record
from db.examples import Example, ExampleStatus, list_waiting_examples, lock_example
from db.session import Database
from db.styles import Style, StyleNotFound, get_style, lock_style


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOutcome:
    """`counted` have one approval more and wait for others; `left` stay as they were."""

    style_name: str
    approved: int
    counted: int
    left: int

    @property
    def sentence(self) -> str:
        """mrkdwn"""
        return texts.bulk_done(escape(self.style_name), self.approved, self.counted, self.left)


def find_imports(database: Database, actor: Actor, style_id: str, *, place: str) -> tuple[ImportBatch, int, str]:
    """What came from files for this style and waits, how many of it need a look first, and the newest one's id.

    Raises StyleNotFound, MembersOnly, ReviewersOnly, OutOfScope.
    """
    style = _as_reviewer_of(database, actor, style_id, place)
    with database.read() as session:
        waiting = _list_imports(session, style)
        warned = len(waiting) - len(list_unwarned(session, style, waiting))
    batch = ImportBatch(style_id=style_id, style_name=style.name, count=len(waiting))
    return batch, warned, max((example.example_id for example in waiting), default="")


def approve_imports(database: Database, actor: Actor, style_id: str, *, place: str, newest_id: str) -> BulkOutcome:
    """Approve what was asked about, up to `newest_id`. Doing it twice counts once. Raises as `find_imports`."""
    _as_reviewer_of(database, actor, style_id, place)
    with database.write() as session:
        style = lock_style(session, style_id)
        asked = [example for example in _list_imports(session, style) if example.example_id <= newest_id]
        approved = counted = 0
        for example in list_unwarned(session, style, asked):
            if not may_approve(actor, policy_of(style), example.proposed_by):
                continue
            example = lock_example(session, example.example_id)
            if not is_untouched_import(example) or actor.user_id in voters_of(session, example):
                continue
            count_approval(session, actor, style, example)
            owe_card_update(session, style, example)
            approved += example.status is ExampleStatus.APPROVED
            counted += example.status is not ExampleStatus.APPROVED
        record(
            session, team_id=style.team_id, actor=actor.user_id, action="examples.bulk_approved", subject=style_id,
            approved=approved, counted=counted, newest_id=newest_id,
        )  # fmt: skip
        return BulkOutcome(
            style_name=style.name, approved=approved, counted=counted, left=len(asked) - approved - counted
        )


def _list_imports(session: Session, style: Style) -> list[Example]:
    waiting = list_waiting_examples(session, style.style_id, style.scope)
    return [example for example in waiting if is_untouched_import(example)]


def _as_reviewer_of(database: Database, actor: Actor, style_id: str, place: str) -> Style:
    with database.read() as session:
        style = get_style(session, style_id)
    if style.team_id != actor.team_id:
        raise StyleNotFound
    if not actor.is_full_member:
        refuse(database, actor, "review.refused", style_id, MembersOnly())
    if not is_reviewer(actor, style.reviewer_ids):
        refuse(database, actor, "review.refused", style_id, ReviewersOnly())
    if not style.scope.covers(actor.team_id, place):
        refuse(database, actor, "review.refused", style_id, OutOfScope())
    return style
