"""The second stage of a run: `lora` goes on with preferences, and what that taught is kept, discarded or taken back."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from bot.domain.values import Actor
from bot.operations.examples import withdraw_example
from bot.operations.forget import confirm_forgetting, quote_forgetting
from bot.operations.ladder import read_ladder
from config.recipe_files import RECIPES_DIR
from config.rungs import Rung
from config.settings import Settings
from db.adapters import AdapterStatus, list_adapters
from db.audit import AuditEntry
from db.datasets import (
    DatasetExample,
    DatasetPreference,
    SplitName,
    find_dataset_of_run,
    list_dataset_examples,
    list_dataset_preferences,
)
from db.drafts import Draft
from db.erasure import drop_preferences
from db.examples import Example, ExampleStatus
from db.preferences import Preference
from db.promotions import find_promotion
from db.runs import Run, RunStatus
from db.session import Database
from db.styles import get_style
from db.taint import list_tainted_adapters
from tests.support.preferences import prefer
from tests.support.run_nursery import Nursery, NurseryLauncher
from tests.support.runs import (
    T1,
    Prepared,
    execute_here,
    prepare_run,
    run_settings,
    wait_for_end,
    working,
)
from trainer.artifacts.store import list_adapters as list_stored

pytestmark = pytest.mark.training

PAIRS = 90
NAME = "support-v1-preferences"


def recipe(folder: Path, **knobs: str) -> str:
    """tiny-test with other knobs, without what these tests do not look at."""
    text = (RECIPES_DIR / "tiny-test.toml").read_text()
    wanted = {"tuned": '["lora"]', "max_generated_pairs": "0", "max_pairs": "60", "bootstrap_resamples": "400"} | knobs
    for name, value in wanted.items():
        part, _, knob = name.rpartition("__")
        head, middle, tail = text.partition(f"[{part}]") if part else ("", "", text)
        tail, changed = re.subn(rf"(?m)^{knob} = .*$", f"{knob} = {value}", tail, count=1)
        assert changed, name
        text = head + middle + tail
    path = folder / "mine.toml"
    path.write_text(text)
    return str(path)


@pytest.fixture
def helpful(settings: Settings, database: Database, base: Path, tmp_path: Path) -> Settings:
    """A first stage that is left unfinished, so that a second one that learns the same texts is sure to be better."""
    return run_settings(
        settings, database, base, recipe=recipe(tmp_path, training__max_steps="2"), embedding_model=str(base)
    )


@pytest.fixture
def harmful(settings: Settings, database: Database, base: Path, tmp_path: Path) -> Settings:
    """A second stage that is let go as far as it likes from what the first one learnt."""
    knobs = {"preferences__learning_rate": "0.3", "preferences__beta": "5.0", "preferences__likelihood_weight": "0.0"}
    return run_settings(settings, database, base, recipe=recipe(tmp_path, **knobs), embedding_model=str(base))


def prepare(database: Database, settings: Settings, **different: str) -> Prepared:
    with database.write() as session:
        prepared = prepare_run(session, settings, pairs=PAIRS)
        prefer(session, get_style(session, prepared.style_id), prepared.example_ids, **different)
        return prepared


def names(database: Database, prepared: Prepared, status: AdapterStatus = AdapterStatus.PUBLISHED) -> list[str]:
    with database.read() as session:
        return [one.name for one in list_adapters(session, prepared.style_id, T1) if one.status is status]


def rungs_of_ladder(database: Database, settings: Settings, prepared: Prepared) -> set[str]:
    with database.read() as session:
        return {one.rung for one in read_ladder(session, settings, get_style(session, prepared.style_id)).ranks}


def also(run: Run) -> str:
    assert run.verdict is not None
    return str(run.verdict["also"])


def test_what_preferences_taught_is_a_candidate_where_it_scores_better(database: Database, helpful: Settings) -> None:
    prepared = prepare(database, helpful)
    run = execute_here(database, helpful)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert names(database, prepared) == ["support-v1", NAME]
    assert "{pairs} preferences helped" in also(run)
    assert "preferences kept back" in also(run)
    assert "lora_preferences" in rungs_of_ladder(database, helpful, prepared)
    assert run.verdict is not None
    # It is the best of all here, so it is what the gate speaks of, and what serves.
    assert run.verdict["challenger"]["adapter_name"] == NAME
    with database.read() as session:
        promotion = find_promotion(session, get_style(session, prepared.style_id).champion_promotion_id)
        assert promotion is not None and promotion.rung is Rung.LORA_PREFERENCES
    assert NAME in list_stored(helpful.resolved_artifact_url)


def test_a_preference_teaches_or_measures_by_where_its_example_stands(database: Database, helpful: Settings) -> None:
    prepared = prepare(database, helpful)
    with database.write() as session:
        style = get_style(session, prepared.style_id)
        # One that nobody approved, and one that says only what is not wanted.
        (unapproved,) = session.scalars(select(Example).where(Example.example_id == prepared.example_ids[0]))
        unapproved.status = ExampleStatus.PROPOSED
        half = session.scalars(
            select(Preference).join(Draft, Draft.draft_id == Preference.draft_id).order_by(Preference.preference_id)
        ).all()[1]
        half.chosen = ""
        assert style.scope_key == "T1"
    run = execute_here(database, helpful)
    with database.read() as session:
        dataset = find_dataset_of_run(session, run.run_id)
        assert dataset is not None
        sides = {one.draft_id: member.split for member, one in list_dataset_examples(session, dataset.dataset_id)}
        frozen = list_dataset_preferences(session, dataset.dataset_id)
        found = {preference.draft_id: member.split for member, preference in frozen}
    assert found == {
        draft: SplitName.TRAIN if side is SplitName.TRAIN else SplitName.TEST
        for draft, side in sides.items() if draft in found
    }  # fmt: skip
    assert len(found) == PAIRS - 2
    assert {SplitName.TRAIN, SplitName.TEST} == set(found.values())


def test_what_preferences_spoilt_is_discarded_and_that_is_said(database: Database, harmful: Settings) -> None:
    prepared = prepare(database, harmful)
    run = execute_here(database, harmful)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert "preferences did not help, so what they taught is discarded" in also(run)
    assert names(database, prepared) == ["support-v1"] == list_stored(harmful.resolved_artifact_url)
    assert "lora_preferences" not in rungs_of_ladder(database, harmful, prepared)
    assert run.verdict is not None
    assert "lora_preferences" not in {row["rung"] for row in run.verdict["table"]}


def test_too_few_preferences_are_no_second_stage(database: Database, helpful: Settings) -> None:
    with database.write() as session:
        prepared = prepare_run(session, helpful, pairs=PAIRS)
        prefer(session, get_style(session, prepared.style_id), prepared.example_ids[:7])
    run = execute_here(database, helpful)
    assert names(database, prepared) == ["support-v1"]
    assert "preferences" not in also(run)


def test_preferences_that_are_too_long_are_left_out_and_the_run_goes_on(
    sqlite_database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    short = run_settings(settings, sqlite_database, base, recipe=recipe(tmp_path), embedding_model=str(base))
    prepared = prepare(sqlite_database, short, rejected="Thank you so much for reaching out to us! " * 40)
    run = execute_here(sqlite_database, short)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert names(sqlite_database, prepared) == ["support-v1"]
    assert "preferences" not in also(run)


def test_a_preference_that_goes_while_a_run_learns_from_it_ends_the_run(database: Database, helpful: Settings) -> None:
    prepared = prepare(database, helpful)

    def forget(stage: str, fraction: float) -> None:
        if stage == RunStatus.EVALUATING.value:
            with database.write() as session:
                taught = select(DatasetPreference.preference_id).where(DatasetPreference.split == SplitName.TRAIN)
                drop_preferences(session, list(session.scalars(taught))[:1])

    run = execute_here(database, helpful, meanwhile=forget)
    assert run.status is RunStatus.FAILED
    assert "was withdrawn while the run was training on it" in (run.error or "")
    assert names(database, prepared) == [] == list_stored(helpful.resolved_artifact_url)
    with database.read() as session:
        assert get_style(session, prepared.style_id).clean_retrain_owed_at is not None


@pytest.mark.faults
def test_a_run_that_is_killed_in_its_second_stage_goes_on(database: Database, helpful: Settings) -> None:
    prepared = prepare(database, helpful)
    # Two steps of the first stage; the kill is in the middle of the second one's seventeen.
    with Nursery() as nursery:
        launcher = NurseryLauncher(nursery, helpful, "train.step:10")
        with working(database, helpful, launcher, trainer_id="host:1"):
            run = wait_for_end(database, prepared.run_id, seconds=300)
    assert [child.code for child in launcher.children] == [-signal.SIGKILL, 0]
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert names(database, prepared) == ["support-v1", NAME] == list_stored(helpful.resolved_artifact_url)


def test_what_learnt_from_somebodys_preference_alone_goes_when_they_are_forgotten(
    database: Database, helpful: Settings
) -> None:
    """They had turned down a draft; the text that was kept instead is somebody else's, and stays."""
    prepared = prepare(database, helpful)
    person = Actor(team_id="T1", user_id="U_PICKY", name="picky")
    with database.write() as session:
        for preference in session.scalars(select(Preference)):
            preference.given_by = "U_PICKY"
    execute_here(database, helpful)
    assert names(database, prepared) == ["support-v1", NAME]
    quote = quote_forgetting(database, person, "U_PICKY")
    assert f"`{NAME}`" in str(quote.blocks)
    assert f"{PAIRS} opinions on drafts" in str(quote.blocks)
    with database.read() as session:
        (entry,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "forget.quoted"))
    done = confirm_forgetting(database, helpful, person, entry.audit_id)
    assert (done.examples, done.preferences, done.adapter_names) == (0, PAIRS, (NAME,))
    assert names(database, prepared) == ["support-v1"]
    assert names(database, prepared, AdapterStatus.WITHDRAWN) == [NAME]
    with database.read() as session:
        assert session.scalars(select(Preference)).all() == []
        style = get_style(session, prepared.style_id)
        assert style.clean_retrain_owed_at is not None
        promotion = find_promotion(session, style.champion_promotion_id)
        assert promotion is not None and promotion.rung is Rung.RETRIEVED


