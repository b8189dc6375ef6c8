"""`/huisstijl review` and the queue's modal: filter, page through, approve an import."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from typing import Any

from bot.blocks.review_queue import ANY, QueueAge, QueueFilter, QueueState, bulk_view, review_queue_view
from bot.deliveries import own_click
from bot.domain.safe_text import escape
from bot.domain.values import Actor, Click, Command, Submission
from bot.errors import MembersOnly, ReviewersOnly
from bot.operations.bulk_reviews import BulkOrder, approve_imports, begin_bulk_approval, find_imports
from bot.operations.review_queue import read_review_queue
from bot.operations.styles import find_named_style
from bot.routing import FieldErrors
from bot.services import Services
from bot.texts import review as texts


def open_by_command(services: Services, command: Command, args: str) -> None:
    """`/huisstijl review [STYLE]`: only who decides about a style's examples has a queue."""
    actor = services.people.get_actor(command.team_id, command.user_id)
    wanted = QueueFilter()
    if args and actor.is_full_member:
        with services.database.read() as session:
            found = find_named_style(session, command.team_id, command.channel_id, args)
        wanted = QueueFilter(style_id=found.style_id)
    _open(services, actor, command.trigger_id, QueueState(place=command.channel_id, wanted=wanted))


def open_by_click(services: Services, click: Click) -> None:
    """The button in App Home."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    _open(services, actor, click.trigger_id, QueueState(place=click.channel_id))


def change_filter(services: Services, click: Click) -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    state = QueueState.from_metadata(click.metadata)
    wanted = _changed(state.wanted, click.action_id, "" if click.value == ANY else click.value)
    show(services, actor, replace(state, wanted=wanted, page=0), view_id=click.view_id)


def _changed(wanted: QueueFilter, action_id: str, chosen: str) -> QueueFilter:
    if action_id == "queue_style":
        return replace(wanted, style_id=chosen)
    if action_id == "queue_proposer":
        return replace(wanted, proposed_by=chosen)
    if action_id == "queue_age":
        return replace(wanted, age=QueueAge(chosen or QueueAge.ANY))
    return replace(wanted, only_warned=bool(chosen))


def turn_page(services: Services, click: Click) -> None:
    """`queue_previous` and `queue_next`."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    state = QueueState.from_metadata(click.metadata)
    page = int(click.value) if click.value.isdecimal() else 0
    show(services, actor, replace(state, page=page), view_id=click.view_id)


def open_bulk(services: Services, click: Click) -> None:
    """Ask before every imported example of a style is approved at once."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    state = QueueState.from_metadata(click.metadata)
    batch, warned, newest_id = find_imports(services.database, actor, click.value, place=state.place)
    services.slack.push_view(click.trigger_id, bulk_view(batch, warned, newest_id, click.view_id, state))


def submit_bulk(services: Services, submission: Submission) -> FieldErrors | None:
    actor = services.people.get_actor(submission.team_id, submission.user_id)
    about = json.loads(submission.metadata)
    if not submission.choices("trust"):
        return {"trust": texts.BULK_UNTRUSTED()}
    state = replace(QueueState.from_dict(about["queue"]), page=0)

    body = partial(_ordered, actor, state, about["under"])
    name = begin_bulk_approval(
        services.database, actor, about["style_id"], about["newest_id"], place=state.place, body=body
    )
    services.wakeups.inbox.ring()
    show(services, actor, state, view_id=about["under"], said=texts.bulk_begun(escape(name)))
    return None


def approve_bulk(services: Services, click: Click) -> None:
    """What was ordered a moment ago; who ordered it sees the end where they are, and in a direct message."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    state, order = QueueState.from_metadata(click.metadata), BulkOrder.from_dict(json.loads(click.value))
    body = partial(_ordered, actor, state, click.view_id)
    outcome = approve_imports(services.database, actor, order, place=state.place, body=body)
    services.wakeups.embeddings.ring()
    services.wakeups.outbox.ring()
    if outcome is None:
        services.wakeups.inbox.ring()
    else:
        show(services, actor, state, view_id=click.view_id, said=outcome.sentence)


def _ordered(actor: Actor, state: QueueState, under: str, order: BulkOrder) -> dict[str, Any]:
    return own_click(
        actor.team_id, actor.user_id, "bulk_approve", json.dumps(order.as_dict()), view_id=under,
        metadata=state.as_metadata(),
    )  # fmt: skip


def nothing_to_do(services: Services, click: Click) -> None:
    """A choice that is read when a button is pressed."""


def show(services: Services, actor: Actor, state: QueueState, *, view_id: str, said: str = "") -> None:
    """The queue as it is now, in a modal that is open. Nothing happens when it was closed meanwhile."""
    queue = read_review_queue(services.database, actor, place=state.place, wanted=state.wanted, page=state.page)
    services.slack.update_view(view_id, review_queue_view(queue, replace(state, page=queue.page), said))


def _open(services: Services, actor: Actor, trigger_id: str, state: QueueState) -> None:
    if not actor.is_full_member:
        raise MembersOnly
    queue = read_review_queue(services.database, actor, place=state.place, wanted=state.wanted)
    if not queue.is_reviewer:
        raise ReviewersOnly(texts.NOTHING_TO_REVIEW())
    services.slack.open_view(trigger_id, review_queue_view(queue, state))
