"""Drafts: completions offered to a person, with what shaped them and what became of them.

requested → streaming → shown → kept | edited | discarded   (+ failed, stopped). Of two that are compared blindly:
requested → paired → shown | passed_over (db/trials.py). A draft is claimed like a run, so a bot that dies mid-draft
leaves a row that the next one finds. Whether somebody has used a draft stands beside its status: what was posted may
still be kept, and the other way round.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, case, false, func, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from config.rungs import Rung
from config.variants import Variant
from db.base import ID, SLACK_ID, Base, now_in_database, words
from db.claims import Claimable, claim_next, lease_lapsed


class DraftStatus(StrEnum):
    REQUESTED = "requested"  #: Stored; the model has not been asked yet.
    STREAMING = "streaming"  #: Text is arriving in the thread.
    SHOWN = "shown"  #: Complete; waits for a person's choice.
    KEPT = "kept"  #: A person kept it as it was.
    EDITED = "edited"  #: A person kept it with changes.
    DISCARDED = "discarded"  #: A person said it is not our style.
    STOPPED = "stopped"  #: A person stopped it.
    FAILED = "failed"  #: No draft came; the thread says why.
    PAIRED = "paired"  #: Complete; is shown beside another, and one of them will be chosen.
    PASSED_OVER = "passed_over"  #: The one beside it was chosen.


OPEN = (DraftStatus.REQUESTED, DraftStatus.STREAMING)
#: Somebody has said what they make of it.
DECIDED = (DraftStatus.KEPT, DraftStatus.EDITED, DraftStatus.DISCARDED)


class Draft(Claimable, Base):
    __tablename__ = "drafts"
    __table_args__ = (Index("ix_drafts_work", "status", "draft_id"),)

    draft_id: Mapped[str] = mapped_column(ID, primary_key=True)
    #: The delivery that asked for it: asking twice is one draft.
    request_key: Mapped[str] = mapped_column(String(255), unique=True)
    team_id: Mapped[str] = mapped_column(SLACK_ID)
    style_id: Mapped[str] = mapped_column(ForeignKey("styles.style_id"), index=True)
    channel_id: Mapped[str] = mapped_column(SLACK_ID)
    thread_ts: Mapped[str] = mapped_column(SLACK_ID)
    requested_by: Mapped[str] = mapped_column(SLACK_ID)
    request: Mapped[str] = mapped_column(Text)
    status: Mapped[DraftStatus] = mapped_column(words(DraftStatus), default=DraftStatus.REQUESTED)
    rung: Mapped[Rung | None] = mapped_column(words(Rung), default=None)
    #: Name of the adapter that was used, and the digest that the model server reported for it.
    adapter_name: Mapped[str | None] = mapped_column(String(128), default=None)
    model_fingerprint: Mapped[str | None] = mapped_column(String(128), default=None)
    #: Ids of the examples in the prompt, in the prompt's order.
    example_ids: Mapped[list[str]] = mapped_column(default=list)
    #: Ids of the passages that the prompt quoted, in the prompt's order.
    passage_ids: Mapped[list[str]] = mapped_column(default=list, server_default="[]")
    completion: Mapped[str] = mapped_column(Text, default="")
    #: The streamed message, known from the first text on.
    message_ts: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    #: Characters of the completion that stand in earlier messages: Slack ends a stream after some minutes, and the
    #: draft goes on in the next message, which is the one that `message_ts` names.
    continued_at: Mapped[int] = mapped_column(default=0, server_default="0")
    prompt_tokens: Mapped[int | None] = mapped_column(default=None)
    completion_tokens: Mapped[int | None] = mapped_column(default=None)
    first_token_seconds: Mapped[float | None] = mapped_column(default=None)
    total_seconds: Mapped[float | None] = mapped_column(default=None)
    error: Mapped[str | None] = mapped_column(Text, default=None)
    #: Of a label: `config.labels.LabelChoice.as_json`, the likeliest ones and whether the answer was sure. An unsure
    #: answer has no completion.
    label_choice: Mapped[dict[str, Any] | None] = mapped_column(default=None)
    #: What a person made of it, when they edited it.
    edited_completion: Mapped[str | None] = mapped_column(Text, default=None)
    decided_by: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    #: The draft that this one is a variant of, the first one of them all, and which variant.
    parent_id: Mapped[str | None] = mapped_column(ID, default=None)
    root_id: Mapped[str | None] = mapped_column(ID, default=None, index=True)
    variant: Mapped[Variant | None] = mapped_column(words(Variant), default=None)
    #: Where the parent stands, for people.
    parent_link: Mapped[str | None] = mapped_column(Text, default=None)
    #: Shown to its requester alone, until they share or use it.
    is_private: Mapped[bool] = mapped_column(default=False, server_default=false())
    #: Who posted it as their choice, when, and where.
    used_by: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    used_at: Mapped[datetime | None] = mapped_column(default=None)
    used_in: Mapped[str | None] = mapped_column(SLACK_ID, default=None)
    #: One of the two drafts of a blind comparison.
    comparison_id: Mapped[str | None] = mapped_column(ID, default=None)
    requested_at: Mapped[datetime]
    finished_at: Mapped[datetime | None] = mapped_column(default=None)

    @property
    def is_erased(self) -> bool:
        """Has whoever asked for it been forgotten? No draft is asked for with nothing."""
        return not self.request

    @property
    def tail(self) -> str:
        """The part of the completion that stands in the last message."""
        return self.completion[self.continued_at :]

    @property
    def text(self) -> str:
        """The text that stands: a person's, where they edited it."""
        return self.edited_completion or self.completion

    @property
    def family_id(self) -> str:
        """One for a draft and all its variants."""
        return self.root_id or self.draft_id


