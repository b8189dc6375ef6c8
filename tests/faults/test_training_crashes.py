"""A training that is killed anywhere, or whose checkpoints are damaged, ends as if nothing had happened."""

from __future__ import annotations

import json
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.tiny_model import make_tiny_model
from tests.support.training_nursery import Nursery
from trainer import checkpoints

pytestmark = [pytest.mark.faults, pytest.mark.training]

#: Where a training is killed while it writes checkpoints: this many places, spread over all of its file operations.
FILE_KILLS = 50
STEPS = 12  # 22 pairs in batches of 4: two epochs of six; measured and kept at 4, 8 and 12, so 8 is mid-epoch
KILLS = [
    *[f"train.step:{step}" for step in range(1, STEPS + 1)],
    *[f"{point}:{nth}" for point in ("ckpt.half", "ckpt.before_rename", "ckpt.before_complete") for nth in (1, 2, 3)],
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def nursery() -> Iterator[Nursery]:
    with Nursery() as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(nursery: Nursery, base: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    result = nursery.train(base, folder)
    assert result["signal"] == 0
    assert result["steps"] == STEPS, result
    return folder, result


def same_end(folder: Path, result: dict[str, Any], undisturbed: tuple[Path, dict[str, Any]]) -> None:
    other, expected = undisturbed
    assert result["signal"] == 0, result
    assert result["best_step"] == expected["best_step"], result
    assert result["train_losses"] == expected["train_losses"]
    assert result["eval_losses"] == expected["eval_losses"]
    weights = "adapter_model.safetensors"
    assert (folder / "adapter" / weights).read_bytes() == (other / "adapter" / weights).read_bytes()


@pytest.mark.parametrize("failpoint", KILLS)
def test_a_killed_training_ends_with_the_same_weights_to_the_bit(
    failpoint: str, nursery: Nursery, base: Path, tmp_path: Path, undisturbed: tuple[Path, dict[str, Any]]
) -> None:
    killed = nursery.train(base, tmp_path, failpoint)
    assert killed == {"signal": signal.SIGKILL}
    resumed = nursery.train(base, tmp_path)
    same_end(tmp_path, resumed, undisturbed)
    name, _, nth = failpoint.partition(":")
    reached = int(nth) if name == "train.step" else 4 * int(nth)
    lost = reached - resumed["resumed_from_step"]
    assert 0 <= lost <= 4, "more than one checkpoint interval was lost"


@pytest.mark.parametrize("place", range(FILE_KILLS))
def test_a_training_killed_between_two_file_operations_ends_with_the_same_weights(
    place: int, nursery: Nursery, base: Path, tmp_path: Path, undisturbed: tuple[Path, dict[str, Any]]
) -> None:
    operations = undisturbed[1]["file_operations"]
    assert operations > 2 * FILE_KILLS
    killed = nursery.train(base, tmp_path, f"file.operation:{1 + place * (operations - 1) // (FILE_KILLS - 1)}")
    assert killed == {"signal": signal.SIGKILL}
    same_end(tmp_path, nursery.train(base, tmp_path), undisturbed)


def test_a_training_killed_again_and_again_still_ends_the_same(
    nursery: Nursery, base: Path, tmp_path: Path, undisturbed: tuple[Path, dict[str, Any]]
) -> None:
    for failpoint in ("train.step:3", "ckpt.before_rename", "ckpt.before_complete", "train.step:5", "train.step:2"):
        assert nursery.train(base, tmp_path, failpoint)["signal"] == signal.SIGKILL
    same_end(tmp_path, nursery.train(base, tmp_path), undisturbed)


def halve(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def empty(file: Path) -> None:
    file.write_bytes(b"")


def flip_one_bit(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))


DAMAGE: list[Callable[[Path], None]] = [halve, empty, flip_one_bit, Path.unlink]


def newest_two(root: Path) -> tuple[Path, Path]:
    older, newest = sorted(root.glob("checkpoint-*"), key=lambda folder: int(folder.name.rpartition("-")[2]))[-2:]
    return older, newest


@pytest.mark.parametrize("damage", DAMAGE)
def test_whatever_file_is_damaged_the_newest_checkpoint_that_verifies_is_chosen(
    damage: Callable[[Path], None], tmp_path: Path, undisturbed: tuple[Path, dict[str, Any]]
) -> None:
    source = undisturbed[0] / "checkpoints"
    older, newest = newest_two(source)
    fingerprint = json.loads((newest / checkpoints.COMPLETE).read_text())["fingerprint"]
    names = [file.name for file in newest.iterdir()]
    assert len(names) >= 7
    for name in names:
        root = tmp_path / name
        shutil.copytree(source, root)
        damage(root / newest.name / name)
        chosen = checkpoints.find_verified(root, fingerprint)
        assert chosen is not None, name
        if name == checkpoints.COMPLETE and damage is flip_one_bit:
            assert chosen.folder.name in (older.name, newest.name)  # a flipped space harms nothing
        else:
            assert chosen.folder.name == older.name, name


@pytest.mark.parametrize(
    "name", ["trainer_state.json", "optimizer.pt", "rng_state.pth", "scheduler.pt", "adapter_model.safetensors"]
)
def test_a_training_resumes_from_the_checkpoint_before_a_broken_one(
    name: str, nursery: Nursery, base: Path, tmp_path: Path, undisturbed: tuple[Path, dict[str, Any]]
) -> None:
    shutil.copytree(undisturbed[0] / "checkpoints", tmp_path / "checkpoints")
    older, newest = newest_two(tmp_path / "checkpoints")
    (newest / name).unlink()
    resumed = nursery.train(base, tmp_path)
    assert resumed["resumed_from_step"] == int(older.name.rpartition("-")[2])
    same_end(tmp_path, resumed, undisturbed)


def test_with_every_checkpoint_broken_training_starts_anew(
    nursery: Nursery, base: Path, tmp_path: Path, undisturbed: tuple[Path, dict[str, Any]]
) -> None:
    shutil.copytree(undisturbed[0] / "checkpoints", tmp_path / "checkpoints")
    for folder in (tmp_path / "checkpoints").glob("checkpoint-*"):
        halve(folder / "optimizer.pt")
    resumed = nursery.train(base, tmp_path)
    assert resumed["resumed_from_step"] == 0
    same_end(tmp_path, resumed, undisturbed)


def test_a_finished_training_is_not_done_again(
    nursery: Nursery, base: Path, tmp_path: Path, undisturbed: tuple[Path, dict[str, Any]]
) -> None:
    shutil.copytree(undisturbed[0] / "checkpoints", tmp_path / "checkpoints")
    again = nursery.train(base, tmp_path, "train.step:1")
    assert again["resumed_from_step"] == STEPS
    same_end(tmp_path, again, undisturbed)
