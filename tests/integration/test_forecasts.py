"""From a run's learning curve to its forecast, to what people read, to the next run, to what came true."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.language import speaking
from bot.operations.ladder import list_ladders
from bot.operations.runs import look_at_policy, queue_due_runs
from config.prompts import prompt_hash
from config.recipe_files import RECIPES_DIR
from config.settings import Settings
from db.base import now_in_database
from db.datasets import SplitName, find_dataset_of_run, list_dataset_examples
from db.examples import ExampleStatus
from db.forecasts import CurvePoint, ForecastRow, find_forecast, list_points, read_record
from db.runs import Run, RunStatus
from db.session import Database
from db.styles import Style, get_style
from db.teams import get_team
from tests.integration.test_clock import freeze
from tests.support import factories
from tests.support.run_nursery import Nursery, NurseryLauncher, watch_until_killed
from tests.support.runs import (
    T1,
    Prepared,
    approve_pairs,
    execute_here,
    prepare_run,
    run_settings,
    wait_for_end,
    working,
)

pytestmark = pytest.mark.training

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`tiny-test`, with a curve of two points."""
    path = tmp_path_factory.mktemp("recipe") / "tiny-curve.toml"
    text = (RECIPES_DIR / "tiny-test.toml").read_text(encoding="utf-8")
    text = text.replace("shares = []", "shares = [0.5, 0.25, 0.1]").replace("min_pairs = 16", "min_pairs = 6")
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def tiny(settings: Settings, database: Database, base: Path, recipe: Path) -> Settings:
    return run_settings(settings, database, base, recipe=str(recipe))


@pytest.fixture
def prepared(database: Database, tiny: Settings) -> Prepared:
    with database.write() as session:
        return prepare_run(session, tiny)


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


def points_of(database: Database, run_id: str) -> list[CurvePoint]:
    with database.read() as session:
        return list_points(session, run_id, T1)


def forecasts_of(database: Database, style_id: str) -> list[ForecastRow]:
    with database.read() as session:
        query = select(ForecastRow).where(ForecastRow.style_id == style_id).order_by(ForecastRow.forecast_id)
        return list(session.scalars(query))


def ladder_of(database: Database, settings: Settings) -> str:
    (ladder,) = list_ladders(database, settings, "support")
    return ladder.forecast


def test_a_run_measures_its_curve_on_the_same_unseen_pairs_and_foresees_what_more_would_bring(
    database: Database, tiny: Settings, prepared: Prepared
) -> None:
    run = execute_here(database, tiny)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    with database.read() as session:
        dataset = find_dataset_of_run(session, run.run_id)
        assert dataset is not None
        members = list_dataset_examples(session, dataset.dataset_id)
        promotion_id = get_style(session, prepared.style_id).champion_promotion_id
    train = sum(member.split is SplitName.TRAIN for member, _ in members)
    unseen = [example.example_id for member, example in members if member.split is SplitName.TEST]

    # Ascending; the share that has too few pairs is left out; no draft was written.
    points = points_of(database, run.run_id)
    assert [(one.rung.value, one.train_pairs) for one in points] == [
        ("lora", round(train * 0.25)), ("lora", round(train * 0.5)),
    ]  # fmt: skip
    for point in points:
        assert sorted(pair["example_id"] for pair in point.card["pairs"]) == sorted(unseen)
        assert {pair["draft"] for pair in point.card["pairs"]} == {None}
    # A part taught something else than the whole.
    assert len({round(sum(pair["nll_nats"] for pair in one.card["pairs"]), 3) for one in points}) == 2

    rows = forecasts_of(database, prepared.style_id)
    assert [row.rung.value for row in rows] == ["lora", "lora_retrieved"]
    assert run.verdict is not None
    scores = {row["rung"]: row["bits_per_byte"] for row in run.verdict["table"]}
    for row in rows:
        assert (row.run_id, row.train_pairs, row.champion_promotion_id) == (run.run_id, train, promotion_id)
        assert row.forecast["examples"] == len(members)
        now = row.forecast["table"][0]["score"]
        assert now["low"] < scores[row.rung.value] < now["high"]
    assert "`lora" in ladder_of(database, tiny)
    with database.write() as session:
        factories.make_promotion(session, get_style(session, prepared.style_id))
    assert ladder_of(database, tiny).startswith("What that run foresaw was about another champion, or under other")
    # The parts' adapters served the curve alone.
    assert sorted(path.name for path in Path(tiny.resolved_artifact_url).glob("support*")) == [
        "support-v1", "support-v1-retrieved",
    ]  # fmt: skip