class DraftNotFound(Exception):
    """This draft is no longer known here. Ask for a new one with `/draft`."""


def get_draft(session: Session, draft_id: str) -> Draft:
    draft = session.get(Draft, draft_id)
    if draft is None:
        raise DraftNotFound
    return draft


def lock_draft(session: Session, draft_id: str) -> Draft:
    """The draft as it is now, for whoever decides what follows from it: they take turns until they commit."""
    query = select(Draft).where(Draft.draft_id == draft_id).with_for_update()
    draft = session.scalars(query.execution_options(populate_existing=True)).first()
    if draft is None:
        raise DraftNotFound
    return draft


def list_family(session: Session, family_id: str) -> list[Draft]:
    """A draft and all its variants, oldest first."""
    query = select(Draft).where(or_(Draft.draft_id == family_id, Draft.root_id == family_id))
    return list(session.scalars(query.order_by(Draft.draft_id)))


def find_draft_by_request(session: Session, request_key: str) -> Draft | None:
    return session.scalar(select(Draft).where(Draft.request_key == request_key))


def find_draft_by_message(session: Session, team_id: str, channel_id: str, ts: str) -> Draft | None:
    query = select(Draft).where(Draft.team_id == team_id, Draft.channel_id == channel_id, Draft.message_ts == ts)
    return session.scalar(query)


def list_drafts_of_thread(session: Session, team_id: str, channel_id: str, thread_ts: str) -> list[Draft]:
    """Oldest first: the conversation so far, from our own rows and not from Slack's history."""
    query = select(Draft).where(Draft.team_id == team_id, Draft.channel_id == channel_id, Draft.thread_ts == thread_ts)
    return list(session.scalars(query.order_by(Draft.draft_id)))


def claim_drafts(session: Session, *, owner: str, lease_seconds: float, limit: int) -> list[Draft]:
    """Drafts that nobody works on, or whose worker died. The latter keep their status, which tells them apart."""
    return claim_next(
        session,
        Draft,
        where=or_(
            (Draft.status == DraftStatus.REQUESTED) & Draft.claimed_by.is_(None),
            Draft.status.in_(OPEN) & lease_lapsed(session, Draft),
        ),
        order_by=(Draft.draft_id,),
        owner=owner,
        lease_seconds=lease_seconds,
        limit=limit,
    )


def move_draft(session: Session, draft: Draft, *, seen: tuple[DraftStatus, ...], to: DraftStatus) -> bool:
    """Compare-and-set of a draft's status; False when it was no longer in one of `seen`."""
    moved = session.execute(
        update(Draft).where(Draft.draft_id == draft.draft_id, Draft.status.in_(seen)).values(status=to)
    )
    return bool(moved.rowcount == 1)  # type: ignore[attr-defined]


