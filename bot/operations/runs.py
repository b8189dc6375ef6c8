"""Queueing and cancelling runs: by the clock when a style's policy is met, by an admin after a quote.

One cause is one run: the slot of a run names it, and a style's runs are queued one at a time under its lock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.orm import Session

from bot.blocks.quote import quote_message, terms_message
from bot.blocks.run_progress import RunCard, progress_message
from bot.domain.policy import Due, Hindrance, NotDue, Owed, Situation, is_training_due
from bot.domain.progress import read_figures
from bot.domain.quote import Measured, Quote, make_quote, measure_only
from bot.domain.spend import month_of
from bot.domain.values import Actor
from bot.errors import OverBudget, QuoteGone, RunAlreadyActive, RunHasEnded, TermsNotAccepted, TooFewExamples
from bot.operations.budget import read_spend, read_team_settings
from bot.operations.clean_retrain import NoRetrain, stop_serving_tainted
from bot.operations.forecast import find_expected_gain
from bot.operations.ladder import find_ladder, read_economy
from bot.operations.languages import speaking_in_channel
from bot.operations.owed import find_owed, find_own_owed
from bot.operations.people import require_admin
from bot.operations.recipes import recipe_facts
from bot.operations.styles import find_named_style
from bot.operations.terms import accept_terms
from bot.texts import budget
from bot.texts import training as texts
from config.run_kinds import RunCause, RunKind
from config.settings import Settings
from db import audit
from db.base import now_in_database
from db.base_changes import lock_open_change
from db.datasets import count_approved_outside, find_dataset_of_run
from db.examples import ExampleStatus, count_approved_since, count_examples, list_approved_lengths
from db.outbox import owe
from db.promotions import find_promotion, find_serving_base
from db.runs import (
    Run,
    RunNotFound,
    RunStatus,
    count_failures_in_a_row,
    find_active_run,
    find_latest_run,
    find_run_in_slot,
    get_run,
    list_receipts,
    queue_run,
    request_cancel,
)
from db.session import Database, DatabaseUnavailable
from db.styles import Style, StyleNotFound, get_style, list_all_styles, lock_style
from db.taint import list_tainted_adapters
from db.teams import find_team, has_accepted_terms, lock_team
from db.trainers import Trainer, find_live_trainer

log = structlog.get_logger()


# ---------------------------------------------------------------------------------------------------- by the clock


def queue_due_runs(database: Database, settings: Settings, now: datetime) -> list[str]:
    """Queue a run for every style whose policy is met at `now`; returns their ids.

    Any number of clocks may do this at once. A style that cannot be looked at does not keep the others waiting.
    Raises DatabaseUnavailable.
    """
    with database.read() as session:
        style_ids = [style.style_id for style in list_all_styles(session)]
    queued = []
    for style_id in style_ids:
        try:
            run_id = _queue_if_due(database, settings, style_id, now)
        except DatabaseUnavailable:
            raise
        except Exception:
            log.exception("style.not_checked", style_id=style_id)
            continue
        if run_id is not None:
            queued.append(run_id)
    return queued


def _queue_if_due(database: Database, settings: Settings, style_id: str, now: datetime) -> str | None:
    with database.read() as session:  # looking takes no lock, and mostly there is nothing to do
        verdict = look_at_policy(session, settings, get_style(session, style_id), now)
    if isinstance(verdict, NotDue):
        if verdict.why is Hindrance.TERMS_NOT_ACCEPTED:
            _ask_for_terms(database, style_id)
        elif verdict.why in _KEPT_BACK:
            _give_up_clean_retrain(database, settings, style_id, now)
            _say_kept_back(database, settings, style_id, now)
        elif verdict.why in _NO_CLEAN_RETRAIN:
            _give_up_clean_retrain(database, settings, style_id, now)
        return None
    with database.write() as session:
        lock_open_change(session)  # whoever takes it back cancels the runs that there are, and must miss none
        style = lock_style(session, style_id)
        lock_team(session, style.team_id)  # another style's run may be taking what is left of the budget
        with speaking_in_channel(session, style):
            verdict = look_at_policy(session, settings, style, now)
        if not isinstance(verdict, Due):
            return None
        quote = foresee(session, settings, style, kind=verdict.kind, base_model=verdict.base_model).as_json()
        run = queue(
            session, settings, style, slot=verdict.slot, reason=verdict.reason, quote=quote, kind=verdict.kind,
            cause=verdict.cause, base_model=verdict.base_model,
        )  # fmt: skip
        return run.run_id if run else None


def look_at_policy(session: Session, settings: Settings, style: Style, now: datetime) -> Due | NotDue:
    """Is a run of this style due, as its policy has it and the database shows it?

    What a change of the base model asks for comes first. While that waits (between failed tries, for the statement,
    for the budget), what the style needs where it serves does not.
    """
    owed = find_owed(session, style)
    verdict = _look_at(session, settings, style, owed, now)
    if isinstance(verdict, Due) or owed is None or owed.cause is not RunCause.CHANGED_BASE:
        return verdict
    own = _look_at(session, settings, style, find_own_owed(session, style), now)
    return own if isinstance(own, Due) else verdict


def _look_at(session: Session, settings: Settings, style: Style, owed: Owed | None, now: datetime) -> Due | NotDue:
    """`owed`: what is owed besides the policy and a clean retrain."""
    last = find_latest_run(session, style.style_id)
    approved = count_examples(session, style.style_id, style.scope)[ExampleStatus.APPROVED]
    is_by_gain = style.train_on_gain_bits is not None
    is_clean_owed = style.clean_retrain_owed_at is not None  # it comes before everything else
    is_for_change = owed is not None and owed.cause is RunCause.CHANGED_BASE and not is_clean_owed
    # Only a run that would have answered what is owed says by its end that somebody did not want it, or that it fails.
    answering = find_latest_run(
        session, style.style_id, kind=RunKind.TRAIN if is_clean_owed else None, for_other_base=is_for_change
    )
    ended = (answering.status, answering.ended_at) if answering else (None, None)
    situation = Situation(
        approved=approved,
        approved_new=count_new_examples(session, style),
        train_after_examples=style.train_after_examples,
        train_on_gain_bits=style.train_on_gain_bits,
        expected_gain=find_expected_gain(session, style, approved) if is_by_gain else None,
        from_hour=style.train_from_hour,
        to_hour=style.train_to_hour,
        minimum=recipe_facts(settings, style).minimum_examples,
        last_run_id=last.run_id if last else None,
        is_run_active=find_active_run(session, style.style_id) is not None,
        failures_in_a_row=count_failures_in_a_row(
            session, style.style_id, for_other_base=is_for_change, since=owed.since if owed and is_for_change else None
        ),
        last_failed_at=ended[1] if ended[0] is RunStatus.FAILED else None,
        last_cancelled_at=ended[1] if ended[0] is RunStatus.CANCELLED else None,
        clean_retrain_owed_at=style.clean_retrain_owed_at,
        owed=owed,
        is_terms_accepted=has_accepted_terms(session, style.team_id),
    )
    verdict = is_training_due(situation, now)
    if not _has_limit(session, style) or (isinstance(verdict, NotDue) and verdict.why is not _LAST_HINDRANCE):
        return verdict
    run = verdict if isinstance(verdict, Due) else verdict.run
    assert run is not None, "only the statement is missing, so there is a run that waits for it"
    quote = foresee(session, settings, style, kind=run.kind, base_model=run.base_model)
    spend = read_spend(session, settings, style, now)
    return is_training_due(replace(situation, spend=spend, next_cost=quote.cost), now)


#: Asked after the budget: only with this one, or none, is it worth adding up what the month has cost.
_LAST_HINDRANCE = Hindrance.TERMS_NOT_ACCEPTED


#: The channel is told that a run waits for money.
_KEPT_BACK = (Hindrance.BUDGET_SPENT, Hindrance.BUDGET_TOO_SMALL)
#: With one of these a clean retrain that is owed will not come: the adapters go without one.
_NO_CLEAN_RETRAIN = {
    Hindrance.TOO_FEW_EXAMPLES: NoRetrain.TOO_FEW_EXAMPLES,
    Hindrance.FAILED_TOO_OFTEN: NoRetrain.FAILED_TOO_OFTEN,
}


def _give_up_clean_retrain(database: Database, settings: Settings, style_id: str, now: datetime) -> None:
    """Take what a clean retrain would replace out of use where that does not come."""
    with database.read() as session:
        if get_style(session, style_id).clean_retrain_owed_at is None:
            return
    with database.write() as session:
        style = lock_style(session, style_id)
        verdict = look_at_policy(session, settings, style, now)
        why = _why_given_up(session, settings, style, verdict, now) if isinstance(verdict, NotDue) else None
        if why is not None:
            stop_serving_tainted(session, style, actor="clock", why=why)


def _why_given_up(
    session: Session, settings: Settings, style: Style, verdict: NotDue, now: datetime
) -> NoRetrain | None:  # fmt: skip
    """Why a clean retrain that is owed is waited for no longer; None where it is, or where none is owed."""
    if style.clean_retrain_owed_at is None:
        return None
    if verdict.why in _NO_CLEAN_RETRAIN:
        return _NO_CLEAN_RETRAIN[verdict.why]
    if not list_tainted_adapters(session, style.style_id):
        return None  # they are out of use already, so that it may wait for the money as long as it takes
    if verdict.why is Hindrance.BUDGET_TOO_SMALL:
        return NoRetrain.BUDGET_TOO_SMALL
    month, _ = month_of(now, read_team_settings(session, settings, style.team_id).zone)
    is_next_month = style.clean_retrain_owed_at < month
    return NoRetrain.BUDGET_SPENT if verdict.why is Hindrance.BUDGET_SPENT and is_next_month else None


def check_retrain(session: Session, settings: Settings, style: Style, *, actor: str) -> NoRetrain | None:
    """After a withdrawal: why can the clean retrain not be made? Then what it would have replaced is out of use now.

    The caller holds the style's lock.
    """
    why = why_no_retrain(session, settings, style)
    if why is not None:
        stop_serving_tainted(session, style, actor=actor, why=why)
    return why


def why_no_retrain(session: Session, settings: Settings, style: Style) -> NoRetrain | None:
    """Why a clean retrain can never be made; None where one can."""
    if not has_enough_examples(session, settings, style):
        return NoRetrain.TOO_FEW_EXAMPLES
    if not _has_limit(session, style):
        return None
    spend = read_spend(session, settings, style, now_in_database(session))
    is_too_dear = spend.is_never_enough_for(foresee(session, settings, style).cost)
    return NoRetrain.BUDGET_TOO_SMALL if is_too_dear else None


def has_enough_examples(session: Session, settings: Settings, style: Style) -> bool:
    """Could a run of the style be made at all?"""
    approved = count_examples(session, style.style_id, style.scope)[ExampleStatus.APPROVED]
    return approved >= recipe_facts(settings, style).minimum_examples


def _has_limit(session: Session, style: Style) -> bool:
    team = find_team(session, style.team_id)
    return style.monthly_budget is not None or (team is not None and team.monthly_budget is not None)


def count_new_examples(session: Session, style: Style) -> int:
    """Approved examples that no finished run has looked at. A failed run learnt nothing, so it does not count; a
    cancelled one does: somebody did not want it."""
    looked = (RunStatus.SUCCEEDED, RunStatus.CANCELLED)
    champion = find_promotion(session, style.champion_promotion_id)
    own = champion.base_model if champion else None
    last = find_latest_run(session, style.style_id, *looked, kind=RunKind.TRAIN, base_model=own)
    last = last or find_latest_run(session, style.style_id, *looked, kind=RunKind.TRAIN)
    dataset = find_dataset_of_run(session, last.run_id) if last else None
    if dataset is not None:
        return count_approved_outside(session, dataset)
    return count_approved_since(session, style.style_id, style.scope, last.queued_at if last else None)


def terms_key(style_id: str) -> str:
    """The outbox's name for the notice that the statement is missing."""
    return f"terms:{style_id}"


