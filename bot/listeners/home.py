"""The Home tab: opening it, its buttons, and the settings behind them."""

from __future__ import annotations

from bot.blocks.home import charts_message, team_form_view
from bot.domain.values import Click, HomeOpened, Submission
from bot.home import member_channels, refresh_home
from bot.listeners.styles import edit_form
from bot.operations import home as operations
from bot.routing import FieldErrors
from bot.services import Services
from bot.texts import digest as digest_texts
from bot.texts import home as texts


def open_home(services: Services, opened: HomeOpened) -> None:
    """The Home tab; the Messages tab is bot/listeners/agent.py."""
    refresh_home(services, opened.team_id, opened.user_id)


def turn_page(services: Services, click: Click) -> None:
    refresh_home(services, click.team_id, click.user_id, page=click.value, part=0)


def turn_part(services: Services, click: Click) -> None:
    part = int(click.value) if click.value.isdecimal() else 0
    refresh_home(services, click.team_id, click.user_id, part=part)


def send_charts(services: Services, click: Click) -> None:
    """The figures of a style as charts, in a direct message: Slack draws none in the tab itself."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    overview = operations.read_visible_overview(
        services.database, services.settings, actor, click.value, member_channels(services, actor)
    )
    services.answer(click, *charts_message(overview))


def open_style_settings(services: Services, click: Click) -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    style = operations.find_style_to_edit(services.database, actor, click.value, member_channels(services, actor))
    services.slack.open_view(click.trigger_id, edit_form(style))


def open_team_settings(services: Services, click: Click) -> None:
    actor = services.people.get_actor(click.team_id, click.user_id)
    team = operations.get_team_settings(services.database, services.settings, actor)
    view = team_form_view(team.zone.key, team.digest_weekday, team.digest_hour, team.monthly_budget)
    services.slack.open_view(click.trigger_id, view)


def submit_team_settings(services: Services, submission: Submission) -> FieldErrors | None:
    actor = services.people.get_actor(submission.team_id, submission.user_id)
    form, errors = operations.read_team_form(submission)
    if form is None:
        return errors
    operations.change_team(services.database, services.settings, actor, form)
    services.answer(submission, texts.TEAM_CHANGED())
    return None


def switch_digest_off(services: Services, click: Click) -> None:
    """The button under a digest."""
    actor = services.people.get_actor(click.team_id, click.user_id)
    name = operations.switch_digest_off(services.database, actor, click.value)
    services.answer(click, digest_texts.switched_off(name))
