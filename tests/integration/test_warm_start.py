"""Where an adapter starts, with a real (tiny) model: from what serves, unless that saw what judges now, learnt from
what was withdrawn, or is in the way."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.blocks.run_progress import RunEnd, end_message
from bot.domain.values import Actor
from bot.language import speaking
from bot.operations.promotions import promote_by_hand
from config.recipe_files import RECIPES_DIR
from config.rungs import Rung
from config.sentences import read_note
from config.settings import Settings
from db.datasets import DatasetExample, SplitName, find_dataset_of_run
from db.examples import Example, ExampleStatus, get_example, transition
from db.probes import list_probe_reports
from db.promotions import get_champion
from db.runs import Run, RunStatus
from db.session import Database
from db.styles import get_style
from db.taint import list_tainted_adapters
from tests.support import factories
from tests.support.runs import T1, Prepared, approve_pairs, execute_here, prepare_run, run_settings
from tests.support.tiny_model import make_tiny_adapter
from trainer.adapter_files import publish_adapter
from trainer.artifacts.keys import load_or_create_signing_key
from trainer.artifacts.manifest import AdapterFacts
from trainer.artifacts.store import delete_adapter
from trainer.base_models import base_revision
from trainer.dataset import TrainingExample
from trainer.recipe import Lora
from trainer.registry import Frozen
from trainer.starting import find_leak, has_shape

pytestmark = pytest.mark.training

ADMIN = Actor(team_id="T1", user_id="U_ADMIN", name="admin", is_admin=True)

MakeRecipe = Callable[..., str]


@pytest.fixture
def recipe(tmp_path: Path) -> MakeRecipe:
    """`tiny-test` with other values."""

    def make(**values: str) -> str:
        text = (RECIPES_DIR / "tiny-test.toml").read_text(encoding="utf-8")
        for name, value in values.items():
            line = next(line for line in text.splitlines() if line.startswith(f"{name} = "))
            text = text.replace(line, f"{name} = {value}", 1)
        path = tmp_path / f"tiny-{len(list(tmp_path.glob('tiny-*.toml')))}.toml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return make


@pytest.fixture
def settled(sqlite_database: Database, settings: Settings, base: Path) -> tuple[Settings, Prepared]:
    """A style that an adapter of its first run serves, and ten more examples."""
    tiny = run_settings(settings, sqlite_database, base)
    with sqlite_database.write() as session:
        prepared = prepare_run(session, tiny)
    first = execute_here(sqlite_database, tiny)
    assert first.verdict is not None and first.verdict["promoted"], first.verdict
    assert first.receipt is not None and first.receipt["start"] is None
    with sqlite_database.write() as session:
        style = get_style(session, prepared.style_id)
        approve_pairs(session, style, tiny, 10, start=len(prepared.example_ids))
    return tiny, prepared


def again(database: Database, settings: Settings, style_id: str, recipe: str) -> Run:
    with database.write() as session:
        factories.make_run(session, get_style(session, style_id), recipe=recipe, base_model=settings.base_model)
    run = execute_here(database, settings)
    assert run.status is RunStatus.SUCCEEDED, run.error
    return run


def start_of(run: Run) -> tuple[str, str]:
    """The adapter that it started from, and why."""
    assert run.receipt is not None and run.receipt["start"] is not None
    start = run.receipt["start"]
    return start["adapter_name"], str(read_note(start["why"]))


def serve_what_was_trained_from_it(database: Database, settings: Settings, prepared: Prepared) -> None:
    """`lora_retrieved` serves, so that the run's `lora` is started from but not measured itself."""
    with database.read() as session:
        serving = get_champion(session, get_style(session, prepared.style_id), T1).rung
    if serving is not Rung.LORA_RETRIEVED:
        promote_by_hand(database, settings, ADMIN, "C1", "support", "support-v1-retrieved", request_key="p1")


def weights(settings: Settings, name: str) -> bytes:
    return (Path(settings.resolved_artifact_url) / name / "adapter_model.safetensors").read_bytes()


def members_of(database: Database, run_id: str, split: SplitName) -> list[str]:
    with database.read() as session:
        dataset = find_dataset_of_run(session, run_id)
        assert dataset is not None
        query = select(DatasetExample.example_id).where(
            DatasetExample.dataset_id == dataset.dataset_id, DatasetExample.split == split
        )
        return list(session.scalars(query.order_by(DatasetExample.position)))


