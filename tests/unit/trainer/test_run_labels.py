"""The neighbours are calibrated on the training side too, and there nobody votes that would not be there in earnest."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pytest

from config.rungs import Rung
from trainer.dataset import Pool, TrainingExample
from trainer.metrics import Scorecard
from trainer.recipe import load_recipe
from trainer.registry import Frozen
from trainer.run_labels import MOST_LEFT_OUT, score_neighbours

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


def score(train: list[TrainingExample], unseen: list[TrainingExample]) -> Scorecard:
    frozen = Frozen(dataset_id="", instructions="", version=1, train=train, validation=[], test=unseen)
    return score_neighbours(
        Rung.NEIGHBOURS.value, frozen, load_recipe("cpu-small"), Pool(train, unseen, embed=None)
    )  # fmt: skip


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


def test_a_label_that_no_other_pair_has_is_one_that_was_not_known() -> None:
    train = [ticket(number, label=LABELS[number % 4], near=number % 4, group=str(number)) for number in range(90)]
    alone = [ticket(number, label=f"only {number}", near=5, group=str(number)) for number in range(90, 100)]
    card = score([*train, *alone], [ticket(1000, label="bug", near=1, group="")])
    assert calibration(card)["pairs"] == 100
    assert calibration(card)["known_share"] == pytest.approx(0.9, abs=0.02)


def test_of_a_large_training_side_a_part_calibrates() -> None:
    train = [ticket(number, label=LABELS[number % 4], near=number % 4, group=str(number)) for number in range(900)]
    card = score(train, [ticket(1000, label="bug", near=1, group="")])
    assert MOST_LEFT_OUT <= calibration(card)["pairs"] <= MOST_LEFT_OUT * 1.5
