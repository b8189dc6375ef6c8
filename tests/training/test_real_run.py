"""One short run with the real embedded models: SmolLM2-135M learns a style that it cannot have seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.settings import Settings
from db.examples import ExampleStatus, list_unembedded
from db.runs import RunStatus
from db.session import Database
from db.styles import get_style
from tests.support import factories
from tests.support.runs import execute_here, prepare_run

pytestmark = pytest.mark.training

RECIPE = """
[training]
learning_rate = 1e-3
max_steps = 8
batch_size = 4
eval_every_steps = 4
max_tokens = 256

[rungs]
tuned = ["lora"]
few_shot_k = 2
retrieved_k = 2

[splits]
validation_share = 0.15
test_share = 0.2
near_duplicate = 100.0
min_train = 8
min_validation = 1
min_test = 3

[evaluation]
max_generated_pairs = 2
max_new_tokens = 12
bootstrap_resamples = 500

[gate]
min_pairs = 3
"""

THINGS = ["kettle", "lamp", "tent", "chair", "drill", "radio", "scarf", "boat", "clock", "spade", "mirror", "wallet"]
PLACES = ["garden", "harbour", "attic"]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_the_embedded_model_learns_from_a_few_pairs_and_wins_the_gate(
    sqlite_database: Database, settings: Settings, embedded_models: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "short.toml"
    recipe.write_text(RECIPE)
    real = settings.model_copy(update={"recipe": str(recipe), "lease_seconds": 30.0, "data_dir": tmp_path / "data"})
    with sqlite_database.write() as session:
        prepared = prepare_run(session, real, pairs=0)
        style = get_style(session, prepared.style_id)
        for number, (thing, place) in enumerate((t, p) for p in PLACES for t in THINGS):
            factories.make_example(
                session, style, example_id=f"ex_{number:04d}", status=ExampleStatus.APPROVED,
                prompt=f"Tell the customer that the {thing} for the {place} has arrived.",
                completion=f"{thing.upper()} / {place.upper()} ~~ ready, shelf {number % 7}. Met groet, De Winkel",
            )  # fmt: skip
    real.models_dir.symlink_to(embedded_models)

    run = execute_here(sqlite_database, real)

    assert (run.status, run.error) == (RunStatus.SUCCEEDED, None)
    assert run.verdict is not None and run.receipt is not None
    bits = {row["rung"]: row["bits_per_byte"] for row in run.verdict["table"]}
    assert bits["lora"] < bits["zero_shot"]
    assert run.verdict["promoted"] and run.receipt["tokens_per_second"] > 0
    with sqlite_database.read() as session:  # retrieval's embeddings were computed by the run itself
        assert list_unembedded(session, real.embedding_model, 1) == []