def accept_statement(database: Database, actor: Actor, style_id: str) -> None:
    """An admin accepts the statement under the clock's notice; the next tick queues what is due. Raises AdminsOnly."""
    require_admin(database, actor, "command.refused", "accept_terms")
    with database.write() as session:
        style = get_style(session, style_id)
        if style.team_id != actor.team_id:
            raise StyleNotFound
        with speaking_in_channel(session, style):  # the statement that was shown is the channel's
            accept_terms(session, actor)
            accepted = texts.terms_accepted(actor.user_id)
        arguments = {"ts_from": terms_key(style_id), "text": accepted, "blocks": None}
        key = f"{terms_key(style_id)}:accepted"
        owe(session, team_id=actor.team_id, dedupe_key=key, verb="update_message", arguments=arguments)


def _ask_for_terms(database: Database, style_id: str) -> None:
    """Tell the style's channel once that only the statement is missing."""
    with database.write() as session:
        style = get_style(session, style_id)
        with speaking_in_channel(session, style):
            text, blocks = terms_message(style_id, style.name)
        arguments = {"channel_id": home_channel(style), "text": text, "blocks": blocks}
        if owe(
            session, team_id=style.team_id, dedupe_key=terms_key(style_id), verb="post_message", arguments=arguments
        ):
            log.info("terms.asked_for", style_id=style_id)


