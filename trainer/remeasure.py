"""What a verdict says besides where a run measured again: whether the adapter is still needed, whether training again
would pay, and on another base model what would serve there. Reads earlier measurements; decides nothing itself."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from config.base_names import base_model_id
from config.run_kinds import RunKind
from db.runs import Run
from db.scope import Scope
from db.session import Database
from db.styles import Style
from trainer import registry
from trainer.base_pair import judge_pair
from trainer.need import Retraining, adapter_lead, weigh_retraining, with_need
from trainer.promotion import Policy, Verdict
from trainer.scores import Scores, named


def judge_again(
    database: Database, run: Run, style: Style, scores: Scores, policy: Policy, verdict: Verdict
) -> tuple[Verdict, dict[str, Any]]:
    """The verdict with what is to be said besides, and figures that are stored with it: `retrain` and `pair`."""
    champion, besides = scores.champion.standing, dict[str, Any]()
    retraining = None
    if run.kind is RunKind.MEASURE and champion.rung.needs_adapter and not champion.rung.is_classifier:
        retraining = _weigh(database, style, scores, policy)
    if retraining is not None:
        besides["retrain"] = asdict(retraining) | {"is_worth_it": retraining.is_worth_it} | _price(run)
    if champion.is_elsewhere:
        sound = [one for one in scores.standings if one != champion and one.key not in scores.failures]
        new = [scores.cards[one.key] for one in sound]
        bases = base_model_id(champion.base_model), base_model_id(run.base_model)
        kept, pair = judge_pair(scores.cards[champion.key], new, policy, scores.rungs, bases=bases)
        besides["pair"] = pair.as_json() | named(scores.standing(pair.key))
        return with_need(kept, champion.key, scores.rungs, retraining, is_elsewhere=True), besides
    if run.kind is RunKind.MEASURE and champion.rung.needs_adapter:
        verdict = with_need(verdict, champion.key, scores.rungs, retraining)
    return verdict, besides


def _weigh(database: Database, style: Style, scores: Scores, policy: Policy) -> Retraining | None:
    champion = scores.champion.standing
    with database.read() as session:
        first = registry.load_first_scorecards(session, champion.adapter_name, Scope.from_key(style.scope_key))
    prompts = [scores.cards[key] for key in scores.prompts]
    now = adapter_lead(scores.cards[champion.key], prompts, policy)
    before = adapter_lead(*first, policy) if first else None
    if now is None or before is None:
        return None
    least = policy.margin_bits if style.train_on_gain_bits is None else style.train_on_gain_bits
    return weigh_retraining(before, now, least=least)


def _price(run: Run) -> dict[str, Any]:
    """What training was foreseen to take when this measurement was queued."""
    quote = run.quote or {}
    minutes, cost = quote.get("training") or (None, None)
    return {"minutes": minutes, "cost": cost, "currency": quote.get("currency")}