def test_without_parts_in_the_recipe_nothing_is_measured_or_foreseen(
    sqlite_database: Database, settings: Settings, base: Path
) -> None:
    plain = run_settings(settings, sqlite_database, base)
    with sqlite_database.write() as session:
        prepared = prepare_run(session, plain)
    run = execute_here(sqlite_database, plain)
    assert points_of(sqlite_database, run.run_id) == []
    assert forecasts_of(sqlite_database, prepared.style_id) == []
    assert ladder_of(sqlite_database, plain) == ""


def test_a_run_that_is_killed_between_two_points_does_not_measure_the_first_again(
    database: Database, tiny: Settings, prepared: Prepared, nursery: Nursery
) -> None:
    launcher = NurseryLauncher(nursery, tiny, "curve.half:1")
    with working(database, tiny, launcher, trainer_id="host:1"):
        seen = watch_until_killed(launcher, lambda: points_of(database, prepared.run_id))
        run = wait_for_end(database, prepared.run_id, seconds=90)
    assert run.status is RunStatus.SUCCEEDED, run.error
    assert len(launcher.children) == 2
    points = points_of(database, prepared.run_id)
    assert len(points) == 2 and len(seen) == 1
    assert (points[0].point_id, points[0].scored_at) == (seen[0].point_id, seen[0].scored_at)


def test_a_later_run_says_whether_the_forecast_held(database: Database, tiny: Settings, prepared: Prepared) -> None:
    execute_here(database, tiny)
    with database.write() as session:
        style = get_style(session, prepared.style_id)
        factories.make_run(session, style, recipe=tiny.recipe, base_model=tiny.base_model, slot="again")
    again = execute_here(database, tiny)
    assert again.status is RunStatus.SUCCEEDED, again.error
    assert [row.settled_by for row in forecasts_of(database, prepared.style_id)] == [None] * 4, "nothing grew"

    with database.write() as session:
        style = get_style(session, prepared.style_id)
        approve_pairs(session, style, tiny, 40, start=len(prepared.example_ids))
        factories.make_run(session, style, recipe=tiny.recipe, base_model=tiny.base_model, slot="grown")
    grown = execute_here(database, tiny)
    assert grown.status is RunStatus.SUCCEEDED, grown.error
    rows = forecasts_of(database, prepared.style_id)
    settled, still_open = rows[:4], rows[4:]
    assert grown.verdict is not None and grown.receipt is not None
    own = f"support-v{grown.adapter_version}"  # an earlier adapter, if it is the champion, stands in the table too
    scores = {
        row["rung"]: row["bits_per_byte"] for row in grown.verdict["table"] if row["adapter_name"].startswith(own)
    }
    for row in settled:
        assert (row.settled_by, row.measured_pairs) == (grown.run_id, grown.receipt["train_pairs"])
        assert row.measured == scores[row.rung.value]
        mean, low, high = row.at(grown.receipt["train_pairs"]).score
        assert (row.foreseen, row.has_held) == (mean, low <= scores[row.rung.value] <= high)
    assert [row.settled_by for row in still_open] == [None, None]
    with database.read() as session:
        record = read_record(session, prepared.style_id, T1)
    held = sum(bool(row.has_held) for row in settled)
    assert (record.settled, record.held) == (4, held)
    assert f"Of 4 earlier forecasts {held} held" in ladder_of(database, tiny)


