"""One request drafted twice: from the two rows to the tap that chooses, in one transaction a step.

Both drafts are written like any other, each by a worker that may die; whichever ends last decides under the lock of the
comparison what is posted, so that two appear together, one alone, or one sentence. Locks are taken in this order:
style, trial, comparison, drafts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.orm import Session

from bot.blocks.draft import closing_blocks, fallback_text, safe_whole, whole_blocks
from bot.blocks.text import context
from bot.blocks.trial import chosen_message, comparison_messages, note_message
from bot.domain.values import Actor
from bot.errors import AlreadyDecided, MembersOnly, NotYet
from bot.operations.draft_message import display_name, name_of
from bot.operations.drafts import buttons_of, shape_of
from bot.operations.languages import speaking_to
from bot.operations.people import refuse
from bot.operations.trials import end_if_due, find_cause
from bot.texts import trials as texts
from db.audit import record
from db.base import now_in_database
from db.drafts import OPEN, Draft, DraftStatus, get_draft, lock_draft, move_draft
from db.outbox import find_by_dedupe_key, owe
from db.session import Database
from db.styles import get_style, lock_style
from db.trials import (
    Choice,
    Comparison,
    ComparisonNotFound,
    ComparisonStatus,
    Trial,
    TrialStatus,
    get_comparison,
    list_comparisons_of_person,
    lock_comparison,
    lock_trial,
)  # fmt: skip

log = structlog.get_logger()


def message_key(comparison_id: str, part: str = "") -> str:
    """The outbox's name of the message that holds the question, or of one that holds draft `a` or `b` alone."""
    return f"comparison:{comparison_id}:{part}" if part else f"comparison:{comparison_id}"


