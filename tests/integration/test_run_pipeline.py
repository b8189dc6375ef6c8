"""A run from freeze to gate, with a real (tiny) model, on both databases."""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from bot.rehearsal.script import MEASURED
from config.prompts import prompt_hash
from config.rungs import Rung
from config.settings import Settings
from db.adapters import Adapter, list_adapters
from db.audit import AuditEntry, list_audit
from db.base import now_in_database
from db.datasets import SplitName, find_dataset_of_run, list_dataset_examples
from db.examples import ExampleStatus, get_example, transition
from db.promotions import PromotionKind, get_champion
from db.runs import Run, RunStatus
from db.scorecards import list_scorecards
from db.session import Database
from db.styles import get_style
from db.trainers import find_live_trainer, register_trainer
from tests.support import factories
from tests.support.runs import T1, Prepared, execute_here, prepare_run, read_run, run_settings
from trainer.adapter_files import fetch_verified
from trainer.artifacts.keys import load_verify_key
from trainer.artifacts.manifest import MANIFEST, Manifest
from trainer.artifacts.store import list_adapters as list_stored
from trainer.base_models import base_revision

pytestmark = pytest.mark.training


@pytest.fixture
def tiny(settings: Settings, database: Database, base: Path) -> Settings:
    return run_settings(settings, database, base)


@pytest.fixture
def prepared(database: Database, tiny: Settings) -> Prepared:
    with database.write() as session:
        return prepare_run(session, tiny)


def champion_of(database: Database, style_id: str) -> tuple[PromotionKind, Rung, str]:
    """How the champion came to be, its rung, and its adapter's name."""
    with database.read() as session:
        promotion = get_champion(session, get_style(session, style_id), T1)
        adapter = session.get(Adapter, promotion.adapter_id) if promotion.adapter_id else None
        return promotion.kind, promotion.rung, adapter.name if adapter else ""


def give_terms(session: Session, style_id: str, required: list[str], forbidden: list[str]) -> None:
    style = get_style(session, style_id)
    style.required_terms, style.forbidden_terms = required, forbidden


def stored(settings: Settings) -> list[str]:
    return list_stored(settings.resolved_artifact_url)


def withdraw(database: Database, example_id: str) -> None:
    with database.write() as session:
        transition(session, get_example(session, example_id), ExampleStatus.WITHDRAWN, decided_by="U_AUTHOR")


