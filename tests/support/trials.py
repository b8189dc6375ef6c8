"""A style whose last run measured several candidates, and a blind trial of it: what tests of trials begin with."""

from __future__ import annotations

from typing import Any

from sqlalchemy.orm import Session

from bot.rehearsal.seed import ANA, BRAND, TEAM_ID
from config.rungs import Rung
from db.adapters import Adapter
from db.base import new_id, now_in_database
from db.datasets import Dataset, DatasetExample, SplitName
from db.drafts import Draft, DraftStatus
from db.examples import Example, ExampleStatus
from db.promotions import PromotionKind
from db.runs import RunStatus
from db.scorecards import ScorecardRow
from db.styles import Style
from db.trials import Choice, Comparison, ComparisonStatus, Trial
from tests.support import factories

ADAPTER = "brand-voice-v1"


def make_measured_style(session: Session, **different: Any) -> Style:
    """A style that `retrieved` serves, and a run that found `lora` best and `zero_shot` worst."""
    values = {"team_id": TEAM_ID, "scope_key": TEAM_ID, "channel_id": BRAND, "name": "brand-voice"}
    style = factories.make_style(session, **(values | {"created_by": ANA, "recipe": "tiny-test"} | different))
    factories.make_promotion(session, style, kind=PromotionKind.INITIAL, rung=Rung.RETRIEVED, actor=ANA)
    make_measurement(session, style)
    return style


def make_measurement(session: Session, style: Style, *, name: str = ADAPTER, **different: Any) -> None:
    """A run that found its adapter, called `name`, best, and `zero_shot` worst."""
    now = now_in_database(session)
    run = factories.make_run(session, style, status=RunStatus.SUCCEEDED, ended_at=now, verdict={}, **different)
    dataset = Dataset(
        dataset_id=new_id("dat"), run_id=run.run_id, style_id=style.style_id, scope_key=style.scope_key,
        content_hash="sha256:0", seed=1, instructions="", prompt_hash="sha256:0", versions={}, skipped=[],
        frozen_at=now,
    )  # fmt: skip
    adapter = Adapter(
        adapter_id=new_id("ada"), name=name, version=1, team_id=style.team_id, style_id=style.style_id,
        scope_key=style.scope_key, run_id=run.run_id, rung=Rung.LORA, base_model=run.base_model,
        manifest_digest="sha256:0", published_at=now,
    )  # fmt: skip
    session.add_all([dataset, adapter])
    session.flush()
    for rung, adapter_name, nats in ((Rung.ZERO_SHOT, "", 60.0), (Rung.RETRIEVED, "", 40.0), (Rung.LORA, name, 30.0)):
        pairs = [{"example_id": f"ex{n}", "nll_nats": nats + n % 7, "reference_bytes": 50} for n in range(30)]
        session.add(
            ScorecardRow(
                scorecard_id=new_id("sco"), run_id=run.run_id, style_id=style.style_id, scope_key=style.scope_key,
                dataset_id=dataset.dataset_id, rung=rung, base_model=run.base_model, adapter_name=adapter_name,
                card={"pairs": pairs, "summary": {}}, scored_at=now,
            )
        )  # fmt: skip


def learn_from(session: Session, style: Style) -> Example:
    """An approved example that the style's adapter was trained on."""
    example = factories.make_example(session, style, status=ExampleStatus.APPROVED)
    dataset = session.query(Dataset).filter_by(style_id=style.style_id).one()
    session.add(
        DatasetExample(
            dataset_id=dataset.dataset_id, example_id=example.example_id, split=SplitName.TRAIN, position=0,
            content_hash=example.content_hash,
        )
    )  # fmt: skip
    session.flush()
    return example


def make_trial(session: Session, style: Style, **different: Any) -> Trial:
    """A running trial of the style's champion against its adapter."""
    adapter = session.query(Adapter).filter_by(style_id=style.style_id).one()
    values: dict[str, Any] = {
        "trial_id": new_id("tri"), "team_id": style.team_id, "style_id": style.style_id, "scope_key": style.scope_key,
        "champion_promotion_id": style.champion_promotion_id, "champion_rung": Rung.RETRIEVED,
        "champion_base_model": adapter.base_model, "challenger_rung": Rung.LORA,
        "challenger_base_model": adapter.base_model, "challenger_adapter_id": adapter.adapter_id, "most": 150,
        "share": 1.0, "quote_id": new_id("aud"), "started_by": ANA, "started_at": now_in_database(session),
    }  # fmt: skip
    trial = Trial(**(values | different))
    session.add(trial)
    session.flush()
    return trial


def make_comparison(session: Session, style: Style, trial: Trial, **different: Any) -> Comparison:
    """Two drafts that wait for a tap; A is the challenger's."""
    comparison_id = new_id("cmp")
    first, second = (
        factories.make_draft(
            session, style, status=DraftStatus.PAIRED, completion=f"text {letter}", comparison_id=comparison_id,
            rung=Rung.ZERO_SHOT,
        )
        for letter in "AB"
    )  # fmt: skip
    values: dict[str, Any] = {
        "comparison_id": comparison_id, "trial_id": trial.trial_id, "draft_a_id": first.draft_id,
        "draft_b_id": second.draft_id, "is_challenger_a": True, "status": ComparisonStatus.SHOWN,
        "made_at": now_in_database(session),
    }  # fmt: skip
    comparison = Comparison(**(values | different))
    session.add(comparison)
    session.flush()
    return comparison


def make_answers(session: Session, style: Style, trial: Trial, *, wins: int = 0, losses: int = 0) -> None:
    """So many answered comparisons, from the challenger's side."""
    for number in range(wins + losses):
        make_comparison(
            session, style, trial, status=ComparisonStatus.DECIDED, is_counted=True, decided_by=ANA,
            choice=Choice.A if number < wins else Choice.B,
        )  # fmt: skip


def drafts(session: Session) -> list[Draft]:
    return list(session.query(Draft).order_by(Draft.draft_id))
