"""A model of the rung `full` without training: the base model's weights with noise on them, in a model folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainer.full_files import write_full

if TYPE_CHECKING:
    from pathlib import Path


def make_full_model(folder: Path, base: Path, *, seed: int = 1, scale: float = 0.05) -> Path:
    """Written as a training writes its best checkpoint. The same seed gives the same bytes."""
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=random) * scale)
    checkpoint = folder.with_name(f"{folder.name}-checkpoint")
    model.save_pretrained(checkpoint)
    write_full(checkpoint, base, folder)
    return folder