def test_a_run_freezes_trains_scores_publishes_and_promotes(
    database: Database, tiny: Settings, prepared: Prepared, base: Path, tmp_path: Path
) -> None:
    with database.write() as session:
        register_trainer(session, "here:1", "here")
        factories.make_example(
            session, get_style(session, prepared.style_id), status=ExampleStatus.APPROVED, scope_key="T1/C_PRIVATE"
        )
        # Every approved text says so; what the tiny model writes holds an e or it does not.
        give_terms(session, prepared.style_id, ["sorry about"], ["e"])

    def take_them_away(stage: str, fraction: float) -> None:
        if stage == RunStatus.TRAINING:
            with database.write() as session:
                give_terms(session, prepared.style_id, [], [])

    run = execute_here(database, tiny, meanwhile=take_them_away)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    with database.read() as session:
        dataset = find_dataset_of_run(session, run.run_id)
        assert dataset is not None
        members = list_dataset_examples(session, dataset.dataset_id)
        cards = list_scorecards(session, run.run_id, T1)
        adapters = list_adapters(session, prepared.style_id, T1)
        actions = {entry.action for entry in session.scalars(select(AuditEntry))}
        trainer = find_live_trainer(session, 60)

    # The instructions have the terms in them, and are held to what they were at the freeze.
    assert dataset.instructions.splitlines() == [
        "Answer briefly.", "Always use these terms for what they name: “sorry about”.", "Never use these terms: “e”.",
    ]  # fmt: skip
    assert dataset.prompt_hash == prompt_hash(dataset.instructions)

    # Every approved example of the scope, on exactly one side; nothing of the private channel.
    assert sorted(example.example_id for _, example in members) == prepared.example_ids
    assert {member.split for member, _ in members} == set(SplitName)

    # Five rungs on the same unseen pairs, which are those that the rehearsal asks for.
    assert [card.rung for card in cards] == list(MEASURED)
    unseen = [example.example_id for member, example in members if member.split is SplitName.TEST]
    scored = [[pair["example_id"] for pair in card.card["pairs"]] for card in cards]
    assert sorted(scored[0]) == sorted(unseen) and all(one == scored[0] for one in scored)
    for card in cards:
        features = card.card["summary"]["features"]
        drafts = [pair["draft"] for pair in card.card["pairs"] if pair["draft"] is not None]
        assert features["n"] == len(drafts) > 0
        # Every approved text of the test's opens with a letter of a hash, and none is more than a line.
        assert features["house"]["layout"] == "line"
        kept = [re.search(r"\bsorry about\b", one) and not re.search(r"\be\b", one) for one in drafts]
        assert features["terms"] == {"n": len(drafts), "kept": sum(map(bool, kept))}
        # Draft by draft, so that two candidates can be compared.
        drafted = [pair for pair in card.card["pairs"] if pair["draft"] is not None]
        assert [pair["keeps_terms"] for pair in drafted] == [bool(one) for one in kept]
        assert sum(pair["in_form"] for pair in drafted) == features["in_form"] * len(drafts)
        assert {pair["in_form"] for pair in card.card["pairs"] if pair["draft"] is None} <= {None}

    # Two adapters in the store that a server would accept, and rows that pin them.
    assert [adapter.name for adapter in adapters] == ["support-v1", "support-v1-retrieved"]
    for adapter in adapters:
        folder = fetch_verified(
            tiny.resolved_artifact_url, adapter.name, tmp_path, load_verify_key(tiny.keys_dir),
            expected_base_revision=base_revision(base),
        )  # fmt: skip
        manifest = Manifest.model_validate_json((folder / MANIFEST).read_bytes())
        assert (manifest.run_id, manifest.scope) == (run.run_id, "T1")

    # The winner serves, and everything about it is written down.
    assert run.verdict is not None and run.verdict["promoted"], run.verdict
    winner = run.verdict["challenger"]
    assert champion_of(database, prepared.style_id) == (
        PromotionKind.GATE, Rung(winner["rung"]), winner["adapter_name"],
    )  # fmt: skip
    assert [row["n"] for row in run.verdict["table"]] == [len(unseen)] * 5
    assert "bits per byte better" in run.verdict["sentence"]
    assert run.curve_path == f"curves/{run.run_id}.png"
    assert (Path(tiny.resolved_artifact_url) / run.curve_path).read_bytes().startswith(b"\x89PNG")
    assert (run.curve_alt_text or "").startswith("Loss curve: validation loss goes from")
    assert {"dataset.frozen", "adapter.published", "candidate.promoted", "run.succeeded"} <= actions

    # The receipt, and the speed that the next quote will use.
    assert run.receipt is not None
    assert run.receipt["train_pairs"] + run.receipt["unseen_pairs"] < len(prepared.example_ids)
    assert run.receipt["tokens"] > 0 and run.receipt["total_seconds"] > 0
    assert trainer is not None and trainer.tokens_per_second == run.receipt["tokens_per_second"]

    # Nothing is left behind on the trainer.
    assert not (tiny.data_dir / "runs" / run.run_id).exists()


def test_a_receipt_counts_the_hours_in_which_a_trainer_had_the_run_and_not_those_between_two_trainers(
    database: Database, tiny: Settings, prepared: Prepared
) -> None:
    with database.write() as session:
        earlier = session.get_one(Run, prepared.run_id)
        began = now_in_database(session) - timedelta(hours=12)
        earlier.status, earlier.fence, earlier.started_at = RunStatus.FREEZING, 1, began
        earlier.heartbeat_at, earlier.lease_expires_at = began, began + timedelta(seconds=30)
    run = execute_here(database, tiny.model_copy(update={"price_per_hour": 3600.0}))
    assert run.status is RunStatus.SUCCEEDED and run.receipt is not None
    assert run.receipt["train_seconds"] < run.receipt["total_seconds"] < 3600
    assert run.receipt["total_seconds"] == pytest.approx(run.held_seconds, abs=5.0)
    assert run.receipt["cost"] == pytest.approx(run.receipt["total_seconds"], abs=0.01)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_progress_rises_and_is_never_a_number_that_json_lacks(
    database: Database, tiny: Settings, prepared: Prepared
) -> None:
    seen: list[float] = []
    execute_here(database, tiny, meanwhile=lambda stage, fraction: seen.append(fraction))
    assert seen == sorted(seen)
    assert seen[0] == 0 and seen[-1] > 0.9


