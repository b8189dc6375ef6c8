"""The bot picks the same examples for a prompt as the trainer did when it measured the rung."""

from __future__ import annotations

import numpy as np

from bot.drafting.retrieval import choose_covering, retrieve_examples
from bot.drafting.rung import examples_per_prompt
from config.recipe_files import RECIPES_DIR
from config.rungs import Rung
from db.examples import ExampleStatus
from db.search import vector_to_bytes
from db.session import Database
from tests.support.factories import EMBEDDING_MODEL, make_example, make_style
from trainer.dataset import TrainingExample, choose_shots
from trainer.recipe import load_recipe


def test_fixed_examples_are_the_ones_the_trainer_would_choose(sqlite_database: Database) -> None:
    vectors = np.random.default_rng(7).normal(size=(12, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with sqlite_database.write() as session:
        style = make_style(session)
        examples = [
            make_example(
                session, style, status=ExampleStatus.APPROVED, embedding=vector_to_bytes(vector),
                embedding_model=EMBEDDING_MODEL,
            )
            for vector in vectors
        ]  # fmt: skip
    training = [
        TrainingExample(
            example_id=e.example_id, prompt=e.prompt, completion=e.completion,
            embedding=vector, approved_at=e.approved_at,
        )
        for e, vector in zip(examples, vectors, strict=True)
    ]  # fmt: skip
    chosen = [e.example_id for e in choose_covering(examples, EMBEDDING_MODEL, 4)]
    assert chosen == [e.example_id for e in choose_shots(training, 4)]


def test_the_example_most_like_the_request_stands_last(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        style = make_style(session)
        for number, vector in enumerate(([1.0, 0.0], [0.8, 0.6], [0.6, 0.8])):
            make_example(
                session, style, prompt=str(number), status=ExampleStatus.APPROVED, embedding_model=EMBEDDING_MODEL,
                embedding=vector_to_bytes(np.asarray(vector, dtype=np.float32)),
            )  # fmt: skip
        query = np.asarray([1.0, 0.0], dtype=np.float32)
        found = retrieve_examples(session, style, "q", query, embedding_model=EMBEDDING_MODEL, k=2)
    assert [example.prompt for example in found] == ["1", "0"]


def test_a_prompt_carries_as_many_examples_as_its_recipe_says() -> None:
    for path in RECIPES_DIR.glob("*.toml"):
        knobs = load_recipe(path.stem).rungs
        assert examples_per_prompt(path.stem, Rung.FEW_SHOT) == knobs.few_shot_k
        assert examples_per_prompt(path.stem, Rung.RETRIEVED) == knobs.retrieved_k
        assert examples_per_prompt(path.stem, Rung.LORA_RETRIEVED) == knobs.lora_retrieved_k
    assert examples_per_prompt("no-such-recipe", Rung.LORA_RETRIEVED) == 2
    assert examples_per_prompt("cpu-small", Rung.LORA) == 0