def _say_kept_back(database: Database, settings: Settings, style_id: str, now: datetime) -> None:
    """Tell the style's channel, once a month for each cause, that the budget keeps a run back."""
    with database.write() as session:
        style = get_style(session, style_id)
        with speaking_in_channel(session, style):
            verdict = look_at_policy(session, settings, style, now)
            if not isinstance(verdict, NotDue) or verdict.why not in _KEPT_BACK or verdict.run is None:
                return
            run, spend = verdict.run, read_spend(session, settings, style, now)
            cost = foresee(session, settings, style, kind=run.kind, base_model=run.base_model).cost
            text = budget.kept_back(style.name, run.kind, run.reason, spend, cost)
        key = f"budget:{style_id}:{spend.renews_at:%Y-%m}:{run.kind.value}:{run.cause.value}"
        arguments = {"channel_id": home_channel(style), "text": text, "blocks": None}
        if owe(session, team_id=style.team_id, dedupe_key=key, verb="post_message", arguments=arguments):
            audit.record(
                session, team_id=style.team_id, actor="clock", action="run.kept_back", subject=style_id,
                cost=cost, spent=spend.spent, team_spent=spend.team_spent,
            )  # fmt: skip
            log.info("run.kept_back", style_id=style_id, cost=cost)


# ---------------------------------------------------------------------------------------------------- by an admin


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownQuote:
    """A quote as it is put before the admin."""

    quote_id: str
    style_name: str
    text: str
    blocks: list[dict[str, Any]]


