"""What a person makes of a draft: kept, edited, or not our style. Each draft is decided about once.

The decision is a compare-and-set on the draft's row; what follows from it (the example, the preference, the message)
has keys of its own. So a click that is worked on twice, or by a bot that died in between, ends in the same place.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from bot.blocks.draft import decided_blocks, fallback_text
from bot.domain.pairs import check_pair
from bot.domain.safe_text import escape, shorten
from bot.domain.values import Actor, Channel
from bot.errors import AlreadyDecided, HuisstijlError, MembersOnly, NotYet, UnusablePair
from bot.operations.drafts import shape_of
from bot.operations.examples import Proposal, check_may_learn_from, propose_example
from bot.operations.languages import speaking_to
from bot.operations.people import refuse
from bot.texts import drafting as texts
from db.audit import record
from db.base import insert_new, new_id, now_in_database
from db.drafts import Draft, DraftNotFound, DraftStatus, get_draft, move_draft
from db.examples import ExampleSource
from db.outbox import owe
from db.preferences import Preference
from db.session import Database
from db.styles import get_style


def get_decidable_draft(database: Database, actor: Actor, draft_id: str) -> Draft:
    """The draft, if this person may say something about it now. Raises DraftNotFound, MembersOnly, AlreadyDecided."""
    with database.read() as session:
        draft = get_draft(session, draft_id)
    if draft.team_id != actor.team_id:
        raise DraftNotFound
    if not actor.is_full_member:
        refuse(database, actor, "feedback.refused", draft_id, MembersOnly())
    if draft.status in (DraftStatus.REQUESTED, DraftStatus.STREAMING):
        raise NotYet(texts.NOT_YET_COMPLETE())
    if draft.status is not DraftStatus.SHOWN and draft.decided_by != actor.user_id:
        raise AlreadyDecided(texts.ALREADY[draft.status.value]())
    return draft


def keep_draft(
    database: Database, actor: Actor, draft_id: str, *, channel: Channel, message_ts: str, permalink: str | None
) -> Proposal:
    """Keep a draft as it is: it is proposed as an example.

    Raises as `get_decidable_draft` does, and OutOfScope, UnusablePair.
    """
    draft = get_decidable_draft(database, actor, draft_id)
    return _accept(database, actor, draft, draft.completion, channel, message_ts, permalink)


def edit_draft(
    database: Database,
    actor: Actor,
    draft_id: str,
    text: str,
    *,
    channel: Channel,
    message_ts: str,
    permalink: str | None,
) -> Proposal:
    """Keep a draft with a person's changes, which are remembered as a preference. Raises as `keep_draft`."""
    draft = get_decidable_draft(database, actor, draft_id)
    return _accept(database, actor, draft, text, channel, message_ts, permalink)


def discard_draft(database: Database, actor: Actor, draft_id: str, reason: str, *, message_ts: str) -> None:
    """Not our style: nothing is learnt from it but that. Raises as `get_decidable_draft`."""
    draft = get_decidable_draft(database, actor, draft_id)
    with database.write() as session:
        _decide(session, actor, draft, DraftStatus.DISCARDED, message_ts)
        _prefer(session, actor, draft, chosen="", reason=reason or None)
        _owe_update(session, draft, message_ts, draft.tail, texts.discarded_by, actor)


def _accept(
    database: Database, actor: Actor, draft: Draft, text: str, channel: Channel, message_ts: str, permalink: str | None
) -> Proposal:
    is_edited = text.strip() != draft.completion.strip()
    status = DraftStatus.EDITED if is_edited else DraftStatus.KEPT
    source = ExampleSource.DRAFT_EDITED if is_edited else ExampleSource.DRAFT_KEPT
    with database.read() as session:
        style = get_style(session, draft.style_id)
    # Before the decision: what cannot be learnt from leaves the draft open.
    check_may_learn_from(style, channel, source)
    problems = check_pair(draft.request, text, style.kind)
    if problems:
        raise UnusablePair({problem.field: problem.sentence for problem in problems})
    with database.write() as session:
        _decide(session, actor, draft, status, message_ts, text if is_edited else None)
        if is_edited:
            _prefer(session, actor, draft, chosen=text, reason=None)
    try:
        proposal = propose_example(
            database, actor, style_id=draft.style_id, prompt=draft.request, completion=text, source=source,
            channel=channel, message_ts=message_ts, thread_ts=draft.thread_ts, permalink=permalink,
            author_id=actor.user_id if is_edited else None, draft_id=draft.draft_id,
        )  # fmt: skip
    except HuisstijlError:
        _reopen(database, draft, status)
        raise
    with database.write() as session:
        said = texts.edited_by if is_edited else texts.kept_by
        _owe_update(session, draft, message_ts, text if is_edited else draft.tail, said, actor)
    return proposal


def _decide(
    session: Session, actor: Actor, draft: Draft, to: DraftStatus, message_ts: str, edited: str | None = None
) -> None:
    """Raises AlreadyDecided unless this is the first decision, or the same one by the same person once more."""
    if not move_draft(session, draft, seen=(DraftStatus.SHOWN,), to=to):
        now = get_draft(session, draft.draft_id)
        if now.status is to and now.decided_by == actor.user_id and now.edited_completion == edited:
            return
        already = texts.ALREADY.get(now.status.value)
        raise AlreadyDecided(already() if already else "")
    row = get_draft(session, draft.draft_id)
    row.decided_by, row.edited_completion = actor.user_id, edited
    row.message_ts = row.message_ts or message_ts or None
    record(
        session, team_id=draft.team_id, actor=actor.user_id, action=f"draft.{to.value}", subject=draft.draft_id,
        style_id=draft.style_id,
    )  # fmt: skip


def _reopen(database: Database, draft: Draft, was: DraftStatus) -> None:
    """The proposal was refused after all: the draft waits for a decision again."""
    with database.write() as session:
        if move_draft(session, draft, seen=(was,), to=DraftStatus.SHOWN):
            row = get_draft(session, draft.draft_id)
            row.decided_by = row.edited_completion = None


def _prefer(session: Session, actor: Actor, draft: Draft, *, chosen: str, reason: str | None) -> None:
    row = {
        "preference_id": new_id("pre"), "style_id": draft.style_id,
        "scope_key": get_style(session, draft.style_id).scope_key, "draft_id": draft.draft_id,
        "prompt": draft.request, "chosen": chosen, "rejected": draft.completion, "reason": reason,
        "given_by": actor.user_id, "given_at": now_in_database(session),
    }  # fmt: skip
    insert_new(session, Preference, [row], unique=["draft_id"])


def _owe_update(
    session: Session, draft: Draft, message_ts: str, text: str, say_decided: Callable[[str], str], actor: Actor
) -> None:
    """The draft's message shows what was decided, and by whom, in the language it was asked for in."""
    ts = draft.message_ts or message_ts
    if not ts:
        return
    with speaking_to(session, draft.team_id, draft.requested_by):
        arguments: dict[str, Any] = {
            "channel_id": draft.channel_id,
            "ts": ts,
            "text": fallback_text(text),
            "blocks": decided_blocks(text, shape_of(session, draft), say_decided(_name(actor))),
        }
    owe(
        session, team_id=draft.team_id, dedupe_key=f"draft_decided:{draft.draft_id}", verb="update_message",
        arguments=arguments,
    )  # fmt: skip


def _name(actor: Actor) -> str:
    """A name and no mention: nobody is called by a message about a draft."""
    return escape(shorten(actor.name, 80))
