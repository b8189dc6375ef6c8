"""`/huisstijl style new`, `style edit NAME` and `styles`, and the form behind the first two."""

from __future__ import annotations

import json

from bot.blocks.styles import NO_RECIPE, FormChoices, FormValues, style_form_view, styles_blocks
from bot.domain.values import Channel, Command, Submission
from bot.errors import MembersOnly, NameTaken, UnknownCommand
from bot.operations.people import require_admin
from bot.operations.style_form import read_style_form
from bot.operations.styles import change_style, create_style, find_named_style, list_summaries
from bot.routing import FieldErrors
from bot.services import Services
from bot.texts import commands
from bot.texts import styles as texts
from config.recipe_files import RECIPES_DIR
from db.styles import Style, get_style


def style(services: Services, command: Command, args: str) -> None:
    """`style new` or `style edit NAME`."""
    verb, _, rest = args.partition(" ")
    actor = services.people.get_actor(command.team_id, command.user_id)
    require_admin(services.database, actor, "style.refused", "style_form")
    if verb == "new":
        services.slack.open_view(command.trigger_id, _new_form(services, command))
    elif verb == "edit":
        with services.database.read() as session:
            found = find_named_style(session, command.team_id, command.channel_id, rest)
        services.slack.open_view(command.trigger_id, edit_form(found))
    else:
        raise UnknownCommand(commands.STYLE_USAGE())


def submit_style_form(services: Services, submission: Submission) -> FieldErrors | None:
    actor = services.people.get_actor(submission.team_id, submission.user_id)
    about: dict[str, str] = json.loads(submission.metadata)
    style_id = about.get("style_id", "")
    private_channel_id = _private_channel(services, submission, style_id, about.get("private_channel_id", ""))
    channel_id = submission.text("channel")
    form, errors = read_style_form(
        submission,
        private_channel_id=private_channel_id,
        reviewers=[services.people.get_actor(actor.team_id, user_id) for user_id in submission.choices("reviewers")],
        channel=services.slack.get_channel(channel_id) if channel_id else None,
    )
    if form is None:
        return errors
    try:
        if style_id:
            change_style(services.database, actor, style_id, form)
        else:
            create_style(
                services.database, actor, form,
                private_channel_id=private_channel_id, base_model=services.settings.base_model,
            )  # fmt: skip
    except NameTaken:
        return {"name": texts.NAME_TAKEN()}
    sentence = texts.changed(form.name) if style_id else texts.created(form.name, private_channel_id is not None)
    services.answer(submission, sentence)
    return None


def show_styles(services: Services, command: Command, args: str) -> None:
    if not services.people.get_actor(command.team_id, command.user_id).is_full_member:
        raise MembersOnly
    summaries = list_summaries(services.database, command.team_id, command.channel_id)
    services.answer(command, texts.STYLES_TEXT(), styles_blocks(summaries))


def _new_form(services: Services, command: Command) -> dict[str, object]:
    channel = services.slack.get_channel(command.channel_id)
    offers_private = _may_have_own_style(channel)
    metadata = json.dumps({"private_channel_id": channel.channel_id if offers_private else ""})
    here = channel.channel_id if channel.is_member and not channel.is_direct and not channel.is_external else ""
    choices = FormChoices(
        recipes=_recipes(), offers_private=offers_private, values=FormValues(channel_id=here)
    )  # fmt: skip
    return style_form_view(metadata, choices)


def edit_form(style: Style) -> dict[str, object]:
    values = FormValues(
        name=style.name, instructions=style.instructions, required_terms=style.terms.required,
        forbidden_terms=style.terms.forbidden, kind=style.kind.value, channel_id=style.channel_id,
        reviewer_ids=tuple(sorted(style.reviewer_ids)), approvals_required=style.approvals_required,
        may_approve_own=style.may_approve_own, train_after_examples=style.train_after_examples,
        train_on_gain_bits=style.train_on_gain_bits,
        train_from_hour=style.train_from_hour, train_to_hour=style.train_to_hour, recipe=style.recipe,
        monthly_budget=style.monthly_budget, is_digest_on=style.is_digest_on,
    )  # fmt: skip
    metadata = json.dumps({"style_id": style.style_id})
    return style_form_view(metadata, FormChoices(recipes=_recipes(), is_new=False, values=values))


def _private_channel(services: Services, submission: Submission, style_id: str, offered: str) -> str | None:
    """The one channel that the style is for; a style that exists keeps what it has."""
    if style_id:
        with services.database.read() as session:
            return get_style(session, style_id).scope.channel_id
    return offered if offered and submission.text("scope") == "channel" else None


def _may_have_own_style(channel: Channel) -> bool:
    return channel.is_private and channel.is_member and not channel.is_direct and not channel.is_external


def _recipes() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in RECIPES_DIR.glob("*.toml") if path.stem != NO_RECIPE))
