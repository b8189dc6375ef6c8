"""What a run knows of labels comes from the training side, and what it does not know is counted as wrong; and where the
training side calibrates the neighbours, nobody votes that would not be there in earnest."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from config.labels import MOST_NATS
from config.rungs import Rung
from trainer.dataset import Pool, TrainingExample
from trainer.errors import NotEnoughExamples
from trainer.metrics import Scorecard
from trainer.recipe import Recipe, load_recipe
from trainer.registry import Frozen
from trainer.run_labels import MOST_LEFT_OUT, fit_logistic, known_labels, score_neighbours, score_without_model

LABELS = ("billing", "bug", "wish", "question")


def ticket(number: int, *, label: str, near: int, group: str) -> TrainingExample:
    """A text like no other, with an embedding beside that of everything else `near` the same."""
    vector = np.random.default_rng(10**6 + near).normal(size=16) + np.random.default_rng(number).normal(0, 0.1, size=16)
    return TrainingExample(
        example_id=f"ex_{number}", prompt=hashlib.sha256(str(number).encode()).hexdigest()[:24], completion=label,
        group_key=group, embedding=(vector / np.linalg.norm(vector)).astype(np.float32),
    )  # fmt: skip


def calibration(card: Scorecard) -> dict[str, Any]:
    assert card.calibration is not None
    return card.calibration


def score(
    train: list[TrainingExample], unseen: list[TrainingExample], validation: Sequence[TrainingExample] = ()
) -> Scorecard:
    frozen = Frozen(
        dataset_id="", instructions="", version=1, train=train, validation=list(validation), test=unseen
    )  # fmt: skip
    pool = Pool(train, [*validation, *unseen], embed=None)
    return score_neighbours(Rung.NEIGHBOURS.value, frozen, load_recipe("cpu-small"), pool)


def twins(*, are_one_group: bool) -> list[TrainingExample]:
    """Eighty subjects with two tickets each, of one label, which says nothing about other subjects."""
    chance = np.random.default_rng(0)
    labels = [str(chance.choice(LABELS)) for _ in range(80)]
    return [
        ticket(2 * near + twin, label=labels[near], near=near, group=f"{near}" if are_one_group else f"{near} {twin}")
        for near in range(80) for twin in range(2)
    ]  # fmt: skip


def test_a_pair_of_the_same_conversation_has_no_vote_in_what_calibrates() -> None:
    unseen = [ticket(1000 + near, label="bug", near=near, group="") for near in range(20)]
    unrelated, related = (score(twins(are_one_group=one), unseen) for one in (False, True))
    # What a text of the same subject tells is worth something only where it is of another conversation.
    assert np.mean([pair.confidence for pair in unrelated.pairs]) > 0.9
    assert np.mean([pair.confidence for pair in related.pairs]) < 0.5


def test_how_many_labels_are_known_the_validation_side_says() -> None:
    train = [ticket(number, label=LABELS[number % 4], near=number % 4, group=str(number)) for number in range(90)]
    alone = [ticket(number, label=f"only {number}", near=5, group=str(number)) for number in range(90, 100)]
    validation = [ticket(number, label="bug", near=1, group=str(number)) for number in range(200, 209)]
    new = ticket(209, label="never seen", near=6, group="new")
    card = score([*train, *alone], [ticket(1000, label="bug", near=1, group="")], [*validation, new])
    assert calibration(card)["pairs"] == 90 + 10
    assert calibration(card)["known_share"] == pytest.approx(10 / 11, abs=1e-4)


@pytest.mark.parametrize("group_of", [lambda _: "one", lambda number: f"of {number % 4}"], ids=["all", "a label each"])
def test_a_side_of_a_few_large_groups_calibrates_nothing(group_of: Callable[[int], str]) -> None:
    """Without its group a pair would be asked of another training side."""
    train = [ticket(n, label=LABELS[n % 4], near=n % 4, group=group_of(n)) for n in range(80)]
    validation = [ticket(n, label=LABELS[n % 4], near=n % 4, group=str(n)) for n in range(200, 220)]
    card = score(train, [ticket(n, label=LABELS[n % 4], near=n % 4, group=str(n)) for n in range(300, 320)], validation)
    assert (calibration(card)["pairs"], calibration(card)["known_share"]) == (20, 1.0)
    assert all(pair.confidence and pair.confidence > calibration(card)["threshold"] for pair in card.pairs)


@pytest.mark.parametrize(("pairs", "calibrate"), [(90, 90), (401, 400), (799, 400), (900, 400)])
def test_of_a_large_training_side_a_part_calibrates(pairs: int, calibrate: int) -> None:
    assert MOST_LEFT_OUT == 400
    train = [ticket(number, label=LABELS[number % 4], near=number % 4, group=str(number)) for number in range(pairs)]
    assert calibration(score(train, [ticket(1000, label="bug", near=1, group="")]))["pairs"] == calibrate


# --------------------------------------------------------------------------------------- known labels, and unknown ones


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
