"""The ladder of a style: the latest measurement, with the candidate that serves now marked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from sqlalchemy.orm import Session

from bot.domain.economy import Economy, Prices, drafts_a_week, find_break_even, prices_of_drafts
from bot.domain.hindsight import Hindsight, Moved
from bot.domain.ladder import Ladder, make_rank
from bot.domain.values import Actor
from bot.errors import NotMeasuredYet
from bot.language import say_docstring, sentences
from bot.operations.budget import read_team_settings
from bot.operations.efforts import say_efforts
from bot.operations.forecast import say_forecast
from bot.operations.judging import say_judge
from bot.operations.prequential import say_prequential
from bot.operations.probes import list_reports, say_report
from bot.operations.recipes import recipe_facts
from bot.operations.styles import find_named_style
from bot.operations.verdicts import say_verdict
from bot.texts import ladder as texts
from bot.texts.results import hindsight_said
from config.prompts import prompt_hash
from config.run_kinds import RunKind
from config.settings import Settings
from db.adapters import get_adapter
from db.base import now_in_database
from db.datasets import find_dataset_of_run
from db.drafts import count_usable_drafts
from db.knowledge import has_documents, list_frozen_documents
from db.promotions import Promotion, find_promotion
from db.runs import Run, RunStatus, find_latest_run
from db.scorecards import list_scorecards
from db.session import Database
from db.styles import Style, StyleNotFound, list_all_styles

#: The team's pace is that of so many weeks.
PACE_WEEKS = 4
WEEK = timedelta(weeks=1)


def get_ladder(database: Database, settings: Settings, actor: Actor, channel_id: str, style_name: str) -> Ladder:
    """The ladder of a style that may be used in this channel. Raises UnknownStyle, NotMeasuredYet."""
    with database.read() as session:
        return read_ladder(session, settings, find_named_style(session, actor.team_id, channel_id, style_name))


def list_ladders(database: Database, settings: Settings, style_name: str) -> list[Ladder]:
    """The ladders of the styles of this name, whatever their scope: for the terminal.

    Raises StyleNotFound, NotMeasuredYet.
    """
    with database.read() as session:
        styles = [style for style in list_all_styles(session) if style.name == style_name]
        if not styles:
            raise StyleNotFound
        return [read_ladder(session, settings, style) for style in styles]


def read_ladder(session: Session, settings: Settings, style: Style) -> Ladder:
    """The ladder as the last finished run measured it, with what was measured in use since. Raises NotMeasuredYet."""
    ladder = find_ladder(session, settings, style)
    if ladder is None:
        known = (say_prequential(session, style), say_efforts(session, style), say_judge(session, settings, style))
        raise NotMeasuredYet(sentences(say_docstring(NotMeasuredYet), *known))
    return replace(
        ladder, efforts=say_efforts(session, style), judge=say_judge(session, settings, style),
        prequential="" if ladder.is_enough else say_prequential(session, style),
    )  # fmt: skip


def find_ladder(session: Session, settings: Settings, style: Style) -> Ladder | None:
    """As the last finished run measured it; None before any measurement."""
    run = find_latest_run(session, style.style_id, RunStatus.SUCCEEDED)
    return find_ladder_of_run(session, settings, style, run) if run else None


def find_ladder_of_run(session: Session, settings: Settings, style: Style, run: Run) -> Ladder | None:
    """What this run measured, within the style's scope; None when it scored nothing."""
    if run.scope_key != style.scope_key:
        return None
    champion = find_promotion(session, style.champion_promotion_id)
    serving = (champion.rung, champion.base_model, adapter_name(session, style, champion)) if champion else None
    probed = list_reports(session, style, run)
    ranks = [
        make_rank(
            rung=row.rung.value,
            base_model=row.base_model,
            adapter_name=row.adapter_name,
            card=row.card,
            is_champion=(row.rung, row.base_model, row.adapter_name) == serving,
            has_failed_probe=row.adapter_name in probed and probed[row.adapter_name].has_failed,
        )
        for row in list_scorecards(session, run.run_id, style.scope)
    ]
    known = tuple(rank for rank in ranks if rank is not None)
    if not known:
        return None
    ladder = Ladder(
        style_name=style.name,
        run_id=run.run_id,
        ranks=known,
        verdict=say_verdict(session, run),
        hindsight=say_hindsight(session, settings, style, run, champion),
        pairs_needed=recipe_facts(settings, style).min_pairs,
        because=texts.measured_because(run.cause.value if run.cause else "") if run.kind is RunKind.MEASURE else "",
        forecast=say_forecast(session, style, run),
        probes=tuple(say_report(report) for report in probed.values()),
    )
    seconds, cost = _price_of_training(session, run)
    return replace(ladder, economy=read_economy(session, settings, style, ladder, run_seconds=seconds, run_cost=cost))


