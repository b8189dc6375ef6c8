"""Deciding about proposed examples. Deciders take turns on the example's row, so of two who click at once one wins.

A refusal that comes from a stale card is raised after the card's renewal is on record.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from bot.blocks.review_card import MESSAGE_DELETED
from bot.domain.pairs import check_pair
from bot.domain.reviewing import is_reviewer, may_approve
from bot.domain.safe_text import escape, shorten
from bot.domain.similarity import normal_pair
from bot.domain.values import Actor
from bot.errors import AlreadyDecided, HuisstijlError, MembersOnly, MessageGone, OwnExample, ReviewersOnly, UnusablePair
from bot.operations.examples import (
    count_approval,
    find_duplicate,
    owe_card_update,
    policy_of,
    voters_of,
    withdraw,
)  # fmt: skip
from bot.operations.languages import speaking_to
from bot.operations.people import refuse
from bot.texts import learning as texts
from db.audit import record
from db.examples import Example, ExampleNotFound, ExampleStatus, get_example, lock_example, revise, transition
from db.outbox import owe
from db.reviews import ReviewDecision, save_review, void_reviews
from db.session import Database
from db.styles import Style, lock_style


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far an example is after somebody's decision."""

    example_id: str
    style_name: str
    is_approved: bool
    approvals: int
    approvals_required: int
    #: The same person had said so before.
    is_repeat: bool = False

    @property
    def sentence(self) -> str:
        if self.is_approved:
            return texts.approved_now(self.style_name)
        counted = texts.vote_counted_before if self.is_repeat else texts.vote_counted
        return counted(self.approvals, self.approvals_required)


def find_open_example(database: Database, actor: Actor, example_id: str) -> Example:
    """An example that this person may decide about. Raises ExampleNotFound, MembersOnly, ReviewersOnly,
    AlreadyDecided."""
    example, _ = _as_decider(database, actor, example_id)
    if example.status is not ExampleStatus.PROPOSED:
        raise AlreadyDecided(texts.already(example.status))
    return example


def find_source(database: Database, example_id: str) -> tuple[str, str] | None:
    """(channel_id, ts) of the message it came from, where there is one. Raises ExampleNotFound."""
    with database.read() as session:
        example = get_example(session, example_id)
    if example.channel_id and example.message_ts and example.status is ExampleStatus.PROPOSED:
        return example.channel_id, example.message_ts
    return None


def approve_example(
    database: Database, actor: Actor, example_id: str, *, seen_version: int | None = None, is_source_gone: bool = False
) -> Standing:
    """Count this person's approval; with enough of them the example is approved and shapes the next draft.

    Raises ReviewersOnly, OwnExample, AlreadyDecided (also when the text is no longer the one that was seen), and
    MessageGone after withdrawing an example whose message was deleted.
    """
    example, style = _as_decider(database, actor, example_id)
    if not may_approve(actor, policy_of(style), example.proposed_by):
        refuse(database, actor, "approval.refused", example_id, OwnExample())
    refusal: HuisstijlError | None
    with database.write() as session:
        example = lock_example(session, example_id)
        is_repeat = actor.user_id in voters_of(session, example)
        repeated = is_repeat and example.status in (ExampleStatus.PROPOSED, ExampleStatus.APPROVED)
        refusal = None if repeated else _stale(example, seen_version)
        if refusal is None and is_source_gone and example.status is ExampleStatus.PROPOSED:
            withdraw(session, example, MESSAGE_DELETED, reason=None)
            refusal = MessageGone()
        elif refusal is not None:
            owe_card_update(session, style, example, again=f"{actor.user_id}:{seen_version}")
        elif not repeated:
            count_approval(session, actor, style, example)
            owe_card_update(session, style, example)
        standing = _standing(session, style, example, is_repeat=repeated)
    if refusal is not None:
        raise refusal
    return standing


def reject_example(
    database: Database, actor: Actor, example_id: str, *, reason: str, seen_version: int | None = None
) -> None:
    """Turn a proposal down; its proposer is told why. Raises ReviewersOnly, AlreadyDecided."""
    _, style = _as_decider(database, actor, example_id)
    with database.write() as session:
        example = lock_example(session, example_id)
        refusal = _stale(example, seen_version)
        if refusal is None:
            save_review(
                session, example_id, actor.user_id, ReviewDecision.REJECT, seen_version=example.version, reason=reason
            )
            transition(session, example, ExampleStatus.REJECTED, decided_by=actor.user_id, reason=reason)
            record(
                session, team_id=style.team_id, actor=actor.user_id, action="example.rejected", subject=example_id,
                style_id=style.style_id,
            )  # fmt: skip
            _tell_proposer(session, style, example, actor, reason)
            owe_card_update(session, style, example)
        else:
            owe_card_update(session, style, example, again=f"{actor.user_id}:{seen_version}")
    if refusal is not None:
        raise refusal


