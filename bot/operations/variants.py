"""Asking for a draft once more: shorter, longer, in other words. And what a version differs in from the one before.

Who asks twice for the same version of the same draft at once gets one: askers take turns on the draft's row.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from bot.domain.values import Actor, Channel
from bot.domain.variants import DOUBLE_CLICK_SECONDS
from bot.errors import BadInput, NotYet
from bot.operations.drafts import Requested, Throttled, check_load_of, check_may_draft
from bot.texts import drafting, variants
from config.variants import Variant
from db.audit import record
from db.base import insert_new, new_id, now_in_database
from db.drafts import (
    OPEN,
    Draft,
    DraftNotFound,
    DraftStatus,
    find_draft_by_request,
    get_draft,
    list_family,
    lock_draft,
)  # fmt: skip
from db.inbox import find_received_at
from db.session import Database
from db.styles import get_style, keep_style


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """No draft: this version is being written already, or was asked for a moment ago."""


def find_seen_draft(database: Database, actor: Actor, draft_id: str, channel_id: str) -> Draft:
    """A draft that this person clicked in this channel. Raises DraftNotFound, also for one of another place."""
    with database.read() as session:
        draft = get_draft(session, draft_id)
    if draft.team_id != actor.team_id or draft.channel_id != channel_id:
        raise DraftNotFound
    if draft.is_private and draft.requested_by != actor.user_id:
        raise DraftNotFound
    return draft


def request_variant(
    database: Database,
    actor: Actor,
    draft_id: str,
    variant: Variant,
    *,
    request_key: str,
    channel: Channel,
    thread_ts: str,
    parent_link: str | None,
) -> Requested | Throttled | UnderWay:
    """Store that somebody wants this draft once more, in its thread (or `thread_ts` where it opens one).

    Raises DraftNotFound, NotYet (nothing to vary), and as `check_may_draft`.
    """
    parent = find_seen_draft(database, actor, draft_id, channel.channel_id)
    check_may_draft(database, actor, channel)
    if parent.status in OPEN:
        raise NotYet(drafting.NOT_YET_COMPLETE())
    if parent.status in (DraftStatus.FAILED, DraftStatus.STOPPED) or not parent.text.strip():
        raise NotYet(variants.NOTHING_TO_VARY())
    with database.write() as session:
        keep_style(session, parent.style_id)
        parent = lock_draft(session, draft_id)
        style_name = get_style(session, parent.style_id).name
        known = find_draft_by_request(session, request_key)
        if known is not None:
            return Requested(draft_id=known.draft_id, style_name=style_name)
        if _is_under_way(session, parent, variant, request_key):
            return UnderWay()
        throttled = check_load_of(session, actor)
        if throttled is not None:
            return throttled
        new_draft_id = new_id("dra")
        row = {
            "draft_id": new_draft_id, "request_key": request_key, "team_id": parent.team_id,
            "style_id": parent.style_id, "channel_id": parent.channel_id, "requested_by": actor.user_id,
            "thread_ts": "" if parent.is_private else parent.thread_ts or thread_ts, "request": parent.request,
            "parent_id": parent.draft_id, "root_id": parent.family_id, "variant": variant,
            "parent_link": parent_link, "is_private": parent.is_private, "requested_at": now_in_database(session),
        }  # fmt: skip
        insert_new(session, Draft, [row], unique=["request_key"])
        record(
            session, team_id=actor.team_id, actor=actor.user_id, action="draft.requested", subject=new_draft_id,
            style_id=parent.style_id, variant=variant.value, parent=parent.draft_id,
        )  # fmt: skip
        return Requested(draft_id=new_draft_id, style_name=style_name)


def _is_under_way(session: Session, parent: Draft, variant: Variant, request_key: str) -> bool:
    """Is this version being written, or was it asked for when the click was made, give or take a double click?

    The click's own time counts: after a bot that died, both clicks are worked on long after they were made.
    """
    clicked_at = find_received_at(session, request_key) or now_in_database(session)
    just_before = clicked_at - timedelta(seconds=DOUBLE_CLICK_SECONDS)
    return any(
        one.parent_id == parent.draft_id
        and one.variant is variant
        and (one.status in OPEN or one.requested_at > just_before)
        for one in list_family(session, parent.family_id)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A text and the one before it. `is_edit`: a person made the one of the other."""

    before: str
    after: str
    is_edit: bool


def compare_with_previous(database: Database, actor: Actor, draft_id: str, channel_id: str) -> Comparison:
    """What somebody changed in this draft, or what it differs in from the draft that it is a variant of.

    Raises DraftNotFound, BadInput where there is nothing before it.
    """
    draft = find_seen_draft(database, actor, draft_id, channel_id)
    if draft.edited_completion is not None:
        return Comparison(before=draft.completion, after=draft.edited_completion, is_edit=True)
    if draft.parent_id is None:
        raise BadInput(variants.NOTHING_BEFORE())
    with database.read() as session:
        parent = get_draft(session, draft.parent_id)
    return Comparison(before=parent.text, after=draft.completion, is_edit=False)
