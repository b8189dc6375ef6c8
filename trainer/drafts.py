"""Drafts for many prompts at once, and how likely a reference is after the same reading of each prompt.

Most of the work of a draft is to read its prompt, and so it is of a reference's likelihood. Whoever wants both reads
once.
"""

from __future__ import annotations

import copy
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import DynamicCache

from config.prompts import ChatMessages
from trainer.likelihood import (
    MIN_SHARED_TOKENS,
    TokenizedPair,
    continued_losses,
    pad_id,
    precision,
    prompt_ids,
    read_once,
    score_bits,
    tokenize_pair,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a model wrote, and how many tokens that took, the end of the turn included."""

    text: str
    tokens: int
    #: The model would have written on, but for the length allowed.
    is_cut: bool = False
    #: Its share of the time in which its batch was read and written.
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredDraft:
    """A draft, and how likely the model found the reference: its negative log-likelihood in nats."""

    draft: Draft
    reference_nats: float


def generate(
    model: Any, tokenizer: Any, prompts: Sequence[ChatMessages], *, max_new_tokens: int, batch: int = 8
) -> list[Draft]:
    """One greedy draft a prompt, in the given order; batched by length, padded before what a prompt has to itself."""
    ids = [prompt_ids(tokenizer, prompt) for prompt in prompts]
    drafts, _ = _write(model, tokenizer, ids, [()] * len(ids), max_new_tokens=max_new_tokens, batch=batch)
    return drafts


def draft_and_score(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[ChatMessages],
    references: Sequence[str],
    *,
    max_new_tokens: int,
    batch: int = 8,
) -> list[ScoredDraft]:
    """What `generate` and `score_bits` find, in the given order, with each prompt read once.

    Where a chat template opens an answer otherwise than it writes one, the two have no prompt in common, and each
    reads its own.
    """
    pairs = [tokenize_pair(tokenizer, p, r) for p, r in zip(prompts, references, strict=True)]
    ids = [prompt_ids(tokenizer, prompt) for prompt in prompts]
    is_same = [_opens_with(pair, own) for pair, own in zip(pairs, ids, strict=True)]
    tails = [
        tuple(pair.input_ids[pair.prompt_tokens :]) if same else () for pair, same in zip(pairs, is_same, strict=True)
    ]
    drafts, nats = _write(model, tokenizer, ids, tails, max_new_tokens=max_new_tokens, batch=batch)
    apart = [index for index, same in enumerate(is_same) if not same]
    scored = score_bits(model, tokenizer, [prompts[i] for i in apart], [references[i] for i in apart], batch=batch)
    for index, (one, _) in zip(apart, scored, strict=True):
        nats[index] = one
    return [ScoredDraft(draft=draft, reference_nats=one) for draft, one in zip(drafts, nats, strict=True)]


def _opens_with(pair: TokenizedPair, prompt: list[int]) -> bool:
    return pair.prompt_tokens == len(prompt) and pair.input_ids[: len(prompt)] == prompt


def _write(
    model: Any,
    tokenizer: Any,
    ids: Sequence[list[int]],
    tails: Sequence[tuple[int, ...]],
    *,
    max_new_tokens: int,
    batch: int,
) -> tuple[list[Draft], list[float]]:
    """Drafts, and the nats of each prompt's tail (0 where it has none), in the given order."""
    model.eval()
    pad, context = pad_id(tokenizer), getattr(model.config, "max_position_embeddings", None) or sys.maxsize
    order = sorted(range(len(ids)), key=lambda index: len(ids[index]))
    drafts, nats = [Draft(text="", tokens=0)] * len(ids), [0.0] * len(ids)
    for start in range(0, len(order), batch):
        chunk = order[start : start + batch]
        began = time.monotonic()
        with torch.inference_mode(), precision(model.dtype, model.device.type):
            reading = _read(model, [ids[index] for index in chunk], pad)
            read_by = time.monotonic()
            for index, one in zip(chunk, reading.nats(model, [tails[index] for index in chunk], pad), strict=True):
                nats[index] = one
            scored_by = time.monotonic()
            output = model.generate(
                input_ids=reading.rows,
                attention_mask=reading.mask,
                cache=reading.cache,
                max_new_tokens=min(max_new_tokens, max(context - reading.rows.shape[1], 1)),
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=pad,
            )
        width = reading.rows.shape[1]
        seconds = (time.monotonic() - scored_by + read_by - began) / len(chunk)
        for index, row in zip(chunk, output[:, width:].tolist(), strict=True):
            end = row.index(tokenizer.eos_token_id) + 1 if tokenizer.eos_token_id in row else len(row)
            text = tokenizer.decode(row[:end], skip_special_tokens=True).strip()
            drafts[index] = Draft(text=text, tokens=end, is_cut=tokenizer.eos_token_id not in row, seconds=seconds)
    return drafts, nats


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """Prompts that a model has read, all but the last token of each, which predicts what comes next."""

    #: (prompts, width) token ids and what of them counts: the padding stands after what all of them open with.
    rows: torch.Tensor
    mask: torch.Tensor
    #: Keys and values of the first width - 1 columns.
    cache: DynamicCache

    def nats(self, model: Any, tails: Sequence[tuple[int, ...]], pad: int) -> list[float]:
        """Negative log-likelihood of each tail after its prompt; the reading stays as it is."""
        if not any(tails):
            return [0.0] * len(tails)
        # A copy, since not every kind of layer can forget the last tokens that it was shown.
        return continued_losses(
            model, copy.deepcopy(self.cache), self.mask,
            [[last, *tail] for last, tail in zip(self.rows[:, -1].tolist(), tails, strict=True)], pad,
        )  # fmt: skip


def _read(model: Any, ids: Sequence[list[int]], pad: int) -> _Reading:
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    shared, width = _shared_tokens(ids), max(len(one) for one in ids)
    # What all open with stands in front of the padding, for its keys and values are computed once.
    rows = torch.tensor(
        [[*one[:shared], *[pad] * (width - len(one)), *one[shared:]] for one in ids], device=causal.device
    )
    mask = torch.tensor(
        [[1] * shared + [0] * (width - len(one)) + [1] * (len(one) - shared) for one in ids], device=causal.device
    )
    cache = read_once(causal, ids[0][:shared], len(ids)) if shared else DynamicCache(config=causal.config)
    if width - 1 > shared:
        # Places are counted without the padding, as when a prompt is read alone.
        places = (mask.cumsum(dim=1) - 1).clamp(min=0)
        causal.base_model(
            rows[:, shared : width - 1], attention_mask=mask[:, : width - 1],
            position_ids=places[:, shared : width - 1], cache=cache, use_cache=True,
        )  # fmt: skip
    return _Reading(rows=rows, mask=mask, cache=cache)


def _shared_tokens(rows: Sequence[list[int]]) -> int:
    """How many tokens all these prompts open with, each keeping at least one; 0 where sharing would not pay."""
    if len(rows) < 2:
        return 0
    shortest = min(len(row) for row in rows) - 1
    shared = next((n for n in range(shortest) if len({row[n] for row in rows}) > 1), shortest)
    return shared if shared >= MIN_SHARED_TOKENS else 0
