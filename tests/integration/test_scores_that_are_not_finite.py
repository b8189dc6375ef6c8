"""A candidate whose likelihoods are no numbers is left out and said; the others are measured and compared as ever."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file
from sqlalchemy.orm import Session

from config.recipe_files import RECIPES_DIR
from config.run_kinds import RunKind
from config.rungs import Rung
from config.sentences import read_note
from config.settings import Settings
from db.adapters import list_adapters
from db.forecasts import list_points
from db.runs import Run, RunStatus
from db.scorecards import list_scorecards
from db.session import Database
from db.styles import StyleKind, get_style
from tests.support.preferences import prefer
from tests.support.runs import T1, Prepared, execute_here, prepare_run, run_settings
from trainer.artifacts.store import list_adapters as list_stored

pytestmark = pytest.mark.training


def spoil(weights: Path) -> None:
    """The same tensors, none of them a number."""
    tensors = load_file(weights)
    for tensor in tensors.values():
        tensor[...] = float("nan")
    save_file(tensors, weights, metadata={"format": "pt"})


def diverge(settings: Settings, where: str) -> Callable[[str, float], None]:
    """From the measuring on, what lies at this place in the run's folder holds no number."""

    def spoil_found(stage: str, fraction: float) -> None:
        if stage == RunStatus.EVALUATING:
            for weights in settings.data_dir.glob(f"runs/*/*/{where}/adapter_model.safetensors"):
                spoil(weights)

    return spoil_found


def left_out(run: Run) -> list[str]:
    assert run.verdict is not None
    said = [str(read_note(one)) for one in run.verdict["also"]]
    return [one for one in said if one.startswith("left out: ")]


def rungs_measured(session: Session, run: Run) -> set[Rung]:
    return {one.rung for one in list_scorecards(session, run.run_id, T1)}


def prepare(database: Database, settings: Settings, kind: RunKind = RunKind.TRAIN) -> Prepared:
    with database.write() as session:
        return prepare_run(session, settings, kind=kind)


def test_an_adapter_that_diverged_is_left_out_and_the_others_are_judged(
    database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, database, base)
    prepared = prepare(database, tiny)

    run = execute_here(database, tiny, meanwhile=diverge(tiny, "adapters/lora"))

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    (said,) = left_out(run)
    assert said == (
        "left out: `lora` gave no finite likelihood of 6 of 6 unseen texts; lower learning_rate in the recipe, then "
        "train again"
    )
    others = {Rung.ZERO_SHOT, Rung.FEW_SHOT, Rung.RETRIEVED, Rung.LORA_RETRIEVED}
    assert run.verdict is not None
    assert {row["rung"] for row in run.verdict["table"]} == others
    assert all(row["gain"] for row in run.verdict["table"] if not row["is_champion"])
    with database.read() as session:
        assert rungs_measured(session, run) == others
        assert [one.name for one in list_adapters(session, prepared.style_id, T1)] == ["support-v1-retrieved"]
    assert list_stored(tiny.resolved_artifact_url) == ["support-v1-retrieved"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_nor_does_it_enter_the_ladder_of_a_style_that_classifies(
    database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, database, base, embedding_model=str(base))
    prepared = prepare(database, tiny)
    with database.write() as session:
        get_style(session, prepared.style_id).kind = StyleKind.CLASSIFY

    run = execute_here(database, tiny, meanwhile=diverge(tiny, "adapters/lora"))

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert [one.startswith("left out: `lora` gave no finite likelihood") for one in left_out(run)] == [True]
    with database.read() as session:
        measured = rungs_measured(session, run)
    assert Rung.LORA not in measured
    assert {Rung.ZERO_SHOT, Rung.NEIGHBOURS, Rung.LOGISTIC, Rung.LORA_RETRIEVED} <= measured


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_went_on_from_it_with_preferences_is_left_out_with_it(
    database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, database, base, embedding_model=str(base))
    with database.write() as session:
        prepared = prepare_run(session, tiny, pairs=60)
        prefer(session, get_style(session, prepared.style_id), prepared.example_ids)

    run = execute_here(database, tiny, meanwhile=diverge(tiny, "adapters/lora"))

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    said = left_out(run)
    assert said[0].startswith("left out: `lora` gave no finite likelihood")
    assert said[1:] == ["left out: `lora_preferences`, because it went on from `lora`, which is left out"]
    assert list_stored(tiny.resolved_artifact_url) == ["support-v1-retrieved"]


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_where_nothing_is_finite_the_run_ends_with_what_to_do(
    database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    broken = shutil.copytree(base, tmp_path / "broken")
    spoil(broken / "model.safetensors")
    tiny = run_settings(settings, database, broken)
    prepare(database, tiny, RunKind.MEASURE)

    run = execute_here(database, tiny)

    assert run.status is RunStatus.FAILED
    assert run.error == (
        "Nothing can be compared, because these gave no finite likelihood of unseen texts: `zero_shot`, `few_shot`, "
        "`retrieved`; set dtype to float32 in the recipe or promote another rung, then try again."
    )


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_part_of_the_learning_curve_that_diverged_is_no_point_of_it(
    database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    text = (RECIPES_DIR / "tiny-test.toml").read_text().replace("shares = []", "shares = [0.7]")
    curve = tmp_path / "curve.toml"
    curve.write_text(text.replace('rungs = ["lora"]', 'rungs = ["lora", "lora_retrieved"]'))
    tiny = run_settings(settings, database, base, recipe=str(curve))
    prepare(database, tiny)

    # It is spoilt while the next rung trains on the same part, and before either is measured.
    run = execute_here(database, tiny, meanwhile=diverge(tiny, "parts/*/lora"))

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    with database.read() as session:
        assert {one.rung for one in list_points(session, run.run_id, T1)} == {Rung.LORA_RETRIEVED}