def count_drafts_since(session: Session, team_id: str, user_id: str, since: datetime) -> int:
    """How many drafts this person has asked for since then."""
    query = select(func.count()).where(
        Draft.team_id == team_id, Draft.requested_by == user_id, Draft.requested_at > since
    )
    return session.scalar(query) or 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftOutcome:
    """A draft and what became of it; the texts only where a person edited it."""

    draft_id: str
    requested_at: datetime
    status: DraftStatus
    rung: Rung | None
    #: Empty for a rung without adapter.
    adapter_name: str
    completion: str
    edited_completion: str | None
    #: Whether somebody has posted it as their choice.
    is_posted: bool

    @property
    def had_text(self) -> bool:
        """Was there a text to be kept or changed? There is none where a label was asked for, nor of what was erased."""
        return self.status is not DraftStatus.EDITED or bool(self.completion)


def list_outcomes(session: Session, style_id: str, since: datetime) -> list[DraftOutcome]:
    """The style's drafts asked for since then, oldest first."""
    is_edited = Draft.status == DraftStatus.EDITED
    query = (
        select(
            Draft.draft_id,
            Draft.requested_at,
            Draft.status,
            Draft.rung,
            Draft.adapter_name,
            case((is_edited, Draft.completion), else_=""),
            case((is_edited, Draft.edited_completion), else_=None),
            Draft.used_at.is_not(None),
        )
        .where(Draft.style_id == style_id, Draft.requested_at >= since)
        .order_by(Draft.requested_at, Draft.draft_id)
    )
    return [
        DraftOutcome(
            draft_id=draft_id, requested_at=at, status=status, rung=rung, adapter_name=adapter_name or "",
            completion=completion or "", edited_completion=edited, is_posted=is_posted,
        )
        for draft_id, at, status, rung, adapter_name, completion, edited, is_posted in session.execute(query).all()
    ]  # fmt: skip


def count_usable_drafts(session: Session, style_id: str, since: datetime) -> int:
    """How many drafts of the style were complete and could be used: what was stopped or failed is none."""
    query = select(func.count()).where(
        Draft.style_id == style_id, Draft.requested_at >= since,
        Draft.status.not_in([*OPEN, DraftStatus.STOPPED, DraftStatus.FAILED]),
    )  # fmt: skip
    return session.scalar(query) or 0


def list_unanswered_labels(session: Session, style_id: str, channel_id: str, limit: int) -> list[Draft]:
    """The style's newest drafts in this channel that asked for their label and got none yet; nobody's private ones."""
    query = select(Draft).where(
        Draft.style_id == style_id, Draft.channel_id == channel_id, Draft.status == DraftStatus.SHOWN,
        Draft.completion == "", Draft.request != "", ~Draft.is_private,
    )  # fmt: skip
    found = session.scalars(query.order_by(Draft.draft_id.desc()).limit(limit))
    return [draft for draft in found if draft.label_choice is not None]


def find_latest_request(session: Session, style_id: str) -> datetime | None:
    """When a draft of the style was asked for last."""
    return session.scalar(select(func.max(Draft.requested_at)).where(Draft.style_id == style_id))


def count_open_drafts(session: Session, team_id: str) -> int:
    """How many drafts of this workspace are waited for at the moment."""
    query = select(func.count()).where(Draft.team_id == team_id, Draft.status.in_(OPEN))
    return session.scalar(query) or 0


def find_open_drafts_of_thread(session: Session, team_id: str, channel_id: str, thread_ts: str) -> list[Draft]:
    """The drafts of a thread that are asked for or being written."""
    found = list_drafts_of_thread(session, team_id, channel_id, thread_ts)
    return [draft for draft in found if draft.status in OPEN]


def stop_drafts_of_person(session: Session, team_id: str, user_id: str) -> list[Draft]:
    """The drafts that this person has asked for and that are not through are over, and their workers have lost them:
    nothing that those had in hand is written any more. Returns them as they are now."""
    stopped = update(Draft).where(Draft.team_id == team_id, Draft.requested_by == user_id, Draft.status.in_(OPEN))
    found = session.scalars(
        stopped.values(
            status=DraftStatus.STOPPED, fence=Draft.fence + 1, lease_expires_at=None,
            finished_at=now_in_database(session),
        )
        .returning(Draft)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).all()  # fmt: skip
    return sorted(found, key=lambda draft: draft.draft_id)


def find_streaming_drafts(session: Session, team_id: str, channel_id: str, message_ts: Collection[str]) -> list[Draft]:
    """The drafts that are being streamed into these messages."""
    query = select(Draft).where(
        Draft.team_id == team_id,
        Draft.channel_id == channel_id,
        Draft.message_ts.in_(message_ts),
        Draft.status == DraftStatus.STREAMING,
    )
    return list(session.scalars(query))