def test_a_run_starts_from_what_serves_where_that_measures_better_and_says_so(
    sqlite_database: Database, settled: tuple[Settings, Prepared], recipe: MakeRecipe
) -> None:
    tiny, prepared = settled
    run = again(sqlite_database, tiny, prepared.style_id, recipe(start='"measured"'))
    adapter, why = start_of(run)
    assert adapter == "support-v1"
    assert why.startswith("Started from support-v1: after 4 steps its validation loss is ")
    onwards, anew = (float(part.split(" ")[0]) for part in why.replace(",", "").split(" is ")[1].split("model "))
    assert onwards < anew
    _, blocks = end_message(
        RunEnd(style_name="support", status="succeeded", sentence="x", receipt=run.receipt, is_promoted=False)
    )
    assert why in str(blocks)
    with speaking("nl"):
        _, blocks = end_message(RunEnd(style_name="support", status="succeeded", sentence="x", receipt=run.receipt))
    assert "Begonnen bij support-v1: na 4 stappen" in str(blocks)
    # Everything that it had learnt from is learnt from again: replay is complete.
    before, now = (members_of(sqlite_database, one, SplitName.TRAIN) for one in (prepared.run_id, run.run_id))
    assert set(before) < set(now)


def test_where_a_training_starts_is_where_its_weights_come_from(
    sqlite_database: Database, settled: tuple[Settings, Prepared], recipe: MakeRecipe
) -> None:
    """With steps of almost nothing the new adapter is the one it started from."""
    tiny, prepared = settled
    still = recipe(start='"previous"', learning_rate="1e-30", max_steps="4", tuned='["lora"]')
    assert start_of(again(sqlite_database, tiny, prepared.style_id, still)) == (
        "support-v1", "Started from support-v1, as the recipe says",
    )  # fmt: skip
    assert weights(tiny, "support-v2") == weights(tiny, "support-v1")
    anew = recipe(start='"base"', learning_rate="1e-30", max_steps="4", tuned='["lora"]')
    again(sqlite_database, tiny, prepared.style_id, anew)
    assert weights(tiny, "support-v3") != weights(tiny, "support-v1")


def test_an_adapter_that_is_in_the_way_loses_the_race(
    sqlite_database: Database, settled: tuple[Settings, Prepared], base: Path, recipe: MakeRecipe, tmp_path: Path
) -> None:
    """In its place in the store stands one that knows nothing of the style: random, and strong."""
    tiny, prepared = settled
    serve_what_was_trained_from_it(sqlite_database, tiny, prepared)
    facts = AdapterFacts(
        base_model=tiny.base_model, base_revision=base_revision(base), style_id=prepared.style_id, scope="T1",
        run_id=prepared.run_id, rung="lora", created_at=datetime(2026, 11, 28, tzinfo=UTC), versions={},
    )  # fmt: skip
    random = make_tiny_adapter(tmp_path / "random", base)
    delete_adapter(tiny.resolved_artifact_url, "support-v1")
    publish_adapter(tiny.resolved_artifact_url, "support-v1", random, facts, load_or_create_signing_key(tiny.keys_dir))
    alike = recipe(start='"measured"', alpha="64")  # the random one's
    adapter, why = start_of(again(sqlite_database, tiny, prepared.style_id, alike))
    assert adapter == ""
    assert why.startswith("Started from the base model: after 4 steps its validation loss is ")
    assert "from support-v1 " in why


def test_without_an_adapter_that_serves_a_run_starts_from_the_base_model(
    sqlite_database: Database, settings: Settings, base: Path, recipe: MakeRecipe
) -> None:
    tiny = run_settings(settings, sqlite_database, base, recipe=recipe(start='"measured"'))
    with sqlite_database.write() as session:
        prepare_run(session, tiny)
    assert start_of(execute_here(sqlite_database, tiny)) == ("", "Started from the base model: no adapter serves yet")


# ------------------------------------------------------------------------------------------------ leaks


