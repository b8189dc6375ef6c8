"""What a run took: the receipt that is kept with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from config.settings import Settings
from trainer.recipe import Recipe
from trainer.registry import Frozen
from trainer.train import TrainedAdapter


def make_receipt(
    trained: Iterable[TrainedAdapter], frozen: Frozen, held_seconds: float, settings: Settings, recipe: Recipe
) -> dict[str, Any]:
    """Seconds, tokens, cost and the knobs. `held_seconds`: for how long trainers have held the run, in all attempts;
    that is its total. Seconds and tokens of training are those of the attempts that finished an adapter."""
    adapters = list(trained)
    tokens, speed = sum(one.tokens for one in adapters), [one.tokens_per_second for one in adapters]
    busy = sum(one.tokens / one.tokens_per_second for one in adapters if one.tokens_per_second)
    return {
        "train_seconds": round(sum(one.seconds for one in adapters), 3),
        "total_seconds": round(held_seconds, 3),
        "tokens": tokens,
        "tokens_per_second": round(tokens / busy, 3) if any(speed) else None,
        "device": device_name(),
        "cost": round(held_seconds / 3600 * settings.price_per_hour, 4),
        "currency": settings.currency,
        "train_pairs": len(frozen.train),
        "unseen_pairs": len(frozen.test),
        "recipe": {
            "name": recipe.name,
            "epochs": recipe.training.epochs,
            "rank": recipe.lora.r,
            "learning_rate": recipe.training.learning_rate,
        },
    }


def device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