def test_a_challenger_that_is_not_better_than_the_serving_adapter_is_kept_out_with_the_reason(
    database: Database, tiny: Settings, prepared: Prepared
) -> None:
    first = execute_here(database, tiny)
    before = champion_of(database, prepared.style_id)
    assert before[1].needs_adapter, first.verdict
    with database.write() as session:
        factories.make_run(
            session, get_style(session, prepared.style_id), recipe=tiny.recipe, base_model=tiny.base_model
        )

    second = execute_here(database, tiny)

    assert (second.status, second.error) == (RunStatus.SUCCEEDED, None)
    assert second.verdict is not None and not second.verdict["promoted"]
    assert second.verdict["champion"]["adapter_name"] == before[2]
    assert second.verdict["sentence"].startswith(f"Stay on {before[1].value} ({before[2]}): ")
    assert champion_of(database, prepared.style_id) == before
    assert [row["is_champion"] for row in second.verdict["table"]].count(True) == 1
    assert len(second.verdict["table"]) == 6
    # It is kept all the same: an admin may promote it by hand.
    assert {"support-v2", "support-v2-retrieved"} <= set(stored(tiny))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_champion_that_was_tampered_with_stops_the_run_and_says_so(
    database: Database, tiny: Settings, prepared: Prepared
) -> None:
    execute_here(database, tiny)
    _, _, name = champion_of(database, prepared.style_id)
    weights = Path(tiny.resolved_artifact_url) / name / "adapter_model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with database.write() as session:
        factories.make_run(
            session, get_style(session, prepared.style_id), recipe=tiny.recipe, base_model=tiny.base_model
        )

    run = execute_here(database, tiny)

    assert run.status is RunStatus.FAILED
    assert "is not the file that the trainer signed" in (run.error or "")
    assert champion_of(database, prepared.style_id)[2] == name


@pytest.mark.parametrize(
    ("database", "moment"),
    [("sqlite", 0.03), ("postgres", 0.7), ("sqlite", 0.95), ("sqlite", 0.99), ("postgres", 0.99)],
    indirect=["database"],
)
def test_an_example_withdrawn_during_a_run_leaves_nothing_published(
    moment: float, database: Database, tiny: Settings, prepared: Prepared
) -> None:
    withdrawn: list[str] = []
    measured: list[int] = []

    def count_scorecards() -> int:
        with database.read() as session:
            return len(list_scorecards(session, prepared.run_id, T1))

    def meanwhile(stage: str, fraction: float) -> None:
        if fraction >= moment and not withdrawn:
            withdrawn.append(prepared.example_ids[3])
            withdraw(database, withdrawn[0])
            measured.append(count_scorecards())

    run = execute_here(database, tiny, meanwhile=meanwhile)

    assert withdrawn
    assert run.status is RunStatus.FAILED
    assert "withdrawn while the run was training" in (run.error or "")
    assert stored(tiny) == []
    assert champion_of(database, prepared.style_id)[0] is PromotionKind.INITIAL
    with database.read() as session:
        assert list_adapters(session, prepared.style_id, T1) == []
    assert [count_scorecards()] == measured, "what candidates wrote about it since then is not kept"


def test_a_champion_that_an_admin_changed_meanwhile_is_left_alone(
    database: Database, tiny: Settings, prepared: Prepared
) -> None:
    def meanwhile(stage: str, fraction: float) -> None:
        if fraction == 0.99:
            with database.write() as session:
                factories.make_promotion(
                    session, get_style(session, prepared.style_id), kind=PromotionKind.COMMAND, actor="U_ADMIN"
                )

    run = execute_here(database, tiny, meanwhile=meanwhile)

    assert run.status is RunStatus.SUCCEEDED
    assert run.verdict is not None and not run.verdict["promoted"]
    assert "somebody changed it while this run was being judged" in run.verdict["sentence"]
    assert champion_of(database, prepared.style_id)[:2] == (PromotionKind.COMMAND, Rung.RETRIEVED)
    assert stored(tiny) == ["support-v1", "support-v1-retrieved"]