def test_a_run_that_goes_on_from_an_adapter_settles_what_was_foreseen_apart_and_says_why_it_foresees_nothing(
    sqlite_database: Database, settings: Settings, base: Path, recipe: Path, tmp_path: Path
) -> None:
    onwards = tmp_path / "tiny-onwards.toml"
    text = recipe.read_text(encoding="utf-8")
    assert 'start = "base"' in text
    onwards.write_text(text.replace('start = "base"', 'start = "previous"'), encoding="utf-8")
    tiny = run_settings(settings, sqlite_database, base, recipe=str(onwards))
    with sqlite_database.write() as session:
        prepared = prepare_run(session, tiny)
    first = execute_here(sqlite_database, tiny)
    assert first.verdict is not None and first.verdict["promoted"], first.verdict
    assert "No forecast" not in ladder_of(sqlite_database, tiny), "nothing served that it could have gone on from"

    with sqlite_database.write() as session:
        style = get_style(session, prepared.style_id)
        approve_pairs(session, style, tiny, 40, start=len(prepared.example_ids))
        factories.make_run(session, style, recipe=tiny.recipe, base_model=tiny.base_model, slot="grown")
    grown = execute_here(sqlite_database, tiny)
    assert grown.receipt is not None and grown.receipt["start"]["adapter_name"] == "support-v1"
    rows = forecasts_of(sqlite_database, prepared.style_id)
    assert [(row.rung.value, row.settled_by, row.went_on_from) for row in rows] == [
        ("lora", grown.run_id, "support-v1"), ("lora_retrieved", grown.run_id, "support-v1"),
    ]  # fmt: skip
    with sqlite_database.read() as session:
        record = read_record(session, prepared.style_id, T1)
    assert (record.settled, record.held, record.mean_error, record.went_on) == (0, 0, None, 2)
    said = ladder_of(sqlite_database, tiny)
    assert said.startswith("No forecast: this run went on from the earlier adapter support-v1, and a forecast is made")
    assert "2 forecasts were measured by runs that went on" in said
    assert "earlier forecasts" not in said
    assert "number of new examples decides" not in said
    with sqlite_database.write() as session:
        get_style(session, prepared.style_id).train_on_gain_bits = 0.05
    assert "the number of new examples decides when this style trains." in ladder_of(sqlite_database, tiny)
    with speaking("nl"):
        assert ladder_of(sqlite_database, tiny).startswith("Geen voorspelling: deze trainingsrun ging verder")


def test_a_forecast_for_other_instructions_is_held_against_nothing(
    sqlite_database: Database, settings: Settings, base: Path, recipe: Path
) -> None:
    tiny = run_settings(settings, sqlite_database, base, recipe=str(recipe))
    with sqlite_database.write() as session:
        prepared = prepare_run(session, tiny, pairs=30)
    execute_here(sqlite_database, tiny)
    with sqlite_database.write() as session:
        style = get_style(session, prepared.style_id)
        style.instructions = "Answer at length."
        factories.make_run(session, style, recipe=tiny.recipe, base_model=tiny.base_model, slot="changed")
        for row in session.scalars(select(ForecastRow)):
            row.train_pairs = 1  # so that the run has grown enough
    run = execute_here(sqlite_database, tiny)
    assert run.status is RunStatus.SUCCEEDED, run.error
    assert {row.settled_by for row in forecasts_of(sqlite_database, prepared.style_id)} == {None}


# --- training by expected gain --------------------------------------------------------------------------------------


def foreseen(database: Database, *, gain_at_twice: float, gain_wanted: float) -> str:
    """A style of 20 approved examples whose last run foresaw this gain with twice as many, and 10 newer ones."""
    with database.write() as session:
        style = factories.make_style(
            session, recipe="tiny-test", train_after_examples=50, train_on_gain_bits=gain_wanted
        )  # fmt: skip
        factories.make_promotion(session, style)
        get_team(session, "T1").terms_accepted_at = now_in_database(session)
        run = _finished_run(session, style)
        session.add(_forecast(style, run, gain_at_twice))
        for _ in range(10):
            factories.make_example(session, style, status=ExampleStatus.APPROVED)
        return style.style_id


