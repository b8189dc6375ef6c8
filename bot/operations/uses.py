"""A draft leaves its thread: somebody posts it as their choice, or shows a private one to the channel.

Each happens once for a draft, by compare-and-set on its row, whoever clicks and however often. Neither teaches
anything: what is learnt from is kept or edited, and reviewed.
"""

from __future__ import annotations

from sqlalchemy import update
from sqlalchemy.orm import Session

from bot.blocks.draft import fallback_text, shared_blocks, used_blocks
from bot.domain.values import Actor, Channel
from bot.errors import AlreadyDecided, MembersOnly, NotInChannel, NotYet, OutOfScope
from bot.operations.draft_message import display_name, name_of, owe_update
from bot.operations.drafts import buttons_of, shape_of
from bot.operations.languages import speaking_in_channel
from bot.operations.people import refuse
from bot.operations.variants import find_seen_draft
from bot.texts import drafting, variants
from db.audit import record
from db.base import now_in_database
from db.drafts import OPEN, Draft, DraftStatus, get_draft, list_drafts_of_thread, list_family
from db.outbox import find_by_dedupe_key, owe
from db.preferences import choose_for_rejected
from db.session import Database
from db.styles import get_style


def find_usable_draft(database: Database, actor: Actor, draft_id: str, channel_id: str) -> Draft:
    """The draft that was clicked here, if this person may post it. Raises DraftNotFound, MembersOnly, NotYet,
    AlreadyDecided (used before, by somebody else, or not our style)."""
    draft = find_seen_draft(database, actor, draft_id, channel_id)
    if not actor.is_full_member:
        refuse(database, actor, "use.refused", draft_id, MembersOnly())
    if draft.status in OPEN:
        raise NotYet(drafting.NOT_YET_COMPLETE())
    if draft.status in (DraftStatus.FAILED, DraftStatus.STOPPED):
        raise NotYet(variants.NOT_COMPLETE())
    if draft.status is DraftStatus.DISCARDED:
        raise AlreadyDecided(drafting.ALREADY["discarded"]())
    if draft.used_by is not None and draft.used_by != actor.user_id:
        with database.read() as session:
            raise AlreadyDecided(variants.used_already(name_of(session, draft.team_id, draft.used_by)))
    return draft


def use_draft(
    database: Database,
    actor: Actor,
    draft_id: str,
    *,
    clicked_in: str,
    post_in: Channel,
    message_ts: str,
    link: str | None,
    response_url: str = "",
) -> None:
    """Post a draft in a channel as this person's choice. `link` leads to the draft.

    Doing it again changes nothing. Raises as `find_usable_draft`, and NotInChannel, OutOfScope.
    """
    draft = find_usable_draft(database, actor, draft_id, clicked_in)
    with database.read() as session:
        style = get_style(session, draft.style_id)
    if not post_in.is_member:
        raise NotInChannel(variants.USE_NOT_THERE())
    if post_in.is_external:
        refuse(database, actor, "use.refused", draft_id, OutOfScope(variants.USE_EXTERNAL()))
    if style.scope.channel_id not in (None, post_in.channel_id):
        refuse(database, actor, "use.refused", draft_id, OutOfScope(variants.USE_OUT_OF_SCOPE()))
    with database.write() as session:
        used = session.execute(
            update(Draft)
            .where(Draft.draft_id == draft_id, Draft.used_by.is_(None), Draft.status != DraftStatus.DISCARDED)
            .values(used_by=actor.user_id, used_at=now_in_database(session), used_in=post_in.channel_id)
            .execution_options(synchronize_session=False)
        )
        draft = get_draft(session, draft_id)
        if used.rowcount != 1:  # type: ignore[attr-defined]
            if draft.used_by == actor.user_id:
                return
            raise AlreadyDecided(variants.used_already(name_of(session, draft.team_id, draft.used_by)))
        is_here = post_in.channel_id == draft.channel_id
        name = display_name(actor)
        with speaking_in_channel(session, style):
            chosen_by = (
                variants.chosen_by_linked(name, style.name, link) if link else variants.chosen_by(name, style.name)
            )
        owe(
            session, team_id=draft.team_id, dedupe_key=f"draft_used:{draft_id}", verb="post_message",
            arguments={
                "channel_id": post_in.channel_id, "thread_ts": _find_conversation(session, draft) if is_here else "",
                "text": fallback_text(draft.text), "blocks": used_blocks(draft.text, chosen_by),
            },
        )  # fmt: skip
        others = [one.draft_id for one in list_family(session, draft.family_id) if one.draft_id != draft_id]
        choose_for_rejected(session, others, draft.text)
        owe_update(session, draft, message_ts, response_url)
        record(
            session, team_id=draft.team_id, actor=actor.user_id, action="draft.used", subject=draft_id,
            style_id=draft.style_id, channel=post_in.channel_id,
        )  # fmt: skip


def _find_conversation(session: Session, draft: Draft) -> str:
    """The thread to post in: the people's own, when the draft was asked for in one; the channel, when the thread is
    only the draft's."""
    if not draft.thread_ts:
        return ""
    drafts = list_drafts_of_thread(session, draft.team_id, draft.channel_id, draft.thread_ts)
    first = drafts[0].request_key if drafts else ""
    is_asked_inside = first.startswith("msg:") and first != f"msg:{draft.channel_id}:{draft.thread_ts}"
    return draft.thread_ts if is_asked_inside else ""


def share_draft(
    database: Database, actor: Actor, draft_id: str, *, channel: Channel, response_url: str
) -> None:  # fmt: skip
    """Show a private draft to its channel, as a draft that others can use, edit and keep too.

    Raises DraftNotFound (also for somebody else's), MembersOnly, NotInChannel, AlreadyDecided.
    """
    draft = find_seen_draft(database, actor, draft_id, channel.channel_id)
    if not actor.is_full_member:
        refuse(database, actor, "share.refused", draft_id, MembersOnly())
    if not channel.is_member:
        raise NotInChannel
    if draft.status in OPEN:
        raise NotYet(drafting.NOT_YET_COMPLETE())
    with database.write() as session:
        shared = session.execute(
            update(Draft)
            .where(Draft.draft_id == draft_id, Draft.is_private.is_(True), Draft.requested_by == actor.user_id)
            .values(is_private=False)
            .execution_options(synchronize_session=False)
        )
        if shared.rowcount != 1:  # type: ignore[attr-defined]
            if find_by_dedupe_key(session, f"draft_shared:{draft_id}") is not None:
                return
            raise AlreadyDecided(variants.ALREADY_SHARED())
        draft = get_draft(session, draft_id)
        style = get_style(session, draft.style_id)
        with speaking_in_channel(session, style):
            sentence = variants.shared_by(display_name(actor), style.name)
            blocks = shared_blocks(draft.text, sentence, shape_of(session, draft), buttons_of(draft))
        owe(
            session, team_id=draft.team_id, dedupe_key=f"draft_shared:{draft_id}", verb="post_message",
            arguments={"channel_id": draft.channel_id, "text": fallback_text(draft.text), "blocks": blocks},
        )  # fmt: skip
        if response_url:
            owe(
                session, team_id=draft.team_id, dedupe_key=f"draft_shared_note:{draft_id}", verb="respond",
                arguments={
                    "response_url": response_url, "text": variants.SHARED(), "blocks": None, "replace": True,
                },
            )  # fmt: skip
        record(
            session, team_id=draft.team_id, actor=actor.user_id, action="draft.shared", subject=draft_id,
            style_id=draft.style_id,
        )  # fmt: skip