def test_a_cancelled_run_ends_as_cancelled_and_publishes_nothing(
    database: Database, tiny: Settings, prepared: Prepared
) -> None:
    with database.write() as session:
        row = session.get(Run, prepared.run_id)
        assert row is not None
        row.is_cancel_requested = True
    quick = tiny.model_copy(update={"heartbeat_seconds": 0.02})

    run = execute_here(database, quick)

    assert (run.status, run.error) == (RunStatus.CANCELLED, None)
    assert stored(tiny) == []
    with database.read() as session:
        assert list_audit(session, run.run_id)[-1].action == "run.cancelled"


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_version_that_lies_in_the_store_already_is_passed_over(
    database: Database, tiny: Settings, prepared: Prepared
) -> None:
    foreign = Path(tiny.resolved_artifact_url) / "support-v1"
    foreign.mkdir(parents=True)
    (foreign / "manifest.json").write_text("{}")

    run = execute_here(database, tiny)

    assert (run.status, run.adapter_version) == (RunStatus.SUCCEEDED, 2)
    assert (foreign / "manifest.json").read_text() == "{}"


# ------------------------------------------------------------------------------------------------ ends with a sentence


@pytest.fixture
def one_database(sqlite_database: Database) -> Iterator[Database]:
    """What does not depend on the database is tried on one."""
    yield sqlite_database


def failed(database: Database, settings: Settings, **different: object) -> str:
    with database.write() as session:
        run_id = prepare_run(session, settings, **different).run_id  # type: ignore[arg-type]
    execute_here(database, settings)
    run = read_run(database, run_id)
    assert run.status is RunStatus.FAILED
    assert stored(settings) == []
    return run.error or ""


def test_too_few_examples_say_how_many_are_missing(one_database: Database, settings: Settings, base: Path) -> None:
    error = failed(one_database, run_settings(settings, one_database, base), pairs=3)
    assert error == "Not enough examples: 3 approved, 7 needed; approve 4 more, then train again."


def test_a_loss_that_is_no_number_names_the_learning_rate(
    one_database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "wild.toml"
    recipe.write_text(
        "[training]\nlearning_rate = 1e30\nmax_steps = 8\nwarmup_share = 0.0\ndtype = 'float32'\n"
        "[splits]\nmin_train = 4\nmin_validation = 1\nmin_test = 2\n"
    )
    error = failed(one_database, run_settings(settings, one_database, base, recipe=str(recipe)))
    assert "The loss is no longer a number" in error and "lower learning_rate" in error


def test_what_a_fit_asks_of_the_host_is_looked_at_too(
    one_database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "large.toml"
    recipe.write_text('extends = "tiny-test"\n[[fit]]\nlora.quantize = "nf4"\n')
    error = failed(one_database, run_settings(settings, one_database, base, recipe=str(recipe)))
    assert "holds the base model in 4 bits, which needs" in error


def test_a_base_model_that_is_not_there_is_named(one_database: Database, settings: Settings) -> None:
    error = failed(one_database, run_settings(settings, one_database, Path("embedded:nothing")))
    assert "no embedded model 'nothing'" in error


def test_a_recipe_that_is_not_there_is_named(one_database: Database, settings: Settings, base: Path) -> None:
    error = failed(one_database, run_settings(settings, one_database, base, recipe="fastest"))
    assert "There is no recipe 'fastest'" in error


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "disk is full"),
        (MemoryError(), "ran out of memory"),
        (KeyError("secret text of an example"), "Something went wrong that should not"),
    ],
)
def test_every_fault_ends_in_a_sentence_without_a_traceback(
    fault: Exception, sentence: str, one_database: Database, settings: Settings, base: Path
) -> None:
    tiny = run_settings(settings, one_database, base)
    with one_database.write() as session:
        prepare_run(session, tiny)

    def meanwhile(stage: str, fraction: float) -> None:
        if stage == "evaluating":
            raise fault

    run = execute_here(one_database, tiny, meanwhile=meanwhile)

    assert run.status is RunStatus.FAILED
    assert sentence in (run.error or "") and "secret" not in (run.error or "")
