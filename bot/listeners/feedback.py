"""Keep, Edit, Not our style: the buttons under a draft and the two windows behind them."""

from __future__ import annotations

from bot.blocks.label_buttons import read_label
from bot.blocks.modals import BETTER_BLOCK, REASON_BLOCK, REASONS_BLOCK, TEXT_BLOCK, discard_draft_view, edit_draft_view
from bot.blocks.text import read_long_input
from bot.domain.values import Click, Submission
from bot.errors import BadInput, SlackError, UnusablePair
from bot.operations import feedback
from bot.services import Services
from bot.texts import drafting as texts
from bot.texts import variants
from db.preferences import Reason


def keep_draft(services: Services, click: Click) -> None:
    """Keep the draft as it is."""
    proposal = feedback.keep_draft(
        services.database,
        services.people.get_actor(click.team_id, click.user_id),
        click.value,
        channel=services.slack.get_channel(click.channel_id),
        message_ts=stored_ts(click),
        permalink=find_permalink(services, click.channel_id, stored_ts(click)),
        response_url=click.response_url,
    )
    _wake(services)
    services.answer(click, proposal.sentence)


def choose_label(services: Services, click: Click) -> None:
    """One of the offered labels is the right one."""
    number, draft_id = read_label(click.value)
    proposal = feedback.choose_label(
        services.database,
        services.people.get_actor(click.team_id, click.user_id),
        draft_id,
        number,
        channel=services.slack.get_channel(click.channel_id),
        message_ts=stored_ts(click),
        permalink=find_permalink(services, click.channel_id, stored_ts(click)),
        response_url=click.response_url,
    )
    _wake(services)
    services.answer(click, proposal.sentence)


def open_edit(services: Services, click: Click) -> None:
    """Open a window with the draft's text."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    draft = feedback.get_decidable_draft(services.database, actor, click.value)
    try:
        view = edit_draft_view(_metadata(click, click.value), draft.text)
    except ValueError as error:
        raise BadInput(texts.TOO_LONG_TO_EDIT()) from error
    services.slack.open_view(click.trigger_id, view)


def submit_edit(services: Services, submission: Submission) -> dict[str, str] | None:
    """The text as it should be."""
    text = read_long_input(submission.values, TEXT_BLOCK)
    if not text.strip():
        return {TEXT_BLOCK: texts.EMPTY_EDIT()}
    draft_id, channel_id, message_ts, response_url = _read_metadata(submission)
    try:
        proposal = feedback.edit_draft(
            services.database,
            services.people.get_actor(submission.team_id, submission.user_id),
            draft_id,
            text,
            channel=services.slack.get_channel(channel_id),
            message_ts=message_ts,
            permalink=find_permalink(services, channel_id, message_ts),
            response_url=response_url,
        )
    except UnusablePair as error:
        return {TEXT_BLOCK: " ".join(error.errors.values())}
    _wake(services)
    _tell(services, submission, channel_id, proposal.sentence)
    return None


def open_discard(services: Services, click: Click) -> None:
    """Ask what is wrong with the draft."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    feedback.get_decidable_draft(services.database, actor, click.value)
    open_discard_window(services, click, click.value)


def open_discard_window(services: Services, click: Click, draft_id: str) -> None:
    """The window that asks what is wrong with a draft."""
    services.slack.open_view(click.trigger_id, discard_draft_view(_metadata(click, draft_id)))


def submit_discard(services: Services, submission: Submission) -> dict[str, str] | None:
    """Not our style, because…; perhaps with the text as it should be."""
    draft_id, channel_id, message_ts, response_url = _read_metadata(submission)
    why = feedback.TurnedDown(
        reasons=tuple(Reason(word) for word in submission.choices(REASONS_BLOCK)),
        own_words=submission.text(REASON_BLOCK),
        better=read_long_input(submission.values, BETTER_BLOCK),
    )
    if not (why.reasons or why.own_words or why.better.strip()):
        return {REASONS_BLOCK: variants.REASON_MISSING()}
    channel = services.slack.get_channel(channel_id)
    try:
        proposal = feedback.discard_draft(
            services.database,
            services.people.get_actor(submission.team_id, submission.user_id),
            draft_id,
            why,
            channel=channel,
            message_ts=message_ts,
            permalink=find_permalink(services, channel_id, message_ts),
            response_url=response_url,
        )
    except UnusablePair as error:
        return {BETTER_BLOCK: " ".join(error.errors.values())}
    _wake(services)
    _tell(services, submission, channel_id, proposal.sentence if proposal else variants.NOTED())
    return None


def stored_ts(click: Click) -> str:
    """The message's ts, where it is a message that lasts."""
    return "" if click.is_ephemeral else click.message_ts


def _metadata(click: Click, draft_id: str) -> str:
    """A modal does not say which message it was opened from; an ephemeral one can only be changed through its URL."""
    return "/".join([draft_id, click.channel_id, stored_ts(click), click.response_url if click.is_ephemeral else ""])


def _read_metadata(submission: Submission) -> tuple[str, str, str, str]:
    draft_id, channel_id, message_ts, response_url = submission.metadata.split("/", 3)
    return draft_id, channel_id, message_ts, response_url


def find_permalink(services: Services, channel_id: str, message_ts: str) -> str | None:
    """A link is good to have; without one the example has its ids."""
    if not message_ts:
        return None
    try:
        return services.slack.find_permalink(channel_id, message_ts)
    except SlackError:
        return None


def _tell(services: Services, submission: Submission, channel_id: str, sentence: str) -> None:
    """Say what became of it in the channel, for this person alone: a window has no place for it."""
    services.answer(
        Click(
            event_key=submission.event_key, team_id=submission.team_id, user_id=submission.user_id,
            channel_id=channel_id, action_id=submission.callback_id, value="",
        ),
        sentence,
    )  # fmt: skip


def _wake(services: Services) -> None:
    services.wakeups.outbox.ring()
    services.wakeups.embeddings.ring()