# ------------------------------------------------------------------------------------------------- both are written


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What becomes of a draft that has ended beside another."""

    status: DraftStatus
    #: Is its own message posted, as for a draft that is alone?
    is_told: bool = False
    #: Is the other one still being written?
    is_waiting: bool = False


def settle(session: Session, comparison_id: str, draft_id: str, status: DraftStatus) -> Settled:
    """One of the two has come to its end (`status`: shown, failed or stopped). The last one posts what there is."""
    comparison = lock_comparison(session, comparison_id)
    own, other = lock_draft(session, draft_id), lock_draft(session, comparison.other_than(draft_id))
    is_written = status is DraftStatus.SHOWN
    if comparison.status is not ComparisonStatus.DRAFTING:  # stopped or erased meanwhile: nothing of it appears
        return Settled(status=DraftStatus.STOPPED if is_written else status)
    if other.status in OPEN:
        return Settled(status=DraftStatus.PAIRED if is_written else status, is_waiting=True)
    if is_written and other.status is DraftStatus.PAIRED:
        own_status = _pair(session, comparison, own, other)
        return Settled(status=own_status)
    comparison.status = ComparisonStatus.VOID
    session.flush()  # what made it may be told
    survivor = own if is_written else other if other.status is DraftStatus.PAIRED else None
    log.info("comparison.void", comparison_id=comparison_id, own=status.value, other=other.status.value)
    if survivor is None:
        return Settled(status=status, is_told=True)
    _owe_alone(session, survivor, texts.ALONE())
    if survivor is other:
        move_draft(session, other, seen=(DraftStatus.PAIRED,), to=DraftStatus.SHOWN)
    return Settled(status=status)


def _pair(session: Session, comparison: Comparison, own: Draft, other: Draft) -> DraftStatus:
    """Both are there: post them together, or one where they are the same. Returns the status of `own`."""
    first, second = (own, other) if own.draft_id == comparison.draft_a_id else (other, own)
    if safe_whole(first.completion) != safe_whole(second.completion):
        comparison.status = ComparisonStatus.SHOWN
        _owe_both(session, comparison, first, second)
        return DraftStatus.PAIRED
    trial = session.get_one(Trial, comparison.trial_id)
    comparison.status, comparison.choice = ComparisonStatus.DECIDED, Choice.NEITHER
    comparison.decided_at = now_in_database(session)
    comparison.is_counted = trial.status is TrialStatus.RUNNING
    session.flush()
    _owe_alone(session, first, texts.SAME())
    ends = {first.draft_id: DraftStatus.SHOWN, second.draft_id: DraftStatus.PASSED_OVER}
    move_draft(session, other, seen=(DraftStatus.PAIRED,), to=ends[other.draft_id])
    return ends[own.draft_id]


def _owe_both(session: Session, comparison: Comparison, first: Draft, second: Draft) -> None:
    style = get_style(session, first.style_id)
    messages = comparison_messages(comparison.comparison_id, style.name, first.completion, second.completion)
    before = ""
    for message in messages:
        key = message_key(comparison.comparison_id, message.part)
        arguments: dict[str, Any] = {
            "channel_id": first.channel_id, "thread_ts": first.thread_ts, "text": message.text,
            "blocks": message.blocks,
        }  # fmt: skip
        if before:
            arguments["ts_from"] = before  # one after the other, whoever sends them
        owe(session, team_id=first.team_id, dedupe_key=key, verb="post_message", arguments=arguments)
        before = key


def _owe_alone(session: Session, draft: Draft, note: str) -> None:
    """This one as an ordinary draft, with a word on why it is alone."""
    closing = [context(note), *closing_blocks(shape_of(session, draft), buttons_of(draft))]
    owe(
        session, team_id=draft.team_id, dedupe_key=f"draft_end:{draft.draft_id}", verb="post_message",
        arguments={
            "channel_id": draft.channel_id, "thread_ts": draft.thread_ts, "text": fallback_text(draft.completion),
            "blocks": whole_blocks(draft.tail, closing),
        },
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- the tap


def choose_draft(database: Database, actor: Actor, comparison_id: str, choice: Choice, channel_id: str) -> str:
    """The first tap decides: what is chosen becomes the draft, and the trial hears of it. Returns what to say.

    Raises ComparisonNotFound, MembersOnly, AlreadyDecided, NotYet.
    """
    with database.read() as session:
        draft = get_draft(session, get_comparison(session, comparison_id).draft_a_id)
    if draft.team_id != actor.team_id or draft.channel_id != channel_id:
        raise ComparisonNotFound
    if not actor.is_full_member:
        refuse(database, actor, "comparison.refused", comparison_id, MembersOnly())
    with database.write() as session:
        style = lock_style(session, draft.style_id)
        trial = lock_trial(session, get_comparison(session, comparison_id).trial_id)
        comparison = lock_comparison(session, comparison_id)
        if comparison.status is ComparisonStatus.DECIDED and comparison.decided_by == actor.user_id:
            if comparison.choice is not choice:
                raise AlreadyDecided(texts.OWN_TAP())
            return texts.counted(style.name) if comparison.is_counted else texts.not_counted(style.name)
        if comparison.status is ComparisonStatus.DECIDED:
            raise AlreadyDecided(texts.already_answered(name_of(session, draft.team_id, comparison.decided_by)))
        if comparison.status is not ComparisonStatus.SHOWN:
            raise NotYet(texts.CANNOT_ANSWER())
        now = now_in_database(session)
        is_running = trial.status is TrialStatus.RUNNING and find_cause(session, style, trial) is None
        comparison.status, comparison.choice, comparison.is_counted = ComparisonStatus.DECIDED, choice, is_running
        comparison.decided_by, comparison.decided_at = actor.user_id, now
        session.flush()
        record(
            session, team_id=actor.team_id, actor=actor.user_id, action="comparison.decided", subject=comparison_id,
            style_id=style.style_id, choice=choice.value, is_counted=is_running,
        )  # fmt: skip
        end_if_due(session, style, trial, now)
        _keep_chosen(session, comparison, actor)
        return texts.counted(style.name) if is_running else texts.not_counted(style.name)


def _keep_chosen(session: Session, comparison: Comparison, actor: Actor) -> None:
    """The chosen draft is an ordinary one from now on, in the place where it stands; the other one goes."""
    word = (comparison.choice or Choice.NEITHER).value
    part = "b" if comparison.choice is Choice.B else "a"
    kept_id = comparison.draft_b_id if part == "b" else comparison.draft_a_id
    kept, gone = lock_draft(session, kept_id), lock_draft(session, comparison.other_than(kept_id))
    move_draft(session, kept, seen=(DraftStatus.PAIRED,), to=DraftStatus.SHOWN)
    move_draft(session, gone, seen=(DraftStatus.PAIRED,), to=DraftStatus.PASSED_OVER)
    kept = lock_draft(session, kept_id)
    is_apart = find_by_dedupe_key(session, message_key(comparison.comparison_id, part)) is not None
    posted = find_by_dedupe_key(session, message_key(comparison.comparison_id, part if is_apart else ""))
    if posted is not None and posted.result:
        kept.message_ts = str(posted.result["ts"])
    with speaking_to(session, kept.team_id, kept.requested_by):
        who = display_name(actor)
        shown = chosen_message(
            kept.completion, texts.CHOSEN[word](who=who), shape_of(session, kept), buttons_of(kept)
        )  # fmt: skip
        messages = {part if is_apart else "": shown}
        if is_apart:
            messages |= {
                "a" if part == "b" else "b": note_message(texts.PUT_AWAY()),
                "": note_message(texts.ANSWERED[word](who=who)),
            }
    _owe_updates(session, comparison, messages, team_id=kept.team_id, why="chosen")


def _owe_updates(
    session: Session, comparison: Comparison, messages: dict[str, tuple[str, list[dict[str, Any]]]], *, team_id: str,
    why: str,
) -> None:  # fmt: skip
    for part, (text, blocks) in messages.items():
        owe(
            session, team_id=team_id, dedupe_key=f"comparison_{why}:{comparison.comparison_id}:{part}",
            verb="update_message",
            arguments={"ts_from": message_key(comparison.comparison_id, part), "text": text, "blocks": blocks},
        )  # fmt: skip


# --------------------------------------------------------------------------------------------------------- erased


def erase_comparisons_of_person(session: Session, team_id: str, user_id: str) -> list[str]:
    """Before the drafts of a person are stopped and emptied: those that wait for a tap, or for the other one, are taken
    away. Returns the ids of all comparisons of theirs."""
    ids = list_comparisons_of_person(session, team_id, user_id)
    for comparison_id in ids:
        comparison = lock_comparison(session, comparison_id)
        if comparison.status is ComparisonStatus.SHOWN:
            keys = {part: message_key(comparison_id, part) for part in ("", "a", "b")}
            parts = [part for part, key in keys.items() if find_by_dedupe_key(session, key) is not None]
            with speaking_to(session, team_id, user_id):
                messages = {part: note_message(texts.ERASED()) for part in parts}
            _owe_updates(session, comparison, messages, team_id=team_id, why="erased")
        if comparison.status in (ComparisonStatus.SHOWN, ComparisonStatus.DRAFTING):
            comparison.status = ComparisonStatus.VOID
            for draft_id in comparison.draft_ids:
                move_draft(session, get_draft(session, draft_id), seen=(DraftStatus.PAIRED,), to=DraftStatus.STOPPED)
    return ids
