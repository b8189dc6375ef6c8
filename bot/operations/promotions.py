"""Moving a style's champion by hand, both ways. It takes effect on the next draft: that reads the pointer anew.

Each is one row in the ledger, one in the audit log and one message in the channel, in one transaction; the delivery
that asked for it names the message, so asking again by accident moves nothing twice.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import structlog
from sqlalchemy.orm import Session

from bot.domain.rollback import Move, find_rollback_target
from bot.domain.style_names import find_nearest
from bot.domain.values import Actor
from bot.errors import (
    AdapterWithdrawn,
    AlreadyChampion,
    NothingToRollBackTo,
    NotMeasuredYet,
    OnOtherBase,
    UnknownCandidate,
)
from bot.operations.ladder import adapter_name, find_ladder_of_run
from bot.operations.languages import speaking_in_channel
from bot.operations.people import require_admin
from bot.operations.probes import check_has_passed, failed_names, find_failed
from bot.operations.runs import base_model_of, home_channel
from bot.operations.styles import find_named_style
from bot.operations.trial_losses import check_has_not_lost, split_anyway
from bot.texts import champion as texts
from config.base_names import base_model_id
from config.rungs import Rung
from config.settings import Settings
from db import audit
from db.adapters import EXAMPLES_WITHDRAWN, Adapter, AdapterStatus, get_adapter, list_adapters
from db.base_changes import find_open_change
from db.outbox import find_by_dedupe_key, owe
from db.promotions import Promotion, PromotionKind, find_promotion, promote
from db.runs import RunStatus, find_latest_run
from db.session import Database
from db.styles import Style, lock_style
from db.taint import is_tainted, list_tainted_adapters
from db.trials import TrialCandidate

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something that could serve."""

    rung: Rung
    base_model: str
    adapter_id: str | None
    adapter_name: str
    #: The run that measured it, where it is a prompt: `few_shot` shows the examples that it was measured with.
    run_id: str | None = field(default=None, compare=False)

    @property
    def shown(self) -> str:
        return texts.candidate_name(self.rung.value, self.adapter_name)

    @property
    def key(self) -> TrialCandidate:
        """As blind trials know it."""
        return TrialCandidate(rung=self.rung, base_model=self.base_model, adapter_id=self.adapter_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedChampion:
    """What the admin is told; the channel is told the same in its own language."""

    style_name: str
    sentence: str


def promote_by_hand(
    database: Database, settings: Settings, actor: Actor, channel_id: str, style_name: str, wanted: str,
    *, request_key: str,
) -> MovedChampion:  # fmt: skip
    """Make a measured rung or a published adapter the champion; one that lost a blind trial or fails a probe only with
    `anyway`, and the audit log keeps which probes those were.

    Raises AdminsOnly, UnknownStyle, UnknownCandidate, AdapterWithdrawn, OnOtherBase, AlreadyChampion, NotMeasuredYet,
    LostTrial, FailedProbe, ChampionMoved.
    """
    wanted, is_anyway = split_anyway(wanted)
    require_admin(database, actor, "command.refused", "promote")
    with database.write() as session:
        style = lock_style(session, find_named_style(session, actor.team_id, channel_id, style_name).style_id)
        done = _find_done(session, style, request_key)
        if done is not None:
            return done
        candidate = find_candidate(session, settings, style, wanted)
        before = find_serving(session, style, settings)
        if before == candidate:
            raise AlreadyChampion(texts.already_champion(candidate.shown, style.name))
        if not is_anyway:
            check_has_not_lost(
                session, style, candidate.key, before.key, names=(candidate.shown, before.shown), wanted=wanted
            )
            check_has_passed(session, style, candidate.adapter_id, shown=candidate.shown, wanted=wanted)
        with speaking_in_channel(session, style):
            told = texts.promoted(style.name, actor.user_id, candidate.shown, before.shown)
            reason = texts.promoted_reason(actor.user_id)
        _move(session, style, actor, candidate, before, PromotionKind.COMMAND, reason, told, request_key)
        sentence = texts.promoted(style.name, actor.user_id, candidate.shown, before.shown)
        return MovedChampion(style_name=style.name, sentence=sentence)


def roll_back(
    database: Database, settings: Settings, actor: Actor, channel_id: str, style_name: str, *, request_key: str
) -> MovedChampion:
    """Go back to what the champion replaced; what was withdrawn since is passed over.

    Raises AdminsOnly, UnknownStyle, NothingToRollBackTo, ChampionMoved.
    """
    require_admin(database, actor, "command.refused", "rollback")
    with database.write() as session:
        style = lock_style(session, find_named_style(session, actor.team_id, channel_id, style_name).style_id)
        done = _find_done(session, style, request_key)
        if done is not None:
            return done
        candidate = find_earlier(session, style)
        if candidate is None:
            raise NothingToRollBackTo
        before = find_serving(session, style, settings)
        with speaking_in_channel(session, style):
            told = texts.rolled_back(style.name, actor.user_id, candidate.shown, before.shown)
            reason = texts.rolled_back_reason(actor.user_id, before.shown)
        _move(session, style, actor, candidate, before, PromotionKind.ROLLBACK, reason, told, request_key)
        sentence = texts.rolled_back(style.name, actor.user_id, candidate.shown, before.shown)
        return MovedChampion(style_name=style.name, sentence=sentence)


def _find_done(session: Session, style: Style, request_key: str) -> MovedChampion | None:
    """What this very request did when it was worked on before."""
    earlier = find_by_dedupe_key(session, _message_key(request_key))
    return MovedChampion(style_name=style.name, sentence=earlier.arguments["text"]) if earlier else None


def _message_key(request_key: str) -> str:
    return f"champion:{request_key}"[:255]


def _move(
    session: Session, style: Style, actor: Actor, candidate: Candidate, before: Candidate,
    kind: PromotionKind, reason: str, told: str, request_key: str,
) -> None:  # fmt: skip
    promotion = promote(
        session, style, kind=kind, rung=candidate.rung, base_model=candidate.base_model,
        adapter_id=candidate.adapter_id, actor=actor.user_id, reason=reason, run_id=candidate.run_id,
    )  # fmt: skip
    audit.record(
        session, team_id=actor.team_id, actor=actor.user_id,
        action="champion.rolled_back" if kind is PromotionKind.ROLLBACK else "candidate.promoted",
        subject=style.style_id, promotion_id=promotion.promotion_id,
        candidate=candidate.adapter_name or candidate.rung.value, replaced=before.adapter_name or before.rung.value,
        failed_probes=failed_names(find_failed(session, style, candidate.adapter_id)),
    )  # fmt: skip
    owe(
        session, team_id=style.team_id, dedupe_key=_message_key(request_key), verb="post_message",
        arguments={"channel_id": home_channel(style), "text": told, "blocks": None},
    )  # fmt: skip
    log.info("champion.moved", style_id=style.style_id, kind=kind.value, promotion_id=promotion.promotion_id)


def find_candidate(session: Session, settings: Settings, style: Style, wanted: str) -> Candidate:
    """By the name of an adapter, or by rung, on the base model that serves: a prompt as the last run measured it, an
    adapter's rung as its newest there. Another base model is for the operator to sign off: its licence, its languages
    and its memory are no matter of one style.

    Raises UnknownCandidate, AdapterWithdrawn, OnOtherBase, NotMeasuredYet.
    """
    name = wanted.strip().strip("`*").casefold()
    adapters = list_adapters(session, style.style_id, style.scope)
    base_model = base_model_of(session, settings, style)  # a measurement on another one is no reason to move there
    run = find_latest_run(session, style.style_id, RunStatus.SUCCEEDED, base_model=base_model)
    ladder = find_ladder_of_run(session, settings, style, run) if run else None
    ranks = [rank for rank in ladder.ranks if rank.base_model == base_model] if ladder else []
    prompts = {rank.rung: rank for rank in ranks if not rank.adapter_name}
    if not adapters and not prompts:
        raise NotMeasuredYet
    for adapter in adapters:
        if name == adapter.name:
            found = _checked(session, adapter)
            if not adapter.rung.is_classifier and adapter.base_model != base_model:
                raise OnOtherBase(_said_of_base(session, style, adapter, base_model))
            return found
    if name in prompts:
        return Candidate(
            rung=Rung(name), base_model=prompts[name].base_model, adapter_id=None, adapter_name="",
            run_id=run.run_id if run else None,
        )  # fmt: skip
    tainted = {adapter.adapter_id for adapter in list_tainted_adapters(session, style.style_id)}
    here = [one for one in adapters if one.rung.is_classifier or one.base_model == base_model]
    serving = [
        adapter for adapter in here if adapter.status is AdapterStatus.PUBLISHED and adapter.adapter_id not in tainted
    ]
    for adapter in [*serving, *here]:
        if name == adapter.rung.value:
            return _checked(session, adapter)
    known = [*prompts, *dict.fromkeys(one.rung.value for one in serving), *(one.name for one in serving)]
    raise UnknownCandidate(texts.unknown_candidate(name[:60], style.name, known, find_nearest(name, known)))


def _said_of_base(session: Session, style: Style, adapter: Adapter, serving: str) -> str:
    change = find_open_change(session)
    return texts.on_other_base(
        adapter.name, style.name, base_model_id(adapter.base_model), base_model_id(serving),
        is_asked_about=change is not None and change.base_model == adapter.base_model,
    )  # fmt: skip


def _checked(session: Session, adapter: Adapter) -> Candidate:
    if adapter.reason == EXAMPLES_WITHDRAWN or is_tainted(session, adapter):
        raise AdapterWithdrawn(texts.tainted_adapter(adapter.name))
    if adapter.status is AdapterStatus.WITHDRAWN:
        raise AdapterWithdrawn(texts.withdrawn_adapter(adapter.name, adapter.reason or ""))
    return candidate_of(adapter)


def candidate_of(adapter: Adapter) -> Candidate:
    """What serves with this adapter."""
    return Candidate(
        rung=adapter.rung, base_model=adapter.base_model, adapter_id=adapter.adapter_id, adapter_name=adapter.name
    )


def find_serving(session: Session, style: Style, settings: Settings) -> Candidate:
    """The candidate that serves now; a style without any promotion is served by its instructions alone."""
    champion = find_promotion(session, style.champion_promotion_id)
    if champion is None:
        return Candidate(rung=Rung.ZERO_SHOT, base_model=settings.base_model, adapter_id=None, adapter_name="")
    return _candidate_of(session, style, champion)


def _candidate_of(session: Session, style: Style, promotion: Promotion) -> Candidate:
    return Candidate(
        rung=promotion.rung,
        base_model=promotion.base_model,
        adapter_id=promotion.adapter_id,
        adapter_name=adapter_name(session, style, promotion),
        run_id=promotion.run_id,
    )


def find_earlier(session: Session, style: Style, *, not_on: str = "") -> Candidate | None:
    """What to go back to (see bot/domain/rollback.py), passing over what stands on the base model `not_on`."""
    if style.champion_promotion_id is None:
        return None
    moves: dict[str, Move] = {}
    row = find_promotion(session, style.champion_promotion_id)
    while row is not None and row.promotion_id not in moves:
        moves[row.promotion_id] = Move(
            promotion_id=row.promotion_id,
            replaced_id=row.replaced_id,
            candidate=f"{row.rung.value} {row.base_model} {row.adapter_id}",
            is_rollback=row.kind is PromotionKind.ROLLBACK,
            may_serve=row.scope_key == style.scope_key and row.base_model != not_on and _may_serve(session, style, row),
        )
        row = find_promotion(session, row.replaced_id)
    target = find_rollback_target(style.champion_promotion_id, moves)
    found = find_promotion(session, target.promotion_id) if target else None
    return _candidate_of(session, style, found) if found else None


def _may_serve(session: Session, style: Style, promotion: Promotion) -> bool:
    if promotion.adapter_id is None:
        return True
    adapter = get_adapter(session, promotion.adapter_id, style.scope)
    return adapter.status is AdapterStatus.PUBLISHED and not is_tainted(session, adapter)
