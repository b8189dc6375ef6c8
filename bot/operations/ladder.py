"""The ladder of a style: the latest measurement, with the candidate that serves now marked."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.domain.ladder import Ladder, make_rank
from bot.domain.values import Actor
from bot.errors import NotMeasuredYet
from bot.operations.runs import recipe_facts
from bot.operations.styles import find_named_style
from bot.texts.results import verdict_said
from config.settings import Settings
from db.adapters import get_adapter
from db.promotions import Promotion, find_promotion
from db.runs import Run, RunStatus, find_latest_run
from db.scorecards import list_scorecards
from db.session import Database
from db.styles import Style, StyleNotFound, list_all_styles


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
    """The ladder as the last finished run measured it. Raises NotMeasuredYet."""
    run = find_latest_run(session, style.style_id, RunStatus.SUCCEEDED)
    ladder = find_ladder_of_run(session, settings, style, run) if run else None
    if ladder is None:
        raise NotMeasuredYet
    return ladder


def find_ladder_of_run(session: Session, settings: Settings, style: Style, run: Run) -> Ladder | None:
    """What this run measured, within the style's scope; None when it scored nothing."""
    if run.scope_key != style.scope_key:
        return None
    champion = find_promotion(session, style.champion_promotion_id)
    serving = (champion.rung, champion.base_model, adapter_name(session, style, champion)) if champion else None
    ranks = [
        make_rank(
            rung=row.rung.value,
            base_model=row.base_model,
            adapter_name=row.adapter_name,
            card=row.card,
            is_champion=(row.rung, row.base_model, row.adapter_name) == serving,
        )
        for row in list_scorecards(session, run.run_id, style.scope)
    ]
    known = tuple(rank for rank in ranks if rank is not None)
    if not known:
        return None
    return Ladder(
        style_name=style.name,
        run_id=run.run_id,
        ranks=known,
        verdict=verdict_said(run.verdict, run.receipt),
        pairs_needed=recipe_facts(settings, style).min_pairs,
    )


def adapter_name(session: Session, style: Style, promotion: Promotion) -> str:
    """The name of the adapter that a promotion serves with; empty for a prompt."""
    if promotion.adapter_id is None:
        return ""
    return get_adapter(session, promotion.adapter_id, style.scope).name
