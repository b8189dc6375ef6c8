"""What a style is doing: its champion, examples, runs, and when it trains next, and why."""

from __future__ import annotations

from sqlalchemy.orm import Session

from bot.domain.policy import Due, Hindrance
from bot.domain.progress import read_figures
from bot.domain.safe_text import clip, escape
from bot.domain.values import Actor
from bot.operations.efforts import say_efforts
from bot.operations.judging import say_judge
from bot.operations.ladder import adapter_name, find_ladder
from bot.operations.prequential import say_prequential
from bot.operations.runs import look_at_policy, trainer_silence_seconds
from bot.operations.styles import find_named_style
from bot.operations.transfer import OPERATOR
from bot.operations.trials import find_progress, say_promotion
from bot.operations.verdicts import say_verdict
from bot.texts import champion as champion_texts
from bot.texts import status as texts
from bot.texts import training as training_texts
from bot.texts.results import failure_said
from bot.texts.styles import INITIAL_REASON
from config.base_names import base_model_id
from config.settings import Settings
from db.base import now_in_database
from db.examples import count_approved_holding, count_examples
from db.promotions import Promotion, PromotionKind, find_promotion
from db.runs import ENDED, Run, RunStatus, find_active_run, find_latest_run
from db.session import Database
from db.styles import Style
from db.trainers import find_live_trainer


def get_status(
    database: Database, settings: Settings, actor: Actor, channel_id: str, style_name: str, *, is_model_up: bool
) -> list[str]:
    """The status of a style that may be used in this channel, a line each. Raises UnknownStyle."""
    with database.read() as session:
        style = find_named_style(session, actor.team_id, channel_id, style_name)
        now = now_in_database(session)
        trainer = find_live_trainer(session, trainer_silence_seconds(settings))
        lines = [f"*{style.name}*"]

        champion = find_promotion(session, style.champion_promotion_id)
        if champion is None:
            lines.append(texts.NO_CHAMPION())
        else:
            name = champion_texts.candidate_name(champion.rung.value, adapter_name(session, style, champion))
            reason = clip(_why_champion(session, style, champion), 500)
            lines.append(texts.status_champion(name, champion.promoted_at, _who_moved(champion), reason))

        trial = find_progress(session, style)
        if trial:
            lines.append(trial)
        counts = count_examples(session, style.style_id, style.scope)
        lines.append(texts.status_examples({status.value: number for status, number in counts.items()}))

        held = count_approved_holding(session, style.style_id, style.scope, style.terms.forbidden)
        if held:
            lines.append(texts.status_left_out(held))

        said = say_prequential(session, style) if _has_too_few_unseen(session, settings, style) else ""
        lines += [one for one in (said, say_efforts(session, style), say_judge(session, settings, style)) if one]

        active = find_active_run(session, style.style_id)
        if active is not None:
            figures = read_figures(active.status.value, active.progress)
            state = training_texts.progress_state(figures)
            if active.status is RunStatus.QUEUED:
                state = training_texts.WAITING_FOR_TURN() if trainer else training_texts.WAITING_FOR_TRAINER()
            lines.append(texts.status_running(state, figures))
        ended = find_latest_run(session, style.style_id, *ENDED)
        if ended is not None:
            has_failed = ended.status is RunStatus.FAILED
            said = failure_said(ended.error, ended.verdict) if has_failed else say_verdict(session, ended)
            because = training_texts.because(ended.cause.value if ended.cause else "")
            lines.append(
                texts.status_last_run(
                    ended.kind, ended.status.value, ended.ended_at, because, clip(escape(said), 800)
                )
            )  # fmt: skip
        elif active is None:
            lines.append(texts.NO_RUN_YET())

        verdict = look_at_policy(session, settings, style, now)
        if isinstance(verdict, Due):
            lines.append(texts.status_due(verdict.reason))
        elif verdict.why is not Hindrance.RUN_ACTIVE:
            lines.append(texts.status_next(verdict.reason))

        alive = training_texts.trainer_alive(trainer.device) if trainer else texts.NO_TRAINER_SHORT()
        lines.append(texts.status_services(alive, is_model_up=is_model_up))
        return lines


def _has_too_few_unseen(session: Session, settings: Settings, style: Style) -> bool:
    ladder = find_ladder(session, settings, style)
    return ladder is None or not ladder.is_enough


def _who_moved(champion: Promotion) -> str:
    """Nobody for a withdrawal: who took back what is theirs is nobody else's business. Nor for what was done in a
    terminal."""
    is_nobodys = champion.kind is PromotionKind.WITHDRAWAL or champion.actor == OPERATOR
    return "" if is_nobodys else champion.actor


def _why_champion(session: Session, style: Style, champion: Promotion) -> str:
    """Why it serves, in the language spoken now: the ledger's own words are those of whoever wrote them."""
    if champion.kind is PromotionKind.INITIAL:
        return INITIAL_REASON()
    if champion.kind is PromotionKind.COMMAND:
        return champion_texts.promoted_reason(champion.actor)
    if champion.kind is PromotionKind.TRIAL:
        return say_promotion(session, style, champion)
    if champion.kind is PromotionKind.WITHDRAWAL:
        return champion_texts.OUT_OF_USE_REASON()
    if champion.kind is PromotionKind.BASE:
        return champion_texts.moved_to_base_reason(base_model_id(champion.base_model))
    if champion.kind is PromotionKind.ROLLBACK:
        if champion.actor == OPERATOR:
            return champion_texts.BACK_ON_BASE_REASON()
        before = find_promotion(session, champion.replaced_id)
        name = champion_texts.candidate_name(before.rung.value, adapter_name(session, style, before)) if before else "–"
        return champion_texts.rolled_back_reason(champion.actor, name)
    run = session.get(Run, champion.run_id) if champion.run_id else None
    return escape(say_verdict(session, run) if run else champion.reason)
