"""A training of all weights that is killed anywhere ends as if nothing had happened, and keeps few checkpoints."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny_model import make_tiny_model
from tests.support.training_nursery import Nursery
from trainer import checkpoints

pytestmark = [pytest.mark.faults, pytest.mark.training]

#: Places among all file operations where it is killed besides.
FILE_KILLS = 12
KILLS = [
    *[f"train.step:{step}" for step in (1, 3, 5, 9, 12)],
    *[f"{point}:{nth}" for point in ("ckpt.half", "ckpt.before_rename", "ckpt.before_complete") for nth in (1, 3)],
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery(rung="full") as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(nursery: Nursery, base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    result = nursery.train(base, folder)
    assert (result["signal"], result.get("steps")) == (0, 12), result
    return folder, result


def check_same_end(folder: Path, result: dict[str, Any], undisturbed: tuple[Path, dict[str, Any]]) -> None:
    other, expected = undisturbed
    assert result["signal"] == 0, result
    assert result["train_losses"] == expected["train_losses"]
    assert result["eval_losses"] == expected["eval_losses"]
    assert (folder / "adapter" / "model.safetensors").read_bytes() == (
        other / "adapter" / "model.safetensors"
    ).read_bytes()
    assert 1 <= len(list((folder / "checkpoints").glob(f"{checkpoints.PREFIX}*"))) <= 2


@pytest.mark.parametrize("failpoint", KILLS)
def test_a_killed_training_of_all_weights_ends_with_the_same_weights_to_the_bit(
    failpoint: str, nursery: Nursery, base: Path, tmp_path: Path, undisturbed: tuple[Path, dict[str, Any]]
) -> None:
    assert nursery.train(base, tmp_path, failpoint) == {"signal": signal.SIGKILL}
    resumed = nursery.train(base, tmp_path)
    check_same_end(tmp_path, resumed, undisturbed)
    name, _, nth = failpoint.partition(":")
    reached = int(nth) if name == "train.step" else 4 * int(nth)
    assert 0 <= reached - resumed["resumed_from_step"] <= 4, "more than one checkpoint interval was lost"


@pytest.mark.parametrize("place", range(FILE_KILLS))
def test_one_killed_between_two_file_operations_does_too(
    place: int, nursery: Nursery, base: Path, tmp_path: Path, undisturbed: tuple[Path, dict[str, Any]]
) -> None:
    operations = undisturbed[1]["file_operations"]
    assert operations > 2 * FILE_KILLS
    failpoint = f"file.operation:{1 + place * (operations - 1) // (FILE_KILLS - 1)}"
    assert nursery.train(base, tmp_path, failpoint) == {"signal": signal.SIGKILL}
    check_same_end(tmp_path, nursery.train(base, tmp_path), undisturbed)