def quote_training(
    database: Database, settings: Settings, actor: Actor, channel_id: str, style_name: str
) -> ShownQuote:
    """Foresee a run, and keep what was foreseen. Raises AdminsOnly, TooFewExamples, RunAlreadyActive, UnknownStyle."""
    require_admin(database, actor, "command.refused", "train")
    with database.write() as session:
        style = find_named_style(session, actor.team_id, channel_id, style_name)
        check_may_run(session, settings, style)
        trainer = find_live_trainer(session, trainer_silence_seconds(settings))
        quote = foresee(session, settings, style, trainer)
        check_budget(session, settings, style, quote.cost)
        is_statement_needed = not has_accepted_terms(session, actor.team_id)
        entry = audit.record(
            session, team_id=actor.team_id, actor=actor.user_id, action="run.quoted", subject=style.style_id,
            quote=quote.as_json(), carries_statement=is_statement_needed,
        )  # fmt: skip
        ladder = find_ladder(session, settings, style)
        text, blocks = quote_message(
            entry.audit_id,
            style.name,
            quote,
            price_per_hour=settings.price_per_hour,
            trainer=texts.trainer_alive(trainer.device) if trainer else texts.NO_TRAINER(),
            is_statement_needed=is_statement_needed,
            economy=read_economy(session, settings, style, ladder, run_seconds=quote.minutes * 60, run_cost=quote.cost)
            if ladder
            else None,
        )
        return ShownQuote(quote_id=entry.audit_id, style_name=style.name, text=text, blocks=blocks)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedRun:
    run_id: str
    style_name: str
    channel_id: str


