"""What a run does besides for the rung `full`: it looks whether all weights can be trained here, before it starts.

What does not fit is left out with a sentence, and the run goes on with its other rungs; so does one whose training ran
out of memory all the same, or took the whole process with it before its first checkpoint.
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer

from config.sentences import Note, note, read_note
from trainer.checkpoints import COMPLETE
from trainer.errors import BaseModelUnsuited, DiskFull, OutOfMemory
from trainer.full_files import count_parameters, read_tensors
from trainer.likelihood import tokenize_pair
from trainer.memory import ModelSize, TrainingNeed, free_on, largest_batch, training_need
from trainer.precision import torch_dtype
from trainer.recipe import Recipe
from trainer.train import PairRow, TrainedAdapter, translated_errors
from trainer.workspace import read_value, write_value

#: Checkpoints that lie on the disk at once at most: the newest, the best, and the one that is being written.
_CHECKPOINTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What there is for it, in bytes."""

    memory: int
    disk: int


def find_room(work: Path, *, memory_limit_gb: float) -> Room:
    """Of the device that would train, or the operator's limit if that is less; and of the disk the run works on."""
    free = free_on("cuda" if torch.cuda.is_available() else "cpu")
    if memory_limit_gb:
        free = min(free, round(memory_limit_gb * 1e9))
    return Room(memory=free, disk=shutil.disk_usage(work).free)


def need_of(base_path: Path, rows: Sequence[PairRow], recipe: Recipe) -> TrainingNeed:
    """What a training of all weights on these rows needs. Raises BaseModelUnsuited."""
    knobs, config = recipe.for_rung("full"), AutoConfig.from_pretrained(base_path).get_text_config()
    tokenizer: Any = AutoTokenizer.from_pretrained(base_path)
    pairs = [tokenize_pair(tokenizer, row["prompt"], row["completion"][0]["content"]) for row in rows]
    sizes = [(len(pair.input_ids), pair.completion_tokens) for pair in pairs if len(pair.input_ids) <= knobs.max_tokens]
    model = ModelSize(
        parameters=count_parameters(read_tensors(base_path)),
        layers=int(config.num_hidden_layers),
        width=int(config.hidden_size),
        inner_width=int(getattr(config, "intermediate_size", None) or 4 * config.hidden_size),
        heads=int(config.num_attention_heads),
        vocabulary=int(config.vocab_size),
    )
    is_eager = knobs.attention == "eager" or (knobs.attention == "auto" and not torch.cuda.is_available())
    return training_need(
        model, largest_batch(sizes, knobs.batch_size),
        weight_bytes=torch_dtype(recipe.full.weights).itemsize, compute_bytes=torch_dtype(knobs.dtype).itemsize,
        is_checkpointing=knobs.gradient_checkpointing, is_eager=is_eager,
    )  # fmt: skip


def why_left_out(need: TrainingNeed, room: Room) -> Note | None:
    """None where it fits. Pure."""
    if need.total > room.memory:
        return note(
            "left out: `full` needs about {needed:.1f} GB of memory to train, and {free:.1f} GB are free",
            needed=need.total / 1e9, free=room.memory / 1e9,
        )  # fmt: skip
    disk = _CHECKPOINTS * need.checkpoint + need.weights
    if disk > room.disk:
        return note(
            "left out: `full` needs about {needed:.1f} GB of disk for its checkpoints, and {free:.1f} GB are free",
            needed=disk / 1e9, free=room.disk / 1e9,
        )  # fmt: skip
    return None


def train_where_it_fits(
    train: Callable[[], TrainedAdapter], base_path: Path, rows: Sequence[PairRow], recipe: Recipe, work: Path,
    *, memory_limit_gb: float,
) -> TrainedAdapter | Note:  # fmt: skip
    """The training's result, or why the rung is left out of this run. Raises what training raises, except for memory
    and disk that ran out, be it while the model is loaded, trained, or written."""
    started, checkpoints = work / "full.started.json", work / "checkpoints" / "full"
    try:
        # Whoever resumes has been through this already, with the same weights in the same room.
        if not any(checkpoints.glob(f"*/{COMPLETE}")):
            earlier = read_value(started)
            if earlier is not None:
                _clear(work)
                return read_note(earlier) or _DIED
            left_out = why_left_out(
                need_of(base_path, rows, recipe), find_room(work, memory_limit_gb=memory_limit_gb)
            )  # fmt: skip
            if left_out is not None:
                return left_out
        write_value(started, {})
        with translated_errors():
            trained = train()
    except BaseModelUnsuited:
        return _UNSUITED
    except (OutOfMemory, DiskFull) as error:
        _clear(work)
        why = _NO_MEMORY if isinstance(error, OutOfMemory) else _NO_DISK
        write_value(started, why.as_json())
        return why
    except Exception:
        started.unlink(missing_ok=True)  # stopped, or the database is away: no death, so the next attempt may begin
        raise
    finally:
        gc.collect()  # the trainer and its model hold on to each other, and what comes next needs the memory
    return trained


_DIED = note(
    "left out: the process died while it trained `full`, before the first checkpoint; mostly the memory was too short"
)
_UNSUITED = note("left out: `full` cannot be trained on this base model, whose weights are no plain matrices")
_NO_MEMORY = note("left out: the memory ran out while `full` was trained; lower batch_size or use a smaller model")
_NO_DISK = note("left out: the disk ran full while `full` was trained; free some space")


def _clear(work: Path) -> None:
    """What a training that came to nothing left on the disk: the run's other rungs need the room."""
    remove_checkpoints(work)
    shutil.rmtree(work / "adapters" / "full", ignore_errors=True)


def remove_checkpoints(work: Path) -> None:
    """They are gigabytes, and what they led to is kept by now."""
    shutil.rmtree(work / "checkpoints" / "full", ignore_errors=True)
