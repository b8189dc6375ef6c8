"""Unseen pairs of one conversation are evidence once: from the freeze to the gate's sentence and the ladder's."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import update

from bot.operations.ladder import read_ladder
from bot.texts.ladder import ladder_says, ladder_title
from config.recipe_files import RECIPES_DIR
from config.rungs import Rung
from config.settings import Settings
from db.datasets import DatasetExample, SplitName, find_dataset_of_run, list_dataset_examples
from db.examples import Example, ExampleStatus, get_example, transition
from db.runs import Run, RunStatus
from db.scorecards import ScorecardRow, list_scorecards
from db.session import Database
from db.styles import get_style
from tests.support.factories import make_example, make_run
from tests.support.runs import T1, Prepared, execute_here, prepare_run, run_settings
from trainer.registry import load_frozen, load_scorecards

pytestmark = pytest.mark.training

EACH = 4


@pytest.fixture
def careful(settings: Settings, database: Database, base: Path, tmp_path: Path) -> Settings:
    """A recipe that promotes nothing on fewer than six unrelated unseen pairs."""
    text = (RECIPES_DIR / "tiny-test.toml").read_text(encoding="utf-8")
    assert text.count("\nmin_pairs = 2\n") == 1
    recipe = tmp_path / "careful.toml"
    recipe.write_text(text.replace("\nmin_pairs = 2\n", "\nmin_pairs = 6\n"), encoding="utf-8")
    return run_settings(settings, database, base, recipe=str(recipe))


def prepare(database: Database, settings: Settings, *, in_threads: bool) -> Prepared:
    with database.write() as session:
        prepared = prepare_run(session, settings, pairs=80)
        for number, example_id in enumerate(prepared.example_ids if in_threads else ()):
            thread = f"17000000{number // EACH:02}.000100"
            session.execute(
                update(Example)
                .where(Example.example_id == example_id)
                .values(channel_id="C1", thread_ts=thread, message_ts=thread, author_id=f"U{number}")
            )
    return prepared


def measured(
    database: Database, settings: Settings
) -> tuple[Run, list[tuple[DatasetExample, Example]], list[ScorecardRow]]:
    run = execute_here(database, settings)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    with database.read() as session:
        dataset = find_dataset_of_run(session, run.run_id)
        assert dataset is not None
        return run, list_dataset_examples(session, dataset.dataset_id), list_scorecards(session, run.run_id, T1)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_conversations_count_once_in_the_gate_and_in_what_people_read(database: Database, careful: Settings) -> None:
    prepared = prepare(database, careful, in_threads=True)
    run, members, cards = measured(database, careful)

    tested = [(member, example) for member, example in members if member.split is SplitName.TEST]
    threads = {member.kin_group: set[str]() for member, _ in tested}
    for member, example in tested:
        threads[member.kin_group].add(example.thread_ts or "")
    assert None not in threads and all(len(one) == 1 for one in threads.values())
    groups, pairs = len(threads), len(tested)
    assert pairs == EACH * groups >= 6 > groups >= 2
    assert {member.kin_group for member, _ in members if member.split is not SplitName.TEST} == {None}
    known = {member.example_id: member.kin_group for member, _ in tested}
    for card in cards:
        assert {pair["example_id"]: pair["kin_group"] for pair in card.card["pairs"]} == known

    assert run.verdict is not None and not run.verdict["promoted"]
    said = (
        f"not enough yet, {groups} unseen pairs of the 6 that are needed to tell better from luck; the {pairs} unseen "
        f"pairs count as {groups}, because some of them are related."
    )
    assert said in run.verdict["sentence"]
    with database.read() as session:
        style = get_style(session, prepared.style_id)
        ladder = read_ladder(session, careful, style)
    assert ladder_title(ladder).endswith(f"measured on {pairs} unseen pairs that count as {groups}")
    assert not ladder.is_enough
    assert f"the {pairs} unseen pairs count as {groups}, because" in " ".join(ladder_says(ladder))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_as_many_pairs_that_are_unrelated_promote(database: Database, careful: Settings) -> None:
    prepare(database, careful, in_threads=False)
    run, members, cards = measured(database, careful)
    groups = [member.kin_group for member, _ in members if member.split is SplitName.TEST]
    assert len(set(groups)) == len(groups) >= 6
    assert run.verdict is not None and run.verdict["promoted"], run.verdict
    assert "count as" not in run.verdict["sentence"]
    assert Rung.LORA in {card.rung for card in cards}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_in_scorecards_from_before_groups_were_kept_each_pair_stands_for_itself(
    database: Database, careful: Settings
) -> None:
    prepared = prepare(database, careful, in_threads=True)
    run, members, _ = measured(database, careful)
    with database.write() as session:
        session.execute(update(DatasetExample).values(kin_group=None))
        for row in list_scorecards(session, run.run_id, T1):
            pairs = [{name: pair[name] for name in pair if name != "kin_group"} for pair in row.card["pairs"]]
            row.card = {**row.card, "pairs": pairs}
    with database.read() as session:
        ladder = read_ladder(session, careful, get_style(session, prepared.style_id))
        frozen = load_frozen(session, run.run_id, T1, careful.embedding_model)
        (card,) = list(load_scorecards(session, run.run_id, T1, {"zero_shot": ""}).values())
    assert frozen is not None and frozen.kin_groups == {}
    assert ladder.unrelated == ladder.n == card.unrelated == len(frozen.test) > 6
    assert ladder_title(ladder).endswith(f"measured on {ladder.n} unseen pairs")
    assert len(members) == 80


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_replaces_a_text_that_was_learnt_is_not_unseen(database: Database, settings: Settings, base: Path) -> None:
    """A reviewer takes another answer to the same request: the adapter that learnt the old one is not judged by it."""
    tiny = run_settings(settings, database, base)
    with database.write() as session:
        prepared = prepare_run(session, tiny, pairs=60)
    _, members, _ = measured(database, tiny)
    with database.write() as session:
        style = get_style(session, prepared.style_id)
        newer = set()
        for _, old in (one for one in members if one[0].split is not SplitName.TEST):
            transition(session, get_example(session, old.example_id), ExampleStatus.RETIRED, decided_by="U1")
            changed = make_example(
                session, style, prompt=old.prompt, completion=f"No. {old.completion}", status=ExampleStatus.APPROVED,
                embedding=old.embedding, embedding_model=old.embedding_model,
            )  # fmt: skip
            newer.add(changed.example_id)
        make_run(session, style, recipe=tiny.recipe, base_model=tiny.base_model)
    _, members, _ = measured(database, tiny)
    sides = {example.example_id: member.split for member, example in members}
    assert len(newer & sides.keys()) > 40
    assert SplitName.TEST not in {sides[one] for one in newer & sides.keys()}
