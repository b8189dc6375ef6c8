"""Teach house style: a message shortcut opens a modal, and the submitted modal proposes an example."""

from __future__ import annotations

from dataclasses import replace

from bot.blocks.teach import Source, TeachForm, prompt_block, teach_view, with_offer_used
from bot.blocks.text import notice, read_long_input
from bot.domain.long_text import MAX_TEXT_CHARS
from bot.domain.pairs import is_too_long
from bot.domain.safe_text import as_typed
from bot.domain.suggesting import find_prompt_source
from bot.domain.values import Click, MessageDeleted, Shortcut, Submission
from bot.drafting.suggestions import Wish, wish_deadline
from bot.errors import MessageGone, ModelBusy, UnusablePair
from bot.language import sentences
from bot.operations.examples import (
    ProposalOutcome,
    Teachable,
    find_teachable,
    propose_example,
    withdraw_examples_of_message,
)  # fmt: skip
from bot.routing import FieldErrors
from bot.services import Services
from bot.slack import MessageMissing
from bot.texts import learning as texts
from config.prompt_sources import PromptSource
from db.drafts import get_draft
from db.examples import ExampleSource


def open_teach(services: Services, shortcut: Shortcut) -> None:
    actor = services.people.get_actor(shortcut.team_id, shortcut.user_id)
    channel = services.slack.get_channel(shortcut.channel_id)
    teachable = find_teachable(services.database, actor, channel, shortcut.message_ts, shortcut.thread_ts)
    completion = as_typed(shortcut.message_text) if teachable.completion is None else teachable.completion
    if not teachable.styles:
        services.slack.open_view(shortcut.trigger_id, notice(texts.TEACH_TITLE(), texts.NO_STYLE_FOR_PLACE()))
    elif is_too_long(completion):
        too_long = texts.message_too_long(len(completion), MAX_TEXT_CHARS)
        services.slack.open_view(shortcut.trigger_id, notice(texts.TEACH_TITLE(), too_long))
    else:
        _open_form(services, shortcut, _make_form(services, shortcut, teachable, completion))


def _make_form(services: Services, shortcut: Shortcut, teachable: Teachable, completion: str) -> TeachForm:
    source = Source(
        channel_id=shortcut.channel_id, ts=shortcut.message_ts, thread_ts=shortcut.thread_ts,
        author_id=shortcut.author_id, draft_id=teachable.draft_id, offered=teachable.prompt_source,
    )  # fmt: skip
    if teachable.prompt:
        note = texts.PARENT_KNOWN() if teachable.prompt_source is PromptSource.PARENT else ""
    elif _reads_parent(services, source):
        note = texts.READING_PARENT()
    else:
        note = sentences(texts.PARENT_UNKNOWN() if source.is_reply else "", texts.READING())
    return TeachForm(
        source=source, styles=teachable.styles, chosen_style_id=teachable.chosen_style_id,
        completion=completion, prompt=teachable.prompt, note=note,
    )  # fmt: skip


def _reads_parent(services: Services, source: Source) -> bool:
    """The scope that reads a message is only there where the operator turned flagging on."""
    return source.is_reply and bool(services.settings.flag_reaction)


def _open_form(services: Services, shortcut: Shortcut, form: TeachForm) -> None:
    """The modal opens at once, because its trigger lives three seconds; what was asked is suggested afterwards."""
    view_id, view_hash = services.slack.open_view_with_hash(shortcut.trigger_id, teach_view(form))
    if form.prompt:
        return
    locale = services.people.find_locale(shortcut.team_id, shortcut.user_id, may_ask=False)
    wish = Wish(
        form=form, view_id=view_id, view_hash=view_hash, locale=locale or services.settings.language,
        team_id=shortcut.team_id, reads_parent=_reads_parent(services, form.source),
        deadline=wish_deadline(services.settings.suggestion_deadline_seconds),
    )  # fmt: skip
    if not services.wishes.add(wish):
        too_busy = replace(form, note=texts.no_suggestion(ModelBusy.__name__))
        services.slack.update_view(view_id, teach_view(too_busy), view_hash=view_hash)


def use_offer(services: Services, click: Click) -> None:
    """What was offered goes into an input of its own; what the person had typed stays in sight."""
    source = Source.from_metadata(click.metadata)
    offer = source.suggestion or ""
    if source.offered is PromptSource.PARENT:
        parent = services.slack.find_message(source.channel_id, source.thread_ts)
        if parent is None:
            raise MessageGone(texts.PARENT_GONE())
        offer = as_typed(parent.text).strip()
    view = with_offer_used(click.blocks, source, offer, click.values)
    services.slack.update_view(click.view_id, view, view_hash=click.view_hash)


def submit_teach(services: Services, submission: Submission) -> FieldErrors | None:
    actor = services.people.get_actor(submission.team_id, submission.user_id)
    source = Source.from_metadata(submission.metadata)
    try:
        permalink = services.slack.find_permalink(source.channel_id, source.ts)
    except MessageMissing as error:
        raise MessageGone from error
    asked_in = prompt_block(submission.values)
    prompt = read_long_input(submission.values, asked_in)
    completion = read_long_input(submission.values, "completion")
    try:
        proposal = propose_example(
            services.database, actor,
            style_id=submission.text("style"), prompt=prompt, completion=completion,
            source=_source(services, source.draft_id, completion),
            channel=services.slack.get_channel(source.channel_id, fresh=True),
            message_ts=source.ts, thread_ts=source.thread_ts, permalink=permalink,
            author_id=source.author_id, draft_id=source.draft_id,
            prompt_source=_prompt_source(submission, source, prompt), suggested_prompt=source.suggestion,
        )  # fmt: skip
    except UnusablePair as unusable:
        return {asked_in if field == "prompt" else field: said for field, said in unusable.errors.items()}
    if proposal.outcome is ProposalOutcome.APPROVED:
        services.wakeups.embeddings.ring()
    services.answer(submission, proposal.sentence)
    return None


def _prompt_source(submission: Submission, source: Source, prompt: str) -> PromptSource:
    """What stood in the input when the modal came, against what stands there now."""
    put_in = read_long_input(submission.initials, prompt_block(submission.values))
    if not put_in and source.suggestion and source.suggestion.strip() == prompt.strip():
        put_in = source.suggestion  # typed word for word as it was suggested
    return find_prompt_source(source.offered, put_in, prompt)


def forget_message(services: Services, deletion: MessageDeleted) -> None:
    withdraw_examples_of_message(services.database, deletion.team_id, deletion.channel_id, deletion.ts)
    services.wakeups.outbox.ring()


def _source(services: Services, draft_id: str | None, completion: str) -> ExampleSource:
    if draft_id is None:
        return ExampleSource.SHORTCUT
    with services.database.read() as session:
        kept = get_draft(session, draft_id).completion == completion
    return ExampleSource.DRAFT_KEPT if kept else ExampleSource.DRAFT_EDITED
