"""What a person makes of a draft: kept, edited, or not our style. Each draft is decided about once.

The decision is a compare-and-set on the draft's row; what follows from it (the example, the preference, the message)
has keys of its own. So a click that is worked on twice, or by a bot that died in between, ends in the same place.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from bot.domain.pairs import check_pair
from bot.domain.values import Actor, Channel
from bot.errors import AlreadyDecided, BadInput, HuisstijlError, MembersOnly, NotYet, UnusablePair
from bot.operations.draft_message import owe_update
from bot.operations.examples import Proposal, check_may_learn_from, may_learn_from, propose_example
from bot.operations.people import refuse
from bot.texts import drafting as texts
from bot.texts import labels, variants
from db.audit import record
from db.base import insert_new, new_id, now_in_database
from db.drafts import Draft, DraftNotFound, DraftStatus, get_draft, list_family, move_draft
from db.examples import ExampleSource
from db.preferences import Preference, Reason, choose_for_rejected
from db.session import Database
from db.styles import Style, get_style, keep_style


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
    database: Database,
    actor: Actor,
    draft_id: str,
    *,
    channel: Channel,
    message_ts: str,
    permalink: str | None,
    response_url: str = "",
) -> Proposal:
    """Keep a draft as it is: it is proposed as an example. `message_ts` is empty for a private draft.

    Raises as `get_decidable_draft` does, and OutOfScope, UnusablePair.
    """
    draft = get_decidable_draft(database, actor, draft_id)
    return _accept(database, actor, draft, draft.completion, channel, message_ts, permalink, response_url)


def edit_draft(
    database: Database,
    actor: Actor,
    draft_id: str,
    text: str,
    *,
    channel: Channel,
    message_ts: str,
    permalink: str | None,
    response_url: str = "",
) -> Proposal:
    """Keep a draft with a person's changes, which are remembered as a preference. Raises as `keep_draft`."""
    draft = get_decidable_draft(database, actor, draft_id)
    return _accept(database, actor, draft, text, channel, message_ts, permalink, response_url)


def choose_label(
    database: Database,
    actor: Actor,
    draft_id: str,
    number: int,
    *,
    channel: Channel,
    message_ts: str,
    permalink: str | None,
    response_url: str = "",
) -> Proposal:
    """One of the labels that were offered is the right one. Raises as `keep_draft`, and BadInput for no such label."""
    draft = get_decidable_draft(database, actor, draft_id)
    offered = draft.label_choice["offered"] if draft.label_choice else []
    if not 0 <= number < len(offered):
        raise BadInput(labels.UNKNOWN_LABEL())
    return _accept(database, actor, draft, offered[number][0], channel, message_ts, permalink, response_url)


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnedDown:
    """What is wrong with a draft, and the text as it should be where the person wrote one."""

    reasons: tuple[Reason, ...] = ()
    own_words: str = ""
    better: str = ""


def discard_draft(
    database: Database,
    actor: Actor,
    draft_id: str,
    why: TurnedDown,
    *,
    channel: Channel,
    message_ts: str,
    permalink: str | None = None,
    response_url: str = "",
) -> Proposal | None:
    """Not our style. It is remembered as a preference, with the better text as what was wanted instead; that text is
    proposed as an example too. Where nothing may be learnt (a private conversation), only the draft is marked.

    Raises as `keep_draft`; UnusablePair speaks of the better text, and leaves the draft open.
    """
    draft = get_decidable_draft(database, actor, draft_id)
    with database.read() as session:
        style = get_style(session, draft.style_id)
    learns = may_learn_from(style, channel, ExampleSource.DRAFT_EDITED)
    if why.better.strip():
        check_may_learn_from(style, channel, ExampleSource.DRAFT_EDITED)
        _check_better(style, draft, why.better)
    with database.write() as session:
        keep_style(session, draft.style_id)
        _decide(session, actor, draft, DraftStatus.DISCARDED, message_ts)
        if learns:
            _prefer(session, actor, draft, chosen=why.better, why=why)
    proposal = None
    if why.better.strip():
        proposal = _propose(
            database, actor, draft, why.better, ExampleSource.DRAFT_EDITED, DraftStatus.DISCARDED, channel,
            message_ts, permalink,
        )  # fmt: skip
    with database.write() as session:
        owe_update(session, get_draft(session, draft_id), message_ts, response_url)
    return proposal


def _check_better(style: Style, draft: Draft, better: str) -> None:
    if better.strip() == draft.completion.strip():
        raise UnusablePair({"completion": variants.BETTER_IS_THE_SAME()})
    problems = check_pair(draft.request, better, style.kind)
    if problems:
        raise UnusablePair({problem.field: problem.sentence for problem in problems})


def _accept(
    database: Database, actor: Actor, draft: Draft, text: str, channel: Channel, message_ts: str,
    permalink: str | None, response_url: str,
) -> Proposal:  # fmt: skip
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
        keep_style(session, draft.style_id)
        _decide(session, actor, draft, status, message_ts, text if is_edited else None)
        if is_edited and draft.completion:  # nothing was rejected where a person was asked for the label
            _prefer(session, actor, draft, chosen=text)
        family = list_family(session, draft.family_id)
        choose_for_rejected(session, [one.draft_id for one in family if one.draft_id != draft.draft_id], text)
    proposal = _propose(database, actor, draft, text, source, status, channel, message_ts, permalink)
    with database.write() as session:
        owe_update(session, get_draft(session, draft.draft_id), message_ts, response_url)
    return proposal


def _propose(
    database: Database, actor: Actor, draft: Draft, text: str, source: ExampleSource, status: DraftStatus,
    channel: Channel, message_ts: str, permalink: str | None,
) -> Proposal:  # fmt: skip
    """Propose the text as an example; when it is refused after all, the draft waits for a decision again."""
    try:
        return propose_example(
            database, actor, style_id=draft.style_id, prompt=draft.request, completion=text, source=source,
            channel=channel, message_ts=message_ts or None, thread_ts=draft.thread_ts, permalink=permalink,
            author_id=actor.user_id if source is ExampleSource.DRAFT_EDITED else None, draft_id=draft.draft_id,
        )  # fmt: skip
    except HuisstijlError:
        _reopen(database, draft, status)
        raise


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


def _prefer(session: Session, actor: Actor, draft: Draft, *, chosen: str, why: TurnedDown | None = None) -> None:
    why = why or TurnedDown()
    row = {
        "preference_id": new_id("pre"), "style_id": draft.style_id,
        "scope_key": get_style(session, draft.style_id).scope_key, "draft_id": draft.draft_id,
        "prompt": draft.request, "chosen": chosen, "rejected": draft.completion,
        "reasons": [reason.value for reason in why.reasons], "reason": why.own_words or None,
        "given_by": actor.user_id, "given_at": now_in_database(session),
    }  # fmt: skip
    insert_new(session, Preference, [row], unique=["draft_id"])
