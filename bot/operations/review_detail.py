"""Reading one example for whoever decides about it, with what it clashes with and what should be taken out of it."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy.orm import Session

from bot.blocks.changes import Before
from bot.blocks.review_detail import Detail, ShownClash
from bot.domain.clashes import Clash
from bot.domain.redaction import redact_pair
from bot.domain.reviewing import may_approve
from bot.domain.values import Actor
from bot.operations.examples import make_card, policy_of
from bot.operations.review_queue import look_at
from bot.operations.reviews import find_example_to_review
from db.example_versions import find_version
from db.examples import ExampleStatus, get_example
from db.session import Database


def read_review_detail(database: Database, actor: Actor, example_id: str, *, place: str) -> Detail:
    """Raises ExampleNotFound, MembersOnly, ReviewersOnly, and OutOfScope where it must not be shown."""
    example, style = find_example_to_review(database, actor, example_id, place=place)
    with database.read() as session:
        example = get_example(session, example_id)
        is_open = example.status is ExampleStatus.PROPOSED
        look = look_at(session, style, example) if is_open else None
        redacted = redact_pair(example.prompt, example.completion)
        card = make_card(session, style, example)
        return Detail(
            card=replace(card, before=None), before=card.before,
            clashes=tuple(_shown(session, clash) for clash in look.clashes) if look else (),
            redacted_prompt=redacted.prompt, redacted_completion=redacted.completion,
            found={kind.value: n for kind, n in redacted.counts.items()} if is_open else {},
            may_approve=may_approve(actor, policy_of(style), example.proposed_by),
        )  # fmt: skip


def find_edit_conflict(database: Database, example_id: str, seen_version: int) -> tuple[Before, int] | None:
    """What this person saw when they began to edit, who changed it since, and the version there is now; None when
    the example is not open any more or nobody changed its texts."""
    with database.read() as session:
        example = get_example(session, example_id)
        seen = find_version(session, example_id, seen_version)
        last = find_version(session, example_id, example.version - 1)
        if example.status is not ExampleStatus.PROPOSED or seen is None:
            return None
        who = last.edited_by if last else seen.edited_by
        return Before(prompt=seen.prompt, completion=seen.completion, edited_by=who), example.version


def _shown(session: Session, clash: Clash) -> ShownClash:
    other = get_example(session, clash.key)
    return ShownClash(
        example_id=other.example_id, version=other.version, kind=clash.kind, status=other.status.value,
        proposed_by=other.proposed_by, permalink=other.permalink, prompt=other.prompt, completion=other.completion,
        request_percent=clash.request_percent, output_percent=clash.output_percent,
    )  # fmt: skip