def test_an_adapter_that_learnt_from_a_pair_that_judges_now_is_not_started_from(
    sqlite_database: Database, settled: tuple[Settings, Prepared], recipe: MakeRecipe
) -> None:
    """Planted: the earlier run had trained on a pair that is on the validation side of this one."""
    tiny, prepared = settled
    validation = members_of(sqlite_database, prepared.run_id, SplitName.VALIDATION)
    with sqlite_database.write() as session:
        dataset = find_dataset_of_run(session, prepared.run_id)
        assert dataset is not None
        row = session.get(DatasetExample, (dataset.dataset_id, validation[0]))
        assert row is not None
        row.split = SplitName.TRAIN
    run = again(sqlite_database, tiny, prepared.style_id, recipe(start='"previous"'))
    assert validation[0] in members_of(sqlite_database, run.run_id, SplitName.VALIDATION)
    assert start_of(run) == ("", "Started from the base model: support-v1 saw 1 of the pairs that judge now")


def test_an_adapter_that_learnt_from_what_is_retired_now_is_not_started_from(
    sqlite_database: Database, settled: tuple[Settings, Prepared], recipe: MakeRecipe
) -> None:
    """What tells about the retired example may be on the unseen side by now."""
    tiny, prepared = settled
    learnt = members_of(sqlite_database, prepared.run_id, SplitName.TRAIN)
    with sqlite_database.write() as session:
        transition(session, get_example(session, learnt[0]), ExampleStatus.RETIRED, decided_by="U_ADMIN")
    adapter, why = start_of(again(sqlite_database, tiny, prepared.style_id, recipe(start='"previous"')))
    assert adapter == ""
    assert "of what support-v1 learnt from, 1 examples are no longer among those of now" in why


def frozen(train: str, validation: str, test: str) -> Frozen:
    def side(names: str) -> list[TrainingExample]:
        return [TrainingExample(example_id=name, prompt=name, completion=name) for name in names]

    return Frozen(
        dataset_id="d", instructions="", version=2, train=side(train), validation=side(validation), test=side(test)
    )


def members(train: str, validation: str, test: str) -> list[DatasetExample]:
    sides = {SplitName.TRAIN: train, SplitName.VALIDATION: validation, SplitName.TEST: test}
    return [
        DatasetExample(
            dataset_id="d0", example_id=name, split=split, position=0,
            content_hash=TrainingExample(example_id=name, prompt=name, completion=name).content_hash,
        )
        for split, names in sides.items()
        for name in names
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("earlier", "now", "leak"),
    [
        (("ab", "c", "d"), ("abe", "c", "d"), None),
        (("ab", "c", "d"), ("abcd", "e", "f"), None),  # nothing that it saw judges
        (("ab", "c", "d"), ("a", "c", "bd"), "saw 1 of the pairs that judge now"),
        (("ab", "c", "d"), ("ab", "", "cd"), "saw 1 of the pairs that judge now"),  # they chose its step
        (("ab", "c", "d"), ("b", "ac", "d"), "saw 1 of the pairs that judge now"),
        (("ab", "c", "d"), ("b", "c", "d"), "1 examples are no longer among those of now"),
    ],
)
def test_a_leak_is_found_on_every_side(
    earlier: tuple[str, str, str], now: tuple[str, str, str], leak: str | None
) -> None:
    found = find_leak("v1", members(*earlier), frozen(*now))
    assert found is None if leak is None else leak in str(found)


def test_a_changed_text_is_a_leak() -> None:
    before = members("ab", "c", "d")
    before[0].content_hash = "sha256:other"
    assert "1 examples are no longer among those of now" in str(find_leak("v1", before, frozen("ab", "c", "d")))


def test_an_adapter_of_another_shape_is_not_started_from() -> None:
    config = {"r": 16, "lora_alpha": 32, "use_dora": False, "use_rslora": False, "target_modules": ["q_proj", "v_proj"]}
    modules = ("v_proj", "q_proj")
    assert has_shape(config, Lora(), modules)
    assert not has_shape(config, Lora(), ("q_proj",))
    for other in (Lora(r=8), Lora(alpha=16), Lora(use_dora=True)):
        assert not has_shape(config, other, modules)


def test_a_narrower_adapter_is_not_started_from_where_all_linear_modules_are_asked_for(
    sqlite_database: Database, settings: Settings, base: Path, recipe: MakeRecipe
) -> None:
    narrow = recipe(tuned='["lora"]', target_modules='["q_proj", "v_proj"]')
    tiny = run_settings(settings, sqlite_database, base, recipe=narrow)
    with sqlite_database.write() as session:
        prepared = prepare_run(session, tiny)
    execute_here(sqlite_database, tiny)

    alike = recipe(tuned='["lora"]', target_modules='["q_proj", "v_proj"]', start='"previous"')
    assert start_of(again(sqlite_database, tiny, prepared.style_id, alike))[0] == "support-v1"
    wider = recipe(tuned='["lora"]', start='"previous"')
    adapter, why = start_of(again(sqlite_database, tiny, prepared.style_id, wider))
    assert adapter == ""
    assert why.startswith("Started from the base model: the recipe asks for another shape than support-v")


