"""From logits to tokens, and from tokens to text, one request at a time.

The pieces that a stream yields, put together, are the text that a single answer has: no piece ends inside a
character, and nothing of a stop string is ever given out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

_INCOMPLETE = "\ufffd"
#: Below this the choice is the greedy one, and dividing by it could overflow.
_LOWEST_TEMPERATURE = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How the next token is chosen. Temperature 0 is greedy, and then the same prompt gives the same text."""

    max_tokens: int | None = None
    temperature: float = 0.0
    top_p: float = 1.0
    stop: tuple[str, ...] = ()
    seed: int | None = None


class Sampler:
    """Chooses tokens for one request from its own random numbers, so a batch does not change what it says."""

    def __init__(self, sampling: Sampling) -> None:
        self.is_greedy = sampling.temperature < _LOWEST_TEMPERATURE
        self._temperature = sampling.temperature
        self._top_p = sampling.top_p
        self._random = torch.Generator()
        if sampling.seed is None:
            self._random.seed()
        else:
            self._random.manual_seed(sampling.seed)

    def choose(self, logits: torch.Tensor) -> int:
        """The next token from finite logits of shape [vocabulary]."""
        if self.is_greedy:
            return int(logits.argmax())
        probabilities = torch.softmax(logits.float().cpu() / self._temperature, dim=-1)
        if self._top_p < 1:
            ordered, order = probabilities.sort(descending=True)
            ordered[ordered.cumsum(0) - ordered >= self._top_p] = 0  # the first token always stays
            return int(order[torch.multinomial(ordered, 1, generator=self._random)])
        return int(torch.multinomial(probabilities, 1, generator=self._random))


class TextStream:
    """Turns one request's tokens into text that can be given out at once."""

    def __init__(self, tokenizer: Any, stop: Sequence[str]) -> None:
        self._tokenizer = tokenizer
        self._stop = [text for text in stop if text]
        self._tokens: list[int] = []
        self._context_from = 0  # decoding needs a little left context: some tokenizers write a space by it
        self._decoded_to = 0
        self._held = ""
        self.is_stopped = False

    def push(self, token: int) -> str:
        """Text that is certain after this token; may be empty."""
        self._tokens.append(token)
        before = self._decode(self._tokens[self._context_from : self._decoded_to])
        after = self._decode(self._tokens[self._context_from :])
        if after.endswith(_INCOMPLETE) and len(self._tokens) - self._decoded_to < 8:
            return ""  # inside a character of several bytes
        self._context_from, self._decoded_to = self._decoded_to, len(self._tokens)
        return self._release(after[len(before) :])

    def finish(self) -> str:
        """What was held back, at the end of the tokens."""
        if self.is_stopped:
            return ""
        before = self._decode(self._tokens[self._context_from : self._decoded_to])
        rest = self._decode(self._tokens[self._context_from :])[len(before) :]
        text = self._release(rest)
        return text if self.is_stopped else text + self._held

    def _release(self, new: str) -> str:
        text = self._held + new
        found = [at for at in (text.find(stop) for stop in self._stop) if at >= 0]
        if found:
            self.is_stopped, self._held = True, ""
            return text[: min(found)]
        keep = max((_overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _decode(self, tokens: list[int]) -> str:
        return str(self._tokenizer.decode(tokens, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _overlap(text: str, stop: str) -> int:
    """How many characters at the end of `text` could be the beginning of `stop`."""
    return next((n for n in range(min(len(text), len(stop) - 1), 0, -1) if text.endswith(stop[:n])), 0)
