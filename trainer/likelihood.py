"""How likely a model finds a completion: the one place where training, validation and scoring compute it.

Two facts make it cheap. Only the positions whose next token counts meet the language-model head (it is a third
of a small model's work, and the prompt is most of the text). And what every row of a batch opens with – the
system text, the instructions – is run once and its keys and values are shared, gradients included.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional
from transformers import DynamicCache

from config.prompts import ChatMessages

IGNORED = -100

#: A shared opening shorter than this costs more in a second forward call than it saves.
MIN_SHARED_TOKENS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenizedPair:
    """Token ids of one pair; the completion starts at `prompt_tokens` and ends with the end-of-turn token."""

    input_ids: list[int]
    prompt_tokens: int

    @property
    def labels(self) -> list[int]:
        return [IGNORED] * self.prompt_tokens + self.input_ids[self.prompt_tokens :]

    @property
    def completion_tokens(self) -> int:
        return len(self.input_ids) - self.prompt_tokens


def tokenize_pair(tokenizer: Any, prompt: ChatMessages, completion: str) -> TokenizedPair:
    """The ids a model sees for this pair, through the tokenizer's own chat template.

    What the template writes after the end-of-turn token (a line break, mostly) is left out: nobody generates it.
    """
    answer = {"role": "assistant", "content": completion}
    opening = prompt_ids(tokenizer, prompt)
    full_ids = list(tokenizer.apply_chat_template([*prompt, answer], return_dict=False))
    shared = next(
        (i for i, (a, b) in enumerate(zip(opening, full_ids, strict=False)) if a != b),
        min(len(opening), len(full_ids)),
    )
    tail = full_ids[shared:]
    if tokenizer.eos_token_id in tail:
        last = len(tail) - 1 - tail[::-1].index(tokenizer.eos_token_id)
        tail = tail[: last + 1]
    return TokenizedPair(input_ids=[*full_ids[:shared], *tail], prompt_tokens=shared)


def prompt_ids(tokenizer: Any, prompt: ChatMessages) -> list[int]:
    """The ids after which a model writes its answer."""
    return list(tokenizer.apply_chat_template(prompt, add_generation_prompt=True, return_dict=False))


def pad_id(tokenizer: Any) -> int:
    """The token that fills short rows; masked everywhere, so any will do."""
    return int(tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id)


def pad_batch(pairs: Sequence[TokenizedPair], pad_id: int, device: Any) -> dict[str, torch.Tensor]:
    """`input_ids`, `attention_mask`, `labels`, each (rows, longest row), padded on the right."""
    width = max(len(pair.input_ids) for pair in pairs)

    def rows(values: list[list[int]], fill: int) -> torch.Tensor:
        padded = [row + [fill] * (width - len(row)) for row in values]
        return torch.tensor(padded, dtype=torch.long, device=device)

    return {
        "input_ids": rows([pair.input_ids for pair in pairs], pad_id),
        "attention_mask": rows([[1] * len(pair.input_ids) for pair in pairs], 0),
        "labels": rows([pair.labels for pair in pairs], IGNORED),
    }


def shared_prefix_tokens(input_ids: torch.Tensor, labels: torch.Tensor) -> int:
    """How many leading tokens all rows have in common, ending before anything that is predicted."""
    if input_ids.shape[0] < 2:
        return 0
    same = (input_ids == input_ids[:1]).all(dim=0).long().cumprod(dim=0).sum()
    # The token before the first labelled one predicts it, so it must stay in the rows' own part.
    first_labelled = (labels != IGNORED).long().argmax(dim=1).min()
    prefix = int(torch.minimum(same, first_labelled - 1))
    return prefix if prefix >= MIN_SHARED_TOKENS else 0


def read_once(model: Any, token_ids: list[int], rows: int) -> DynamicCache:
    """Keys and values of what so many rows open with, computed once; with gradients where they are wanted."""
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    cache = DynamicCache(config=causal.config)
    causal.base_model(torch.tensor([token_ids], device=causal.device), cache=cache, use_cache=True)
    cache.batch_repeat_interleave(rows)
    return cache


def precision(dtype: torch.dtype, device_type: str) -> AbstractContextManager[Any]:
    """Mixed precision for a base model held in bf16; nothing for float32."""
    return torch.autocast(device_type, dtype=dtype) if dtype == torch.bfloat16 else nullcontext()


def completion_losses(
    model: Any, batch: dict[str, torch.Tensor], *, share_prefix: bool = True, dtype: torch.dtype | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """Negative log-likelihood in nats of each labelled token: (labelled,) float32, and the row of each.

    `model` is a causal language model or a PeftModel around one; `dtype` is what it multiplies in, where that is not
    how its weights are held. Numerically this is what its own forward with `labels` computes, without the logits that
    the loss would ignore.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    input_ids, mask, labels = batch["input_ids"], batch["attention_mask"], batch["labels"]
    rows = input_ids.shape[0]
    recomputes = causal.training and getattr(causal, "is_activation_checkpointing", False)
    prefix = shared_prefix_tokens(input_ids, labels) if share_prefix and not recomputes else 0
    with precision(dtype or causal.dtype, input_ids.device.type):
        if prefix:
            cache = read_once(causal, input_ids[0, :prefix].tolist(), rows)
            own, cached = input_ids[:, prefix:], {"cache": cache, "use_cache": True}
        else:
            own, cached = input_ids, {"use_cache": False}
        hidden = causal.base_model(own, attention_mask=mask, **cached).last_hidden_state  # (rows, own, width)
        targets = labels[:, prefix + 1 :]  # (rows, own - 1)
        counted = targets != IGNORED
        logits = head_logits(causal, hidden[:, :-1][counted])  # (labelled, vocabulary)
    losses = functional.cross_entropy(logits, targets[counted], reduction="none")
    return losses, counted.nonzero()[:, 0]


