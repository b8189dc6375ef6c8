"""The bot picks the same examples for a prompt as the trainer did when it measured the rung."""

from __future__ import annotations

import numpy as np
from sqlalchemy.orm import Session

from bot.drafting.retrieval import NO_VECTOR, choose_fixed_examples, retrieve_examples
from bot.drafting.rung import choose_how
from config.choosing import Choice, Retriever, choose_covering, unit
from config.recipe_files import RECIPES_DIR
from config.rungs import Rung
from db.datasets import DatasetExample, SplitName
from db.examples import ExampleStatus
from db.search import vector_to_bytes
from db.session import Database
from db.styles import Style
from tests.support.factories import EMBEDDING_MODEL, make_dataset, make_example, make_run, make_style
from trainer.dataset import TrainingExample
from trainer.recipe import load_recipe
from trainer.registry import list_trainable

DIMENSIONS = 8
_WORDS = ["parcel", "invoice", "late", "lost", "twice", "sorry", "thanks", "soon", "team", "please", "look", "again"]


def _saved_pairs(session: Session, count: int) -> tuple[Style, list[TrainingExample]]:
    """Approved examples of one style, some without an embedding, and the same as the trainer reads them."""
    style = make_style(session)
    random = np.random.default_rng(7)
    for number in range(count):
        vector = vector_to_bytes(unit(random.normal(loc=1.0, size=DIMENSIONS).astype(np.float32)))
        make_example(
            session, style, status=ExampleStatus.APPROVED, prompt=f"Write about subject {number % 5} and {number}",
            completion=" ".join(random.choice(_WORDS, 8)),
            embedding=vector if number % 4 else None, embedding_model=EMBEDDING_MODEL if number % 4 else None,
        )  # fmt: skip
    return style, list_trainable(session, style, style.scope, EMBEDDING_MODEL)


def test_the_bot_shows_the_examples_that_the_trainer_measured_with(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        style, training = _saved_pairs(session, 30)
        retriever, four = Retriever(training), Choice(k=4)
        fixed = choose_fixed_examples(session, style, run_id=None, embedding_model=EMBEDDING_MODEL, choice=Choice(k=4))
        assert [one.example_id for one in fixed] == [one.example_id for one in choose_covering(training, Choice(k=4))]
        for number in range(6):
            request = f"Write about subject {number}"
            vector = unit(np.random.default_rng(number).normal(loc=1.0, size=DIMENSIONS).astype(np.float32))
            for query in (vector, NO_VECTOR):
                served = retrieve_examples(
                    session, style, request, query, embedding_model=EMBEDDING_MODEL, choice=Choice(k=4)
                )
                measured = retriever.retrieve(request, query if query.size else None, four)
                assert [one.example.example_id for one in served] == [one.example.example_id for one in measured]
                assert len(served) == 4 if query.size else served


def test_the_example_most_like_the_request_stands_last(sqlite_database: Database) -> None:
    with sqlite_database.write() as session:
        style = make_style(session)
        for number, vector in enumerate(([1.0, 0.0], [0.8, 0.6], [0.6, 0.8])):
            make_example(
                session, style, prompt=str(number), status=ExampleStatus.APPROVED, embedding_model=EMBEDDING_MODEL,
                embedding=vector_to_bytes(np.asarray(vector, dtype=np.float32)),
            )  # fmt: skip
        query = np.asarray([1.0, 0.0], dtype=np.float32)
        found = retrieve_examples(session, style, "q", query, embedding_model=EMBEDDING_MODEL, choice=Choice(k=2))
    assert [hit.example.prompt for hit in found] == ["1", "0"]


def test_where_all_that_a_run_trained_on_is_forbidden_by_now_other_examples_are_fixed(
    sqlite_database: Database,
) -> None:
    with sqlite_database.write() as session:
        style = make_style(session)
        old, new = (
            make_example(session, style, status=ExampleStatus.APPROVED, completion=text).example_id
            for text in ("Use the login that we sent.", "Sign in with the key that we sent.")
        )
        run = make_run(session, style)
        dataset = make_dataset(session, run)
        session.add(
            DatasetExample(
                dataset_id=dataset.dataset_id, example_id=old, split=SplitName.TRAIN, position=0,
                content_hash="sha256:0",
            )
        )  # fmt: skip
        session.flush()

        def fixed(*forbidden: str) -> list[str]:
            choice = Choice(k=1, forbidden=forbidden)
            found = choose_fixed_examples(
                session, style, run_id=run.run_id, embedding_model=EMBEDDING_MODEL, choice=choice
            )
            return [one.example_id for one in found]

        assert (fixed(), fixed("login")) == ([old], [new])


def test_a_prompt_carries_as_many_examples_as_its_recipe_says() -> None:
    for path in RECIPES_DIR.glob("*.toml"):
        recipe = load_recipe(path.stem)
        assert choose_how(path.stem, Rung.FEW_SHOT) == recipe.choice(Rung.FEW_SHOT)
        assert choose_how(path.stem, Rung.RETRIEVED) == recipe.choice(Rung.RETRIEVED)
        assert choose_how(path.stem, Rung.LORA_RETRIEVED) == recipe.choice(Rung.LORA_RETRIEVED)
    assert choose_how("no-such-recipe", Rung.LORA_RETRIEVED).k == 2
    assert choose_how("cpu-small", Rung.LORA).k == 0