def edit_example(
    database: Database, actor: Actor, example_id: str, *, prompt: str, completion: str, seen_version: int | None
) -> Standing:
    """Give a proposal better texts. Earlier approvals were for other texts and are void; the editor's own counts,
    where their approval may count. Raises ReviewersOnly, AlreadyDecided, UnusablePair by field."""
    _, style = _as_decider(database, actor, example_id)
    problems = check_pair(prompt, completion, style.kind)
    if problems:
        raise UnusablePair({problem.field: problem.sentence for problem in problems})
    with database.write() as session:
        style = lock_style(session, style.style_id)
        example = lock_example(session, example_id)
        refusal = _stale(example, seen_version)
        if refusal is None:
            _revise(session, actor, style, example, prompt, completion)
            owe_card_update(session, style, example)
        standing = _standing(session, style, example)
    if refusal is not None:
        raise refusal
    return standing


def _revise(session: Session, actor: Actor, style: Style, example: Example, prompt: str, completion: str) -> None:
    if (prompt, completion) == (example.prompt, example.completion):
        raise UnusablePair({"completion": texts.NOTHING_CHANGED()})
    pair = normal_pair("", prompt, completion)
    other = find_duplicate(session, style, pair, except_id=example.example_id)
    if other is not None:
        is_exact = other.content_hash == pair.content_hash
        sentence = texts.duplicate(style.name, other.example_id, other.status, is_exact=is_exact)
        raise UnusablePair({"completion": sentence.replace("*", "").replace("`", "")})
    voided = voters_of(session, example)
    revise(session, example, prompt=prompt, completion=completion, content_hash=pair.content_hash)
    void_reviews(session, example.example_id)
    record(
        session, team_id=style.team_id, actor=actor.user_id, action="example.edited", subject=example.example_id,
        version=example.version, voided_approvals=list(voided),
    )  # fmt: skip
    if may_approve(actor, policy_of(style), example.proposed_by):
        count_approval(session, actor, style, example)


def _as_decider(database: Database, actor: Actor, example_id: str) -> tuple[Example, Style]:
    with database.read() as session:
        example = get_example(session, example_id)
        style = session.get_one(Style, example.style_id)
    if example.team_id != actor.team_id:
        raise ExampleNotFound
    if not actor.is_full_member:
        refuse(database, actor, "review.refused", example_id, MembersOnly())
    if not is_reviewer(actor, style.reviewer_ids):
        refuse(database, actor, "review.refused", example_id, ReviewersOnly())
    return example, style


def _stale(example: Example, seen_version: int | None) -> AlreadyDecided | None:
    """Why a decision about what somebody saw cannot count any more."""
    if example.status is not ExampleStatus.PROPOSED:
        return AlreadyDecided(texts.already(example.status))
    if seen_version is not None and seen_version != example.version:
        return AlreadyDecided(texts.EDITED_MEANWHILE())
    return None


def _standing(session: Session, style: Style, example: Example, *, is_repeat: bool = False) -> Standing:
    return Standing(
        example_id=example.example_id, style_name=style.name,
        is_approved=example.status is ExampleStatus.APPROVED, approvals=len(voters_of(session, example)),
        approvals_required=style.approvals_required, is_repeat=is_repeat,
    )  # fmt: skip


def _tell_proposer(session: Session, style: Style, example: Example, actor: Actor, reason: str) -> None:
    if example.proposed_by == actor.user_id or example.proposed_by[:1] not in ("U", "W"):
        return  # they know, or they are no person (an import)
    with speaking_to(session, style.team_id, example.proposed_by):
        note = texts.rejected_note(
            style.name, f"<@{actor.user_id}>", escape(reason), escape(shorten(example.completion, 80))
        )
    owe(
        session, team_id=style.team_id, dedupe_key=f"rejected:{example.example_id}", verb="post_direct",
        arguments={"user_id": example.proposed_by, "text": note},
    )  # fmt: skip
