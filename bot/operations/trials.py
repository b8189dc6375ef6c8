"""Blind trials of a style's champion against a challenger: started after a quote, ended by the rule, by an admin, or
because what they compare is not there any more.

A style has one trial at a time, made and ended under the style's lock. A challenger that wins is promoted in the same
transaction as the tap that decided, and only from the champion it was compared with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.orm import Session

from bot.blocks.trial import quote_message
from bot.domain.trial import Outcome, Tally, judge, win_rate_interval
from bot.domain.values import Actor
from bot.errors import (
    AdapterWithdrawn,
    AlreadyChampion,
    NoChallenger,
    NoFreeText,
    NotMeasuredYet,
    OnOtherBase,
    TrialNotRunning,
    TrialQuoteGone,
    TrialRunning,
)  # fmt: skip
from bot.operations.ladder import find_ladder_of_run
from bot.operations.languages import speaking_in_channel
from bot.operations.people import require_admin
from bot.operations.probes import check_may_be_tried, find_failed
from bot.operations.promotions import Candidate, find_candidate, find_serving
from bot.operations.styles import find_named_style
from bot.texts import champion as champion_texts
from bot.texts import trials as texts
from config.settings import Settings
from db import audit
from db.adapters import Adapter, AdapterStatus, get_adapter
from db.base import new_id, now_in_database
from db.outbox import owe
from db.promotions import Promotion, PromotionKind, find_promotion, promote
from db.runs import RunStatus, find_latest_run
from db.session import Database, DatabaseUnavailable
from db.styles import Style, StyleKind, lock_style
from db.taint import is_tainted
from db.trials import (
    Cause,
    Trial,
    TrialCandidate,
    TrialStatus,
    count_comparisons,
    find_running_trial,
    find_trial_of_quote,
    find_trial_won,
    list_running_trials,
    lock_trial,
)  # fmt: skip

log = structlog.get_logger()

#: All comparisons are made, and for so long nobody has asked for another draft: the rest will not be answered.
UNANSWERED = timedelta(days=7)


# ------------------------------------------------------------------------------------------------------- starting


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownQuote:
    """What will happen, as it is put before the admin."""

    text: str
    blocks: list[dict[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedTrial:
    style_name: str
    channel_id: str


def quote_trial(
    database: Database, settings: Settings, actor: Actor, channel_id: str, style_name: str, wanted: str
) -> ShownQuote:
    """Say what a trial of this candidate (or of the best that does not serve) would do, and keep what was said.

    Raises AdminsOnly, UnknownStyle, NoFreeText, TrialRunning, NotMeasuredYet, NoChallenger, UnknownCandidate,
    AdapterWithdrawn, OnOtherBase, AlreadyChampion, FailedProbe.
    """
    require_admin(database, actor, "command.refused", "trial")
    with database.write() as session:
        style = find_named_style(session, actor.team_id, channel_id, style_name)
        champion, challenger = _check_may_start(session, settings, style, wanted)
        entry = audit.record(
            session, team_id=actor.team_id, actor=actor.user_id, action="trial.quoted", subject=style.style_id,
            candidate=challenger.adapter_name or challenger.rung.value, champion=style.champion_promotion_id,
            most=settings.trial_comparisons, share=settings.trial_share,
        )  # fmt: skip
        text, blocks = quote_message(
            entry.audit_id,
            [
                texts.quote_headline(style.name, champion.shown, challenger.shown),
                texts.quote_how(style.name, settings.trial_share),
                texts.quote_cost(settings.trial_comparisons),
                texts.QUOTE_END(),
            ],
        )
        return ShownQuote(text=text, blocks=blocks)


def confirm_trial(database: Database, settings: Settings, actor: Actor, quote_id: str) -> StartedTrial:
    """Start the quoted trial, once however often the button is clicked. Raises TrialQuoteGone, and as `quote_trial`."""
    require_admin(database, actor, "command.refused", "confirm_trial")
    with database.write() as session:
        entry = _find_quote(session, actor, quote_id)
        style = lock_style(session, entry.subject)
        if find_trial_of_quote(session, quote_id) is None:
            _, challenger = _check_may_start(session, settings, style, str(entry.detail["candidate"]))
            _start(session, style, actor, challenger, entry)
        return StartedTrial(style_name=style.name, channel_id=style.home_channel_id)


def decline_trial(database: Database, actor: Actor, quote_id: str) -> None:
    """They thought better of it. Raises TrialQuoteGone."""
    with database.read() as session:
        _find_quote(session, actor, quote_id)


def _find_quote(session: Session, actor: Actor, quote_id: str) -> audit.AuditEntry:
    entry = audit.find_entry(session, quote_id, "trial.quoted")
    if entry is None or entry.team_id != actor.team_id:
        raise TrialQuoteGone
    return entry


def _check_may_start(session: Session, settings: Settings, style: Style, wanted: str) -> tuple[Candidate, Candidate]:
    """The champion and the challenger of a trial that may be started now."""
    if style.kind is StyleKind.CLASSIFY:
        raise NoFreeText(texts.no_free_text(style.name))
    if find_running_trial(session, style.style_id, style.scope) is not None:
        raise TrialRunning(texts.is_running(style.name))
    if style.champion_promotion_id is None:
        raise NotMeasuredYet
    champion = find_serving(session, style, settings)
    challenger = (
        find_candidate(session, settings, style, wanted) if wanted else _find_best(session, settings, style, champion)
    )
    if challenger == champion:
        raise AlreadyChampion(champion_texts.already_champion(champion.shown, style.name))
    for one in (champion, challenger):
        if one.adapter_id is not None and not _may_serve(session, one.adapter_id):
            raise AdapterWithdrawn(champion_texts.tainted_adapter(one.adapter_name))
    check_may_be_tried(session, style, challenger.adapter_id, shown=challenger.shown)
    return champion, challenger


def _find_best(session: Session, settings: Settings, style: Style, champion: Candidate) -> Candidate:
    """The best of the last measurement on the base model that serves, which does not serve and could. Another base
    model is for the operator to sign off."""
    run = find_latest_run(session, style.style_id, RunStatus.SUCCEEDED, base_model=champion.base_model)
    ladder = find_ladder_of_run(session, settings, style, run) if run else None
    if ladder is None:
        raise NotMeasuredYet
    for rank in sorted(ladder.ranks, key=lambda rank: rank.bits_per_byte):
        try:
            found = find_candidate(session, settings, style, rank.name)
        except (AdapterWithdrawn, OnOtherBase):  # what served before a change of the base model was measured, too
            continue
        if found != champion and find_failed(session, style, found.adapter_id) is None:
            return found
    raise NoChallenger(texts.no_challenger(style.name))


def _start(session: Session, style: Style, actor: Actor, challenger: Candidate, quote: audit.AuditEntry) -> None:
    promotion = find_promotion(session, style.champion_promotion_id)
    assert promotion is not None, "it was looked at under the same lock"
    trial = Trial(
        trial_id=new_id("tri"), team_id=style.team_id, style_id=style.style_id, scope_key=style.scope_key,
        champion_promotion_id=promotion.promotion_id, champion_rung=promotion.rung,
        champion_base_model=promotion.base_model, champion_adapter_id=promotion.adapter_id,
        champion_run_id=promotion.run_id, challenger_rung=challenger.rung,
        challenger_base_model=challenger.base_model, challenger_adapter_id=challenger.adapter_id,
        challenger_run_id=challenger.run_id, most=int(quote.detail["most"]), share=float(quote.detail["share"]),
        quote_id=quote.audit_id, started_by=actor.user_id, started_at=now_in_database(session),
    )  # fmt: skip
    session.add(trial)
    session.flush()
    audit.record(
        session, team_id=style.team_id, actor=actor.user_id, action="trial.started", subject=trial.trial_id,
        style_id=style.style_id, candidate=challenger.adapter_name or challenger.rung.value, most=trial.most,
    )  # fmt: skip
    with speaking_in_channel(session, style):
        told = texts.announced(style.name, actor.user_id, trial.most)
    owe(
        session, team_id=style.team_id, dedupe_key=f"trial:{trial.trial_id}", verb="post_message",
        arguments={"channel_id": style.home_channel_id, "text": told, "blocks": None},
    )  # fmt: skip
    log.info("trial.started", style_id=style.style_id, trial_id=trial.trial_id)


# -------------------------------------------------------------------------------------------------------- ending


def stop_trial(database: Database, actor: Actor, channel_id: str, style_name: str) -> str:
    """End the running trial without a result; returns what the channel is told. Raises AdminsOnly, UnknownStyle,
    TrialNotRunning."""
    require_admin(database, actor, "command.refused", "trial_stop")
    with database.write() as session:
        style = lock_style(session, find_named_style(session, actor.team_id, channel_id, style_name).style_id)
        trial = find_running_trial(session, style.style_id, style.scope)
        if trial is None:
            raise TrialNotRunning(texts.not_running(style.name))
        trial = lock_trial(session, trial.trial_id)
        _end(session, style, trial, TrialStatus.STOPPED, actor=actor.user_id)
        return _say_end(session, style, trial, actor.user_id)


def end_due_trials(database: Database, now: datetime) -> list[str]:
    """End what has been decided, or cannot go on; returns the trials' ids. Any number of clocks may do this at once.

    Raises DatabaseUnavailable.
    """
    with database.read() as session:
        running = list_running_trials(session)
    ended = []
    for one in running:
        try:
            with database.write() as session:
                style, trial = lock_style(session, one.style_id), lock_trial(session, one.trial_id)
                if end_if_due(session, style, trial, now):
                    ended.append(trial.trial_id)
        except DatabaseUnavailable:
            raise
        except Exception:  # one trial's trouble does not hide the others
            log.exception("trial.not_checked", trial_id=one.trial_id)
    return ended


def end_if_due(session: Session, style: Style, trial: Trial, now: datetime) -> bool:
    """End the trial where it has to; the caller holds the locks of style and trial, in this order."""
    if trial.status is not TrialStatus.RUNNING:
        return False
    cause = find_cause(session, style, trial)
    if cause is not None:
        trial.cause = cause
        _end(session, style, trial, TrialStatus.OVERTAKEN)
        return True
    counts = count_comparisons(session, trial.trial_id)
    outcome = judge(Tally(wins=counts.wins, losses=counts.losses, ties=counts.ties), trial.most)
    is_unanswered = counts.made >= trial.most and counts.latest_at is not None and now - counts.latest_at > UNANSWERED
    if outcome is Outcome.GO_ON and not is_unanswered:
        return False
    _end(session, style, trial, _ENDS.get(outcome, TrialStatus.NO_DIFFERENCE))
    return True


_ENDS = {Outcome.BETTER: TrialStatus.CHALLENGER_WON, Outcome.WORSE: TrialStatus.CHAMPION_WON}


def find_cause(session: Session, style: Style, trial: Trial) -> Cause | None:
    """Why this trial cannot go on; None while it can."""
    if style.is_archived or style.kind is StyleKind.CLASSIFY or style.scope_key != trial.scope_key:
        return Cause.STYLE_CHANGED
    adapter_ids = (trial.champion_adapter_id, trial.challenger_adapter_id)
    if not all(_may_serve(session, adapter_id) for adapter_id in adapter_ids if adapter_id is not None):
        return Cause.ADAPTER_GONE
    return Cause.CHAMPION_MOVED if style.champion_promotion_id != trial.champion_promotion_id else None


def _may_serve(session: Session, adapter_id: str) -> bool:
    adapter = session.get(Adapter, adapter_id, populate_existing=True)
    return adapter is not None and adapter.status is AdapterStatus.PUBLISHED and not is_tainted(session, adapter)


def _end(session: Session, style: Style, trial: Trial, status: TrialStatus, *, actor: str = "gate") -> None:
    """The trial is over, what follows from it is done, and the channel reads who it was between."""
    trial.status, trial.ended_at = status, now_in_database(session)
    session.flush()
    with speaking_in_channel(session, style):
        told = _say_end(session, style, trial, actor)
        if status is TrialStatus.CHALLENGER_WON:
            _promote(session, style, trial)
    counts = count_comparisons(session, trial.trial_id)
    audit.record(
        session, team_id=style.team_id, actor=actor, action="trial.ended", subject=trial.trial_id,
        style_id=style.style_id, status=status.value, cause=trial.cause.value if trial.cause else None,
        made=counts.made, wins=counts.wins, losses=counts.losses, ties=counts.ties,
    )  # fmt: skip
    owe(
        session, team_id=style.team_id, dedupe_key=f"trial_end:{trial.trial_id}", verb="post_message",
        arguments={"channel_id": style.home_channel_id, "text": told, "blocks": None},
    )  # fmt: skip
    log.info("trial.ended", style_id=style.style_id, trial_id=trial.trial_id, status=status.value)


def _promote(session: Session, style: Style, trial: Trial) -> None:
    """`find_cause` has seen the champion in its place under the style's lock; `promote` compares once more."""
    reason = _say_why_promoted(session, style, trial)
    challenger = trial.challenger
    replaced = _short_name(session, style, trial.champion)
    promotion = promote(
        session, style, kind=PromotionKind.TRIAL, rung=challenger.rung, base_model=challenger.base_model,
        adapter_id=challenger.adapter_id, actor="gate", reason=reason, run_id=challenger.run_id,
    )  # fmt: skip
    audit.record(
        session, team_id=style.team_id, actor="gate", action="candidate.promoted", subject=style.style_id,
        promotion_id=promotion.promotion_id, candidate=_short_name(session, style, challenger), replaced=replaced,
    )  # fmt: skip


