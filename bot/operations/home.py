"""What a person sees in the Home tab, and what an admin changes there.

A style of a private channel is shown to that channel's members and to nobody else, admins included. Slack says who is
a member; `member_of` carries its answer in here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy.orm import Session

from bot.domain.overview import (
    ADMIN_PAGES,
    CHANGES,
    REVIEWS,
    SETTINGS,
    STYLES,
    STYLES_PER_PART,
    Home,
    StyleOverview,
    StyleSettings,
    TeamSettings,
)  # fmt: skip
from bot.domain.safe_text import escape
from bot.domain.values import Actor, Submission
from bot.errors import MembersOnly, ReviewersOnly
from bot.operations.budget import read_spend, read_team_settings
from bot.operations.overview import read_overview
from bot.operations.people import refuse, require_admin
from bot.operations.style_form import read_budget_field
from bot.texts import home as texts
from bot.texts import trials
from config.settings import Settings
from db.audit import AuditEntry, list_newest_entries, record
from db.base import now_in_database
from db.people import list_admins
from db.runs import Run
from db.session import Database
from db.styles import Style, StyleNotFound, get_style, list_styles, lock_style
from db.teams import get_team

MAX_CHANGES = 30


def list_private_channels(database: Database, team_id: str) -> list[str]:
    """The private channels that have styles: whoever wants to see those must be a member."""
    with database.read() as session:
        return sorted({style.scope.channel_id for style in list_styles(session, team_id) if style.scope.channel_id})


def list_visible_styles(session: Session, team_id: str, member_of: Collection[str]) -> list[Style]:
    """The workspace's styles, and those of private channels that the person is in."""
    styles = list_styles(session, team_id)
    return [style for style in styles if style.scope.channel_id is None or style.scope.channel_id in member_of]


def get_visible_style(session: Session, actor: Actor, style_id: str, member_of: Collection[str]) -> Style:
    """Raises StyleNotFound also when there is one that this person may not see."""
    style = get_style(session, style_id)
    hidden = style.scope.channel_id is not None and style.scope.channel_id not in member_of
    if style.team_id != actor.team_id or style.is_archived or hidden:
        raise StyleNotFound
    return style


