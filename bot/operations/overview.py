"""A style at a glance: what it has learnt, how good it is, what it costs, and what would help it most.

The Home tab, the weekly digest and the charts all show this one value, so that they can never disagree. Figures only:
no text of an example or draft leaves this file.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from bot.domain.effort import Trend, compare, summarise
from bot.domain.ladder import Ladder, Rank
from bot.domain.next_action import Facts, choose_next_action
from bot.domain.overview import Contributor, DraftCounts, StyleOverview
from bot.domain.policy import Due
from bot.domain.weeks import count_by_week, last_weeks, mean_by_week, running_total, week_start
from bot.language import sentences
from bot.operations.budget import read_spend, read_team_settings
from bot.operations.efforts import measure_efforts
from bot.operations.ladder import adapter_name, find_ladder
from bot.operations.recipes import recipe_facts
from bot.operations.runs import count_new_examples, home_channel, look_at_policy
from bot.operations.trials import find_progress
from config.run_kinds import RunKind
from config.settings import Settings
from db.adapters import AdapterStatus, find_adapter_by_name
from db.drafts import DraftOutcome, DraftStatus, find_latest_request, list_outcomes
from db.examples import (
    ExampleStatus,
    count_by_proposer,
    count_examples,
    find_latest_proposal,
    list_approval_times,
)  # fmt: skip
from db.people import list_people
from db.promotions import Promotion, PromotionKind, find_promotion
from db.runs import Run, RunStatus, count_failures_in_a_row, find_latest_run, list_newest_runs
from db.styles import Style

#: Drafts of which there is nothing to keep.
_NEVER_SHOWN = (
    DraftStatus.REQUESTED, DraftStatus.STREAMING, DraftStatus.FAILED, DraftStatus.STOPPED, DraftStatus.PAIRED,
    DraftStatus.PASSED_OVER,
)  # fmt: skip
_USED = (DraftStatus.KEPT, DraftStatus.EDITED)
RECENT = timedelta(weeks=4)
RUNS_LOOKED_AT = 6


def read_overview(session: Session, settings: Settings, style: Style, now: datetime) -> StyleOverview:
    """The style as it is at `now`."""
    zone = read_team_settings(session, settings, style.team_id).zone
    weeks = last_weeks(now, zone)
    since = week_start(weeks[0], zone)
    counts = count_examples(session, style.style_id, style.scope)
    approvals = count_by_week(list_approval_times(session, style.style_id, style.scope, since), weeks, zone)
    approved = counts[ExampleStatus.APPROVED]
    outcomes = list_outcomes(session, style.style_id, since)
    efforts = measure_efforts(outcomes)
    this_week = week_start(weeks[-1], zone)
    champion = find_promotion(session, style.champion_promotion_id)
    verdict = look_at_policy(session, settings, style, now)
    ladder = find_ladder(session, settings, style)
    return StyleOverview(
        style_id=style.style_id,
        name=style.name,
        kind=style.kind.value,
        is_private=style.scope.channel_id is not None,
        channel_id=home_channel(style),
        champion_rung=champion.rung.value if champion else "",
        champion_adapter=adapter_name(session, style, champion) if champion else "",
        champion_since=champion.promoted_at if champion else None,
        trial=find_progress(session, style),
        score=champion_rank(ladder),
        pairs_needed=ladder.pairs_needed if ladder else 0,
        verdict=sentences(ladder.because, ladder.verdict, ladder.hindsight) if ladder else "",
        approved=approved,
        proposed=counts[ExampleStatus.PROPOSED],
        new_by_week=approvals,
        total_by_week=running_total(approvals, approved - round(sum(value or 0 for value in approvals.values))),
        contributors=name_contributors(session, style, count_by_proposer(session, style.style_id, style.scope)),
        effort_by_week=mean_by_week(efforts, weeks, zone),
        effort=summarise([value for at, value in efforts if at >= now - RECENT]),
        trend=compare_efforts(efforts, this_week, now),
        drafts=count_drafts([one for one in outcomes if one.requested_at >= now - timedelta(days=7)]),
        next_training=verdict.reason,
        is_training_due=isinstance(verdict, Due),
        spend=read_spend(session, settings, style, now),
        next_action=choose_next_action(_facts(session, settings, style, now, champion, outcomes, ladder)),
    )


def compare_efforts(efforts: list[tuple[datetime, float]], since: datetime, until: datetime) -> Trend:
    """The time from `since` to `until`, against the four weeks before it."""
    now = [value for at, value in efforts if since <= at < until]
    before = [value for at, value in efforts if since - RECENT <= at < since]
    return compare(before, now)


def count_drafts(outcomes: list[DraftOutcome]) -> DraftCounts:
    def having(status: DraftStatus) -> int:
        return sum(one.status is status for one in outcomes)

    return DraftCounts(
        made=sum(one.status not in _NEVER_SHOWN for one in outcomes),
        kept=having(DraftStatus.KEPT),
        edited=having(DraftStatus.EDITED),
        discarded=having(DraftStatus.DISCARDED),
        posted=sum(one.is_posted for one in outcomes),
        used=sum(one.is_posted or one.status in _USED for one in outcomes),
    )


def name_contributors(session: Session, style: Style, counted: list[tuple[str, int]]) -> tuple[Contributor, ...]:
    known = list_people(session, style.team_id, [user_id for user_id, _ in counted])
    return tuple(
        Contributor(user_id=user_id, name=known[user_id].name if user_id in known else "", count=count)
        for user_id, count in counted
    )


def champion_rank(ladder: Ladder | None) -> Rank | None:
    """The champion's row in the latest measurement, if it was measured there."""
    return next((rank for rank in ladder.ranks if rank.is_champion), None) if ladder else None


