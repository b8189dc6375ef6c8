"""A running batch: rows of one forward pass, joined and left at token boundaries.

Rows are padded on the left, so that the newest token of every row is in the last column. Keys and values carry
their position already (it went into them when they were computed), so rows may be shifted and columns cut freely.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import torch

Row = TypeVar("Row")


class Batch(Generic[Row]):
    """Rows with their key-value cache.

    mask: [rows, columns], 1 where a row has a token; positions: [rows], position of the next token;
    last_tokens: [rows]; cache: a DynamicCache, keys and values [rows, heads, columns, head size] per layer.
    """

    def __init__(
        self,
        rows: list[Row],
        cache: Any,
        mask: torch.Tensor,
        last_tokens: torch.Tensor,
    ) -> None:
        self.rows = rows
        self.cache = cache
        self.mask = mask
        self.positions = mask.sum(dim=1)
        self.last_tokens = last_tokens

    def step_inputs(self) -> dict[str, Any]:
        """Arguments of the forward pass for one more token per row; the batch counts that token as done."""
        self.mask = torch.cat([self.mask, self.mask.new_ones(len(self.rows), 1)], dim=1)
        inputs = {
            "input_ids": self.last_tokens[:, None],
            "attention_mask": self.mask,
            "position_ids": self.positions[:, None],
            "cache": self.cache,
            "use_cache": True,
        }
        self.positions = self.positions + 1
        return inputs

    def join(self, other: Batch[Row]) -> None:
        """Take the other batch's rows in, below this one's."""
        columns = max(self.mask.shape[1], other.mask.shape[1])
        self.mask = torch.cat([_pad_left(batch.mask, 1, columns) for batch in (self, other)])
        for mine, theirs in zip(self.cache.layers, other.cache.layers, strict=True):
            mine.keys = torch.cat([_pad_left(layer.keys, 2, columns) for layer in (mine, theirs)])
            mine.values = torch.cat([_pad_left(layer.values, 2, columns) for layer in (mine, theirs)])
        self.positions = torch.cat([self.positions, other.positions])
        self.last_tokens = torch.cat([self.last_tokens, other.last_tokens])
        self.rows = self.rows + other.rows

    def keep(self, indices: list[int]) -> None:
        """Drop all other rows, and the columns that only they needed."""
        if len(indices) == len(self.rows):
            return
        self.rows = [self.rows[i] for i in indices]
        chosen = torch.tensor(indices, dtype=torch.long, device=self.mask.device)
        self.mask, self.positions = self.mask[chosen], self.positions[chosen]
        self.last_tokens = self.last_tokens[chosen]
        used = self.mask.any(dim=0).nonzero()
        first = int(used[0]) if len(used) else 0
        self.mask = self.mask[:, first:]
        for layer in self.cache.layers:
            layer.keys = layer.keys[chosen, :, first:]
            layer.values = layer.values[chosen, :, first:]


def left_padded(prompts: list[list[int]], pad_token: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and mask, each [rows, longest prompt]."""
    columns = max(map(len, prompts))
    ids = torch.full((len(prompts), columns), pad_token, dtype=torch.long)
    mask = torch.zeros((len(prompts), columns), dtype=torch.long)
    for row, prompt in enumerate(prompts):
        ids[row, columns - len(prompt) :] = torch.tensor(prompt)
        mask[row, columns - len(prompt) :] = 1
    return ids.to(device), mask.to(device)


def _pad_left(tensor: torch.Tensor, dim: int, size: int) -> torch.Tensor:
    missing = size - tensor.shape[dim]
    if missing == 0:
        return tensor
    shape = list(tensor.shape)
    shape[dim] = missing
    return torch.cat([tensor.new_zeros(shape), tensor], dim=dim)
