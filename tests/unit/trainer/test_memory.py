from __future__ import annotations

from pathlib import Path

import pytest

from trainer.memory import HEADROOM_BYTES, BatchSize, ModelSize, available_bytes, largest_batch, training_need

MODEL = ModelSize(parameters=1_000_000, layers=4, width=64, inner_width=128, heads=4, vocabulary=300)
BATCH = BatchSize(rows=8, tokens=100, predicted_tokens=20)


def machine(folder: Path, available_kib: int = 8_000_000, group: dict[str, str] | None = None) -> tuple[Path, Path]:
    folder.mkdir()
    (folder / "meminfo").write_text(f"MemTotal: 16000000 kB\nMemAvailable: {available_kib} kB\n")
    for name, text in (group or {}).items():
        (folder / f"memory.{name}").write_text(text)
    return folder / "meminfo", folder


def test_what_is_available_is_what_linux_says(tmp_path: Path) -> None:
    assert available_bytes(*machine(tmp_path / "m")) == 8_000_000 << 10
    assert (
        available_bytes(*machine(tmp_path / "n", group={"max": "max\n", "current": "5", "stat": ""})) == 8_000_000 << 10
    )


def test_a_containers_limit_counts_where_it_is_less_and_gives_back_what_it_keeps_of_files(tmp_path: Path) -> None:
    group = {"max": "1000000\n", "current": "700000\n", "stat": "anon 5\ninactive_file 200000\n"}
    assert available_bytes(*machine(tmp_path / "m", group=group)) == 500_000
    assert available_bytes(*machine(tmp_path / "n", available_kib=100, group=group)) == 100 << 10


@pytest.mark.parametrize("text", ["", "MemAvailable: many kB\n", "MemFree: 5 kB\n"])
def test_an_unknown_figure_is_no_limit(tmp_path: Path, text: str) -> None:
    (tmp_path / "meminfo").write_text(text)
    assert available_bytes(tmp_path / "meminfo", tmp_path) > 1 << 60
    assert available_bytes(tmp_path / "nothing", tmp_path) > 1 << 60


def test_all_weights_take_sixteen_bytes_a_parameter_besides_the_copy_and_the_activations() -> None:
    need = training_need(MODEL, BATCH, weight_bytes=4, compute_bytes=2, is_checkpointing=False, is_eager=True)
    assert need.weights + need.gradients + need.optimizer == 16 * MODEL.parameters
    assert need.copies == 2 * MODEL.parameters
    assert need.checkpoint == 12 * MODEL.parameters
    assert need.total == 18 * MODEL.parameters + need.activations + HEADROOM_BYTES
    plain = training_need(MODEL, BATCH, weight_bytes=4, compute_bytes=4, is_checkpointing=False, is_eager=True)
    assert plain.copies == 0
    half = training_need(MODEL, BATCH, weight_bytes=2, compute_bytes=2, is_checkpointing=False, is_eager=True)
    assert half.weights + half.gradients + half.optimizer == 8 * MODEL.parameters


def test_longer_batches_take_more_and_recomputing_takes_less() -> None:
    def activations(batch: BatchSize = BATCH, *, recompute: bool = False, eager: bool = True) -> int:
        return training_need(
            MODEL, batch, weight_bytes=4, compute_bytes=2, is_checkpointing=recompute, is_eager=eager
        ).activations

    longer = BatchSize(rows=8, tokens=200, predicted_tokens=20)
    assert activations(longer) > 2 * activations()  # attention's own matrices grow with the square
    assert activations(longer, eager=False) < 2 * activations(eager=False) + 1  # the logits stay as they are
    assert activations(recompute=True) < activations() / 2
    assert activations(BatchSize(rows=8, tokens=100, predicted_tokens=40)) > activations()


def test_the_largest_batch_is_made_of_the_longest_pair() -> None:
    assert largest_batch([(10, 3), (40, 2), (20, 9)], rows=8) == BatchSize(rows=3, tokens=40, predicted_tokens=9)
    assert largest_batch([(10, 3)] * 20, rows=8) == BatchSize(rows=8, tokens=10, predicted_tokens=3)
    assert largest_batch([], rows=8) == BatchSize(rows=1, tokens=0, predicted_tokens=0)
