"""Teach house style: a message shortcut opens a modal, and the submitted modal proposes an example."""

from __future__ import annotations

import json
from typing import Any

from bot.blocks.teach import teach_view
from bot.blocks.text import notice, read_long_input
from bot.domain.long_text import MAX_TEXT_CHARS
from bot.domain.pairs import is_too_long
from bot.domain.safe_text import as_typed
from bot.domain.values import MessageDeleted, Shortcut, Submission
from bot.errors import MessageGone, UnusablePair
from bot.operations.examples import (
    ProposalOutcome,
    find_teachable,
    propose_example,
    withdraw_examples_of_message,
)  # fmt: skip
from bot.routing import FieldErrors
from bot.services import Services
from bot.slack import MessageMissing
from bot.texts import learning as texts
from db.drafts import get_draft
from db.examples import ExampleSource


def open_teach(services: Services, shortcut: Shortcut) -> None:
    actor = services.people.get_actor(shortcut.team_id, shortcut.user_id)
    channel = services.slack.get_channel(shortcut.channel_id)
    teachable = find_teachable(services.database, actor, channel, shortcut.message_ts)
    completion = as_typed(shortcut.message_text) if teachable.completion is None else teachable.completion
    if not teachable.styles:
        view = notice(texts.TEACH_TITLE(), texts.NO_STYLE_FOR_PLACE())
    elif is_too_long(completion):
        view = notice(texts.TEACH_TITLE(), texts.message_too_long(len(completion), MAX_TEXT_CHARS))
    else:
        view = teach_view(
            metadata=_metadata(shortcut, teachable.draft_id), styles=teachable.styles,
            chosen_style_id=teachable.chosen_style_id, prompt=teachable.prompt, completion=completion,
        )  # fmt: skip
    services.slack.open_view(shortcut.trigger_id, view)


def submit_teach(services: Services, submission: Submission) -> FieldErrors | None:
    actor = services.people.get_actor(submission.team_id, submission.user_id)
    about: dict[str, Any] = json.loads(submission.metadata)
    try:
        permalink = services.slack.find_permalink(about["channel_id"], about["ts"])
    except MessageMissing as error:
        raise MessageGone from error
    prompt = read_long_input(submission.values, "prompt")
    completion = read_long_input(submission.values, "completion")
    try:
        proposal = propose_example(
            services.database, actor,
            style_id=submission.text("style"), prompt=prompt, completion=completion,
            source=_source(services, about["draft_id"], completion),
            channel=services.slack.get_channel(about["channel_id"], fresh=True),
            message_ts=about["ts"], thread_ts=about["thread_ts"], permalink=permalink,
            author_id=about["author_id"], draft_id=about["draft_id"],
        )  # fmt: skip
    except UnusablePair as unusable:
        return unusable.errors
    if proposal.outcome is ProposalOutcome.APPROVED:
        services.wakeups.embeddings.ring()
    services.answer(submission, proposal.sentence)
    return None


def forget_message(services: Services, deletion: MessageDeleted) -> None:
    withdraw_examples_of_message(
        services.database, services.settings, deletion.team_id, deletion.channel_id, deletion.ts
    )
    services.wakeups.outbox.ring()


def _metadata(shortcut: Shortcut, draft_id: str | None) -> str:
    return json.dumps(
        {
            "channel_id": shortcut.channel_id, "ts": shortcut.message_ts, "thread_ts": shortcut.thread_ts,
            "author_id": shortcut.author_id, "draft_id": draft_id,
        }
    )  # fmt: skip


def _source(services: Services, draft_id: str | None, completion: str) -> ExampleSource:
    if draft_id is None:
        return ExampleSource.SHORTCUT
    with services.database.read() as session:
        kept = get_draft(session, draft_id).completion == completion
    return ExampleSource.DRAFT_KEPT if kept else ExampleSource.DRAFT_EDITED
