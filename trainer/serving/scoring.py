"""A request that asks which of several answers the model finds likeliest, on its way through the engine."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from starlette.responses import JSONResponse

if TYPE_CHECKING:
    from trainer.serving.adapters import LoadedAdapter


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredChoice:
    """One answer, and the log-probability in nats of each of its tokens, the end of the turn included."""

    text: str
    tokens: tuple[str, ...]
    logprobs: tuple[float, ...]

    @property
    def total(self) -> float:
        return sum(self.logprobs)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredChoices:
    """All answers, the likeliest first."""

    choices: tuple[ScoredChoice, ...]
    prompt_tokens: int
    #: `sha256:…` of what scored them; empty for the base model.
    digest: str


@dataclass(slots=True, kw_only=True, eq=False)
class Scoring:
    """What the engine's thread has to do, and where the caller waits for it."""

    prompt: list[int]
    tails: list[list[int]]
    adapter: LoadedAdapter | None
    result: Future[list[list[float]]] = field(default_factory=Future)


def choices_response(scored: ScoredChoices, model: str, answers: int, head: dict[str, Any]) -> JSONResponse:
    """The likeliest answers in the shape of a chat completion with `n` choices and their tokens' log-probabilities."""
    shown = scored.choices[:answers]
    written = sum(len(one.tokens) for one in shown)
    choices = [
        {
            "index": index,
            "message": {"role": "assistant", "content": one.text},
            "logprobs": {"content": [_token(*pair) for pair in zip(one.tokens, one.logprobs, strict=True)]},
            "finish_reason": "stop",
        }
        for index, one in enumerate(shown)
    ]
    usage = {
        "prompt_tokens": scored.prompt_tokens,
        "completion_tokens": written,
        "total_tokens": scored.prompt_tokens + written,
    }
    return JSONResponse(
        head | {"model": model, "system_fingerprint": scored.digest or None, "choices": choices, "usage": usage}
    )


def _token(text: str, logprob: float) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode()), "top_logprobs": []}
