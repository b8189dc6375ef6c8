"""A run of a style that classifies: answers out of its labels, the rungs without a language model, calibration kept."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy.orm import Session

from bot.domain.ladder import label_ladder_lines
from bot.operations.ladder import read_ladder
from bot.texts.labels import LADDER_COLUMNS
from config.labels import MAX_LABELS, read_calibration
from config.rungs import Rung
from config.sentences import read_note
from config.settings import Settings
from db.adapters import list_adapters
from db.examples import ExampleStatus
from db.promotions import PromotionKind, get_champion
from db.runs import RunStatus
from db.scorecards import find_latest_scorecard, list_scorecards
from db.search import vector_to_bytes
from db.session import Database
from db.styles import StyleKind, get_style
from tests.support import factories
from tests.support.runs import T1, execute_here, run_settings
from trainer.artifacts.keys import load_verify_key
from trainer.base_models import base_revision
from trainer.classifier import load_classifier
from trainer.classifier_files import fetch_classifier
from trainer.errors import AdapterTampered

pytestmark = pytest.mark.training

LABELS = ("billing", "bug", "wish")
MEASURED = set(Rung) - {Rung.KNOWLEDGE, Rung.LORA_PREFERENCES, Rung.FULL}


def prepare_tickets(session: Session, settings: Settings, *, pairs: int = 120, labels: Sequence[str] = LABELS) -> str:
    """A style whose examples' embeddings say the label, with one in ten beside its place; and a queued run."""
    style = factories.make_style(session, name="tickets", kind=StyleKind.CLASSIFY, instructions="Which label?")
    factories.make_promotion(
        session, style, kind=PromotionKind.INITIAL, rung=Rung.ZERO_SHOT, base_model=settings.base_model, actor="U_ADMIN"
    )
    for number in range(pairs):
        random = np.random.default_rng(number)
        place = number % 3 if number % 10 else random.integers(0, 3)
        vector = random.normal(scale=0.3, size=8)
        vector[place] += 1.0
        factories.make_example(
            session, style, example_id=f"ex_{number:04d}", prompt=hashlib.sha256(str(number).encode()).hexdigest()[:24],
            completion=labels[number % len(labels)], status=ExampleStatus.APPROVED,
            embedding=vector_to_bytes((vector / np.linalg.norm(vector)).astype(np.float32)),
            embedding_model=settings.embedding_model,
        )  # fmt: skip
    factories.make_run(session, style, recipe=settings.recipe, base_model=settings.base_model)
    return style.style_id


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_run_measures_every_rung_on_labels_and_the_cheap_one_that_wins_serves(
    database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "more-pairs.toml"
    recipe.write_text('extends = "tiny-test"\n[evaluation]\nmax_pairs = 60\n')
    tiny = run_settings(settings, database, base, embedding_model=str(base), recipe=str(recipe))
    with database.write() as session:
        style_id = prepare_tickets(session, tiny, pairs=500)

    run = execute_here(database, tiny)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    with database.read() as session:
        cards = list_scorecards(session, run.run_id, T1)
        champion = get_champion(session, get_style(session, style_id), T1)
        adapters = list_adapters(session, style_id, T1)
        serving = next((one.name for one in adapters if one.adapter_id == champion.adapter_id), "")
        served = find_latest_scorecard(
            session, style_id, T1, rung=champion.rung, base_model=champion.base_model, adapter_name=serving
        )
    by_rung = {card.rung: card.card for card in cards}
    assert set(by_rung) == MEASURED
    for card in by_rung.values():
        assert {pair["draft"] for pair in card["pairs"]} <= set(LABELS)  # never any other text
        assert all(0 < pair["confidence"] <= 1 for pair in card["pairs"])
        assert card["calibration"]["pairs"] > 0
        figures = card["summary"]["labels"]
        assert figures["accuracy"] == card["summary"]["exact_match"]
        assert 0 <= figures["ece"] <= 1 and figures["reliability"]
    table = {row["rung"]: row for row in run.verdict["table"]} if run.verdict else {}
    assert table["neighbours"]["accuracy_gain"]["low"] > 0 and table["neighbours"]["macro_f1_gain"]["low"] > 0
    with database.read() as session:
        ladder = read_ladder(session, tiny, get_style(session, style_id))
    shown = label_ladder_lines(ladder, [column() for column in LADDER_COLUMNS])
    assert len(shown) == 1 + len(MEASURED)
    assert [line.split()[0] for line in shown].count("★") == 1
    # A random model cannot know; the embeddings can. The ladder says so, and what won serves without a model.
    assert by_rung[Rung.NEIGHBOURS]["summary"]["exact_match"] > 0.8
    assert by_rung[Rung.ZERO_SHOT]["summary"]["exact_match"] < 0.7
    assert run.verdict is not None and run.verdict["promoted"], run.verdict
    assert champion.rung in (Rung.NEIGHBOURS, Rung.LOGISTIC)
    assert "names the right label for" in run.verdict["sentence"]
    assert served is not None and read_calibration(served.card["calibration"]).pairs > 0
    # The classifier is in the store as the trainer signed it, and knows the labels.
    name = "tickets-v1-logistic"
    key, revision = load_verify_key(tiny.keys_dir), base_revision(base)
    folder = fetch_classifier(tiny.resolved_artifact_url, name, tmp_path, key, expected_revision=revision)
    assert load_classifier(folder).labels == LABELS
    assert {one.name for one in adapters} == {"tickets-v1", "tickets-v1-retrieved", name}
    weights = Path(tiny.resolved_artifact_url) / name / "classifier.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(AdapterTampered):
        fetch_classifier(tiny.resolved_artifact_url, name, tmp_path, key, expected_revision=revision)


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_of_more_labels_than_an_answer_is_chosen_from_the_most_frequent_are_measured_and_that_is_said(
    database: Database, settings: Settings, base: Path, tmp_path: Path
) -> None:
    tiny = run_settings(settings, database, base, embedding_model=str(base))
    labels = [f"t{number}" for number in range(380)]
    with database.write() as session:
        prepare_tickets(session, tiny, pairs=400, labels=labels)

    run = execute_here(database, tiny)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    with database.read() as session:
        cards = {one.rung: one.card for one in list_scorecards(session, run.run_id, T1)}
    assert set(cards) == MEASURED
    key, revision = load_verify_key(tiny.keys_dir), base_revision(base)
    folder = fetch_classifier(
        tiny.resolved_artifact_url, "tickets-v1-logistic", tmp_path, key, expected_revision=revision
    )
    known = load_classifier(folder).labels
    assert len(known) == MAX_LABELS
    assert {pair["draft"] for card in cards.values() for pair in card["pairs"]} <= set(known)
    assert run.verdict is not None
    (said,) = [one for one in run.verdict["also"] if "most frequent" in one["sentence"]]
    assert said["values"]["known"] == MAX_LABELS < said["values"]["labels"] < 380
    assert "labels the 256 most frequent can be answers, and texts of the others count as wrong" in str(read_note(said))