def read_home(
    database: Database, settings: Settings, actor: Actor, *, member_of: Collection[str], page: str, part: int
) -> Home:
    """A page of this person's tab; a page or part that is not theirs falls back to the first. Raises MembersOnly."""
    if not actor.is_full_member:
        raise MembersOnly
    with database.read() as session:
        styles = list_visible_styles(session, actor.team_id, member_of)
        pages = _pages(actor, styles)
        page = page if page in pages else STYLES
        parts = max(1, -(-len(styles) // STYLES_PER_PART))
        part = min(max(part, 0), parts - 1)
        shown = styles[part * STYLES_PER_PART : (part + 1) * STYLES_PER_PART]
        now = now_in_database(session)
        common: dict[str, Any] = {"pages": pages, "currency": settings.currency, "is_admin": actor.is_admin}
        if page == SETTINGS:
            spends = [read_spend(session, settings, style, now) for style in shown]
            return Home(
                page=page, part=part, parts=parts, total=len(styles), **common,
                settings=tuple(_settings_of(style, spend.spent) for style, spend in zip(shown, spends, strict=True)),
                team=read_team_settings(session, settings, actor.team_id),
                team_spent=spends[0].team_spent if spends else 0.0,
                admin_ids=tuple(person.user_id for person in list_admins(session, actor.team_id)[:20]),
            )  # fmt: skip
        if page == CHANGES:
            return Home(page=page, **common, changes=tuple(read_changes(session, settings, actor.team_id, styles)))
        if page == REVIEWS:
            return Home(page=page, **common)
        overviews = tuple(read_overview(session, settings, style, now) for style in shown)
        return Home(page=page, part=part, parts=parts, total=len(styles), **common, overviews=overviews)


def _pages(actor: Actor, styles: Sequence[Style]) -> tuple[str, ...]:
    pages = [STYLES]
    if actor.is_admin or any(actor.user_id in style.reviewer_ids for style in styles):
        pages.append(REVIEWS)
    return (*pages, *ADMIN_PAGES) if actor.is_admin else tuple(pages)


def _settings_of(style: Style, spent: float) -> StyleSettings:
    return StyleSettings(
        style_id=style.style_id, name=style.name, train_after_examples=style.train_after_examples,
        train_on_gain_bits=style.train_on_gain_bits,
        train_from_hour=style.train_from_hour, train_to_hour=style.train_to_hour,
        approvals_required=style.approvals_required, may_approve_own=style.may_approve_own,
        reviewer_ids=tuple(sorted(style.reviewer_ids)), spent=spent, monthly_budget=style.monthly_budget,
        is_digest_on=style.is_digest_on,
    )  # fmt: skip


def read_visible_overview(
    database: Database, settings: Settings, actor: Actor, style_id: str, member_of: Collection[str]
) -> StyleOverview:
    """One style at a glance, for a person who may see it. Raises MembersOnly, StyleNotFound."""
    if not actor.is_full_member:
        raise MembersOnly
    with database.read() as session:
        style = get_visible_style(session, actor, style_id, member_of)
        return read_overview(session, settings, style, now_in_database(session))


def find_style_to_edit(database: Database, actor: Actor, style_id: str, member_of: Collection[str]) -> Style:
    """The style whose settings an admin wants to change. Raises MembersOnly, AdminsOnly, StyleNotFound."""
    require_admin(database, actor, "style.refused", style_id)
    with database.read() as session:
        return get_visible_style(session, actor, style_id, member_of)


# ---------------------------------------------------------------------------------------------------- settings


@dataclass(frozen=True, slots=True, kw_only=True)
class TeamForm:
    """What an admin set for the workspace, already checked."""

    time_zone: str
    digest_weekday: int
    digest_hour: int
    monthly_budget: float | None


def read_team_form(submission: Submission) -> tuple[TeamForm | None, dict[str, str]]:
    """The form, or what is wrong with it by block_id."""
    errors: dict[str, str] = {}
    zone, hour = submission.text("zone"), submission.text("hour")
    if zone not in available_timezones():
        errors["zone"] = texts.ZONE_INVALID()
    if not hour.isdecimal() or int(hour) > 23:
        errors["hour"] = texts.HOUR_INVALID()
    monthly_budget, wrong_budget = read_budget_field(submission.text("budget"))
    if wrong_budget:
        errors["budget"] = wrong_budget
    if errors:
        return None, errors
    weekday = int(submission.text("weekday"))
    return TeamForm(
        time_zone=zone, digest_weekday=weekday, digest_hour=int(hour), monthly_budget=monthly_budget
    ), errors  # fmt: skip


def get_team_settings(database: Database, settings: Settings, actor: Actor) -> TeamSettings:
    """For the form. Raises MembersOnly, AdminsOnly."""
    require_admin(database, actor, "team.refused", actor.team_id)
    with database.read() as session:
        return read_team_settings(session, settings, actor.team_id)


def change_team(database: Database, settings: Settings, actor: Actor, form: TeamForm) -> None:
    """Set what holds for the whole workspace, on record. Raises MembersOnly, AdminsOnly."""
    require_admin(database, actor, "team.refused", actor.team_id)
    with database.write() as session:
        before = _team_values(read_team_settings(session, settings, actor.team_id))
        team = get_team(session, actor.team_id)
        team.time_zone, team.monthly_budget = form.time_zone, form.monthly_budget
        team.digest_weekday, team.digest_hour = form.digest_weekday, form.digest_hour
        session.flush()
        after = _team_values(read_team_settings(session, settings, actor.team_id))
        values = {name: [before[name], after[name]] for name in sorted(after) if after[name] != before[name]}
        record(
            session, team_id=actor.team_id, actor=actor.user_id, action="team.changed", subject=actor.team_id,
            values=values,
        )  # fmt: skip


def _team_values(team: TeamSettings) -> dict[str, Any]:
    return {
        "time_zone": team.zone.key, "digest_weekday": team.digest_weekday, "digest_hour": team.digest_hour,
        "monthly_budget": team.monthly_budget,
    }  # fmt: skip


def switch_digest_off(database: Database, actor: Actor, style_id: str) -> str:
    """No more digests of this style; returns its name. For reviewers and admins. Raises MembersOnly, ReviewersOnly."""
    with database.read() as session:
        style = get_style(session, style_id)
    if style.team_id != actor.team_id:
        raise StyleNotFound
    if not actor.is_full_member:
        refuse(database, actor, "style.refused", style_id, MembersOnly())
    if not actor.is_admin and actor.user_id not in style.reviewer_ids:
        refuse(database, actor, "style.refused", style_id, ReviewersOnly())
    with database.write() as session:
        style = lock_style(session, style_id)
        if style.is_digest_on:
            style.is_digest_on = False
            record(session, team_id=style.team_id, actor=actor.user_id, action="digest.switched_off", subject=style_id)
    return style.name


# ---------------------------------------------------------------------------------------------------- changes

#: What the list of changes shows of the audit log.
CHANGE_ACTIONS = (
    "style.created", "style.changed", "team.changed", "digest.switched_off", "terms.accepted", "candidate.promoted",
    "champion.rolled_back", "run.queued", "run.kept_back", "run.cancel_requested", "examples.imported",
    "trial.started", "trial.ended",
)  # fmt: skip


def read_changes(session: Session, settings: Settings, team_id: str, styles: Sequence[Style]) -> list[str]:
    """What was changed, newest first, a sentence each; nothing about styles that are not among these."""
    visible = {style.style_id: style for style in styles}
    lines = []
    for entry in list_newest_entries(session, team_id, CHANGE_ACTIONS, limit=10 * MAX_CHANGES):
        style = visible.get(_style_of(session, entry))
        sentence = _team_change(entry) or (_style_change(settings, entry, escape(style.name)) if style else "")
        if sentence:
            lines.append(texts.change_line(entry.at, sentence))
        if len(lines) == MAX_CHANGES:
            break
    return lines


def _style_of(session: Session, entry: AuditEntry) -> str:
    """The style that an entry is about; "" when it is about none."""
    if "style_id" in entry.detail:
        return str(entry.detail["style_id"])
    if entry.action.startswith("run.") and entry.action != "run.kept_back":
        run = session.get(Run, entry.subject)
        return run.style_id if run else ""
    return entry.subject


def _team_change(entry: AuditEntry) -> str:
    if entry.action == "team.changed":
        return texts.team_changed(entry.actor, _changed(entry.detail))
    return texts.statement_accepted(entry.actor) if entry.action == "terms.accepted" else ""


def _style_change(settings: Settings, entry: AuditEntry, style: str) -> str:
    actor, detail = entry.actor, entry.detail
    match entry.action:
        case "style.created":
            return texts.style_created(actor, style)
        case "style.changed":
            return texts.style_changed(actor, style, _changed(detail))
        case "digest.switched_off":
            return texts.digest_switched_off(actor, style)
        case "candidate.promoted":
            return texts.champion_moved(actor, style, str(detail.get("candidate")), str(detail.get("replaced")))
        case "champion.rolled_back":
            return texts.champion_rolled_back(actor, style, str(detail.get("candidate")), str(detail.get("replaced")))
        case "run.queued":
            return texts.run_queued(actor, style)
        case "run.kept_back":
            return texts.run_kept_back(actor, style, float(detail.get("cost") or 0), settings.currency)
        case "run.cancel_requested":
            return texts.run_cancelled(actor, style)
        case "trial.started":
            return trials.change_started(actor, style)
        case "trial.ended":
            return trials.change_ended(style, str(detail.get("status")))
        case "examples.imported":
            return texts.examples_imported(actor, style, int(detail.get("added") or 0))
    return ""


def _changed(detail: dict[str, Any]) -> list[str]:
    """`monthly budget from none to 5.00`, one for each field; a long text is named only."""
    values: dict[str, list[Any]] = detail.get("values") or {}
    named = [name for name in detail.get("changed") or () if name not in values]
    return [texts.changed_text(name) for name in named] + [
        texts.changed_value(name, escape(texts.shown_value(name, old)), escape(texts.shown_value(name, new)))
        if name not in ("reviewers", "channel_id")
        else texts.changed_value(name, texts.shown_value(name, old), texts.shown_value(name, new))
        for name, (old, new) in values.items()
    ]
