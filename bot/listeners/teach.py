"""Teach house style: a message shortcut opens a modal, and the submitted modal proposes an example."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from bot.blocks.teach import (
    DISCARD_BLOCK,
    LATER_BLOCK,
    PAIRS_BLOCK,
    Source,
    TeachForm,
    completion_block,
    prompt_block,
    teach_view,
    with_message_moved,
    with_offer_used,
)  # fmt: skip
from bot.blocks.text import notice, read_long_input
from bot.domain.long_text import MAX_TEXT_CHARS
from bot.domain.pairs import is_too_long
from bot.domain.safe_text import as_typed
from bot.domain.suggesting import find_prompt_source
from bot.domain.values import Actor, Channel, Click, MessageDeleted, Shortcut, Submission
from bot.drafting.suggestions import Wish, wish_deadline
from bot.errors import MessageGone, ModelBusy, UnusablePair
from bot.language import sentences
from bot.operations.examples import (
    ProposalOutcome,
    Teachable,
    find_teachable,
    propose_example,
    sorts_messages,
    withdraw_examples_of_message,
)  # fmt: skip
from bot.operations.set_aside import (
    Outcome,
    TaughtPair,
    choose_pairs,
    choose_unwanted,
    forget_set_aside,
    list_set_aside,
    propose_set_aside,
    report,
    set_aside_pair,
    source_of,
)  # fmt: skip
from bot.routing import FieldErrors
from bot.services import Services
from bot.slack import MessageMissing
from bot.texts import learning as texts
from config.prompt_sources import PromptSource
from db.set_aside_pairs import SetAsidePair


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
        pairs = list_set_aside(services.database, actor, shortcut.channel_id, shortcut.thread_ts)
        _open_form(services, shortcut, _make_form(services, shortcut, teachable, completion, pairs))


def _make_form(
    services: Services, shortcut: Shortcut, teachable: Teachable, completion: str, pairs: Sequence[SetAsidePair]
) -> TeachForm:
    source = Source(
        channel_id=shortcut.channel_id, ts=shortcut.message_ts, thread_ts=shortcut.thread_ts,
        author_id=shortcut.author_id, draft_id=teachable.draft_id, offered=teachable.prompt_source,
    )  # fmt: skip
    prompt = teachable.prompt
    if teachable.is_sorted:
        prompt, completion, note = completion, "", texts.SORTED()
    elif prompt:
        note = texts.PARENT_KNOWN() if teachable.prompt_source is PromptSource.PARENT else ""
    elif _reads_parent(services, source):
        note = texts.READING_PARENT()
    else:
        note = sentences(texts.PARENT_UNKNOWN() if source.is_reply else "", texts.READING())
    form = TeachForm(
        source=source, styles=teachable.styles, chosen_style_id=teachable.chosen_style_id,
        completion=completion, prompt=prompt, note=note,
        pairs=[(one.pair_id, one.prompt, one.completion) for one in pairs if one.message_ts != source.ts],
    )  # fmt: skip
    known = next((one for one in pairs if one.message_ts == source.ts), None)
    return form if known is None else _as_set_aside(form, known)


def _as_set_aside(form: TeachForm, known: SetAsidePair) -> TeachForm:
    """This very message waits already: the window shows the pair as it was left."""
    source = replace(form.source, offered=known.prompt_source, suggestion=known.suggested_prompt)
    style_id = known.style_id if known.style_id in dict(form.styles) else form.chosen_style_id
    return replace(
        form, source=source, chosen_style_id=style_id, prompt=known.prompt, completion=known.completion,
        note=texts.SET_ASIDE_BEFORE(),
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


def choose_style(services: Services, click: Click) -> None:
    """Another style was chosen: one that sorts messages takes this one as what was asked, unless somebody has typed."""
    is_sorted = sorts_messages(services.database, click.team_id, click.value)
    source = Source.from_metadata(click.metadata)
    view = with_message_moved(click.blocks, source, click.values, is_sorted=is_sorted)
    if view is not None:
        services.slack.update_view(click.view_id, view, view_hash=click.view_hash)


def submit_teach(services: Services, submission: Submission) -> FieldErrors | None:
    actor = services.people.get_actor(submission.team_id, submission.user_id)
    source = Source.from_metadata(submission.metadata)
    try:
        permalink = services.slack.find_permalink(source.channel_id, source.ts)
    except MessageMissing as error:
        raise MessageGone from error
    channel = services.slack.get_channel(source.channel_id, fresh=True)
    pair = _read_pair(submission, source, permalink)
    known = list_set_aside(services.database, actor, source.channel_id, source.thread_ts)
    ticked = submission.choices(PAIRS_BLOCK)
    unwanted = choose_unwanted(known, ticked, except_ts=source.ts) if submission.choices(DISCARD_BLOCK) else []
    try:
        if submission.choices(LATER_BLOCK):
            said = texts.set_aside(set_aside_pair(services.database, actor, channel, pair, unwanted))
        else:
            said = _propose(services, actor, channel, pair, known, ticked)
            forget_set_aside(services.database, unwanted)
    except UnusablePair as unusable:
        inputs = {"prompt": prompt_block(submission.values), "completion": completion_block(submission.values)}
        return {inputs.get(field, field): sentence for field, sentence in unusable.errors.items()}
    services.answer(submission, sentences(said, texts.discarded(len(unwanted)) if unwanted else ""))
    return None


def _read_pair(submission: Submission, source: Source, permalink: str | None) -> TaughtPair:
    prompt = read_long_input(submission.values, prompt_block(submission.values))
    return TaughtPair(
        style_id=submission.text("style"), prompt=prompt,
        completion=read_long_input(submission.values, completion_block(submission.values)),
        prompt_source=_prompt_source(submission, source, prompt), suggested_prompt=source.suggestion,
        message_ts=source.ts, thread_ts=source.thread_ts, permalink=permalink, author_id=source.author_id,
        draft_id=source.draft_id,
    )  # fmt: skip


def _propose(
    services: Services,
    actor: Actor,
    channel: Channel,
    pair: TaughtPair,
    known: Sequence[SetAsidePair],
    ticked: Collection[str],
) -> str:
    """Propose this pair, and then the ones of the same thread that were ticked; returns what to say of it."""
    proposal = propose_example(
        services.database, actor, style_id=pair.style_id, prompt=pair.prompt, completion=pair.completion,
        source=source_of(services.database, pair.draft_id, pair.completion), channel=channel,
        message_ts=pair.message_ts, thread_ts=pair.thread_ts, permalink=pair.permalink, author_id=pair.author_id,
        draft_id=pair.draft_id, prompt_source=pair.prompt_source, suggested_prompt=pair.suggested_prompt,
    )  # fmt: skip
    forget_set_aside(services.database, [one for one in known if one.message_ts == pair.message_ts])
    others = choose_pairs(known, ticked, except_ts=pair.message_ts)
    outcomes = propose_set_aside(services.database, actor, channel, pair.style_id, others)
    outcomes = [Outcome(prompt=pair.prompt, proposal=proposal), *outcomes]
    if any(one.word == ProposalOutcome.APPROVED for one in outcomes):
        services.wakeups.embeddings.ring()
    return report(proposal.style_name, outcomes) if others else proposal.sentence


def _prompt_source(submission: Submission, source: Source, prompt: str) -> PromptSource:
    """What stood in the input when the modal came, against what stands there now."""
    put_in = read_long_input(submission.initials, prompt_block(submission.values))
    if not put_in and source.suggestion and source.suggestion.strip() == prompt.strip():
        put_in = source.suggestion  # typed word for word as it was suggested
    return find_prompt_source(source.offered, put_in, prompt)


def forget_message(services: Services, deletion: MessageDeleted) -> None:
    withdraw_examples_of_message(
        services.database, services.settings, deletion.team_id, deletion.channel_id, deletion.ts
    )
    services.wakeups.outbox.ring()