# ------------------------------------------------------------------------------------------------ withdrawals


def test_after_a_withdrawal_a_run_starts_anew_and_is_byte_for_byte_one_that_never_saw_the_example(
    sqlite_database: Database, sqlite_template: Path, settings: Settings, base: Path, recipe: MakeRecipe, tmp_path: Path
) -> None:
    warm = recipe(start='"previous"', run='["memorisation"]', canary_share="0.2", memorisation_most_bits="10.5",
                  memorisation_median_bits="10.0")  # fmt: skip
    tiny = run_settings(settings, sqlite_database, base, recipe=warm)
    with sqlite_database.write() as session:
        prepared = prepare_run(session, tiny)
    first = execute_here(sqlite_database, tiny)
    assert first.verdict is not None and first.verdict["promoted"], first.verdict
    second = again(sqlite_database, tiny, prepared.style_id, warm)
    assert start_of(second)[0] == "support-v1"
    with sqlite_database.read() as session:  # what it starts from has read its canaries before
        seeds = {
            row.adapter_name: row.canary_seed
            for run in (first, second)
            for row in list_probe_reports(session, run.run_id, T1)
        }
    assert seeds["support-v2"] == seeds["support-v1"] != ""

    learnt = members_of(sqlite_database, prepared.run_id, SplitName.TRAIN)[0]
    with sqlite_database.write() as session:
        transition(session, get_example(session, learnt), ExampleStatus.WITHDRAWN, decided_by="U_AUTHOR")
    with sqlite_database.read() as session:  # taint reaches what was started from what had learnt it
        tainted = {one.name for one in list_tainted_adapters(session, prepared.style_id)}
    assert {"support-v1", "support-v2"} <= tainted
    clean = again(sqlite_database, tiny, prepared.style_id, warm)
    assert start_of(clean)[0] == ""
    assert "learnt from something that was withdrawn" in start_of(clean)[1]

    (tmp_path / "elsewhere").mkdir()
    shutil.copyfile(sqlite_template, tmp_path / "elsewhere" / "huisstijl.db")
    never = Database(f"sqlite:///{tmp_path / 'elsewhere' / 'huisstijl.db'}")
    elsewhere = run_settings(settings, never, base, recipe=warm, data_dir=tmp_path / "elsewhere")
    with never.write() as session:
        prepare_run(session, elsewhere)
        session.delete(session.get_one(Example, learnt))
    assert execute_here(never, elsewhere).status is RunStatus.SUCCEEDED
    assert weights(tiny, "support-v3") == weights(elsewhere, "support-v1")
    never.dispose()


def test_an_adapter_that_fails_a_probe_is_not_started_from(
    sqlite_database: Database, settings: Settings, base: Path, recipe: MakeRecipe
) -> None:
    strict = recipe(run='["memorisation"]', canary_share="0.2", memorisation_most_bits="0.01", start='"previous"')
    tiny = run_settings(settings, sqlite_database, base, recipe=strict)
    with sqlite_database.write() as session:
        prepared = prepare_run(session, tiny)
    execute_here(sqlite_database, tiny)
    promote_by_hand(sqlite_database, tiny, ADMIN, "C1", "support", "lora anyway", request_key="p1")
    assert start_of(again(sqlite_database, tiny, prepared.style_id, strict)) == (
        "", "Started from the base model: support-v1 fails a probe",
    )  # fmt: skip


def test_an_adapter_that_was_tampered_with_is_not_started_from(
    sqlite_database: Database, settled: tuple[Settings, Prepared], recipe: MakeRecipe
) -> None:
    """What serves is the adapter that was trained from it, so the run itself can go on."""
    tiny, prepared = settled
    serve_what_was_trained_from_it(sqlite_database, tiny, prepared)
    path = Path(tiny.resolved_artifact_url) / "support-v1" / "adapter_model.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))
    adapter, why = start_of(again(sqlite_database, tiny, prepared.style_id, recipe(start='"previous"')))
    assert (adapter, why) == ("", "Started from the base model: support-v1 could not be verified")