def _finished_run(session: Session, style: Style) -> Run:
    for _ in range(20):
        factories.make_example(session, style, status=ExampleStatus.APPROVED)
    run = factories.make_run(session, style, status=RunStatus.SUCCEEDED, slot="first")
    freeze(session, run)
    return run


def _forecast(style: Style, run: Run, gain_at_twice: float) -> ForecastRow:
    def row(pairs: int, gain: float) -> dict[str, object]:
        bounds = {"mean": gain, "low": gain - 0.1, "high": gain + 0.1}
        return {"train_pairs": pairs, "score": bounds, "gain": bounds, "chance": 0.8}

    values = {
        "rung": "lora", "champion": "retrieved", "train_pairs": 16, "examples": 20, "limit_examples": 10_000,
        "overtakes": 24, "overtakes_low": 16, "overtakes_high": 64, "chance": 0.9,
        "table": [row(16, 0.0), row(32, gain_at_twice)],
    }  # fmt: skip
    return ForecastRow(
        forecast_id=f"for_{style.style_id[4:]}"[:32], run_id=run.run_id, style_id=style.style_id,
        scope_key=style.scope_key, rung="lora", champion_promotion_id=style.champion_promotion_id,
        prompt_hash=prompt_hash(style.instructions), base_model=run.base_model, recipe=run.recipe, train_pairs=16,
        forecast=values, made_at=run.queued_at,
    )  # fmt: skip


def reason(database: Database, settings: Settings, style_id: str) -> str:
    with database.read() as session:
        return look_at_policy(session, settings, get_style(session, style_id), NOON).reason


def test_the_clock_trains_when_enough_is_to_be_gained_and_waits_when_not(
    database: Database, settings: Settings
) -> None:
    """30 of 20 examples: 24 pairs are 0.58 of a doubling from 16, so 0.058 of 0.1."""
    worth_it = foreseen(database, gain_at_twice=0.1, gain_wanted=0.05)
    not_worth_it = foreseen(database, gain_at_twice=0.1, gain_wanted=0.06)
    assert "0.058 bits per byte (80% that" in reason(database, settings, worth_it)
    assert "0.058 bits per byte, and this style asks for 0.060" in reason(database, settings, not_worth_it)
    (run_id,) = queue_due_runs(database, settings, NOON)
    with database.read() as session:
        assert session.get_one(Run, run_id).style_id == worth_it


@pytest.mark.parametrize("what", ["champion", "instructions", "too_old"])
def test_a_forecast_that_no_longer_speaks_of_what_serves_leaves_it_to_the_count(
    sqlite_database: Database, settings: Settings, what: str
) -> None:
    style_id = foreseen(sqlite_database, gain_at_twice=0.1, gain_wanted=0.05)
    with sqlite_database.write() as session:
        style = get_style(session, style_id)
        if what == "champion":
            factories.make_promotion(session, style)
        elif what == "instructions":
            style.instructions = "Another wording."
        else:
            for _ in range(10):
                factories.make_example(session, style, status=ExampleStatus.APPROVED)
    new = 20 if what == "too_old" else 10
    assert f"{new} of 50 new approved examples" in reason(sqlite_database, settings, style_id)


def test_what_another_scope_foresaw_is_not_seen(sqlite_database: Database, settings: Settings) -> None:
    style_id = foreseen(sqlite_database, gain_at_twice=0.1, gain_wanted=0.05)
    with sqlite_database.write() as session:
        row = session.scalars(select(ForecastRow).where(ForecastRow.style_id == style_id)).one()
        row.scope_key = "T1/C_PRIVATE"
        assert find_forecast(session, row.run_id, T1) is None
    assert "of 50 new approved examples" in reason(sqlite_database, settings, style_id)