# ------------------------------------------------------------------------------------------------ the next best action


def _facts(
    session: Session, settings: Settings, style: Style, now: datetime, champion: Promotion | None,
    outcomes: list[DraftOutcome], ladder: Ladder | None,
) -> Facts:  # fmt: skip
    counts = count_examples(session, style.style_id, style.scope)
    verdict = look_at_policy(session, settings, style, now)
    efforts = [value for at, value in measure_efforts(outcomes) if at >= now - RECENT]
    fruitless = _fruitless_runs(session, style)
    better, by, lower = _above_and_below(session, style, champion)
    return Facts(
        approved=counts[ExampleStatus.APPROVED],
        proposed=counts[ExampleStatus.PROPOSED],
        approved_new=count_new_examples(session, style),
        train_after_examples=style.train_after_examples,
        minimum_examples=recipe_facts(settings, style).minimum_examples,
        hindrance="" if isinstance(verdict, Due) else verdict.why.value,
        failures_in_a_row=count_failures_in_a_row(session, style.style_id),
        fruitless_runs=len(fruitless),
        fruitless_cost=sum(float((run.receipt or {}).get("cost") or 0.0) for run in fruitless),
        is_champion_measured=champion_rank(ladder) is not None,
        better_candidate=better,
        better_by=by,
        lower_candidate=lower,
        effort=sum(efforts) / len(efforts) if efforts else None,
        effort_drafts=len(efforts),
        drafts_this_week=sum(one.requested_at >= now - timedelta(days=7) for one in outcomes),
        quiet_weeks=_quiet_weeks(session, style, now),
    )


def _fruitless_runs(session: Session, style: Style) -> list[Run]:
    """The latest finished runs in a row that compared their candidates and moved nothing."""
    found = []
    for run in list_newest_runs(session, style.style_id, RunStatus.SUCCEEDED, kind=RunKind.TRAIN, limit=RUNS_LOOKED_AT):
        verdict = run.verdict or {}
        if verdict.get("pair"):
            continue  # on another base model: it was not to move anything
        if verdict.get("promoted") or not any(row.get("gain") for row in verdict.get("table") or ()):
            break
        found.append(run)
    return found


def _above_and_below(session: Session, style: Style, champion: Promotion | None) -> tuple[str, float, str]:
    """The candidate that the latest run put above what serves now, beyond the noise, and by how many bits per byte; and
    the one on a lower rung that it found as good. "" where there is none.

    What a person decided after that run is not called into question.
    """
    if champion is None:
        return "", 0.0, ""
    run = find_latest_run(session, style.style_id, RunStatus.SUCCEEDED, base_model=champion.base_model)
    if run is None or run.ended_at is None:
        return "", 0.0, ""
    by_people = (PromotionKind.COMMAND, PromotionKind.ROLLBACK, PromotionKind.TRIAL, PromotionKind.BASE)
    if champion.kind in by_people and champion.promoted_at >= run.ended_at:
        return "", 0.0, ""
    verdict = run.verdict or {}
    judged_against = verdict.get("champion") or {}
    serving = (champion.rung.value, adapter_name(session, style, champion))
    if (judged_against.get("rung"), judged_against.get("adapter_name")) != serving:
        return "", 0.0, ""
    for row in _by_gain(verdict.get("table") or []):
        if row["gain"]["low"] > 0 and _may_serve(session, style, str(row.get("adapter_name") or "")):
            return str(row.get("adapter_name") or row["rung"]), float(row["gain"]["mean"]), ""
    lower = verdict.get("lower") or {}
    may_serve = bool(lower) and _may_serve(session, style, str(lower.get("adapter_name") or ""))
    return "", 0.0, str(lower.get("adapter_name") or lower["rung"]) if may_serve else ""


def _by_gain(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    compared = [row for row in table if row.get("gain") and row["gain"].get("low") is not None]
    return sorted(compared, key=lambda row: -float(row["gain"]["mean"]))


def _may_serve(session: Session, style: Style, adapter: str) -> bool:
    found = find_adapter_by_name(session, adapter, style.scope) if adapter else None
    return not adapter or (found is not None and found.status is AdapterStatus.PUBLISHED)


def _quiet_weeks(session: Session, style: Style, now: datetime) -> int:
    used = (find_latest_request(session, style.style_id), find_latest_proposal(session, style.style_id, style.scope))
    last = max([style.created_at, *(at for at in used if at is not None)])
    return max((now - last) // timedelta(weeks=1), 0)
