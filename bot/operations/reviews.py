"""Deciding about proposed examples. Deciders take turns on the example's row, so of two who click at once one wins.

A refusal that comes from a stale card is raised after the card's renewal is on record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from bot.blocks.review_card import MESSAGE_DELETED, REPLACED, spoken_reason
from bot.domain.pairs import check_pair
from bot.domain.redaction import redact_pair
from bot.domain.reviewing import may_approve
from bot.domain.safe_text import escape, shorten
from bot.domain.similarity import normal_pair
from bot.domain.values import Actor
from bot.errors import (
    AlreadyDecided,
    HuisstijlError,
    MessageGone,
    OutOfScope,
    OwnExample,
    UnusablePair,
)
from bot.operations.examples import (
    count_approval,
    find_duplicate,
    owe_card_update,
    policy_of,
    voters_of,
    withdraw,
)  # fmt: skip
from bot.operations.languages import speaking_to
from bot.operations.people import refuse, require_reviewer
from bot.texts import learning as texts
from bot.texts import review as review_texts
from db.audit import record
from db.example_versions import drop_versions, keep_version
from db.examples import (
    Example,
    ExampleNotFound,
    ExampleStatus,
    get_example,
    lock_example,
    lock_examples,
    revise,
    transition,
)
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
    #: Examples that made place for it, and that will once it is approved.
    replaced: str = ""
    still_there: str = ""

    @property
    def sentence(self) -> str:
        said = self._counted()
        if self.replaced:
            return review_texts.retired(said, f"`{self.replaced}`")
        return review_texts.other_stays(said, f"`{self.still_there}`") if self.still_there else said

    def _counted(self) -> str:
        if self.is_approved:
            return texts.approved_now(self.style_name)
        counted = texts.vote_counted_before if self.is_repeat else texts.vote_counted
        return counted(self.approvals, self.approvals_required)


def find_example_to_review(database: Database, actor: Actor, example_id: str, *, place: str) -> tuple[Example, Style]:
    """An example and its style, for somebody who may decide about it and asks in a place where it may be shown.

    Raises ExampleNotFound, MembersOnly, ReviewersOnly, OutOfScope.
    """
    return _as_decider(database, actor, example_id, place)


def find_open_example(database: Database, actor: Actor, example_id: str, *, place: str) -> Example:
    """An example that this person may decide about. Raises as `find_example_to_review`, and AlreadyDecided."""
    example, _ = _as_decider(database, actor, example_id, place)
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
    database: Database,
    actor: Actor,
    example_id: str,
    *,
    place: str,
    seen_version: int | None = None,
    is_source_gone: bool = False,
    redacts: bool = False,
    instead_of: str = "",
) -> Standing:
    """Count this person's approval; with enough of them the example is approved and shapes the next draft.

    `place` is the channel in which the decision is made. `redacts` takes out first what should not be learnt;
    `instead_of` names another example of the style that no longer counts as soon as this one does. Raises
    ReviewersOnly, OwnExample, OutOfScope, UnusablePair, AlreadyDecided (also when the text is no longer the one that
    was seen), and MessageGone after withdrawing an example whose message was deleted.
    """
    example, style = _as_decider(database, actor, example_id, place)
    if not may_approve(actor, policy_of(style), example.proposed_by):
        refuse(database, actor, "approval.refused", example_id, OwnExample())
    refusal: HuisstijlError | None
    is_other_gone = False
    with database.write() as session:
        style = lock_style(session, style.style_id)
        lock_examples(session, {example_id, instead_of} - {""})
        example = lock_example(session, example_id)
        is_repeat = actor.user_id in voters_of(session, example)
        repeated = is_repeat and example.status in (ExampleStatus.PROPOSED, ExampleStatus.APPROVED)
        refusal = None if repeated else _stale(example, seen_version)
        if refusal is None and is_source_gone and example.status is ExampleStatus.PROPOSED:
            withdraw(session, example, MESSAGE_DELETED)
            refusal = MessageGone()
        elif refusal is not None:
            owe_card_update(session, style, example, again=f"{actor.user_id}:{seen_version}")
        elif not repeated:
            if redacts:
                redact(session, actor, style, example)
            count_approval(session, actor, style, example)
            owe_card_update(session, style, example)
        if refusal is None and instead_of and example.status is ExampleStatus.APPROVED:
            is_other_gone = _replace(session, actor, style, instead_of, by=example)
        standing = _standing(session, style, example, is_repeat=repeated)
    if refusal is not None:
        raise refusal
    return replace(
        standing, replaced=instead_of if is_other_gone else "", still_there="" if is_other_gone else instead_of
    )


def redact(session: Session, actor: Actor, style: Style, example: Example) -> None:
    """Take out of an example what should not be learnt. Earlier texts go with it: they hold what was taken out.

    Raises UnusablePair when what is left is no example, or one that there is.
    """
    cleaned = redact_pair(example.prompt, example.completion)
    if (cleaned.prompt, cleaned.completion) == (example.prompt, example.completion):
        return
    problems = check_pair(cleaned.prompt, cleaned.completion, style.kind)
    if problems:
        raise UnusablePair({problem.field: problem.sentence for problem in problems})
    _give_texts(session, style, example, cleaned.prompt, cleaned.completion)
    drop_versions(session, example.example_id)
    record(
        session, team_id=style.team_id, actor=actor.user_id, action="example.redacted", subject=example.example_id,
        version=example.version, found={kind.value: n for kind, n in cleaned.counts.items()},
    )  # fmt: skip


def _replace(session: Session, actor: Actor, style: Style, other_id: str, *, by: Example) -> bool:
    """The other one no longer counts: an approved example is retired, a proposal rejected. False when it is gone."""
    other = lock_example(session, other_id)
    if other.style_id != style.style_id or other.example_id == by.example_id:
        raise ExampleNotFound
    reason = f"{REPLACED}:{by.example_id}"
    if other.status is ExampleStatus.APPROVED:
        transition(session, other, ExampleStatus.RETIRED, decided_by=actor.user_id, reason=reason)
        record(
            session, team_id=style.team_id, actor=actor.user_id, action="example.retired", subject=other_id,
            style_id=style.style_id, replaced_by=by.example_id,
        )  # fmt: skip
        owe_card_update(session, style, other)
    elif other.status is ExampleStatus.PROPOSED:
        _reject(session, actor, style, other, reason)
    return other.status in (ExampleStatus.RETIRED, ExampleStatus.REJECTED, ExampleStatus.WITHDRAWN)


def reject_example(
    database: Database, actor: Actor, example_id: str, *, place: str, reason: str, seen_version: int | None = None
) -> Standing:
    """Turn a proposal down; its proposer is told why. Raises ReviewersOnly, OutOfScope, AlreadyDecided."""
    _, style = _as_decider(database, actor, example_id, place)
    with database.write() as session:
        example = lock_example(session, example_id)
        refusal = _stale(example, seen_version)
        if refusal is None:
            _reject(session, actor, style, example, reason)
        else:
            owe_card_update(session, style, example, again=f"{actor.user_id}:{seen_version}")
        standing = _standing(session, style, example)
    if refusal is not None:
        raise refusal
    return standing


def _reject(session: Session, actor: Actor, style: Style, example: Example, reason: str) -> None:
    save_review(
        session, example.example_id, actor.user_id, ReviewDecision.REJECT, seen_version=example.version, reason=reason
    )
    transition(session, example, ExampleStatus.REJECTED, decided_by=actor.user_id, reason=reason)
    record(
        session, team_id=style.team_id, actor=actor.user_id, action="example.rejected", subject=example.example_id,
        style_id=style.style_id,
    )  # fmt: skip
    _tell_proposer(session, style, example, actor, reason)
    owe_card_update(session, style, example)


def edit_example(
    database: Database,
    actor: Actor,
    example_id: str,
    *,
    place: str,
    prompt: str,
    completion: str,
    seen_version: int | None,
) -> Standing:
    """Give a proposal better texts. Earlier approvals were for other texts and are void; the editor's own counts,
    where their approval may count. Raises ReviewersOnly, OutOfScope, AlreadyDecided, UnusablePair by field."""
    _, style = _as_decider(database, actor, example_id, place)
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
    voided = voters_of(session, example)
    keep_version(session, example, actor.user_id)
    _give_texts(session, style, example, prompt, completion)
    record(
        session, team_id=style.team_id, actor=actor.user_id, action="example.edited", subject=example.example_id,
        version=example.version, voided_approvals=list(voided),
    )  # fmt: skip
    if may_approve(actor, policy_of(style), example.proposed_by):
        count_approval(session, actor, style, example)


def _give_texts(session: Session, style: Style, example: Example, prompt: str, completion: str) -> None:
    """Approvals of the old texts are void. Raises UnusablePair when there is such an example."""
    pair = normal_pair("", prompt, completion)
    other = find_duplicate(session, style, pair, except_id=example.example_id)
    if other is not None:
        is_exact = other.content_hash == pair.content_hash
        sentence = texts.duplicate(style.name, other.example_id, other.status, is_exact=is_exact)
        raise UnusablePair({"completion": sentence.replace("*", "").replace("`", "")})
    revise(session, example, prompt=prompt, completion=completion, content_hash=pair.content_hash)
    void_reviews(session, example.example_id)


def _as_decider(database: Database, actor: Actor, example_id: str, place: str) -> tuple[Example, Style]:
    with database.read() as session:
        example = get_example(session, example_id)
        style = session.get_one(Style, example.style_id)
    if example.team_id != actor.team_id:
        raise ExampleNotFound
    require_reviewer(database, actor, style, "review.refused", example_id)
    if not style.scope.covers(actor.team_id, place):
        # What a private channel taught is decided about there: nowhere else may its text be shown.
        refuse(database, actor, "review.refused", example_id, OutOfScope())
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
            style.name, f"<@{actor.user_id}>", escape(spoken_reason(reason)), escape(shorten(example.completion, 80))
        )
    owe(
        session, team_id=style.team_id, dedupe_key=f"rejected:{example.example_id}", verb="post_direct",
        arguments={"user_id": example.proposed_by, "text": note},
    )  # fmt: skip
