"""Deciding about one example: on its card in the channel, and in the modal that shows all there is to see of it."""

from __future__ import annotations

from typing import Any

from bot.blocks.changes import changes_blocks
from bot.blocks.review_card import KEPT_OTHER, card_value, read_card_value, reject_view
from bot.blocks.review_detail import REDACT_BLOCK, Where, detail_view
from bot.blocks.review_queue import QueueState
from bot.blocks.teach import edit_example_view
from bot.blocks.text import notice, read_long_input, section
from bot.domain.safe_text import escape
from bot.domain.values import Actor, Click, Submission
from bot.errors import AlreadyDecided, HuisstijlError, UnusablePair, explain
from bot.listeners import review_queue
from bot.operations.examples import withdraw_example
from bot.operations.review_detail import find_edit_conflict, read_review_detail
from bot.operations.reviews import (
    Standing,
    approve_example,
    edit_example,
    find_open_example,
    find_source,
    reject_example,
)  # fmt: skip
from bot.routing import FieldErrors
from bot.services import Services
from bot.slack import MessageMissing
from bot.texts import learning as texts
from bot.texts import review as review_texts
from db.examples import ExampleNotFound


def open_detail(services: Services, click: Click) -> None:
    """`Review` beside an example: in the queue's modal it takes the queue's place, in App Home it opens one."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    queue = QueueState.from_metadata(click.metadata) if click.view_kind == "modal" else None
    where = Where(place=queue.place if queue else click.channel_id, queue=queue)
    try:
        detail = read_review_detail(services.database, actor, click.value, place=where.place)
    except (HuisstijlError, ExampleNotFound) as error:
        if not _show_in_modal(services, actor, click, where, explain(error).sentence):
            raise
        return
    if click.view_kind == "modal":
        services.slack.update_view(click.view_id, detail_view(detail, where), view_hash=click.view_hash)
    else:
        services.slack.open_view(click.trigger_id, detail_view(detail, where))


def approve(services: Services, click: Click) -> None:
    """Approve; on a card only where there is nothing to look at first, else the modal opens that shows it."""
    _approve(services, click)


def keep_this(services: Services, click: Click) -> None:
    """Approve it, and the one it clashes with no longer counts. That one's id is in the button's action_id."""
    _approve(services, click, instead_of=click.action_id.partition(":")[2])


def keep_other(services: Services, click: Click) -> None:
    """Reject it in favour of the one it clashes with."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    value, where = _where(click)
    example_id, version = read_card_value(value)
    try:
        standing = reject_example(
            services.database, actor, example_id, place=where.place, seen_version=version,
            reason=f"{KEPT_OTHER}:{click.action_id.partition(':')[2]}",
        )  # fmt: skip
        said = review_texts.rejected(escape(standing.style_name))
    except (HuisstijlError, ExampleNotFound) as error:
        said = explain(error).sentence
    services.wakeups.outbox.ring()
    _show_in_modal(services, actor, click, where, said)


