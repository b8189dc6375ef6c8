"""What memory there is, and what a training of all weights needs. The second part is pure arithmetic.

Memory is what can be had without swapping on the device that would compute: a GPU's own, or the machine's within the
limit of its control group. An unknown figure is no limit.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

#: Memory that stays free for everything else on the machine.
HEADROOM_BYTES = 256 << 20
_UNLIMITED = 1 << 62

_MEMINFO, _CGROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


def available_bytes(meminfo: Path = _MEMINFO, cgroup: Path = _CGROUP) -> int:
    """Of the machine: what Linux says is available, or what is left of the control group's limit, if that is less."""
    return min(_machine_bytes(meminfo), _group_bytes(cgroup))


def free_on(device: str) -> int:
    """Of the device that computes, `cpu` or `cuda`."""
    if device == "cuda":
        import torch

        unused = torch.cuda.memory_reserved() - torch.cuda.memory_allocated()  # torch keeps it, and would give it
        return int(torch.cuda.mem_get_info()[0]) + unused
    return available_bytes()


def _machine_bytes(meminfo: Path) -> int:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        return _UNLIMITED


def _group_bytes(cgroup: Path) -> int:
    """A container's limit is in no other place; what it keeps of files it gives back when asked."""
    try:
        limit = (cgroup / "memory.max").read_text(encoding="ascii").strip()
        if limit == "max":
            return _UNLIMITED
        used = int((cgroup / "memory.current").read_text(encoding="ascii"))
        kept = dict(line.split() for line in (cgroup / "memory.stat").read_text(encoding="ascii").splitlines())
        return max(0, int(limit) - used + int(kept.get("inactive_file", 0)))
    except (OSError, ValueError):
        return _UNLIMITED


# ------------------------------------------------------------------------------------------------ all weights


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSize:
    """Of a causal language model: what its memory follows from."""

    parameters: int
    layers: int
    #: Width of the residual stream, and of the feed-forward part.
    width: int
    inner_width: int
    heads: int
    vocabulary: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchSize:
    """The largest batch of a training: rows of so many tokens, so many of which are predicted."""

    rows: int
    tokens: int
    predicted_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingNeed:
    """In bytes."""

    weights: int
    gradients: int
    optimizer: int
    #: The weights once more in the precision that is multiplied in, where that is another one.
    copies: int
    activations: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.copies + self.activations + HEADROOM_BYTES

    @property
    def checkpoint(self) -> int:
        """On disk: the weights and the optimizer's two moments."""
        return self.weights + self.optimizer


def training_need(
    model: ModelSize, batch: BatchSize, *, weight_bytes: int, compute_bytes: int, is_checkpointing: bool, is_eager: bool
) -> TrainingNeed:
    """What AdamW on all weights keeps at its peak.

    `weight_bytes` and `compute_bytes` are those of one number (4 for float32, 2 for bfloat16). Weights, gradients and
    the two moments are counted; activations are estimated after "Reducing Activation Recomputation in Large
    Transformer Models" (arXiv 2205.05198, section 4), whose 34 bytes a token and width are 2-byte numbers of a layer
    with a feed-forward part of 4 widths. Here that part is counted by its own width, and the residual stream is kept
    in the weights' precision. Attention's own matrices are kept where it is eager, two for each head.
    """
    parameters, tokens = model.parameters, batch.rows * batch.tokens
    stream = 6 * model.width * weight_bytes  # the stream before and after both parts, and both norms
    layer = tokens * (stream + (6 * model.width + 4 * model.inner_width) * compute_bytes)
    if is_eager:
        layer += batch.rows * model.heads * batch.tokens**2 * (4 + compute_bytes)
    kept = model.layers * tokens * model.width * weight_bytes + layer if is_checkpointing else model.layers * layer
    # Logits as multiplied, as float32, their softmax and its gradient.
    logits = batch.rows * batch.predicted_tokens * model.vocabulary * (compute_bytes + 12)
    return TrainingNeed(
        weights=parameters * weight_bytes,
        gradients=parameters * weight_bytes,
        optimizer=2 * parameters * weight_bytes,
        copies=parameters * compute_bytes if compute_bytes != weight_bytes else 0,
        activations=kept + logits,
    )


def largest_batch(pairs: Iterable[tuple[int, int]], rows: int) -> BatchSize:
    """The batch in which every row is as long as the longest pair; a pair is (tokens, predicted tokens)."""
    sizes = list(pairs)
    return BatchSize(
        rows=min(rows, max(len(sizes), 1)),
        tokens=max((tokens for tokens, _ in sizes), default=0),
        predicted_tokens=max((predicted for _, predicted in sizes), default=0),
    )