def confirm_training(database: Database, settings: Settings, actor: Actor, quote_id: str) -> QueuedRun:
    """Queue the quoted run, once however often the button is clicked; accept the statement if it carried it.

    Raises AdminsOnly, QuoteGone, TooFewExamples, RunAlreadyActive, TermsNotAccepted.
    """
    require_admin(database, actor, "command.refused", "confirm_train")
    with database.write() as session:
        entry = audit.find_entry(session, quote_id, "run.quoted")
        if entry is None or entry.team_id != actor.team_id:
            raise QuoteGone
        style = lock_style(session, entry.subject)
        slot = f"quote:{quote_id}"
        run = find_run_in_slot(session, style.style_id, slot)
        if run is None:
            check_may_run(session, settings, style)
            check_budget(session, settings, style, _cost_by_now(session, settings, style, entry.detail["quote"]))
            if entry.detail["carries_statement"]:
                accept_terms(session, actor)
            if not has_accepted_terms(session, actor.team_id):
                raise TermsNotAccepted
            with speaking_in_channel(session, style):
                reason = texts.reason_by_hand(actor.user_id)
            run = queue(
                session, settings, style, slot=slot, reason=reason, cause=RunCause.BY_HAND,
                requested_by=actor.user_id, quote=entry.detail["quote"],
            )  # fmt: skip
            assert run is not None, "the style is locked and the slot was free"
        return QueuedRun(run_id=run.run_id, style_name=style.name, channel_id=home_channel(style))


def decline_training(database: Database, actor: Actor, quote_id: str) -> str:
    """The admin thought better of it; returns the style's name."""
    with database.read() as session:
        entry = audit.find_entry(session, quote_id, "run.quoted")
        if entry is None or entry.team_id != actor.team_id:
            return ""
        return get_style(session, entry.subject).name


def cancel_run(database: Database, actor: Actor, run_id: str) -> None:
    """Stop a run: at once when it waits, at its next step when a trainer has it.

    Raises AdminsOnly, RunNotFound, RunHasEnded.
    """
    require_admin(database, actor, "command.refused", run_id)
    with database.write() as session:
        run = get_run(session, run_id)
        if run.team_id != actor.team_id:
            raise RunNotFound
        if run.is_cancel_requested:
            return
        if not request_cancel(session, run_id):
            raise RunHasEnded
        audit.record(session, team_id=actor.team_id, actor=actor.user_id, action="run.cancel_requested", subject=run_id)


def check_may_run(session: Session, settings: Settings, style: Style) -> None:
    if find_active_run(session, style.style_id) is not None:
        raise RunAlreadyActive
    approved = count_examples(session, style.style_id, style.scope)[ExampleStatus.APPROVED]
    needed = recipe_facts(settings, style).minimum_examples
    if approved < needed:
        raise TooFewExamples(texts.too_few_examples(style.name, approved, needed))


def _cost_by_now(session: Session, settings: Settings, style: Style, quote: Mapping[str, Any]) -> float:
    """What was quoted, or what the run takes by now if that is more: a quote may be days old.

    Held against a speed of the same source only: a trainer that has gone since does not make a run dearer.
    """
    now = foresee(session, settings, style, find_live_trainer(session, trainer_silence_seconds(settings)))
    quoted = float(quote["cost"])
    return max(quoted, now.cost) if now.speed_source == quote["speed_source"] else quoted


def check_budget(
    session: Session, settings: Settings, style: Style, cost: float, *, kind: RunKind = RunKind.TRAIN
) -> None:  # fmt: skip
    """Raises OverBudget. In a writing transaction two runs that share a budget are checked one after the other."""
    lock_team(session, style.team_id)
    spend = read_spend(session, settings, style, now_in_database(session))
    if spend.is_over_with(cost):
        raise OverBudget(budget.over_budget(style.name, kind, spend, cost))


