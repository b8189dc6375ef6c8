"""The border to the model server: any server of OpenAI's protocol in, our pieces and our errors out.

A stream ends in time whatever the server does: it is read by a thread of its own, and who waits for it waits on
the clock. A server that keeps failing is left alone for a few seconds (the circuit), so that people get their
answer at once instead of after a deadline each.
"""

from __future__ import annotations

import queue
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import openai
import structlog
from numpy.typing import NDArray
from openai import NOT_GIVEN, DefaultHttpxClient, OpenAI, Stream, Timeout

from bot.domain.variants import GREEDY, Sampling
from bot.drafting.prompt_log import PromptLog
from bot.errors import (
    AdapterUnavailable,
    ModelBroke,
    ModelBusy,
    ModelDown,
    ModelError,
    ModelLoading,
    ModelSlow,
    PromptTooLong,
)
from bot.texts import drafting as texts
from bot.texts import labels as label_texts
from config.base_names import base_model_id
from config.prompts import ChatMessages
from config.settings import Settings

log = structlog.get_logger()

#: Consecutive failures after which the server is left alone, and for how long until one request may try again.
CIRCUIT_FAILURES = 5
CIRCUIT_SECONDS = 3.0
CONNECT_SECONDS = 3.0
EMBED_SECONDS = 5.0
#: How long a reader of a stream waits before it looks at other things: an empty piece.
TICK_SECONDS = 0.1
#: A server that writes without end is cut off here; no draft is longer.
MAX_COMPLETION_CHARS = 60_000
#: No label has more tokens.
LABEL_TOKENS = 64
#: What is asked where nobody waits for the answer says so: a gateway before the server may hold it back.
MEASURING = {"X-Huisstijl-Work": "measuring"}
#: A text that is scored comes back whole; more than any draft has.
SCORED_TOKENS = 8_192


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A part of a streamed answer. Empty text: nothing came in the last moment. The last one carries the facts."""

    text: str = ""
    is_last: bool = False
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    #: The model would have written on, but for the length allowed.
    is_cut: bool = False
    #: Digest of the adapter that wrote it, as the server reports it.
    fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredLabels:
    """The log-probability of each label that the server gave, in nats, and the facts of the request."""

    scores: dict[str, float]
    prompt_tokens: int | None
    #: Digest of the adapter that scored, as the server reports it.
    fingerprint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredText:
    """How likely the server finds one text as the whole answer."""

    #: Negative log-likelihood.
    nll_nats: float
    #: Digest of the adapter that scored, as the server reports it.
    fingerprint: str | None


class Circuit:
    """Open after several failures in a row; half open a few seconds later: one request may try."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._try_again_at = 0.0

    def enter(self) -> None:
        """Raises ModelDown while the circuit is open."""
        with self._lock:
            if self._failures < CIRCUIT_FAILURES:
                return
            if self._clock() < self._try_again_at:
                raise ModelDown(texts.LEFT_ALONE())
            self._try_again_at = self._clock() + CIRCUIT_SECONDS  # this one tries; the others go on waiting

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0

    def note(self, error: ModelError) -> None:
        """A server that only does not like this request, or not yet, does answer."""
        if isinstance(error, (ModelBusy, ModelLoading, PromptTooLong, AdapterUnavailable)):
            self.succeeded()
        else:
            self.failed()

    def failed(self) -> None:
        with self._lock:
            self._failures += 1
            self._try_again_at = self._clock() + CIRCUIT_SECONDS
            if self._failures == CIRCUIT_FAILURES:
                log.warning("model.left_alone", failures=self._failures, seconds=CIRCUIT_SECONDS)

    @property
    def is_open(self) -> bool:
        with self._lock:
            return self._failures >= CIRCUIT_FAILURES and self._clock() < self._try_again_at


