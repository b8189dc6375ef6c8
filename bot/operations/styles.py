"""Making, changing and choosing styles. A style's scope is chosen once: what was said in private stays there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.orm import Session

from bot.blocks.styles import StyleSummary
from bot.domain.style_names import split_request
from bot.domain.values import Actor
from bot.errors import AmbiguousStyle, NameTaken, NoStyleYet, UnknownStyle
from bot.operations.people import require_admin
from bot.texts import styles as texts
from config.run_kinds import RunCause
from config.rungs import Rung
from config.style_terms import StyleTerms
from db.audit import record
from db.base import new_id, now_in_database
from db.datasets import find_dataset_of_run
from db.drafts import list_drafts_of_thread
from db.examples import ExampleStatus, count_examples
from db.measurements import owe_measurement, settle_measurement
from db.promotions import PromotionKind, find_promotion, find_serving_base, promote
from db.runs import RunStatus, find_latest_run
from db.scope import Scope
from db.session import Database
from db.styles import (
    Style,
    StyleKind,
    StyleNotFound,
    StyleReviewer,
    find_style_by_name,
    get_style,
    is_name_taken,
    list_usable_styles,
    lock_style,
)  # fmt: skip

INITIAL_RUNG = Rung.RETRIEVED


# Choosing


def choose_style(styles: Sequence[Style], text: str, *, channel_id: str = "") -> tuple[Style, str]:
    """The style that somebody means, and the request without its name.

    In this order: the name before a colon; the style that belongs to this channel (by its scope, then by where its
    cards go); the only one. Raises NoStyleYet, or AmbiguousStyle naming the options.
    """
    if not styles:
        raise NoStyleYet
    by_name = {style.name: style for style in styles}
    name, request = split_request(text, by_name)
    if name is not None:
        return by_name[name], request
    own = [style for style in styles if style.scope.channel_id is not None]
    at_home = [style for style in styles if channel_id and style.channel_id == channel_id]
    for narrowed in (own, at_home, list(styles)):
        if len(narrowed) == 1:
            return narrowed[0], request
    raise AmbiguousStyle(texts.ambiguous([style.name for style in styles]))


def resolve_style(
    session: Session, team_id: str, channel_id: str, text: str, *, thread_ts: str | None = None
) -> tuple[Style, str]:
    """The style for a request made in this channel; in a thread of drafts, the style of the last one unless named.

    Raises NoStyleYet, AmbiguousStyle.
    """
    styles = list_usable_styles(session, team_id, channel_id)
    name, request = split_request(text, {style.name for style in styles})
    if name is None and thread_ts:
        drafts = list_drafts_of_thread(session, team_id, channel_id, thread_ts)
        usable = {style.style_id: style for style in styles}
        spoken = [usable[draft.style_id] for draft in drafts if draft.style_id in usable]
        if spoken:
            return spoken[-1], request
    return choose_style(styles, text, channel_id=channel_id)


def find_named_style(session: Session, team_id: str, channel_id: str, name: str) -> Style:
    """The style of this name, or without a name the one that `choose_style` means. What a command's STYLE stands for.

    Raises UnknownStyle naming the options, NoStyleYet, AmbiguousStyle.
    """
    styles = list_usable_styles(session, team_id, channel_id)
    wanted = name.strip().strip("`*").casefold()
    if not wanted:
        return choose_style(styles, "", channel_id=channel_id)[0]
    if not styles:
        raise NoStyleYet
    for style in styles:
        if style.name == wanted:
            return style
    raise UnknownStyle(texts.unknown(wanted, [style.name for style in styles]))


# Making and changing


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleForm:
    """What an admin filled in, already checked."""

    name: str
    instructions: str
    kind: StyleKind
    #: Where cards and results go.
    channel_id: str
    reviewer_ids: tuple[str, ...]
    approvals_required: int = 1
    may_approve_own: bool = False
    train_after_examples: int = 50
    #: Bits per byte that a run has to be expected to gain, where there is a forecast; None: the number decides.
    train_on_gain_bits: float | None = None
    train_from_hour: int = 0
    train_to_hour: int = 0
    recipe: str = ""
    #: What its runs may cost in a calendar month; None: no limit.
    monthly_budget: float | None = None
    is_digest_on: bool = True
    terms: StyleTerms = field(default_factory=StyleTerms)


def create_style(
    database: Database, actor: Actor, form: StyleForm, *, private_channel_id: str | None, base_model: str
) -> str:
    """Make a style that starts on `retrieved`; returns its id. `private_channel_id`: its scope, else the workspace.

    Raises MembersOnly, AdminsOnly, NameTaken.
    """
    require_admin(database, actor, "style.refused", form.name)
    with database.write() as session:
        if is_name_taken(session, actor.team_id, form.name):
            raise NameTaken
        style = Style(
            style_id=new_id("sty"),
            team_id=actor.team_id,
            scope_key=Scope(team_id=actor.team_id, channel_id=private_channel_id).key,
            created_by=actor.user_id,
            created_at=now_in_database(session),
        )
        _fill(style, form)
        session.add(style)
        session.flush()
        promote(
            session, style, kind=PromotionKind.INITIAL, rung=INITIAL_RUNG, base_model=base_model, adapter_id=None,
            actor=actor.user_id, reason=texts.INITIAL_REASON(),
        )  # fmt: skip
        record(
            session, team_id=actor.team_id, actor=actor.user_id, action="style.created", subject=style.style_id,
            name=style.name, scope=style.scope_key,
        )  # fmt: skip
        return style.style_id


def change_style(database: Database, actor: Actor, style_id: str, form: StyleForm) -> None:
    """Change everything but the scope and the champion. Raises MembersOnly, AdminsOnly, NameTaken, StyleNotFound."""
    require_admin(database, actor, "style.refused", style_id)
    with database.write() as session:
        style = lock_style(session, style_id)
        if style.team_id != actor.team_id:
            raise StyleNotFound
        if is_name_taken(session, actor.team_id, form.name, by_other_than=style_id):
            raise NameTaken
        before, told_before = _policy(style), style.full_instructions
        _fill(style, form)
        session.flush()
        after = _policy(style)
        if style.full_instructions != told_before:
            _owe_measurement(session, style)
        record(
            session, team_id=actor.team_id, actor=actor.user_id, action="style.changed", subject=style_id,
            changed=sorted(name for name in after if after[name] != before[name]),
            values={
                name: [before[name], after[name]]
                for name in sorted(after)
                if after[name] != before[name] and name != "instructions"
            },
        )  # fmt: skip


def _owe_measurement(session: Session, style: Style) -> None:
    """What was measured under other instructions, or other terms in them, says little about these; where nothing was,
    nothing is owed. A measurement on another base model than serves is no answer, and no reason to ask."""
    own = find_serving_base(session, style)
    last = find_latest_run(session, style.style_id, RunStatus.SUCCEEDED, base_model=own)
    dataset = find_dataset_of_run(session, last.run_id) if last else None
    if dataset is None:
        return
    if dataset.instructions != style.full_instructions:
        owe_measurement(session, style.style_id, RunCause.CHANGED_INSTRUCTIONS)
    elif style.measurement_cause is RunCause.CHANGED_INSTRUCTIONS:  # they are those that were measured again
        settle_measurement(session, style.style_id, up_to=now_in_database(session))


def _fill(style: Style, form: StyleForm) -> None:
    style.name, style.instructions, style.kind = form.name, form.instructions, form.kind
    style.required_terms, style.forbidden_terms = list(form.terms.required), list(form.terms.forbidden)
    style.channel_id = form.channel_id
    style.approvals_required, style.may_approve_own = form.approvals_required, form.may_approve_own
    style.train_after_examples, style.train_on_gain_bits = form.train_after_examples, form.train_on_gain_bits
    style.train_from_hour, style.train_to_hour = form.train_from_hour, form.train_to_hour
    style.recipe = form.recipe
    style.monthly_budget, style.is_digest_on = form.monthly_budget, form.is_digest_on
    kept = {reviewer.user_id: reviewer for reviewer in style.reviewers}
    style.reviewers = [kept.get(user_id) or StyleReviewer(user_id=user_id) for user_id in form.reviewer_ids]


def _policy(style: Style) -> dict[str, object]:
    """What an admin sets, as the audit log keeps it."""
    return {
        "name": style.name, "instructions": style.instructions, "required_terms": list(style.required_terms),
        "forbidden_terms": list(style.forbidden_terms), "kind": style.kind.value,
        "channel_id": style.channel_id, "reviewers": sorted(style.reviewer_ids),
        "approvals_required": style.approvals_required,
        "may_approve_own": style.may_approve_own, "train_after_examples": style.train_after_examples,
        "train_on_gain_bits": style.train_on_gain_bits,
        "train_hours": [style.train_from_hour, style.train_to_hour], "recipe": style.recipe,
        "monthly_budget": style.monthly_budget, "is_digest_on": style.is_digest_on,
    }  # fmt: skip


# Listing


def list_summaries(database: Database, team_id: str, channel_id: str) -> list[StyleSummary]:
    """The styles that can be used in this channel, its own first."""
    with database.read() as session:
        return [_summary(session, style) for style in list_usable_styles(session, team_id, channel_id)]


def _summary(session: Session, style: Style) -> StyleSummary:
    counts = count_examples(session, style.style_id, style.scope)
    champion = find_promotion(session, style.champion_promotion_id)
    return StyleSummary(
        name=style.name, kind=style.kind.value, is_private=style.scope.channel_id is not None,
        champion=champion.rung.value if champion else INITIAL_RUNG.value,
        approved=counts[ExampleStatus.APPROVED], proposed=counts[ExampleStatus.PROPOSED],
        reviewer_ids=tuple(sorted(style.reviewer_ids)), approvals_required=style.approvals_required,
    )  # fmt: skip


__all__ = [
    "StyleForm", "StyleSummary", "change_style", "choose_style", "create_style", "find_named_style",
    "find_style_by_name", "get_style", "list_summaries", "resolve_style",
]  # fmt: skip
