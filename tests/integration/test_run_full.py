"""A run that trains all weights: measured, gated, stored and promoted like an adapter, left out where it cannot fit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from config.recipe_files import RECIPES_DIR
from config.rungs import Rung
from config.sentences import Note
from config.settings import Settings
from db import runs
from db.adapters import list_adapters, list_names_to_delete
from db.examples import ExampleStatus, get_example, transition
from db.promotions import get_champion
from db.runs import Run, RunStatus
from db.scorecards import list_scorecards
from db.session import Database, DatabaseUnavailable
from db.styles import get_style
from db.taint import take_out_of_use
from tests.support import factories
from tests.support.runs import T1, Prepared, execute_here, prepare_run, read_run, run_settings
from trainer.artifacts.keys import load_verify_key
from trainer.artifacts.manifest import manifest_digest
from trainer.artifacts.store import delete_adapter
from trainer.artifacts.store import list_adapters as list_stored
from trainer.full_files import fetch_full, is_full
from trainer.recipe import load_recipe
from trainer.run import FROZEN_AT, PUBLISHED_AT
from trainer.run_full import train_where_it_fits
from trainer.train import TrainedAdapter

pytestmark = pytest.mark.training

NAME = "support-v1-full"


def a_recipe(folder: Path, *tuned: str) -> str:
    text = (RECIPES_DIR / "tiny-test.toml").read_text()
    path = folder / "whole.toml"
    names = ", ".join(f'"{name}"' for name in tuned)
    path.write_text(text.replace('tuned = ["lora", "lora_retrieved"]', f"tuned = [{names}]"))
    return str(path)


@pytest.fixture
def whole(settings: Settings, database: Database, base: Path, tmp_path: Path) -> Settings:
    return run_settings(settings, database, base, recipe=a_recipe(tmp_path, "full"))


@pytest.fixture
def prepared(database: Database, whole: Settings) -> Prepared:
    with database.write() as session:
        return prepare_run(session, whole)


def stored(settings: Settings) -> list[str]:
    return list_stored(settings.resolved_artifact_url)


def left_out(run: Run) -> list[str]:
    """What the verdict says about rungs that are not in it."""
    assert run.verdict is not None, run.error
    return [one["sentence"] for one in run.verdict["also"] if one["sentence"].startswith("left out: ")]


def test_a_run_trains_all_weights_measures_publishes_and_promotes_them(
    database: Database, whole: Settings, prepared: Prepared, base: Path, tmp_path: Path
) -> None:
    run = execute_here(database, whole)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert run.verdict is not None and run.verdict["promoted"], run.verdict
    with database.read() as session:
        cards = {card.rung: card.card for card in list_scorecards(session, run.run_id, T1)}
        [adapter] = list_adapters(session, prepared.style_id, T1)
        champion = get_champion(session, get_style(session, prepared.style_id), T1)
    # On the same unseen pairs as the prompts, which it beats: it was trained.
    pairs = [[pair["example_id"] for pair in card["pairs"]] for card in cards.values()]
    assert len(pairs) == 4 and all(one == pairs[0] for one in pairs)
    bits = {rung: card["summary"]["bits_per_byte"] for rung, card in cards.items()}
    assert bits[Rung.FULL] < bits[Rung.ZERO_SHOT]
    assert cards[Rung.FULL]["summary"]["prompt_tokens"] == cards[Rung.ZERO_SHOT]["summary"]["prompt_tokens"]
    # It serves under its own name, which the store has signed.
    assert (adapter.name, adapter.rung) == (NAME, Rung.FULL)
    assert (champion.rung, champion.adapter_id) == (Rung.FULL, adapter.adapter_id)
    assert stored(whole) == [NAME] and is_full(whole.resolved_artifact_url, NAME)
    folder = fetch_full(
        whole.resolved_artifact_url, NAME, tmp_path / "cache", load_verify_key(whole.keys_dir), base_path=base
    )
    assert manifest_digest(folder) == adapter.manifest_digest
    assert (folder / "model.safetensors").read_bytes() != (base / "model.safetensors").read_bytes()
    # The receipt knows what it keeps; nothing is left behind on the trainer, and nothing was left out.
    size_bytes = sum(file.stat().st_size for file in (Path(whole.resolved_artifact_url) / NAME).iterdir())
    assert run.receipt is not None and run.receipt["stored_bytes"] == size_bytes
    assert run.receipt["tokens"] > 0
    assert not (whole.data_dir / "runs" / run.run_id).exists()
    assert left_out(run) == []


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_champion_of_all_weights_is_measured_again_beside_the_next_run(
    database: Database, whole: Settings, prepared: Prepared
) -> None:
    execute_here(database, whole)
    with database.write() as session:
        factories.make_run(
            session, get_style(session, prepared.style_id), recipe=whole.recipe, base_model=whole.base_model
        )

    second = execute_here(database, whole)

    assert (second.status, second.error) == (RunStatus.SUCCEEDED, None)
    assert second.verdict is not None
    table = {row["adapter_name"]: row for row in second.verdict["table"] if row["rung"] == "full"}
    assert set(table) == {NAME, "support-v2-full"}
    assert table[NAME]["is_champion"]
    # The same pairs, weights and seed: the same model, so the two figures must be equal.
    assert table[NAME]["bits_per_byte"] == pytest.approx(table["support-v2-full"]["bits_per_byte"], rel=1e-6)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_tampered_champion_of_all_weights_stops_the_run(
    database: Database, whole: Settings, prepared: Prepared
) -> None:
    execute_here(database, whole)
    weights = Path(whole.resolved_artifact_url) / NAME / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with database.write() as session:
        factories.make_run(
            session, get_style(session, prepared.style_id), recipe=whole.recipe, base_model=whole.base_model
        )
    run = execute_here(database, whole)
    assert run.status is RunStatus.FAILED
    assert "is not the file that the trainer signed" in (run.error or "")


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_where_the_memory_does_not_suffice_the_rung_is_left_out_with_a_sentence_and_the_others_are_measured(
    settings: Settings, database: Database, base: Path, tmp_path: Path
) -> None:
    short = run_settings(settings, database, base, recipe=a_recipe(tmp_path, "lora", "full"), full_memory_gb=0.1)
    with database.write() as session:
        prepare_run(session, short)

    run = execute_here(database, short)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert stored(short) == ["support-v1"]
    assert run.verdict is not None
    assert {row["rung"] for row in run.verdict["table"]} == {"zero_shot", "few_shot", "retrieved", "lora"}
    [why] = [one for one in run.verdict["also"] if "full" in one["sentence"]]
    assert why["sentence"].startswith("left out: `full` needs about {needed:.1f} GB of memory")
    assert why["values"]["free"] == pytest.approx(0.1)
    assert why["values"]["needed"] > 0.25  # the room that stays free for the machine counts


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("fault", "said"), [(MemoryError(), "memory ran out"), (OSError(28, "full"), "disk ran full")])
def test_a_training_that_ran_out_of_memory_or_disk_is_left_out_too(
    fault: Exception, said: str, settings: Settings, database: Database, base: Path, tmp_path: Path
) -> None:
    both = run_settings(settings, database, base, recipe=a_recipe(tmp_path, "full", "lora"))
    with database.write() as session:
        prepare_run(session, both)

    run = execute_here(database, both, meanwhile=once(in_training, fault))

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert stored(both) == ["support-v1"]
    assert any(said in sentence for sentence in left_out(run))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_an_earlier_attempt_published_and_this_one_leaves_out_does_not_stay_in_the_store(
    settings: Settings, database: Database, base: Path, tmp_path: Path
) -> None:
    """As when the first host had the memory for it, and the second has not."""
    both = run_settings(settings, database, base, recipe=a_recipe(tmp_path, "lora", "full"))
    with database.write() as session:
        prepared = prepare_run(session, both)
    with pytest.raises(Killed):
        execute_here(database, both, meanwhile=once(lambda stage, done: done == PUBLISHED_AT, Killed()))
    assert stored(both) == ["support-v1", NAME]
    shutil.rmtree(both.data_dir / "runs")
    hand_back(database, prepared.run_id)

    run = execute_here(database, both.model_copy(update={"full_memory_gb": 0.1}))

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert stored(both) == ["support-v1"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_database_that_was_away_while_it_trained_does_not_leave_it_out(
    database: Database, whole: Settings, prepared: Prepared
) -> None:
    with pytest.raises(DatabaseUnavailable):
        execute_here(database, whole, meanwhile=once(in_training, DatabaseUnavailable()))
    hand_back(database, prepared.run_id)
    run = execute_here(database, whole)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert stored(whole) == [NAME]
    assert left_out(run) == []


@pytest.mark.parametrize(
    "fault", [torch.OutOfMemoryError("CUDA out of memory"), OSError(28, "No space left on device")]
)
def test_what_does_not_fit_when_it_is_loaded_or_written_leaves_nothing_behind_that_the_other_rungs_need_room_for(
    fault: Exception, base: Path, tmp_path: Path
) -> None:
    def train() -> TrainedAdapter:
        for name in ("adapters/full/model.safetensors", "checkpoints/full/checkpoint-8/optimizer.pt"):
            (tmp_path / name).parent.mkdir(parents=True)
            (tmp_path / name).write_bytes(b"gigabytes")
        raise fault

    for _attempt in range(2):  # what it said then it says again, and does not try again
        result = train_where_it_fits(train, base, [], load_recipe("tiny-test"), tmp_path, memory_limit_gb=0)
        assert isinstance(result, Note) and "ran" in str(result)
        assert [one.name for one in tmp_path.rglob("*") if one.is_file()] == ["full.started.json"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_process_that_died_in_it_before_a_checkpoint_leaves_it_out_the_next_time(
    settings: Settings, database: Database, base: Path, tmp_path: Path
) -> None:
    both = run_settings(settings, database, base, recipe=a_recipe(tmp_path, "full", "lora"))
    with database.write() as session:
        prepared = prepare_run(session, both)

    with pytest.raises(Killed):
        execute_here(database, both, meanwhile=once(in_training, Killed()))
    hand_back(database, prepared.run_id)
    run = execute_here(database, both)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert stored(both) == ["support-v1"]
    assert any("the process died while it trained `full`" in sentence for sentence in left_out(run))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_process_that_died_after_a_checkpoint_goes_on_from_there(
    database: Database, whole: Settings, prepared: Prepared
) -> None:
    steps: list[float] = []

    def at_the_end(stage: str, fraction: float) -> bool:
        steps.append(fraction)
        return stage == "training" and fraction > 0.6  # its last step; checkpoints are sealed before

    with pytest.raises(Killed):
        execute_here(database, whole, meanwhile=once(at_the_end, Killed()))
    hand_back(database, prepared.run_id)
    run = execute_here(database, whole)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert stored(whole) == [NAME]
    assert left_out(run) == []


def test_when_an_example_is_withdrawn_it_is_taken_out_of_use_and_deleted_like_an_adapter(
    database: Database, whole: Settings, prepared: Prepared
) -> None:
    execute_here(database, whole)
    with database.write() as session:
        transition(
            session, get_example(session, prepared.example_ids[3]), ExampleStatus.WITHDRAWN, decided_by="U_AUTHOR"
        )
        style = get_style(session, prepared.style_id)
        gone = take_out_of_use(session, style, actor="U_ADMIN", reason="withdrawn")
    assert (gone.adapter_names, gone.fell_back_to) == ((NAME,), Rung.RETRIEVED)
    with database.read() as session:
        names = list_names_to_delete(session)
    assert names == [NAME]
    delete_adapter(whole.resolved_artifact_url, NAME)
    assert not (Path(whole.resolved_artifact_url) / NAME).exists()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_an_example_withdrawn_while_it_trains_leaves_nothing_published(
    database: Database, whole: Settings, prepared: Prepared
) -> None:
    withdrawn: list[str] = []

    def meanwhile(stage: str, fraction: float) -> None:
        if stage == "publishing" and not withdrawn:
            withdrawn.append(prepared.example_ids[3])
            with database.write() as session:
                transition(session, get_example(session, withdrawn[0]), ExampleStatus.WITHDRAWN, decided_by="U_AUTHOR")

    run = execute_here(database, whole, meanwhile=meanwhile)
    assert withdrawn and run.status is RunStatus.FAILED
    assert stored(whole) == []


# ------------------------------------------------------------------------------------------------ small helpers


class Killed(BaseException):
    """As when the process is killed: nobody catches it."""


def in_training(stage: str, fraction: float) -> bool:
    """Its first step is done, and no checkpoint was written yet."""
    return stage == "training" and fraction > FROZEN_AT


def once(when: Callable[[str, float], bool], fault: BaseException) -> Callable[[str, float], None]:
    """A `meanwhile` that raises this the first time that it is so, and never again."""
    raised: list[BaseException] = []

    def meanwhile(stage: str, fraction: float) -> None:
        if not raised and when(stage, fraction):
            raised.append(fault)
            raise fault

    return meanwhile


def hand_back(database: Database, run_id: str) -> None:
    run = read_run(database, run_id)
    with database.write() as session:
        runs.hand_back(session, run_id, run.fence, is_attempt_counted=True)
