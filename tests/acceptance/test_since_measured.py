"""What has become of a measurement since is said where it is shown, in whatever way the champion has moved."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from bot.app import Bot
from bot.operations.base_change import ask_for_change
from bot.operations.runs import queue_due_runs
from bot.rehearsal.people import Person
from bot.rehearsal.seed import ANA, BRAND, NOOR, RAVI, TEAM_ID
from bot.rehearsal.workspace import Workspace
from config.prompts import prompt_hash
from config.rungs import Rung
from config.sentences import Note, note
from config.settings import Settings
from db import runs
from db.base import new_id, now_in_database
from db.examples import ExampleStatus
from db.promotions import Promotion, PromotionKind
from db.runs import RunStatus
from db.scorecards import ScorecardRow
from db.session import Database
from db.styles import Style
from db.teams import get_team
from db.trials import Trial
from tests.acceptance.test_trials import (  # noqa: F401 - fixtures
    THEIRS,
    ana,
    ask,
    side_of,
    style,
    tap,
    trial,
    wait_for_message,
)
from tests.acceptance.test_verdict import RECEIPT, answer, channel_says, in_the_terminal
from tests.support import factories
from tests.support.model_server import ScriptedModel
from tests.support.trials import ADAPTER, learn_from, make_answers
from trainer.base_pair import judge_pair
from trainer.metrics import PairScore, Scorecard
from trainer.promotion import Policy

pytestmark = pytest.mark.timeout(150)

DAY = r"\d+ \w+ 20\d\d\."
#: Alike in more than half of what a table shows of a name.
OLD, NEW = (f"/models/a-base-model-with-a-name-longer-than-any-column-{number}" for number in (2507, 2511))


def test_a_blind_trial_that_was_won_since_is_said(
    bot: Bot,
    workspace: Workspace,
    ana: Person,  # noqa: F811
    style: Style,  # noqa: F811
    trial: Trial,  # noqa: F811
) -> None:
    assert "Since then" not in answer(ana, "ladder brand-voice")
    with bot.services.database.write() as session:
        make_answers(session, style, trial, wins=7)
    question = ask(workspace)
    tap(workspace.person(NOOR), question, side_of(bot, THEIRS))
    wait_for_message(workspace, "has ended")
    assert re.search(f"Since then `{ADAPTER}` won a blind trial and serves, {DAY}", answer(ana, "ladder brand-voice"))
    workspace.state.users[RAVI]["locale"] = "nl-NL"  # nobody has asked about this person yet
    told = answer(workspace.person(RAVI), "ladder brand-voice")
    assert re.search(f"Sindsdien heeft `{ADAPTER}` een blindproef gewonnen en is de kampioen", told)


def test_a_withdrawal_that_took_the_champion_out_of_use_since_is_said(
    bot: Bot,
    workspace: Workspace,
    ana: Person,  # noqa: F811
    style: Style,  # noqa: F811
) -> None:
    with bot.services.database.write() as session:
        example = learn_from(session, style)
    answer(ana, f"promote brand-voice {ADAPTER}")
    assert re.search(f"Since then an admin promoted `{ADAPTER}`, {DAY}", answer(ana, "ladder brand-voice"))
    assert "withdrawn" in answer(ana, f"withdraw {example.example_id}")
    said = f"Since then something was withdrawn that the champion had learnt from, so `zero_shot` serves, {DAY}"
    assert re.search(said, answer(ana, "ladder brand-voice"))


# ------------------------------------------------------------------------------------------------ another base model


def card(key: str, nats: float) -> Scorecard:
    pairs = [
        PairScore(example_id=str(n), nll_nats=nats + n % 7, reference_bytes=50, prompt_tokens=90) for n in range(60)
    ]
    return Scorecard(rung=key, pairs=tuple(pairs), seconds_per_draft=0.5, scoring_seconds=1.0)


def measure_on_new(database: Database, settings: Settings, *stored_besides: Note) -> None:
    """A style that `retrieved` serves on the old base model, and a run of a change that found it better on the new
    one. `stored_besides`: clauses of its verdict that an earlier version wrote."""
    with database.write() as session:
        get_team(session, TEAM_ID).terms_accepted_at = now_in_database(session)
        style = factories.make_style(
            session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="support", recipe="tiny-test",
            created_by=ANA,
        )  # fmt: skip
        factories.make_promotion(session, style, kind=PromotionKind.INITIAL, base_model=OLD, actor=ANA)
        for _ in range(40):
            factories.make_example(session, style, status=ExampleStatus.APPROVED)
    ask_for_change(database, NEW)
    with database.read() as session:
        now = now_in_database(session)
    (run_id,) = queue_due_runs(database, settings, now)
    before, new = card("retrieved on old", 40.0), card("retrieved", 30.0)
    rungs = {"retrieved on old": Rung.RETRIEVED, "retrieved": Rung.RETRIEVED}
    kept, pair = judge_pair(before, [new], Policy(unseen_share=0.15), rungs, bases=("old", "new"))
    with database.write() as session:
        run = runs.claim_run(session, owner="trainer:1", lease_seconds=60)
        assert run is not None and run.run_id == run_id
        dataset = factories.make_dataset(session, run, prompt_hash=prompt_hash(style.full_instructions))
        for one, base_model in ((before, OLD), (new, NEW)):
            scored = [{"nll_nats": pair.nll_nats, "reference_bytes": pair.reference_bytes} for pair in one.pairs]
            session.add(
                ScorecardRow(
                    scorecard_id=new_id("sco"), run_id=run_id, style_id=run.style_id, scope_key=run.scope_key,
                    dataset_id=dataset.dataset_id, rung=Rung.RETRIEVED, base_model=base_model,
                    card={"pairs": scored, "summary": one.summary()}, scored_at=now_in_database(session),
                )
            )  # fmt: skip
        verdict = {
            "promoted": False, "sentence": kept.reason, "why": kept.why.as_json(),
            "also": [clause.as_json() for clause in (*kept.also, *stored_besides)],
            "champion": {"rung": "retrieved", "base_model": OLD, "adapter_name": ""},
            "pair": pair.as_json() | {"rung": "retrieved", "base_model": NEW, "adapter_name": ""},
        }  # fmt: skip
        runs.end_run(session, run_id, run.fence, RunStatus.SUCCEEDED, verdict=verdict, receipt=RECEIPT, error=None)


WAITS = "goes on serving until somebody signs off"


def test_a_new_base_model_waits_for_its_sign_off_until_there_is_one(
    bot: Bot, bot_settings: Settings, workspace: Workspace, model: ScriptedModel, sqlite_database: Database
) -> None:
    measure_on_new(sqlite_database, bot_settings)
    ana = workspace.person(ANA)  # noqa: F811

    waits = f"; {OLD.rsplit('/', 1)[-1]} {WAITS}; a run takes 4 min"
    asked = [answer(ana, "status support"), answer(ana, "ladder support"), channel_says(ana, "measured again")]
    for one in [*asked, in_the_terminal(bot_settings, "base", "status")]:
        assert waits in one
    model.adapters = {NEW.rsplit("/", 1)[-1]}
    assert "signed off" in in_the_terminal(bot_settings, "base", "accept", "support")
    ladders = [answer(ana, "ladder support"), in_the_terminal(bot_settings, "ladder", "support")]
    for one in [answer(ana, "status support"), *ladders]:
        assert "; the operator signed it off; a run takes 4 min" in one
        assert WAITS not in one
    for one in ladders:
        said = f"Since then the operator signed off another base model, on which `retrieved` serves, {DAY}"
        assert re.search(said, one)
        assert {found[-4:] for found in re.findall(r"retrieved @\S+…\S+", one)} == {"2507", "2511"}
    answer(ana, "rollback support")
    assert re.search(f"Since then it was moved back to `retrieved`, {DAY}", answer(ana, "ladder support"))


def test_what_a_change_found_that_was_taken_back_waits_for_nobody(
    bot: Bot, bot_settings: Settings, workspace: Workspace, sqlite_database: Database
) -> None:
    measure_on_new(sqlite_database, bot_settings)
    ana, ravi = workspace.person(ANA), workspace.person(RAVI)  # noqa: F811
    workspace.state.users[RAVI]["locale"] = "nl-NL"
    assert WAITS in answer(ana, "status support")
    in_the_terminal(bot_settings, "base", "abandon")
    for text in ("status support", "ladder support"):
        said = answer(ana, text)
        assert "; the change of the base model was taken back; a run takes 4 min" in said
        assert WAITS not in said
    assert "de wissel van het basismodel is teruggedraaid" in answer(ravi, "ladder support")


def test_a_sign_off_that_was_taken_back_is_not_said_to_hold(
    bot: Bot, bot_settings: Settings, workspace: Workspace, model: ScriptedModel, sqlite_database: Database
) -> None:
    measure_on_new(sqlite_database, bot_settings)
    with sqlite_database.write() as session:  # not signed off, so that the change stays open
        other = factories.make_style(session, team_id=TEAM_ID, scope_key=TEAM_ID, channel_id=BRAND, name="sales")
        factories.make_promotion(session, other, kind=PromotionKind.INITIAL, base_model=OLD, actor=ANA)
    ana, ravi = workspace.person(ANA), workspace.person(RAVI)  # noqa: F811
    workspace.state.users[RAVI]["locale"] = "nl-NL"
    model.adapters = {NEW.rsplit("/", 1)[-1]}
    in_the_terminal(bot_settings, "base", "accept", "support")
    signed_off = answer(ana, "status support")
    assert "the operator signed off the base model" in signed_off and "the operator signed it off" in signed_off

    in_the_terminal(bot_settings, "base", "abandon")
    taken_back = answer(ana, "status support")
    assert "the operator took the change of the base model back" in taken_back
    for one in (taken_back, answer(ana, "ladder support")):
        assert "; the change of the base model was taken back; a run takes 4 min" in one
        assert "the operator signed" not in one
    told = answer(ravi, "status support")
    assert (
        "de operator heeft de wissel van het basismodel teruggedraaid" in told
        and "de operator heeft het basismodel" not in told
    )
    with sqlite_database.read() as session:
        (back,) = session.scalars(select(Promotion).where(Promotion.kind == PromotionKind.ROLLBACK))
        assert back.reason == "the operator took the change of the base model back"


def test_a_verdict_of_an_earlier_version_says_once_and_only_while_it_holds_that_it_waits(
    bot: Bot, bot_settings: Settings, workspace: Workspace, model: ScriptedModel, sqlite_database: Database
) -> None:
    stored = note("{old} goes on serving until somebody signs off", old="old")
    measure_on_new(sqlite_database, bot_settings, note("no adapter is needed there so far"), stored)
    ana = workspace.person(ANA)  # noqa: F811
    waits = answer(ana, "status support")
    assert waits.count(WAITS) == 1 and f"; {OLD.rsplit('/', 1)[-1]} {WAITS}; a run takes 4 min" in waits
    model.adapters = {NEW.rsplit("/", 1)[-1]}
    in_the_terminal(bot_settings, "base", "accept", "support")
    for text in ("status support", "ladder support"):
        said = answer(ana, text)
        assert "; no adapter is needed there so far; the operator signed it off; a run takes 4 min" in said
        assert WAITS not in said