def foresee(
    session: Session, settings: Settings, style: Style, trainer: Trainer | None = None, *,
    kind: RunKind = RunKind.TRAIN, base_model: str | None = None,
) -> Quote:  # fmt: skip
    """What a run of this style would take now, by what was measured with its recipe, or else the next best.

    `base_model`: another one than serves the style.
    """
    base_model, recipe = base_model or base_model_of(session, settings, style), style.recipe or settings.recipe
    there = find_latest_run(session, style.style_id, RunStatus.SUCCEEDED, kind=RunKind.TRAIN, base_model=base_model)
    last = there or find_latest_run(session, style.style_id, RunStatus.SUCCEEDED, kind=RunKind.TRAIN)
    lengths = list_approved_lengths(session, style.style_id, style.scope)
    facts, receipt = recipe_facts(settings, style, examples=len(lengths)), last.receipt if last else None
    quote = make_quote(
        facts,
        lengths,
        len(style.full_instructions),
        Measured(
            trainer_tokens_per_second=trainer.tokens_per_second if trainer else None,
            device=trainer.device if trainer else None,
            receipt=receipt,
            is_receipt_of_this_base=last is there,
            like=list_receipts(session, style.team_id, recipe=recipe, base_model=base_model),
            like_elsewhere=list_receipts(
                session, style.team_id, recipe=recipe, base_model=base_model, is_elsewhere=True
            ),
        ),
        price_per_hour=settings.price_per_hour,
        currency=settings.currency,
    )
    return measure_only(quote, facts, receipt) if kind is RunKind.MEASURE else quote


# ---------------------------------------------------------------------------------------------------- both


def queue(
    session: Session,
    settings: Settings,
    style: Style,
    *,
    slot: str,
    reason: str,
    cause: RunCause,
    kind: RunKind = RunKind.TRAIN,
    base_model: str | None = None,
    requested_by: str | None = None,
    quote: dict[str, Any] | None = None,
) -> Run | None:
    """Queue the run, put it on record and owe the channel its one message; None when the slot is taken.

    `base_model`: another one than serves the style; what comes of such a run waits for somebody's sign-off.
    """
    run = queue_run(
        session, team_id=style.team_id, style_id=style.style_id, scope_key=style.scope_key, slot=slot, reason=reason,
        recipe=style.recipe or settings.recipe, base_model=base_model or base_model_of(session, settings, style),
        kind=kind, cause=cause, requested_by=requested_by, quote=quote,
    )  # fmt: skip
    if run is None:
        return None
    owe_progress_message(session, run, style)
    audit.record(
        session, team_id=style.team_id, actor=requested_by or "clock", action="run.queued", subject=run.run_id,
        style_id=style.style_id, slot=slot, kind=kind.value, cause=cause.value,
    )  # fmt: skip
    log.info("run.queued", run_id=run.run_id, style_id=style.style_id, slot=slot)
    return run


def base_model_of(session: Session, settings: Settings, style: Style) -> str:
    """The base model that a style stands on: its champion's, so that no run moves it to another one by the way. A rung
    without a language model stands on none."""
    return find_serving_base(session, style) or settings.base_model


def message_key(run_id: str) -> str:
    """Under this dedupe key the outbox holds a run's one message."""
    return f"run:{run_id}"


def owe_progress_message(session: Session, run: Run, style: Style) -> None:
    """Owe the channel the run's message, which is updated from then on; once, whoever queued the run."""
    card = RunCard(
        run_id=run.run_id, style_name=style.name, reason=run.reason, kind=run.kind,
        figures=read_figures(run.status.value, run.progress),
    )  # fmt: skip
    with speaking_in_channel(session, style):
        text, blocks = progress_message(card)
    owe(
        session,
        team_id=run.team_id,
        dedupe_key=message_key(run.run_id),
        verb="post_message",
        arguments={"channel_id": home_channel(style), "text": text, "blocks": blocks},
    )


def home_channel(style: Style) -> str:
    """Where what concerns a style is said: a private style never speaks outside its own channel."""
    return style.home_channel_id


def trainer_silence_seconds(settings: Settings) -> float:
    """A trainer beats every heartbeat; three missed ones are silence."""
    return max(settings.lease_seconds, 3 * settings.heartbeat_seconds)
