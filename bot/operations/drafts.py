"""Asking for a draft, and stopping one. Asking twice with one key is one draft."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.orm import Session

from bot.blocks.draft import Shape, asked_text
from bot.blocks.draft_buttons import Buttons
from bot.domain import throttle
from bot.domain.safe_text import as_typed
from bot.domain.similarity import count_visible
from bot.domain.throttle import Verdict, check_load
from bot.domain.values import Actor, Channel
from bot.errors import EmptyRequest, MembersOnly, NotInChannel, OutOfScope, RequestTooLong
from bot.operations.people import refuse
from bot.operations.second_drafts import add_second_draft, plan_comparison, stop_comparison
from bot.operations.styles import resolve_style
from bot.texts import drafting as texts
from bot.texts import knowledge, labels
from config.rungs import Rung
from config.style_terms import find_terms
from db.audit import record
from db.base import insert_new, new_id, now_in_database
from db.drafts import (
    DECIDED,
    OPEN,
    Draft,
    DraftStatus,
    count_drafts_since,
    count_open_drafts,
    find_draft_by_request,
    find_open_drafts_of_thread,
    find_streaming_drafts,
    move_draft,
)  # fmt: skip
from db.examples import Example
from db.knowledge import list_cited
from db.outbox import owe
from db.scope import Scope
from db.session import Database
from db.styles import get_style
from db.trials import is_secret


@dataclass(frozen=True, slots=True, kw_only=True)
class Requested:
    """A draft that is on its way."""

    draft_id: str
    style_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """No draft: too many at once. `notice_key` names the minute, so that the person is told once."""

    sentence: str
    notice_key: str


def root_key(draft_or_comparison_id: str) -> str:
    """The outbox's name of the message that opens a command's thread; two drafts to compare have one."""
    return f"draft_root:{draft_or_comparison_id}"


def request_draft(
    database: Database,
    actor: Actor,
    *,
    request_key: str,
    channel: Channel,
    text: str,
    max_chars: int,
    thread_ts: str = "",
    is_private: bool = False,
) -> Requested | Throttled:
    """Store what somebody asks for. Without a thread, a message is owed that opens one in the channel; not for a
    private draft, which only they will see.

    Raises NotInChannel, MembersOnly, OutOfScope (a channel shared with another company), EmptyRequest,
    RequestTooLong, NoStyleYet, AmbiguousStyle.
    """
    check_may_draft(database, actor, channel)
    with database.write() as session:
        known = find_draft_by_request(session, request_key)
        if known is not None:
            return Requested(draft_id=known.draft_id, style_name="")
        typed = as_typed(text)
        _check_length(typed, max_chars)
        style, request = resolve_style(
            session, actor.team_id, channel.channel_id, typed, thread_ts=thread_ts or None
        )  # fmt: skip
        if count_visible(request) == 0:
            raise EmptyRequest
        throttled = check_load_of(session, actor)
        if throttled is not None:
            return throttled
        draft_id = new_id("dra")
        planned = None
        if not is_private and not channel.is_direct:
            planned = plan_comparison(session, style, lambda: check_load_of(session, actor, besides=1) is None)
        row = {
            "draft_id": draft_id, "request_key": request_key, "team_id": actor.team_id, "style_id": style.style_id,
            "channel_id": channel.channel_id, "thread_ts": thread_ts, "requested_by": actor.user_id,
            "request": request, "requested_at": now_in_database(session), "is_private": is_private,
            "comparison_id": planned.comparison_id if planned else None,
        }  # fmt: skip
        if not insert_new(session, Draft, [row], unique=["request_key"]):
            return Requested(draft_id="", style_name=style.name)  # asked twice at this very moment
        if planned is not None:
            add_second_draft(session, planned, row)
        if not thread_ts and not is_private:
            key = root_key(planned.comparison_id if planned else draft_id)
            owe(
                session, team_id=actor.team_id, dedupe_key=key, verb="post_message",
                arguments={"channel_id": channel.channel_id, "text": asked_text(actor.name, style.name, request)},
            )  # fmt: skip
        record(
            session, team_id=actor.team_id, actor=actor.user_id, action="draft.requested", subject=draft_id,
            style_id=style.style_id,
        )  # fmt: skip
        return Requested(draft_id=draft_id, style_name=style.name)


def check_may_draft(database: Database, actor: Actor, channel: Channel) -> None:
    """Raises NotInChannel, MembersOnly, OutOfScope (a channel shared with another company)."""
    if not channel.is_member:
        raise NotInChannel
    if not actor.is_full_member:
        refuse(database, actor, "draft.refused", channel.channel_id, MembersOnly(texts.MEMBERS_ONLY()))
    if channel.is_external:
        refuse(database, actor, "draft.refused", channel.channel_id, OutOfScope(texts.EXTERNAL()))


def _check_length(text: str, max_chars: int) -> None:
    if count_visible(text) == 0:
        raise EmptyRequest
    if len(text) > max_chars:
        raise RequestTooLong(texts.too_long(len(text), max_chars))


def check_load_of(session: Session, actor: Actor, *, besides: int = 0) -> Throttled | None:
    """None while this person and this workspace may ask for more, `besides` drafts that are about to be asked for."""
    now = now_in_database(session)
    since = now - timedelta(seconds=throttle.WINDOW_SECONDS)
    verdict = check_load(
        asked_recently=count_drafts_since(session, actor.team_id, actor.user_id, since) + besides,
        open_drafts=count_open_drafts(session, actor.team_id) + besides,
    )
    if verdict is Verdict.FREE:
        return None
    sentences = {
        Verdict.PERSON_BUSY: texts.person_busy(throttle.PER_PERSON),
        Verdict.WORKSPACE_BUSY: texts.WORKSPACE_BUSY(),
    }
    minute = int(now.timestamp() // throttle.WINDOW_SECONDS)
    return Throttled(
        sentence=sentences[verdict], notice_key=f"throttled:{actor.team_id}:{actor.user_id}:{verdict}:{minute}"
    )


def owe_notice(
    database: Database, actor: Actor, throttled: Throttled, *, channel_id: str, response_url: str, is_direct: bool
) -> None:
    """Tell the person once a minute that there was too much, and only them."""
    if response_url:
        verb, arguments = "respond", {"response_url": response_url, "text": throttled.sentence, "blocks": None}
    elif is_direct:
        verb, arguments = "post_message", {"channel_id": channel_id, "text": throttled.sentence}
    else:
        verb = "post_ephemeral"
        arguments = {"channel_id": channel_id, "user_id": actor.user_id, "text": throttled.sentence, "blocks": None}
    with database.write() as session:
        owe(session, team_id=actor.team_id, dedupe_key=throttled.notice_key, verb=verb, arguments=arguments)


def stop_drafts(
    database: Database, team_id: str, user_id: str, channel_id: str, message_ts: tuple[str, ...], thread_ts: str
) -> int:
    """A person pressed Stop: the drafts that are streamed into these messages are over, or, where Slack names none,
    those of this thread that show nothing yet. Returns how many were stopped."""
    stopped = 0
    with database.write() as session:
        if message_ts:
            drafts = find_streaming_drafts(session, team_id, channel_id, message_ts)
        else:
            drafts = find_open_drafts_of_thread(session, team_id, channel_id, thread_ts)
        for comparison_id in sorted({draft.comparison_id for draft in drafts if draft.comparison_id}):
            stop_comparison(session, comparison_id)
        for draft in drafts:
            if move_draft(session, draft, seen=OPEN, to=DraftStatus.STOPPED):
                record(session, team_id=team_id, actor=user_id, action="draft.stopped", subject=draft.draft_id)
                stopped += 1
    return stopped


def shape_of(session: Session, draft: Draft) -> Shape:
    """What shaped a draft, from its row."""
    style = get_style(session, draft.style_id)
    never_said = find_terms(draft.text, style.forbidden_terms)
    if draft.comparison_id is not None and is_secret(session, draft.comparison_id):
        return Shape(style=style.name, rung="", is_hidden=True, never_said=never_said)
    examples = [session.get(Example, example_id) for example_id in reversed(draft.example_ids)]
    return Shape(
        style=style.name,
        rung=(draft.rung or Rung.ZERO_SHOT).value,
        adapter=draft.adapter_name,
        examples=tuple((example.example_id, example.permalink) for example in examples if example is not None),
        passages=_sources(session, draft, style.scope),
        notes=_confidence(draft),
        variant=draft.variant.value if draft.variant else None,
        parent_link=draft.parent_link,
        never_said=never_said,
    )


def _sources(session: Session, draft: Draft, scope: Scope) -> tuple[tuple[str, str | None], ...]:
    """The passages that it quoted and that are still there, the nearest to the request first."""
    cited = list_cited(session, draft.passage_ids[::-1], scope)
    return tuple(
        (knowledge.source(one.document.title, one.passage.heading, one.passage.page), one.document.permalink)
        for one in cited
    )


def _confidence(draft: Draft) -> tuple[str, ...]:
    """How sure a label was."""
    choice = draft.label_choice
    return (labels.confidence(choice["offered"][0][1]),) if choice and choice["is_sure"] else ()


def buttons_of(draft: Draft) -> Buttons:
    """What is still open about a draft, from its row."""
    choice = draft.label_choice
    return Buttons(
        offered=tuple((label, share) for label, share in choice["offered"]) if choice else None,
        is_sure=choice is None or choice["is_sure"],
        draft_id=draft.draft_id,
        is_open=draft.status not in DECIDED,
        is_discarded=draft.status is DraftStatus.DISCARDED,
        is_used=draft.used_by is not None,
        is_private=draft.is_private,
        has_previous=draft.parent_id is not None or draft.edited_completion is not None,
    )
