"""How likely a model finds each of several answers to one prompt, in a single forward pass.

The answers stand behind one another after the prompt, each with the positions it would have alone, and a mask keeps
every answer from seeing the others. So the prompt is read once, and nothing of its keys and values is copied.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from config.prompts import ChatMessages
from trainer.likelihood import head_logits, precision, tokenize_pair


class Choices:
    """Answers as the tokens that follow a prompt's, the end of the turn included. The same for every prompt."""

    def __init__(self, tokenizer: Any, texts: Sequence[str]) -> None:
        probe: ChatMessages = [{"role": "user", "content": "?"}]
        asked = len(tokenizer.apply_chat_template(probe, add_generation_prompt=True, return_dict=False))
        pairs = [tokenize_pair(tokenizer, probe, text) for text in texts]
        #: Where a template opens an answer otherwise than it asks for one, the last of the prompt's tokens go.
        self.surplus = asked - min(pair.prompt_tokens for pair in pairs)
        self.texts = tuple(texts)
        self.tails = [pair.input_ids[asked - self.surplus :] for pair in pairs]

    @property
    def longest(self) -> int:
        return max(len(tail) for tail in self.tails)

    def begin(self, prompt: list[int]) -> list[int]:
        """The prompt's tokens up to where all answers begin."""
        return prompt[: len(prompt) - self.surplus]


def choice_logprobs(model: Any, prompt: list[int], tails: Sequence[list[int]]) -> list[list[float]]:
    """The log-probability in nats of every token of every answer, given the prompt and the answer's own tokens.

    `model` is a causal language model or a PeftModel around one. Call it in inference mode.
    """
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    device, begin = causal.device, len(prompt)
    flat = [token for tail in tails for token in tail]
    places = [*range(begin), *(begin + step for tail in tails for step in range(len(tail)))]
    owner = torch.tensor([0] * begin + [number for number, tail in enumerate(tails, 1) for _ in tail], device=device)
    index = torch.arange(len(owner), device=device)
    # [queries, keys]: what came before, of the prompt or of the same answer
    visible = (index[None, :] <= index[:, None]) & ((owner[None, :] == 0) | (owner[None, :] == owner[:, None]))
    mask = torch.zeros(visible.shape, dtype=causal.dtype, device=device)
    mask.masked_fill_(~visible, torch.finfo(causal.dtype).min)
    with precision(causal.dtype, device.type):
        hidden = causal.base_model(
            torch.tensor([prompt + flat], device=device),
            attention_mask=mask[None, None],
            position_ids=torch.tensor([places], device=device),
            use_cache=False,
        ).last_hidden_state[0]  # [tokens, width]
        predictors = _predictors(begin, tails)
        unique, which = torch.unique(torch.tensor(predictors, device=device), return_inverse=True)
        logprobs = head_logits(causal, hidden[unique]).log_softmax(dim=-1)  # [unique, vocabulary]
    found = logprobs[which, torch.tensor(flat, device=device)].double().tolist()
    ends = iter(found)
    return [[next(ends) for _ in tail] for tail in tails]


def _predictors(begin: int, tails: Sequence[list[int]]) -> list[int]:
    """For every token of the answers, the place of the token that predicts it."""
    places: list[int] = []
    at = begin
    for tail in tails:
        places += [begin - 1, *range(at, at + len(tail) - 1)]
        at += len(tail)
    return places