def back(services: Services, click: Click) -> None:
    """From one example back to the queue, where it was left."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    _, where = _where(click)
    if where.queue is not None:
        review_queue.show(services, actor, where.queue, view_id=click.view_id)


def open_edit(services: Services, click: Click) -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    value, where = _where(click)
    example_id, _ = read_card_value(value)
    example = find_open_example(services.database, actor, example_id, place=where.place)
    view = edit_example_view(
        metadata=where.as_metadata(card_value(example_id, example.version)),
        prompt=example.prompt, completion=example.completion,
    )  # fmt: skip
    _open_above(services, click, view)


def submit_edit(services: Services, submission: Submission) -> FieldErrors | dict[str, Any] | None:
    actor = services.people.get_actor(submission.team_id, submission.user_id)
    value, where = Where.from_metadata(submission.metadata)
    example_id, version = read_card_value(value)
    prompt = read_long_input(submission.values, "prompt")
    completion = read_long_input(submission.values, "completion")
    try:
        standing = edit_example(
            services.database, actor, example_id, place=where.place, seen_version=version, prompt=prompt,
            completion=completion,
        )  # fmt: skip
    except UnusablePair as unusable:
        return unusable.errors
    except AlreadyDecided:
        services.wakeups.outbox.ring()
        view = _after_conflict(services, actor, where, example_id, version or 0, prompt, completion)
        if view is None:
            raise
        return view
    if standing.is_approved:
        services.wakeups.embeddings.ring()
    sentence = standing.sentence if standing.is_approved else texts.SAVED()
    if where.under:
        _show_after(services, actor, where, example_id, sentence)
        services.wakeups.outbox.ring()
    else:
        services.answer(submission, sentence)
    return None


def open_reject(services: Services, click: Click) -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    value, where = _where(click)
    find_open_example(services.database, actor, read_card_value(value)[0], place=where.place)
    _open_above(services, click, reject_view(where.as_metadata(value)))


def submit_reject(services: Services, submission: Submission) -> dict[str, Any] | None:
    actor = services.people.get_actor(submission.team_id, submission.user_id)
    value, where = Where.from_metadata(submission.metadata)
    example_id, version = read_card_value(value)
    reason = submission.text("reason")
    if not reason:
        return {"reason": texts.REASON_MISSING()}
    try:
        standing = reject_example(
            services.database, actor, example_id, place=where.place, reason=reason, seen_version=version
        )
    finally:
        services.wakeups.outbox.ring()
    if where.under:
        _show_after(services, actor, where, example_id, review_texts.rejected(escape(standing.style_name)))
    return None


def withdraw(services: Services, click: Click) -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    withdrawal = withdraw_example(services.database, services.settings, actor, read_card_value(click.value)[0])
    services.answer(click, withdrawal.sentence)


def _approve(services: Services, click: Click, *, instead_of: str = "") -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    value, where = _where(click)
    example_id, version = read_card_value(value)
    is_modal = click.view_kind == "modal"
    if not is_modal:
        detail = read_review_detail(services.database, actor, example_id, place=where.place)
        if detail.has_warnings:
            services.slack.open_view(click.trigger_id, detail_view(detail, where))
            return
    redacts = bool(click.choices(f"{REDACT_BLOCK}:{value}"))
    try:
        standing: Standing = approve_example(
            services.database, actor, example_id, place=where.place, seen_version=version,
            is_source_gone=_is_source_gone(services, example_id), redacts=redacts, instead_of=instead_of,
        )  # fmt: skip
    except (HuisstijlError, ExampleNotFound) as error:
        services.wakeups.outbox.ring()  # a stale card is renewed all the same
        if not _show_in_modal(services, actor, click, where, explain(error).sentence):
            raise
        return
    services.wakeups.embeddings.ring()
    services.wakeups.outbox.ring()
    said = review_texts.redacted_and(standing.sentence) if redacts else standing.sentence
    if not _show_in_modal(services, actor, click, where, said):
        services.answer(click, said)


def _where(click: Click) -> tuple[str, Where]:
    """The example's value, and where the click was made: on a card in a channel, or in a modal of ours."""
    if click.view_kind != "modal":
        return click.value, Where(place=click.channel_id)
    _, where = Where.from_metadata(click.metadata)
    return click.value, where


def _open_above(services: Services, click: Click, view: dict[str, Any]) -> None:
    """A new modal, or one on the modal that was clicked in, which then knows what lies beneath it."""
    if click.view_kind != "modal":
        services.slack.open_view(click.trigger_id, view)
        return
    value, where = Where.from_metadata(view["private_metadata"])
    beneath = Where(place=where.place, under=click.view_id, queue=where.queue)
    services.slack.push_view(click.trigger_id, view | {"private_metadata": beneath.as_metadata(value)})


def _show_in_modal(services: Services, actor: Actor, click: Click, where: Where, sentence: str) -> bool:
    """Say it where the click was made, if that was a modal: in the queue, or beside the example as it is now."""
    if click.view_kind != "modal":
        return False
    example_id, _ = read_card_value(click.value)
    beneath = Where(place=where.place, under=click.view_id, queue=where.queue)
    _show_after(services, actor, beneath, example_id, sentence)
    return True


def _show_after(services: Services, actor: Actor, where: Where, example_id: str, sentence: str) -> None:
    """The modal `where.under` after a decision: the queue it came from, or the example as it is now."""
    if where.queue is not None:
        review_queue.show(services, actor, where.queue, view_id=where.under, said=sentence)
        return
    here = Where(place=where.place)
    try:
        detail = read_review_detail(services.database, actor, example_id, place=where.place)
    except (HuisstijlError, ExampleNotFound):
        services.slack.update_view(where.under, notice(review_texts.DETAIL_TITLE(), sentence))
        return
    services.slack.update_view(where.under, detail_view(detail, here, sentence))


def _after_conflict(
    services: Services, actor: Actor, where: Where, example_id: str, version: int, prompt: str, completion: str
) -> dict[str, Any] | None:
    """Somebody saved first: the same inputs with what this person typed, and above them what the other changed."""
    conflict = find_edit_conflict(services.database, example_id, version)
    if conflict is None:
        return None
    before, now_version = conflict
    now = find_open_example(services.database, actor, example_id, place=where.place)
    above = [
        section(review_texts.conflict(f"<@{before.edited_by}>")),
        *changes_blocks(before, now.prompt, now.completion),
    ]
    return edit_example_view(
        metadata=where.as_metadata(card_value(example_id, now_version)), prompt=prompt, completion=completion,
        above=above,
    )  # fmt: skip


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