def test_a_preference_that_is_gone_taints_what_learnt_from_it_and_nothing_else(
    database: Database, helpful: Settings
) -> None:
    prepared = prepare(database, helpful)
    execute_here(database, helpful)

    def tainted(session: Session) -> set[str]:
        return {one.name for one in list_tainted_adapters(session, prepared.style_id)}

    with database.write() as session:
        by_side: dict[SplitName, list[str]] = {}
        for one in session.scalars(select(DatasetPreference)):
            by_side.setdefault(one.split, []).append(one.preference_id)
        assert tainted(session) == set()
        drop_preferences(session, by_side[SplitName.TEST])  # it was measured on these, and learnt nothing from them
        assert tainted(session) == set()
        drop_preferences(session, by_side[SplitName.TRAIN][:1])
        assert tainted(session) == {NAME}


def test_withdrawing_an_example_takes_its_preference_and_names_what_learnt_from_either(
    database: Database, helpful: Settings
) -> None:
    prepared = prepare(database, helpful)
    execute_here(database, helpful)
    with database.read() as session:
        preference = session.get_one(
            Preference,
            session.scalars(
                select(DatasetPreference.preference_id).where(DatasetPreference.split == SplitName.TRAIN)
            ).first(),
        )
        example = session.scalars(select(Example).where(Example.draft_id == preference.draft_id)).one()
    with database.write() as session:  # as if this run had frozen the preference without its example
        session.execute(delete(DatasetExample).where(DatasetExample.example_id == example.example_id))
    said = withdraw_example(
        database, helpful, Actor(team_id="T1", user_id="U_AUTHOR", name="author"), example.example_id
    )
    assert said.adapter_names == (NAME,)
    with database.read() as session:
        assert session.get(Preference, preference.preference_id) is None
        assert get_style(session, prepared.style_id).clean_retrain_owed_at is not None
