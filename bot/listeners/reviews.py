"""The review card's buttons and their modals."""

from __future__ import annotations

from typing import Any

from bot.blocks.review_card import card_value, read_card_value, reject_view
from bot.blocks.teach import edit_example_view
from bot.blocks.text import read_long_input
from bot.domain.values import Click, Submission
from bot.errors import AlreadyDecided, MessageGone, UnusablePair
from bot.operations.examples import withdraw_example
from bot.operations.reviews import approve_example, edit_example, find_open_example, find_source, reject_example
from bot.routing import FieldErrors
from bot.services import Services
from bot.slack import MessageMissing
from bot.texts import learning as texts


def approve(services: Services, click: Click) -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    example_id, version = read_card_value(click.value)
    is_gone = _is_source_gone(services, example_id)
    try:
        standing = approve_example(
            services.database, actor, example_id, seen_version=version, is_source_gone=is_gone
        )  # fmt: skip
    except (AlreadyDecided, MessageGone):
        services.wakeups.outbox.ring()  # the card is renewed all the same
        raise
    services.wakeups.embeddings.ring()
    services.answer(click, standing.sentence)


def open_edit(services: Services, click: Click) -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    example_id, _ = read_card_value(click.value)
    example = find_open_example(services.database, actor, example_id)
    view = edit_example_view(
        metadata=card_value(example_id, example.version), prompt=example.prompt, completion=example.completion
    )
    services.slack.open_view(click.trigger_id, view)


def submit_edit(services: Services, submission: Submission) -> FieldErrors | None:
    actor = services.people.get_actor(submission.team_id, submission.user_id)
    example_id, version = read_card_value(submission.metadata)
    try:
        standing = edit_example(
            services.database, actor, example_id, seen_version=version,
            prompt=read_long_input(submission.values, "prompt"),
            completion=read_long_input(submission.values, "completion"),
        )  # fmt: skip
    except UnusablePair as unusable:
        return unusable.errors
    if standing.is_approved:
        services.wakeups.embeddings.ring()
    services.answer(submission, standing.sentence if standing.is_approved else texts.SAVED())
    return None


def open_reject(services: Services, click: Click) -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    example_id, version = read_card_value(click.value)
    find_open_example(services.database, actor, example_id)
    services.slack.open_view(click.trigger_id, reject_view(example_id, version))


def submit_reject(services: Services, submission: Submission) -> dict[str, Any] | None:
    actor = services.people.get_actor(submission.team_id, submission.user_id)
    example_id, version = read_card_value(submission.metadata)
    reason = submission.text("reason")
    if not reason:
        return {"reason": texts.REASON_MISSING()}
    reject_example(services.database, actor, example_id, reason=reason, seen_version=version)
    services.wakeups.outbox.ring()
    return None


def withdraw(services: Services, click: Click) -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    withdrawal = withdraw_example(services.database, actor, read_card_value(click.value)[0])
    services.answer(click, withdrawal.sentence)


def _is_source_gone(services: Services, example_id: str) -> bool:
    """Was the message deleted meanwhile? Asked at the last moment before an example counts."""
    source = find_source(services.database, example_id)
    if source is None:
        return False
    try:
        services.slack.find_permalink(*source)
    except MessageMissing:
        return True
    return False
