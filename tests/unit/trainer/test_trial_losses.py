"""A candidate that people found worse in a blind trial is not promoted by what was measured."""

from __future__ import annotations

from config.rungs import Rung
from config.sentences import note
from db.promotions import PromotionKind
from db.session import Database
from db.styles import get_style
from db.trials import TrialStatus
from tests.support.factories import make_promotion
from tests.support.trials import ADAPTER, make_answers, make_measured_style, make_trial
from tests.unit.trainer.test_promotion import scorecard
from trainer import registry
from trainer.probes.judging import ProbeResult
from trainer.promotion import Keep, MoveDown, Policy, Promote, decide
from trainer.registry import Champion, Standing
from trainer.scores import Scores
from trainer.trial_losses import TrialLoss, heed_trials

LOST = {"lora": TrialLoss(wins=2, decided=20)}


def cards(**bits: float) -> dict[str, list[float]]:
    return {name: [level + (i * 7 % 5) / 10 for i in range(40)] for name, level in bits.items()}


def heeded(**bits: float) -> Promote | Keep | MoveDown:
    champion, *others = [scorecard(name, nats) for name, nats in cards(**bits).items()]
    verdict = decide(champion, others, Policy())
    return heed_trials(verdict, champion, others, Policy(), {}, LOST)


def test_what_lost_a_trial_is_not_promoted_though_it_measures_better_and_the_verdict_says_so() -> None:
    verdict = heeded(retrieved=60, lora=40)
    assert isinstance(verdict, Keep) and verdict.rung == "retrieved"
    assert "people preferred retrieved in a blind trial" in verdict.reason and "2 of 20" in verdict.reason
    assert [one.rung for one in verdict.comparisons] == ["lora"]


def test_the_next_best_is_promoted_where_it_is_better_too() -> None:
    verdict = heeded(zero_shot=60, lora=40, retrieved=50)
    assert isinstance(verdict, Promote) and verdict.rung == "retrieved"
    assert {one.rung for one in verdict.comparisons} == {"lora", "retrieved"}


def gated(**bits: float) -> Promote | Keep | MoveDown:
    """The gate's verdict where `full` fails a probe and `lora` lost a trial; the champion comes first."""
    standings = {name: Standing(rung=Rung(name), base_model="tiny") for name in bits}
    champion = Champion(standing=next(iter(standings.values())), promotion_id="pro_1")
    failed = ProbeResult(probe="forgetting", passed=False, figures={}, why=note("it forgets: much"))
    measured = {name: scorecard(name, nats) for name, nats in cards(**bits).items()}
    scores = Scores(champion=champion, standings=list(standings.values()), cards=measured, probes={"full": [failed]})
    return scores.decide(Policy(), LOST)


def test_what_fails_a_probe_is_said_too_where_what_would_follow_it_lost_a_trial() -> None:
    verdict = gated(zero_shot=60, full=40, lora=45, retrieved=50)
    assert isinstance(verdict, Promote) and verdict.rung == "retrieved"
    assert "full is passed over, because it fails a probe; it forgets: much" in verdict.reason
    verdict = gated(zero_shot=60, full=40, lora=45)
    assert isinstance(verdict, Keep) and "people preferred zero_shot in a blind trial" in verdict.reason
    assert "full is passed over, because it fails a probe; it forgets: much" in verdict.reason
    assert "passed over" not in gated(zero_shot=60, lora=45, retrieved=50).reason


def test_a_verdict_about_others_stays_as_it_is() -> None:
    verdict = heeded(zero_shot=60, retrieved=40, lora=50)
    assert isinstance(verdict, Promote) and verdict.rung == "retrieved"


def test_the_gate_reads_who_lost_to_the_champion_that_serves_now(database: Database) -> None:
    with database.write() as session:
        style = make_measured_style(session, team_id="T1", scope_key="T1")
        trial = make_trial(session, style)
        make_answers(session, style, trial, losses=8)
        base = trial.champion_base_model
        champion = registry.find_champion(session, style, style.scope, base)
        assert registry.read_trial_losses(session, style, champion) == {}  # it is running still
        trial.status = TrialStatus.CHAMPION_WON
        session.flush()
        assert registry.read_trial_losses(session, style, champion) == {ADAPTER: TrialLoss(wins=0, decided=8)}
        make_promotion(session, get_style(session, style.style_id), kind=PromotionKind.COMMAND, rung=Rung.ZERO_SHOT)
        champion = registry.find_champion(session, style, style.scope, base)
        assert registry.read_trial_losses(session, style, champion) == {}


def test_a_champion_that_lost_to_its_challenger_does_not_come_back_by_the_gate(database: Database) -> None:
    with database.write() as session:
        style = make_measured_style(session, team_id="T1", scope_key="T1")
        trial = make_trial(session, style)
        make_answers(session, style, trial, wins=8)
        trial.status = TrialStatus.CHALLENGER_WON
        make_promotion(
            session, style, kind=PromotionKind.TRIAL, rung=Rung.LORA, base_model=trial.challenger_base_model,
            adapter_id=trial.challenger_adapter_id,
        )  # fmt: skip
        champion = registry.find_champion(session, style, style.scope, trial.champion_base_model)
        assert registry.read_trial_losses(session, style, champion) == {"retrieved": TrialLoss(wins=0, decided=8)}
