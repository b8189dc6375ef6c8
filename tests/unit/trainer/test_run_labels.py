"""What a run knows of labels comes from the training side, and what it does not know is counted as wrong."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from config.labels import MOST_NATS
from trainer.dataset import Pool, TrainingExample
from trainer.errors import NotEnoughExamples
from trainer.recipe import Recipe
from trainer.registry import Frozen
from trainer.run_labels import fit_logistic, known_labels, score_without_model


def example(number: int, label: str, direction: int) -> TrainingExample:
    vector = np.random.default_rng(number).normal(scale=0.1, size=4).astype(np.float32)
    vector[direction] += 1
    return TrainingExample(
        example_id=f"e{number:03d}", prompt=f"text {number * 7919}", completion=label, embedding=vector
    )


@pytest.fixture
def frozen() -> Frozen:
    known = [example(number, ("bug", "wish")[number % 2], number % 2) for number in range(60)]
    unseen = [*known[50:], example(98, "bill", 2), example(99, "bill", 2)]
    return Frozen(
        dataset_id="", instructions="", version=1, train=known[:36], validation=known[36:50], test=unseen
    )  # fmt: skip


def test_a_label_of_the_unseen_side_alone_is_never_an_answer_and_counts_as_wrong(
    frozen: Frozen, tmp_path: Path
) -> None:
    assert known_labels(frozen) == ("bug", "wish")
    fit_logistic(frozen, "tiny", tmp_path)
    for folder in (None, tmp_path):
        pool = Pool(frozen.train, [*frozen.validation, *frozen.test], embed=None)
        card = score_without_model("x", folder, frozen, Recipe(name="x"), pool)
        assert {pair.draft for pair in card.pairs} == {"bug", "wish"}
        by_age = sorted(card.pairs, key=lambda pair: pair.example_id)
        assert [pair.exact for pair in by_age] == [True] * 10 + [False] * 2
        assert [pair.nll_nats for pair in by_age[-2:]] == [MOST_NATS] * 2  # none was new on validation
        assert all(pair.nll_nats < math.log(2) for pair in by_age[:10])


def test_one_label_alone_is_too_few_to_choose_from(frozen: Frozen) -> None:
    one = Frozen(
        dataset_id="", instructions="", version=1, train=frozen.train[::2], validation=frozen.validation,
        test=frozen.test,
    )  # fmt: skip
    with pytest.raises(NotEnoughExamples, match="have the same label"):
        known_labels(one)
