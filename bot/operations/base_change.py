"""Changing the base model: asked for, measured style by style, signed off by the operator, or taken back.

The old pairs (base model and what stands on it) go on serving until they are signed off one by one. Each step is one
transaction and can be repeated: a process killed between two of them leaves a change that is open, and says how far
it is. The clock makes the runs (bot/operations/owed.py says which), within each style's hours and budget.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

import structlog
from sqlalchemy.orm import Session

from bot.domain.quote import Quote
from bot.operations.languages import speaking_in_channel
from bot.operations.owed import is_current, is_judged_against, may_serve
from bot.operations.promotions import Candidate, candidate_of, find_earlier, find_serving
from bot.operations.runs import foresee, has_enough_examples, home_channel, look_at_policy
from bot.operations.transfer import OPERATOR
from bot.operations.verdicts import say_verdict
from bot.texts import champion as texts
from bot.texts import terminal as words
from bot.texts import training as training_texts
from bot.texts.results import failure_said
from config import failpoints
from config.base_names import base_model_id
from config.run_kinds import RunKind
from config.rungs import Rung
from config.settings import Settings
from db import audit
from db.adapters import find_adapter_by_name
from db.base import now_in_database
from db.base_changes import (
    BaseChange,
    BaseChangeOrigin,
    BaseChangeStatus,
    OtherChangeOpen,
    end_base_change,
    find_noted_setting,
    find_open_change,
    find_run_of_change,
    list_active_run_ids,
    list_serving_base_models,
    lock_open_change,
    note_setting,
    open_base_change,
)
from db.outbox import owe
from db.promotions import Promotion, PromotionKind, find_promotion, promote
from db.runs import ENDED, Run, RunStatus, request_cancel
from db.session import Database
from db.styles import Style, list_all_styles, lock_style

log = structlog.get_logger()

SETTING = "base_model"


class BaseChangeRefused(Exception):
    """The base model was not changed."""


# ------------------------------------------------------------------------------------------------ the plan


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStyle:
    """What a change will do to one style, and what that takes."""

    style_name: str
    serves: Candidate
    #: Why nothing is measured; empty where something is.
    left_out: str = ""
    kind: RunKind = RunKind.MEASURE
    quote: Quote | None = None


def plan_change(database: Database, settings: Settings, base_model: str) -> list[PlannedStyle]:
    """What a change to this base model would do to each style. Raises BaseChangeRefused."""
    with database.read() as session:
        open_one = find_open_change(session)
        if open_one is not None and open_one.base_model != base_model:
            raise BaseChangeRefused(words.other_change_open(open_one.base_model))
        known = {*list_serving_base_models(session), settings.base_model} - {base_model}
        for other in known:
            if base_model_id(other) == base_model_id(base_model):
                raise BaseChangeRefused(words.same_base_id(base_model, other, base_model_id(other)))
        planned = [_plan_style(session, settings, style, base_model) for style in list_all_styles(session)]
    if not planned:
        raise BaseChangeRefused(words.NO_STYLE_TO_CHANGE)
    if all(one.left_out in (words.STANDS_THERE_ALREADY, words.STANDS_ON_NONE) for one in planned):
        raise BaseChangeRefused(words.nothing_to_change(base_model))
    return planned


def _plan_style(session: Session, settings: Settings, style: Style, base_model: str) -> PlannedStyle:
    serves = find_serving(session, style, settings)
    left_out = ""
    if serves.base_model == base_model:
        left_out = words.STANDS_THERE_ALREADY
    elif serves.rung.is_classifier or style.champion_promotion_id is None:
        left_out = words.STANDS_ON_NONE
    elif not has_enough_examples(session, settings, style):
        left_out = words.TOO_FEW_TO_MEASURE
    kind = RunKind.TRAIN if serves.rung.needs_adapter else RunKind.MEASURE
    quote = None if left_out else foresee(session, settings, style, kind=kind, base_model=base_model)
    return PlannedStyle(style_name=style.name, serves=serves, left_out=left_out, kind=kind, quote=quote)


# ------------------------------------------------------------------------------------------------ opening


def ask_for_change(database: Database, base_model: str) -> str:
    """Open the change, or ask again for the one that is open, and return its id: from the next tick on the clock makes
    its runs. Raises OtherChangeOpen."""
    with database.write() as session:
        change = open_base_change(session, base_model, BaseChangeOrigin.COMMAND)
        failpoints.visit("base.opening")
        _record_for_teams(session, OPERATOR, "base.change_asked", change)
        change_id = change.change_id
    failpoints.visit("base.opened")
    log.info("base.change_asked", change_id=change_id, base_model=base_model)
    return change_id


def notice_base_setting(database: Database, settings: Settings) -> bool:
    """Open a change when the setting names another base model than it did: once, whatever number of clocks look.

    The styles are measured on it; training follows where that pays. Returns whether a change was opened.
    """
    with database.read() as session:
        if find_noted_setting(session, SETTING) == settings.base_model:
            return False
    try:
        with database.write() as session:
            if note_setting(session, SETTING, settings.base_model) == settings.base_model:
                return False  # another clock was faster
            if all(one == settings.base_model for one in list_serving_base_models(session)):
                return False
            change = open_base_change(session, settings.base_model, BaseChangeOrigin.SETTING)
            _record_for_teams(session, "clock", "base.change_asked", change)
    except OtherChangeOpen:  # looked at again at the next tick, when that one may have ended
        log.warning("base.other_change_open", base_model=settings.base_model)
        return False
    log.info("base.setting_changed", base_model=settings.base_model)
    return True


def _record_for_teams(session: Session, actor: str, action: str, change: BaseChange) -> None:
    for team_id in sorted({style.team_id for style in list_all_styles(session)}):
        audit.record(
            session, team_id=team_id, actor=actor, action=action, subject=change.change_id,
            base_model=change.base_model, origin=change.origin.value,
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------ how far it is


class StyleState(StrEnum):
    """Where one style is in an open change."""

    ACCEPTED = "accepted"  #: It stands on the new base model.
    LEFT_OUT = "left out"  #: Nothing of it depends on a base model.
    WAITING = "waiting"  #: Its run has not been queued; the sentence says what for.
    QUEUED = "queued"  #: Its run waits for a trainer.
    RUNNING = "running"  #: Its run is under way.
    MEASURED = "measured"  #: The verdict is there: sign it off or leave it.
    OVERTAKEN = "overtaken"  #: Something else serves by now, or the new adapter is out of use; it is measured again.
    FAILED = "failed"  #: Its last run failed; the clock tries again.
    CANCELLED = "cancelled"  #: Somebody cancelled its run; asking for the change again tries again.


@dataclass(frozen=True, slots=True, kw_only=True)
class StyleProgress:
    style_id: str
    style_name: str
    serves: Candidate
    state: StyleState
    #: The verdict, the failure, or what is waited for.
    said: str = ""
    #: How the new pair does against what serves: `better`, `as_good`, `unsettled` or `worse`; "" before a verdict.
    standing: str = ""


def read_progress(database: Database, settings: Settings) -> tuple[str, list[StyleProgress]]:
    """The base model that is asked about, and each style. Raises BaseChangeRefused when no change is open."""
    with database.read() as session:
        change = _get_open(find_open_change(session))
        styles = list_all_styles(session)
        return change.base_model, [_progress_of(session, settings, change, style) for style in styles]


def _get_open(change: BaseChange | None) -> BaseChange:
    if change is None:
        raise BaseChangeRefused(words.NO_CHANGE_OPEN)
    return change


def _progress_of(session: Session, settings: Settings, change: BaseChange, style: Style) -> StyleProgress:
    serves, run = find_serving(session, style, settings), find_run_of_change(session, change, style.style_id)
    state, said, standing = StyleState.WAITING, "", ""
    if serves.base_model == change.base_model:
        state = StyleState.ACCEPTED
    elif serves.rung.is_classifier or style.champion_promotion_id is None:
        state, said = StyleState.LEFT_OUT, words.STANDS_ON_NONE
    elif run is not None and run.status is RunStatus.QUEUED:
        state, said = StyleState.QUEUED, words.WAITS_FOR_TRAINER
    elif run is not None and run.status not in ENDED:
        state, said = StyleState.RUNNING, training_texts.STAGES[run.status.value]()
    elif run is not None and run.status is RunStatus.FAILED:
        state, said = StyleState.FAILED, failure_said(run.error, run.verdict)
    elif run is not None and run.status is RunStatus.CANCELLED:
        state, said = StyleState.CANCELLED, words.ASK_AGAIN
    elif run is not None:
        has_held = is_current(session, run, style, _get_champion(session, style))
        state = StyleState.MEASURED if has_held else StyleState.OVERTAKEN
        said, standing = say_verdict(session, run), _standing(run)
    if state is StyleState.WAITING:
        said = look_at_policy(session, settings, style, now_in_database(session)).reason
    return StyleProgress(
        style_id=style.style_id, style_name=style.name, serves=serves, state=state, said=said, standing=standing
    )


def _get_champion(session: Session, style: Style) -> Promotion:
    champion = find_promotion(session, style.champion_promotion_id)
    assert champion is not None, "asked only of a style that has one"
    return champion


def _standing(run: Run) -> str:
    return str(((run.verdict or {}).get("pair") or {}).get("standing") or "")


# ------------------------------------------------------------------------------------------------ signing off


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedOff:
    """What the operator is told."""

    style_name: str
    now: Candidate
    before: Candidate
    #: No style stands on another base model any more: the change is over.
    is_last: bool


def sign_off(
    database: Database, settings: Settings, style_id: str, *, offered: Collection[str], is_anyway: bool = False
) -> SignedOff:
    """Make the new pair of one style its champion, from the next draft on; a rollback brings the old one back.

    `offered`: what the model server can be asked for now. `is_anyway`: also a pair that is worse, or not settled.
    Raises BaseChangeRefused, ChampionMoved.
    """
    with database.write() as session:
        change = _get_open(lock_open_change(session))
        style = lock_style(session, style_id)
        before = find_serving(session, style, settings)
        if before.base_model == change.base_model:
            raise BaseChangeRefused(words.signed_off_already(style.name))
        run = find_run_of_change(session, change, style_id, RunStatus.SUCCEEDED)
        now = _find_new_pair(session, change, style, before, run, is_anyway=is_anyway)
        missing = [name for name in (base_model_id(now.base_model), now.adapter_name) if name and name not in offered]
        if missing:
            raise BaseChangeRefused(words.not_served(style.name, missing))
        _move(session, style, now, before, PromotionKind.BASE, run)
        failpoints.visit("base.signing_off")
        is_last = _is_last(session, change)
        if is_last:
            end_base_change(session, change.change_id, BaseChangeStatus.DONE)
            _record_for_teams(session, OPERATOR, "base.change_done", change)
        signed = SignedOff(style_name=style.name, now=now, before=before, is_last=is_last)
    failpoints.visit("base.signed_off")
    return signed


def _find_new_pair(
    session: Session, change: BaseChange, style: Style, before: Candidate, run: Run | None, *, is_anyway: bool
) -> Candidate:
    if before.rung.is_classifier or style.champion_promotion_id is None:
        raise BaseChangeRefused(words.nothing_to_sign_off(style.name))
    pair = (run.verdict or {}).get("pair") if run is not None else None
    if run is None or not pair:
        if before.adapter_id is not None:
            raise BaseChangeRefused(words.not_measured(style.name, has_adapter=True))
        if not is_anyway:
            raise BaseChangeRefused(words.not_measured(style.name, has_adapter=False))
        return Candidate(rung=before.rung, base_model=change.base_model, adapter_id=None, adapter_name="")
    if not is_judged_against(session, run, style, _get_champion(session, style)):
        raise BaseChangeRefused(words.overtaken(style.name))
    if pair["standing"] in ("worse", "unsettled") and not is_anyway:
        raise BaseChangeRefused(words.not_as_good(style.name, say_verdict(session, run)))
    rung, name = Rung(pair["rung"]), str(pair["adapter_name"])
    if not name:
        return Candidate(rung=rung, base_model=change.base_model, adapter_id=None, adapter_name="", run_id=run.run_id)
    adapter = find_adapter_by_name(session, name, style.scope)
    if adapter is None or not may_serve(session, style, name):
        raise BaseChangeRefused(words.adapter_gone(style.name, name))
    return candidate_of(adapter)


def _move(
    session: Session, style: Style, now: Candidate, before: Candidate, kind: PromotionKind, run: Run | None
) -> None:
    names = base_model_id(now.base_model), base_model_id(before.base_model)
    with speaking_in_channel(session, style):
        is_sign_off = kind is PromotionKind.BASE
        tell = texts.moved_to_base if is_sign_off else texts.back_on_base
        told = tell(style.name, now.shown, before.shown, *names)
        reason = texts.moved_to_base_reason(names[0]) if is_sign_off else texts.BACK_ON_BASE_REASON()
    promotion = promote(
        session, style, kind=kind, rung=now.rung, base_model=now.base_model, adapter_id=now.adapter_id,
        actor=OPERATOR, reason=reason, run_id=run.run_id if run else now.run_id,
    )  # fmt: skip
    audit.record(
        session, team_id=style.team_id, actor=OPERATOR,
        action="candidate.promoted" if kind is PromotionKind.BASE else "champion.rolled_back", subject=style.style_id,
        promotion_id=promotion.promotion_id, base_model=now.base_model, base_model_before=before.base_model,
        candidate=_named(now), replaced=_named(before),
    )  # fmt: skip
    owe(
        session, team_id=style.team_id, dedupe_key=f"champion:base:{promotion.promotion_id}", verb="post_message",
        arguments={"channel_id": home_channel(style), "text": told, "blocks": None},
    )  # fmt: skip
    log.info("champion.moved", style_id=style.style_id, kind=kind.value, promotion_id=promotion.promotion_id)


def _named(candidate: Candidate) -> str:
    return f"{candidate.adapter_name or candidate.rung.value} on {base_model_id(candidate.base_model)}"


def end_finished_change(database: Database) -> bool:
    """End a change that nothing is left to do for, because the last style got onto its base model in another way than
    by a sign-off: an admin rolled back to what stood there, or promoted a classifier. Any number of clocks may do this
    at once.
    """
    with database.read() as session:
        change = find_open_change(session)
        if change is None or not _is_last(session, change):
            return False
    with database.write() as session:
        change = lock_open_change(session)
        if change is None or not _is_last(session, change):
            return False
        end_base_change(session, change.change_id, BaseChangeStatus.DONE)
        _record_for_teams(session, "clock", "base.change_done", change)
        base_model = change.base_model
    log.info("base.change_done", base_model=base_model)
    return True


def _is_last(session: Session, change: BaseChange) -> bool:
    session.flush()
    return all(one == change.base_model for one in list_serving_base_models(session))


# ------------------------------------------------------------------------------------------------ taking back


def abandon_change(database: Database, settings: Settings) -> tuple[str, list[SignedOff]]:
    """End the change: its runs are cancelled, and every style that was signed off gets its old pair back. All or
    nothing. Returns the base model and what was taken back. Raises BaseChangeRefused, ChampionMoved."""
    with database.write() as session:
        change = _get_open(lock_open_change(session))
        # All runs before any style: a trainer has locked its run when it asks for the style. The clock makes no further
        # one, because it locks the change first.
        for run_id in list_active_run_ids(session, change):
            request_cancel(session, run_id)
        taken_back = []
        for style_id in [style.style_id for style in list_all_styles(session)]:
            style = lock_style(session, style_id)
            before = find_serving(session, style, settings)
            if before.base_model != change.base_model or not _was_signed_off(session, change, style):
                continue
            target = find_earlier(session, style, not_on=change.base_model)
            if target is None:
                continue  # there is nothing on another base model to go back to
            _move(session, style, target, before, PromotionKind.ROLLBACK, None)
            taken_back.append(SignedOff(style_name=style.name, now=target, before=before, is_last=False))
        failpoints.visit("base.abandoning")
        end_base_change(session, change.change_id, BaseChangeStatus.ABANDONED)
        _record_for_teams(session, OPERATOR, "base.change_abandoned", change)
        base_model = change.base_model
    failpoints.visit("base.abandoned")
    log.info("base.change_abandoned", base_model=base_model)
    return base_model, taken_back


def _was_signed_off(session: Session, change: BaseChange, style: Style) -> bool:
    """Did this change bring the style onto its base model? What has moved there since stands on it for that reason."""
    row = find_promotion(session, style.champion_promotion_id)
    while row is not None and row.base_model == change.base_model and row.promoted_at >= change.opened_at:
        if row.kind is PromotionKind.BASE:
            return True
        row = find_promotion(session, row.replaced_id)
    return False


def find_style_ids(database: Database, style_name: str) -> list[str]:
    """The styles of this name, of whatever team; all of them without a name. Raises BaseChangeRefused."""
    with database.read() as session:
        styles = list_all_styles(session)
    found = [style.style_id for style in styles if not style_name or style.name == style_name]
    if not found:
        raise BaseChangeRefused(words.no_such_style(style_name, sorted({style.name for style in styles})))
    return found


__all__ = [
    "BaseChangeRefused", "PlannedStyle", "SignedOff", "StyleProgress", "StyleState", "abandon_change",
    "ask_for_change", "end_finished_change", "find_style_ids", "notice_base_setting", "plan_change", "read_progress",
    "sign_off",
]  # fmt: skip
