"""Approving an import at once: each example counts as this person's own approval and is on record by itself.

What has something to look at, is the person's own or was edited stays in the queue, and so does what came in after
the question was asked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from bot.blocks.review_queue import MAX_LOOKED_AT, ImportBatch
from bot.domain.reviewing import may_approve
from bot.domain.safe_text import escape
from bot.domain.values import Actor
from bot.errors import OutOfScope
from bot.operations.examples import count_approval, owe_card_update, policy_of, voters_of
from bot.operations.people import refuse, require_reviewer
from bot.operations.review_queue import is_untouched_import, list_unwarned
from bot.texts import review as texts
from config import failpoints
from db.audit import record
from db.base import new_id, now_in_database
from db.examples import (
    Example,
    ExampleStatus,
    count_imports_approved_by,
    count_waiting_imports,
    list_waiting_examples,
    list_waiting_imports,
    lock_example,
)
from db.inbox import InboxStatus, store_events
from db.outbox import owe
from db.session import Database
from db.styles import Style, StyleNotFound, get_style, lock_style

#: Examples in one transaction.
AT_A_TIME = 25
#: Examples in one delivery: well inside its lease, and nobody behind it waits long.
AT_ONCE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkOrder:
    """What a person has ordered: everything up to `newest_id`, of which what comes `after_id` is left to do."""

    key: str
    style_id: str
    newest_id: str
    ordered_at: datetime
    after_id: str = ""

    def as_dict(self) -> dict[str, Any]:
        """JSON values; `from_dict` reads them back."""
        return asdict(self) | {"ordered_at": self.ordered_at.isoformat()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> BulkOrder:
        return cls(**values | {"ordered_at": datetime.fromisoformat(values["ordered_at"])})


#: An order as the body of a delivery that does it.
Body = Callable[[BulkOrder], dict[str, Any]]


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

    Of very many it is not known yet how many need a look: then that is -1. Raises StyleNotFound, MembersOnly,
    ReviewersOnly, OutOfScope.
    """
    style = _as_reviewer_of(database, actor, style_id, place)
    with database.read() as session:
        count, newest_id = count_waiting_imports(session, [(style_id, style.scope)]).get(style_id, (0, ""))
        warned = -1
        if count <= MAX_LOOKED_AT:
            warned = count - len(list_unwarned(session, style, _list_imports(session, style)))
    return ImportBatch(style_id=style_id, style_name=style.name, count=count), warned, newest_id


def begin_bulk_approval(
    database: Database, actor: Actor, style_id: str, newest_id: str, *, place: str, body: Body
) -> str:
    """Order the approval of what was asked about, and answer at once; returns the style's name. Raises as
    `find_imports`. The order waits in the inbox, so that neither a person's patience nor a restart cuts it short."""
    style = _as_reviewer_of(database, actor, style_id, place)
    with database.write() as session:
        now = now_in_database(session)
        order = BulkOrder(key=new_id("in"), style_id=style_id, newest_id=newest_id, ordered_at=now)
        _put_into_inbox(session, actor, order, body)
    return style.name


def approve_imports(
    database: Database, actor: Actor, order: BulkOrder, *, place: str, body: Body
) -> BulkOutcome | None:
    """Approve the next of what was asked about, a few at a time: others can write in between. None where more is left:
    that is ordered, and whatever came meanwhile has its turn first. Begun again after a crash it goes on where it was.
    At the end the person hears of it in a direct message. Raises as `find_imports`."""
    style = _as_reviewer_of(database, actor, order.style_id, place)
    with database.read() as session:
        asked = list_waiting_imports(
            session, style.style_id, style.scope, after_id=order.after_id, up_to_id=order.newest_id, limit=AT_ONCE
        )
        unwarned = list_unwarned(session, style, filter(is_untouched_import, asked))
        clear = [one.example_id for one in unwarned if may_approve(actor, policy_of(style), one.proposed_by)]
    for start in range(0, len(clear), AT_A_TIME):
        with database.write() as session:
            style = lock_style(session, style.style_id)
            for example_id in clear[start : start + AT_A_TIME]:
                _approve_one(session, actor, style, example_id)
        failpoints.visit("bulk.part")
    with database.write() as session:
        if len(asked) == AT_ONCE:
            _put_into_inbox(session, actor, replace(order, after_id=asked[-1].example_id), body)
            return None
        return _conclude(session, actor, style, order)


def _put_into_inbox(session: Session, actor: Actor, order: BulkOrder, body: Body) -> None:
    """Stored once, however often this moment is repeated."""
    row = {
        "inbox_id": new_id("in"), "event_key": f"bulk:{order.key}:{order.after_id}", "team_id": actor.team_id,
        "kind": "block_actions", "body": body(order), "status": InboxStatus.PENDING, "fence": 0, "attempts": 0,
        "received_at": now_in_database(session),
    }  # fmt: skip
    store_events(session, [row])


def _conclude(session: Session, actor: Actor, style: Style, order: BulkOrder) -> BulkOutcome:
    waiting = [example for example in _list_imports(session, style) if example.example_id <= order.newest_id]
    counted = sum(actor.user_id in voters_of(session, example) for example in waiting)
    approved = count_imports_approved_by(session, style.style_id, style.scope, actor.user_id, order.ordered_at)
    outcome = BulkOutcome(
        style_name=style.name, counted=counted, left=len(waiting) - counted, approved=approved
    )  # fmt: skip
    text = {"user_id": actor.user_id, "text": outcome.sentence}
    if owe(session, team_id=style.team_id, dedupe_key=f"bulk_done:{order.key}", verb="post_direct", arguments=text):
        record(
            session, team_id=style.team_id, actor=actor.user_id, action="examples.bulk_approved",
            subject=style.style_id, approved=approved, counted=counted, newest_id=order.newest_id,
        )  # fmt: skip
    return outcome


def _approve_one(session: Session, actor: Actor, style: Style, example_id: str) -> None:
    """Unless it has changed since it was looked at, or counts already."""
    example = lock_example(session, example_id)
    is_waiting = example.status is ExampleStatus.PROPOSED and is_untouched_import(example)
    if is_waiting and actor.user_id not in voters_of(session, example):
        count_approval(session, actor, style, example)
        owe_card_update(session, style, example)


def _list_imports(session: Session, style: Style) -> list[Example]:
    waiting = list_waiting_examples(session, style.style_id, style.scope)
    return [example for example in waiting if is_untouched_import(example)]


def _as_reviewer_of(database: Database, actor: Actor, style_id: str, place: str) -> Style:
    with database.read() as session:
        style = get_style(session, style_id)
    if style.team_id != actor.team_id:
        raise StyleNotFound
    require_reviewer(database, actor, style, "review.refused", style_id)
    if not style.scope.covers(actor.team_id, place):
        refuse(database, actor, "review.refused", style_id, OutOfScope())
    return style