# -------------------------------------------------------------------------------------------------------- saying


def describe(session: Session, style: Style, candidate: TrialCandidate) -> str:
    """The candidate as people read it."""
    adapter = get_adapter(session, candidate.adapter_id, style.scope).name if candidate.adapter_id else ""
    return champion_texts.candidate_name(candidate.rung.value, adapter)


def _short_name(session: Session, style: Style, candidate: TrialCandidate) -> str:
    if candidate.adapter_id is None:
        return candidate.rung.value
    return get_adapter(session, candidate.adapter_id, style.scope).name


def say_promotion(session: Session, style: Style, promotion: Promotion) -> str:
    """Why a trial's winner serves, in the language spoken now."""
    trial = find_trial_won(session, promotion.replaced_id)
    return _say_why_promoted(session, style, trial) if trial else promotion.reason


def _say_why_promoted(session: Session, style: Style, trial: Trial) -> str:
    counts = count_comparisons(session, trial.trial_id)
    low, high = win_rate_interval(counts.wins, counts.losses)
    challenger, champion = describe(session, style, trial.challenger), describe(session, style, trial.champion)
    return texts.promoted_reason(challenger, champion, counts.wins, counts.wins + counts.losses, low, high)


def find_progress(session: Session, style: Style) -> str:
    """How far the style's running trial is, in a line; empty when there is none."""
    trial = find_running_trial(session, style.style_id, style.scope)
    if trial is None:
        return ""
    counts = count_comparisons(session, trial.trial_id)
    answered = counts.wins + counts.losses + counts.ties
    return texts.progress(
        describe(session, style, trial.challenger), counts.made, trial.most, answered, trial.started_at
    )  # fmt: skip


def get_progress(database: Database, actor: Actor, channel_id: str, style_name: str) -> str:
    """The same for a style that may be used in this channel. Raises UnknownStyle."""
    with database.read() as session:
        return find_progress(session, find_named_style(session, actor.team_id, channel_id, style_name))


def _say_end(session: Session, style: Style, trial: Trial, actor: str) -> str:
    champion, challenger = describe(session, style, trial.champion), describe(session, style, trial.challenger)
    counts = count_comparisons(session, trial.trial_id)
    low, high = win_rate_interval(counts.wins, counts.losses)
    said = texts.score(challenger, champion, counts.wins, counts.losses, counts.ties, low, high)
    if trial.status is TrialStatus.STOPPED:
        return texts.stopped(style.name, actor, challenger, champion, said)
    if trial.status is TrialStatus.OVERTAKEN:
        return texts.overtaken(style.name, challenger, champion, trial.cause.value if trial.cause else "", said)
    ends = {
        TrialStatus.CHALLENGER_WON: texts.challenger_won,
        TrialStatus.CHAMPION_WON: texts.champion_won,
        TrialStatus.NO_DIFFERENCE: texts.no_difference,
    }
    return ends[trial.status](style.name, challenger, champion, said)
