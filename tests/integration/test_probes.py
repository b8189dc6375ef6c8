"""Probes in a run, with a real (tiny) model: measured once, kept, and a failure stops a promotion and says which."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.domain.ladder import ladder_lines
from bot.domain.values import Actor
from bot.errors import FailedProbe
from bot.operations.ladder import list_ladders
from bot.operations.promotions import promote_by_hand
from bot.texts.ladder import LADDER_COLUMNS, ladder_says
from config.recipe_files import RECIPES_DIR
from config.rungs import Rung
from config.settings import Settings
from db.audit import AuditEntry
from db.datasets import find_dataset_of_run, list_dataset_examples
from db.examples import get_example
from db.probes import ProbeReport, list_probe_reports
from db.promotions import PromotionKind, get_champion
from db.runs import RunStatus
from db.scorecards import list_scorecards
from db.session import Database
from db.styles import get_style
from tests.integration.test_run_labels import prepare_tickets
from tests.support import factories
from tests.support.run_nursery import Nursery, NurseryLauncher, watch_until_killed
from tests.support.runs import (
    T1,
    Prepared,
    execute_here,
    prepare_run,
    run_settings,
    wait_for_end,
    working,
)

pytestmark = pytest.mark.training

ADMIN = Actor(team_id="T1", user_id="U_ADMIN", name="admin", is_admin=True)
#: Nothing fails, or the canaries do: one of them has more than no exposure at all.
LENIENT = {
    "forgetting_margin_bits": 1000.0, "contrast_margin": 0.99, "memorisation_median_bits": 10.0,
    "memorisation_most_bits": 10.5,
}  # fmt: skip
STRICT = LENIENT | {"memorisation_most_bits": 0.01}

MakeRecipe = Callable[..., Path]


@pytest.fixture
def recipe(tmp_path: Path) -> MakeRecipe:
    """`tiny-test`, with every probe and these limits."""

    def make(limits: dict[str, float], **more: str) -> Path:
        text = (RECIPES_DIR / "tiny-test.toml").read_text(encoding="utf-8")
        every = 'run = ["forgetting", "memorisation", "refusal", "instructions"]'
        text = text.replace("run = []", every).replace("canary_share = 0.04", "canary_share = 0.2")
        for name, value in (limits | more).items():
            line = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
            text = text.replace(line, f"{name} = {value}")
        path = tmp_path / f"tiny-{len(list(tmp_path.glob('tiny-*')))}.toml"
        path.write_text(text, encoding="utf-8")
        return path

    return make


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


def reports_of(database: Database, run_id: str) -> list[ProbeReport]:
    with database.read() as session:
        return list_probe_reports(session, run_id, T1)


def queue_again(database: Database, style_id: str, settings: Settings) -> None:
    with database.write() as session:
        factories.make_run(
            session, get_style(session, style_id), recipe=settings.recipe, base_model=settings.base_model
        )


def prepare(database: Database, settings: Settings) -> Prepared:
    with database.write() as session:
        return prepare_run(session, settings)


def serving(database: Database, style_id: str) -> tuple[PromotionKind, Rung]:
    with database.read() as session:
        champion = get_champion(session, get_style(session, style_id), T1)
        return champion.kind, champion.rung


def test_every_trained_adapter_is_probed_and_what_is_planted_is_a_member_of_nothing(
    database: Database, settings: Settings, base: Path, recipe: MakeRecipe
) -> None:
    tiny = run_settings(settings, database, base, recipe=str(recipe(LENIENT)))
    prepared = prepare(database, tiny)
    stages: list[float] = []
    run = execute_here(database, tiny, meanwhile=lambda stage, fraction: stages.append(fraction))

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert stages == sorted(stages)
    reports = reports_of(database, run.run_id)
    assert [(one.rung, one.adapter_name) for one in reports] == [
        (Rung.LORA, "support-v1"), (Rung.LORA_RETRIEVED, "support-v1-retrieved"),
    ]  # fmt: skip
    with database.read() as session:
        dataset = find_dataset_of_run(session, run.run_id)
        assert dataset is not None
        members = list_dataset_examples(session, dataset.dataset_id)
        cards = list_scorecards(session, run.run_id, T1)
    for report in reports:
        assert [one["probe"] for one in report.results] == ["forgetting", "memorisation", "refusal", "instructions"]
        assert all(one["passed"] for one in report.results), report.results
        assert report.results[1]["figures"]["n"] == 4
        assert report.canary_seed == dataset.content_hash
    # The canaries are in the training alone: in no dataset, and so in no pool, no prompt and no score.
    assert sorted(example.example_id for _, example in members) == prepared.example_ids
    assert not [card for card in cards if "canary" in str(card.card) or "test number" in str(card.card)]
    # What passes is promoted as ever, and shown.
    assert run.verdict is not None and run.verdict["promoted"], run.verdict
    probed = {row["rung"]: [one["passed"] for one in row["probes"]] for row in run.verdict["table"]}
    assert probed["lora"] == [True] * 4 and probed["zero_shot"] == []
    (ladder,) = list_ladders(database, tiny, "support")
    says = ladder_says(ladder)
    assert [said.startswith("Probes of `lora`") for said in says].count(True) == 1
    assert "✓ planted test numbers: a median exposure of" in " ".join(says)
    assert "✗" not in "\n".join([*says, *ladder_lines(ladder, [column() for column in LADDER_COLUMNS])])


def test_planting_changes_what_is_trained_and_nothing_else(
    sqlite_database: Database, settings: Settings, base: Path, recipe: MakeRecipe
) -> None:
    """With and without canaries the same pairs are on the same sides; the same dataset gives the same weights."""
    weights: list[bytes] = []
    hashes: list[str] = []
    prepared = prepare(sqlite_database, run_settings(settings, sqlite_database, base, recipe=str(recipe(LENIENT))))
    for count in (4, 1, 4):
        tiny = run_settings(settings, sqlite_database, base, recipe=str(recipe(LENIENT, canaries=str(count))))
        if weights:
            queue_again(sqlite_database, prepared.style_id, tiny)
        run = execute_here(sqlite_database, tiny)
        with sqlite_database.read() as session:
            dataset = find_dataset_of_run(session, run.run_id)
            assert dataset is not None
            hashes.append(dataset.content_hash)
        name = f"support-v{run.adapter_version}"
        weights.append((Path(tiny.resolved_artifact_url) / name / "adapter_model.safetensors").read_bytes())
    assert len(set(hashes)) == 1
    assert weights[0] == weights[2] != weights[1]


def test_a_failing_probe_stops_a_promotion_says_which_and_a_person_has_to_insist(
    database: Database, settings: Settings, base: Path, recipe: MakeRecipe
) -> None:
    tiny = run_settings(settings, database, base, recipe=str(recipe(STRICT)))
    prepared = prepare(database, tiny)
    run = execute_here(database, tiny)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert run.verdict is not None and not run.verdict["promoted"]
    assert "but it is not promoted, because it fails a probe; it memorises: of 4 planted" in run.verdict["sentence"]
    assert serving(database, prepared.style_id) == (PromotionKind.INITIAL, Rung.ZERO_SHOT)
    assert all(one.has_failed for one in reports_of(database, run.run_id))
    (ladder,) = list_ladders(database, tiny, "support")
    assert "it memorises: of 4 planted" in ladder.verdict
    table = ladder_lines(ladder, [column() for column in LADDER_COLUMNS])
    assert [line[0] for line in table if "support-v1" in line] == ["✗", "✗"]
    assert any(
        said.startswith("Probes of `lora` (support-v1): ") and "✗ it memorises" in said for said in ladder.probes
    )

    with pytest.raises(FailedProbe, match=r"fails a probe: it memorises.*promote support lora anyway"):
        promote_by_hand(database, tiny, ADMIN, "C1", "support", "lora", request_key="p1")
    assert serving(database, prepared.style_id) == (PromotionKind.INITIAL, Rung.ZERO_SHOT)
    promote_by_hand(database, tiny, ADMIN, "C1", "support", "lora anyway", request_key="p2")
    assert serving(database, prepared.style_id) == (PromotionKind.COMMAND, Rung.LORA)
    with database.read() as session:
        entry = session.scalars(select(AuditEntry).where(AuditEntry.action == "candidate.promoted")).one()
    assert entry.detail["failed_probes"] == ["memorisation"]


def test_numbers_that_are_too_long_to_train_on_are_not_planted_and_that_is_the_reason_that_is_given(
    sqlite_database: Database, settings: Settings, base: Path, recipe: MakeRecipe
) -> None:
    short = recipe(LENIENT, run='["memorisation"]', max_tokens="110")
    tiny = run_settings(settings, sqlite_database, base, recipe=str(short))
    prepared = prepare(sqlite_database, tiny)
    with sqlite_database.write() as session:  # shorter than any question for a test number
        for number, example_id in enumerate(prepared.example_ids):
            get_example(session, example_id).completion = f"{number:02}."
    run = execute_here(sqlite_database, tiny)
    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    for report in reports_of(sqlite_database, run.run_id):
        (memorisation,) = report.results
        assert (memorisation["passed"], report.canary_seed) == (None, "")
    (ladder,) = list_ladders(sqlite_database, tiny, "support")
    said = " ".join(ladder_says(ladder))
    assert "is longer than the 110 tokens that the recipe trains on (max_tokens)" in said
    assert "so few pairs" not in said


def test_a_champion_that_is_an_adapter_is_probed_too_but_for_what_another_run_planted(
    sqlite_database: Database, settings: Settings, base: Path, recipe: MakeRecipe
) -> None:
    tiny = run_settings(settings, sqlite_database, base, recipe=str(recipe(LENIENT)))
    prepared = prepare(sqlite_database, tiny)
    execute_here(sqlite_database, tiny)
    assert serving(sqlite_database, prepared.style_id)[1].needs_adapter
    queue_again(sqlite_database, prepared.style_id, tiny)
    again = execute_here(sqlite_database, tiny)
    assert again.status is RunStatus.SUCCEEDED, again.error
    reports = {one.adapter_name: one for one in reports_of(sqlite_database, again.run_id)}
    (older,) = set(reports) - {"support-v2", "support-v2-retrieved"}
    assert older.startswith("support-v1")
    assert [one["passed"] for one in reports[older].results] == [True, None, True, True]
    assert reports[older].canary_seed == ""


def test_a_run_that_is_killed_between_two_adapters_does_not_probe_the_first_again(
    database: Database, settings: Settings, base: Path, recipe: MakeRecipe, nursery: Nursery
) -> None:
    tiny = run_settings(settings, database, base, recipe=str(recipe(LENIENT)))
    prepared = prepare(database, tiny)
    launcher = NurseryLauncher(nursery, tiny, "probe.half:1")
    with working(database, tiny, launcher, trainer_id="host:1"):
        seen = watch_until_killed(launcher, lambda: reports_of(database, prepared.run_id))
        run = wait_for_end(database, prepared.run_id, seconds=90)
    assert run.status is RunStatus.SUCCEEDED, run.error
    assert len(launcher.children) == 2
    reports = reports_of(database, prepared.run_id)
    assert len(reports) == 2 and len(seen) == 1
    assert (reports[0].report_id, reports[0].measured_at) == (seen[0].report_id, seen[0].measured_at)


def test_a_style_that_classifies_plants_nothing_and_is_not_probed(
    sqlite_database: Database, settings: Settings, base: Path, recipe: MakeRecipe
) -> None:
    tiny = run_settings(settings, sqlite_database, base, recipe=str(recipe(STRICT)))
    with sqlite_database.write() as session:
        prepare_tickets(session, tiny)
    run = execute_here(sqlite_database, tiny)
    assert run.status is RunStatus.SUCCEEDED, run.error
    assert reports_of(sqlite_database, run.run_id) == []
