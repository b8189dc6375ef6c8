"""The other buttons under a draft: its menu of variants, comparing, using it, sharing a private one."""

from __future__ import annotations

from dataclasses import replace

from bot.blocks.draft_buttons import COMPARE, KEEP, read_choice
from bot.blocks.versions import CHANNEL_BLOCK, compare_view, use_view
from bot.domain.values import Click, Submission
from bot.errors import BadInput, NotInChannel, OutOfScope
from bot.listeners.drafts import hear_outcome
from bot.listeners.feedback import find_permalink, keep_draft, stored_ts
from bot.operations import uses
from bot.operations.variants import UnderWay, compare_with_previous, request_variant
from bot.routing import FieldErrors
from bot.services import Services
from bot.texts import variants as texts
from config.variants import Variant


def choose_more(services: Services, click: Click) -> None:
    """Something was chosen in a draft's menu."""
    choice, draft_id = read_choice(click.value)
    if choice == COMPARE:
        _compare(services, click, draft_id)
    elif choice == KEEP:
        keep_draft(services, replace(click, value=draft_id))
    elif choice in {variant.value for variant in Variant}:
        _vary(services, click, draft_id, Variant(choice))
    else:
        raise BadInput(texts.UNKNOWN_CHOICE())


def _vary(services: Services, click: Click, draft_id: str, variant: Variant) -> None:
    outcome = request_variant(
        services.database,
        services.people.get_actor(click.team_id, click.user_id),
        draft_id,
        variant,
        request_key=click.event_key,
        channel=services.slack.get_channel(click.channel_id),
        thread_ts=click.thread_ts or click.message_ts,
        parent_link=find_permalink(services, click.channel_id, stored_ts(click)),
    )
    if isinstance(outcome, UnderWay):
        services.answer(click, texts.UNDER_WAY())
        return
    if click.is_ephemeral:
        services.answer(click, texts.PRIVATE_COMING())
    hear_outcome(services, click, outcome, is_direct=False)


def _compare(services: Services, click: Click, draft_id: str) -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    found = compare_with_previous(services.database, actor, draft_id, click.channel_id)
    services.slack.open_view(click.trigger_id, compare_view(found.before, found.after, is_edit=found.is_edit))


def use(services: Services, click: Click) -> None:
    """Post the draft in its channel; from a direct message, ask in which."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    channel = services.slack.get_channel(click.channel_id)
    if channel.is_direct:
        uses.find_usable_draft(services.database, actor, click.value, click.channel_id)
        metadata = f"{click.value}/{click.channel_id}/{click.message_ts}"
        services.slack.open_view(click.trigger_id, use_view(metadata))
        return
    uses.use_draft(
        services.database,
        actor,
        click.value,
        clicked_in=click.channel_id,
        post_in=channel,
        message_ts=stored_ts(click),
        link=find_permalink(services, click.channel_id, stored_ts(click)),
        response_url=click.response_url,
    )
    services.wakeups.outbox.ring()
    services.answer(click, texts.USED())


def submit_use(services: Services, submission: Submission) -> FieldErrors | None:
    """The channel that a draft from a direct message goes to."""
    draft_id, channel_id, message_ts = submission.metadata.split("/")
    chosen = submission.text(CHANNEL_BLOCK)
    if not chosen:
        return {CHANNEL_BLOCK: texts.CHANNEL_NEEDED()}
    try:
        uses.use_draft(
            services.database,
            services.people.get_actor(submission.team_id, submission.user_id),
            draft_id,
            clicked_in=channel_id,
            post_in=services.slack.get_channel(chosen, fresh=True),
            message_ts=message_ts,
            link=None,  # nobody else can read a direct message
        )
    except (NotInChannel, OutOfScope) as error:
        return {CHANNEL_BLOCK: error.sentence}
    services.wakeups.outbox.ring()
    return None


def share(services: Services, click: Click) -> None:
    """Show a private draft to the channel."""
    uses.share_draft(
        services.database,
        services.people.get_actor(click.team_id, click.user_id),
        click.value,
        channel=services.slack.get_channel(click.channel_id),
        response_url=click.response_url,
    )
    services.wakeups.outbox.ring()