class ModelClient:
    """Chat completions and embeddings of one server. Thread-safe; never repeats a request by itself."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        key = settings.model_api_key.get_secret_value() if settings.model_api_key else "none"
        self._settings = settings
        self._client = OpenAI(
            base_url=settings.resolved_model_url,
            api_key=key,
            max_retries=0,
            http_client=DefaultHttpxClient(trust_env=False),
        )
        self._embedding_model = base_model_id(settings.embedding_model)
        self._prompt_log = PromptLog(settings.prompt_log)
        self._drafting = Circuit(clock)
        #: Suggestions fail by themselves: a convenience that does not work keeps nobody from a draft.
        self._suggesting = Circuit(clock)
        #: So does measuring, which nobody waits for.
        self._measuring = Circuit(clock)
        self._embedding = Circuit(clock)

    def close(self) -> None:
        self._client.close()

    @property
    def is_left_alone(self) -> bool:
        """Is the circuit open, after several failures in a row?"""
        return self._drafting.is_open

    def is_up(self) -> bool:
        """Does the server answer at all, with its model loaded?"""
        try:
            self._client.models.list(timeout=Timeout(2.0))
        except (openai.OpenAIError, ValueError, OSError):
            return False
        return True

    def stream(
        self, messages: ChatMessages, *, model: str, max_tokens: int, deadline: float, is_base: bool = True,
        sampling: Sampling = GREEDY, is_suggestion: bool = False,
    ) -> Generator[Piece, None, None]:  # fmt: skip
        """The answer in pieces, as they arrive, and empty pieces while nothing arrives; the last one has the facts.

        `deadline` is a time on `time.monotonic`'s clock: the stream has ended by then. Closing the iterator ends
        the request. Raises ModelDown, ModelSlow, ModelBusy, ModelLoading, PromptTooLong, ModelBroke (after the first
        text), AdapterUnavailable (where `model` names an adapter: `is_base` false), ModelError. A suggestion's
        failures are counted by themselves: they keep nobody from a draft.
        """
        circuit = self._suggesting if is_suggestion else self._drafting
        circuit.enter()
        silence = self._settings.first_token_deadline_seconds
        reader = _Reader(self._client, messages, model, max_tokens, silence, sampling)
        self._prompt_log.add(reader.arguments)
        try:
            yield from self._pieces(reader, deadline)
            circuit.succeeded()
        except Exception as error:
            translated = _translate(error, has_text=reader.has_text, is_base=is_base)
            circuit.note(translated)
            raise translated from error
        finally:
            reader.abandon()

    def _pieces(self, reader: _Reader, deadline: float) -> Iterator[Piece]:
        first_token_by = min(deadline, time.monotonic() + self._settings.first_token_deadline_seconds)
        while True:
            now = time.monotonic()
            if now > (deadline if reader.has_text else first_token_by):
                raise ModelSlow
            try:
                found = reader.pieces.get(timeout=TICK_SECONDS)
            except queue.Empty:
                yield Piece()
                continue
            if isinstance(found, Exception):
                raise found
            yield found
            if found.is_last:
                return

    def score_labels(
        self, messages: ChatMessages, labels: Sequence[str], *, model: str, deadline: float, is_base: bool = True,
        is_measuring: bool = False,
    ) -> ScoredLabels:  # fmt: skip
        """How likely the model finds each of these answers. One request, which vLLM understands as our server does:
        so many answers out of a choice, each with its tokens' log-probabilities. Our server gives every label once;
        one that throws dice gives the likely ones, and those alone are scored.

        `deadline` is a time on `time.monotonic`'s clock. Raises as `stream` does. What fails while measuring is counted
        by itself, and what is asked then is no draft's and stands in no log of prompts.
        """
        return self._choose(messages, labels, LABEL_TOKENS, model, deadline, is_base, is_measuring)

    def score_text(
        self, messages: ChatMessages, text: str, *, model: str, deadline: float, is_base: bool = True
    ) -> ScoredText:
        """How likely the model finds this text as the whole answer: a choice of one. Our server scores it as it was
        tokenized in training, its end of turn included; vLLM in a tokenization of its own, drawn by dice.

        For measuring alone. Raises as `score_labels` does, and ModelBroke where the server cut the text short.
        """
        scored = self._choose(messages, [text], SCORED_TOKENS, model, deadline, is_base, True)
        return ScoredText(nll_nats=-scored.scores[text.strip()], fingerprint=scored.fingerprint)

    def _choose(
        self, messages: ChatMessages, choice: Sequence[str], max_tokens: int, model: str, deadline: float,
        is_base: bool, is_measuring: bool,
    ) -> ScoredLabels:  # fmt: skip
        circuit = self._measuring if is_measuring else self._drafting
        circuit.enter()
        arguments: dict[str, Any] = {
            "messages": messages, "model": model, "max_tokens": max_tokens, "temperature": 1.0, "n": len(choice),
            "logprobs": True, "extra_body": {"structured_outputs": {"choice": list(choice)}},
        }  # fmt: skip
        if is_measuring:
            arguments["extra_headers"] = MEASURING
        else:
            self._prompt_log.add(arguments)
        try:
            answer = self._client.chat.completions.create(
                **arguments, timeout=_timeout(max(0.1, deadline - time.monotonic()))
            )
            found = _read_choice(answer, choice)
            circuit.succeeded()
            return found
        except Exception as error:
            translated = _translate(error, has_text=False, is_base=is_base)
            circuit.note(translated)
            raise translated from error

    def embed(self, texts: Sequence[str], *, timeout_seconds: float = EMBED_SECONDS) -> NDArray[np.float32]:
        """Normalised vectors of shape [texts, dimensions]. Raises the ModelError family."""
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        self._embedding.enter()
        try:
            answer = self._client.embeddings.create(
                model=self._embedding_model, input=list(texts), timeout=_timeout(timeout_seconds)
            )
            vectors = np.asarray([one.embedding for one in answer.data], dtype=np.float32)
            if vectors.ndim != 2 or len(vectors) != len(texts) or not np.isfinite(vectors).all():
                raise ValueError("the server's vectors are not one finite row a text")
        except Exception as error:
            translated = _translate(error, has_text=False, is_base=True)
            self._embedding.note(translated)
            raise translated from error
        self._embedding.succeeded()
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)  # [texts, 1]
        normalised: NDArray[np.float32] = (vectors / np.maximum(lengths, 1e-12)).astype(np.float32)
        return normalised


class _Reader:
    """A thread that reads one stream into a queue. Whoever abandons it need not wait for it."""

    def __init__(
        self, client: OpenAI, messages: ChatMessages, model: str, max_tokens: int, silence: float, sampling: Sampling
    ) -> None:
        self.pieces: queue.SimpleQueue[Piece | Exception] = queue.SimpleQueue()
        self.has_text = False
        self.arguments: dict[str, Any] = {
            "messages": messages,
            "model": model,
            "max_tokens": max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "seed": sampling.seed if sampling.seed is not None else NOT_GIVEN,
            "stream": True,
            "stream_options": {"include_usage": True},
            "timeout": _timeout(silence),
        }
        self._client = client
        self._stream: Stream[Any] | None = None
        self._abandoned = threading.Event()
        threading.Thread(target=self._run, name="model-stream", daemon=True).start()

    def abandon(self) -> None:
        """End the request, also while its thread waits for the server."""
        self._abandoned.set()
        stream = self._stream
        if stream is not None:
            _hang_up(stream)

    def _run(self) -> None:
        try:
            self._read()
        except Exception as error:
            if not self._abandoned.is_set():
                self.pieces.put(error)

    def _read(self) -> None:
        finished, is_cut, chars = False, False, 0
        prompt_tokens = completion_tokens = fingerprint = None
        with self._client.chat.completions.create(**self.arguments) as stream:
            self._stream = stream
            for chunk in stream:
                if self._abandoned.is_set():
                    return
                fingerprint = getattr(chunk, "system_fingerprint", None) or fingerprint
                if chunk.usage is not None:
                    prompt_tokens, completion_tokens = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
                for choice in chunk.choices or ():
                    finished = finished or choice.finish_reason is not None
                    is_cut = is_cut or choice.finish_reason == "length"
                    if text := choice.delta.content or "":
                        self.has_text = True
                        chars += len(text)
                        self.pieces.put(Piece(text=text))
                if chars > MAX_COMPLETION_CHARS:
                    finished = True
                    break
        if not finished:
            raise ConnectionError("the stream ended before the answer did")
        self.pieces.put(
            Piece(
                is_last=True, prompt_tokens=prompt_tokens, completion_tokens=completion_tokens, is_cut=is_cut,
                fingerprint=fingerprint,
            )
        )  # fmt: skip


def _read_choice(answer: Any, texts: Sequence[str]) -> ScoredLabels:
    """Raises ModelBroke when the server gave no text of ours: it does not know how to choose."""
    labels = {text.strip() for text in texts}
    paths: dict[str, dict[tuple[str, ...], float]] = {}
    for choice in answer.choices:
        label, content = (choice.message.content or "").strip(), choice.logprobs.content if choice.logprobs else None
        if label in labels and content:
            tokens = tuple(token.token for token in content)
            paths.setdefault(label, {})[tokens] = sum(token.logprob for token in content)
    if not paths:
        raise ModelBroke(label_texts.NO_LABELS_SCORED())
    scores = {label: float(np.logaddexp.reduce(list(found.values()))) for label, found in paths.items()}
    usage = getattr(answer, "usage", None)
    return ScoredLabels(
        scores=scores, prompt_tokens=usage.prompt_tokens if usage else None,
        fingerprint=getattr(answer, "system_fingerprint", None),
    )  # fmt: skip


def _hang_up(stream: Stream[Any]) -> None:
    """Shut the connection down, which wakes the thread that reads from it; closing alone would not."""
    with suppress(Exception):
        found = stream.response.extensions["network_stream"].get_extra_info("socket")
        found.shutdown(socket.SHUT_RDWR)


def _timeout(read_seconds: float) -> Timeout:
    return Timeout(read_seconds, connect=min(CONNECT_SECONDS, read_seconds))


def _translate(error: Exception, *, has_text: bool, is_base: bool) -> ModelError:
    """A foreign error as ours. Every exception that can come out of the client ends up here."""
    if isinstance(error, ModelError):
        return error
    if has_text:
        return ModelSlow() if isinstance(error, openai.APITimeoutError) else ModelBroke()
    if isinstance(error, openai.APITimeoutError):
        return ModelSlow()
    if isinstance(error, openai.APIConnectionError):
        return ModelDown()
    if isinstance(error, openai.APIStatusError):
        return _translate_status(error, is_base=is_base)
    if isinstance(error, openai.APIError) and "context" in f"{error.code} {error.message}":
        return PromptTooLong()
    return ModelError()


def _translate_status(error: openai.APIStatusError, *, is_base: bool) -> ModelError:
    status, code = error.status_code, str(error.code or "")
    if status in (404, 424) and not is_base:
        return AdapterUnavailable()
    if status == 404:
        return ModelDown(texts.BASE_MODEL_UNKNOWN())
    if code == "base_model_too_large":
        return ModelDown(texts.BASE_MODEL_TOO_LARGE())
    if status in (401, 403):
        return ModelDown(texts.KEY_REFUSED())
    if status == 429:
        return ModelBusy()
    if status in (400, 413, 422) and (code == "context_length_exceeded" or "context length" in error.message.lower()):
        return PromptTooLong()
    if status == 503 and code == "model_loading":
        return ModelLoading()
    return ModelError()