def _price_of_training(session: Session, run: Run) -> tuple[float, float]:
    """Seconds and money: what the run took, or, where it only measured, what training was foreseen to take then, or
    else the last training took; 0 where nobody knows."""
    foreseen = (run.quote or {}).get("training")
    if run.kind is RunKind.MEASURE and foreseen:
        minutes, cost = foreseen
        return float(minutes) * 60, float(cost)
    trained: Run | None = run
    if run.kind is RunKind.MEASURE:
        trained = find_latest_run(
            session, run.style_id, RunStatus.SUCCEEDED, kind=RunKind.TRAIN, base_model=run.base_model
        )  # fmt: skip
    receipt = (trained.receipt if trained else None) or {}
    return float(receipt.get("total_seconds") or 0.0), float(receipt.get("cost") or 0.0)


def say_hindsight(
    session: Session, settings: Settings, style: Style, run: Run, champion: Promotion | None
) -> str:  # fmt: skip
    """When this run measured, and what has changed since: what serves, and what it is told."""
    if run.ended_at is None:
        return ""
    zone = read_team_settings(session, settings, style.team_id).zone
    moved = None
    if champion is not None and champion.promoted_at > run.ended_at:
        moved = Moved(
            kind=champion.kind.value, name=adapter_name(session, style, champion) or champion.rung.value,
            day=champion.promoted_at.astimezone(zone).date(),
        )  # fmt: skip
    dataset = find_dataset_of_run(session, run.run_id)
    return hindsight_said(
        Hindsight(
            style_name=style.name, measured_on=run.ended_at.astimezone(zone).date(), moved=moved,
            has_other_instructions=dataset is not None and dataset.prompt_hash != prompt_hash(style.full_instructions),
            is_owed=style.measurement_owed_at is not None,
            has_new_documents=_has_new_documents(session, style, run),
        )
    )  # fmt: skip


def _has_new_documents(session: Session, style: Style, run: Run) -> bool:
    return has_documents(session, style.style_id, style.scope) and not list_frozen_documents(
        session, run.run_id, style.scope
    )


def read_economy(
    session: Session, settings: Settings, style: Style, ladder: Ladder, *, run_seconds: float, run_cost: float
) -> Economy:
    """What drafts cost by this measurement, and when a run of this length and cost is paid for at the team's pace."""
    now = now_in_database(session)
    weeks = min((now - style.created_at) / WEEK, PACE_WEEKS)
    pace = drafts_a_week(count_usable_drafts(session, style.style_id, now - PACE_WEEKS * WEEK), weeks)
    prices = Prices(
        per_hour=settings.price_per_hour,
        per_million_prompt_tokens=settings.price_per_million_prompt_tokens,
        per_million_completion_tokens=settings.price_per_million_completion_tokens,
        currency=settings.currency,
    )
    return Economy(
        break_even=find_break_even(ladder, prices, run_seconds=run_seconds, run_cost=run_cost, drafts_a_week=pace),
        draft_prices=prices_of_drafts(ladder, prices),
        currency=settings.currency,
    )


def adapter_name(session: Session, style: Style, promotion: Promotion) -> str:
    """The name of the adapter that a promotion serves with; empty for a prompt."""
    if promotion.adapter_id is None:
        return ""
    return get_adapter(session, promotion.adapter_id, style.scope).name