def mean_loss(
    model: Any, pairs: Sequence[TokenizedPair], *, batch_size: int, pad_id: int, dtype: torch.dtype | None = None
) -> float:
    """Nats per completion token over all these pairs, each token counting the same; batched by length."""
    ordered = sorted(pairs, key=lambda pair: len(pair.input_ids))
    total, tokens = 0.0, 0
    with torch.no_grad():
        for start in range(0, len(ordered), batch_size):
            batch = pad_batch(ordered[start : start + batch_size], pad_id, model.device)
            losses, _ = completion_losses(model, batch, dtype=dtype)
            total, tokens = total + float(losses.double().sum()), tokens + losses.numel()
    return total / tokens


def summed_losses(model: Any, pairs: Sequence[TokenizedPair], pad_id: int, *, batch: int) -> list[float]:
    """Nats of each pair's completion in all, in the given order; batched by length."""
    model.eval()
    order = sorted(range(len(pairs)), key=lambda index: len(pairs[index].input_ids))
    result = [0.0] * len(pairs)
    with torch.inference_mode():
        for start in range(0, len(order), batch):
            chunk = order[start : start + batch]
            losses, rows = completion_losses(model, pad_batch([pairs[index] for index in chunk], pad_id, model.device))
            sums = torch.zeros(len(chunk), dtype=torch.float64, device=losses.device)
            sums.index_add_(0, rows, losses.double())
            for index, nats in zip(chunk, sums.tolist(), strict=True):
                result[index] = nats
    return result


def score_bits(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[ChatMessages],
    completions: Sequence[str],
    *,
    batch: int = 8,
) -> list[tuple[float, int]]:
    """(negative log-likelihood in nats, tokens) of each completion given its prompt, in the given order.

    The end of the turn counts as a token: knowing when to stop is part of a style. Despite the name's unit the
    value is in nats, as cross-entropy gives it; `Scorecard.bits_per_byte` converts.
    """
    pairs = [tokenize_pair(tokenizer, p, c) for p, c in zip(prompts, completions, strict=True)]
    nats = summed_losses(model, pairs, pad_id(tokenizer), batch=batch)
    return [(one, pair.completion_tokens) for one, pair in zip(nats, pairs, strict=True)]


def continued_losses(
    model: Any, cache: DynamicCache, mask: torch.Tensor, tails: Sequence[Sequence[int]], pad_id: int
) -> list[float]:
    """Nats of each row's tail after its first token, that one being the last of a prompt.

    `cache` holds the prompts but for that token and is written on; `mask`, (rows, columns), says what counts in the
    prompts, that token included.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    width = max(len(tail) for tail in tails)
    own = torch.tensor([[*tail, *[pad_id] * (width - len(tail))] for tail in tails], device=mask.device)
    lengths = torch.tensor([len(tail) for tail in tails], device=mask.device)
    steps = torch.arange(width, device=mask.device)
    counted = steps[1:] < lengths[:, None]  # (rows, width - 1)
    full = torch.cat([mask, counted.to(mask.dtype)], dim=1)
    places = mask.sum(dim=1, keepdim=True) - 1 + steps
    with precision(causal.dtype, mask.device.type):
        hidden = causal.base_model(
            own, attention_mask=full, position_ids=places, cache=cache, use_cache=True
        ).last_hidden_state  # (rows, width, model width)
        logits = head_logits(causal, hidden[:, :-1][counted])
    losses = functional.cross_entropy(logits, own[:, 1:][counted], reduction="none")
    sums = torch.zeros(len(tails), dtype=torch.float64, device=losses.device)
    sums.index_add_(0, counted.nonzero()[:, 0], losses.double())
    values: list[float] = sums.tolist()
    return values


def head_logits(causal: Any, hidden: torch.Tensor) -> torch.Tensor:
    """The language-model head on some positions: (positions, width) in, (positions, vocabulary) float32 out."""
    logits: torch.Tensor = causal.get_output_embeddings()(hidden).float()
    cap = getattr(causal.config.get_text_config(), "final_logit_softcapping", None)
    return logits if cap is None else torch.tanh(logits / cap) * cap
