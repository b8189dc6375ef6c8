"""The engine: one base model and its adapters in memory, and one thread that runs them.

Requests join and leave the running batch at token boundaries. Greedy text does not depend on who shares the batch.
A request that cannot be answered whole is refused with a named error; nothing is cut silently. The model is only
touched under the model lock.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import structlog
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache

from config.base_names import base_model_id
from trainer.choices import Choices, choice_logprobs
from trainer.errors import EngineBusy, EngineStopped, GenerationFailed, PromptTooLong, TrainerError
from trainer.memory import free_on
from trainer.precision import best_dtype
from trainer.serving.adapters import Adapters, AdapterSource, LoadedAdapter
from trainer.serving.batching import Batch, left_padded
from trainer.serving.scoring import ScoredChoice, ScoredChoices, Scoring
from trainer.serving.text import Sampler, Sampling, TextStream

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from config.prompts import ChatMessages

log = structlog.get_logger()

#: Tokens written when a request does not say how many.
DEFAULT_MAX_TOKENS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The end of an answer: why it ended (`stop`, `length` or `cancelled`), and its size in tokens."""

    reason: str
    prompt_tokens: int
    completion_tokens: int
    #: `sha256:…` of the adapter that wrote it; empty for the base model.
    adapter_digest: str
    first_token_seconds: float


#: What a generation reports, in order: pieces of text, then the end or an error.
Event = str | Finished | Exception


@dataclass(slots=True, kw_only=True)
class EngineStats:
    """Counted since the start."""

    prefill_passes: int = 0
    decode_passes: int = 0
    decoded_rows: int = 0
    completion_tokens: int = 0


class Generation:
    """One request on its way through the engine. Iterating yields pieces of text as they become certain."""

    def __init__(
        self,
        prompt: list[int],
        adapter: LoadedAdapter | None,
        sampling: Sampling,
        max_tokens: int,
        text: TextStream,
        on_event: Callable[[Event], None] | None,
        wake: Callable[[], None],
        model_digest: str = "",
    ) -> None:
        self.prompt = prompt
        self.adapter = adapter
        self._model_digest = model_digest
        self.max_tokens = max_tokens
        self.sampler = Sampler(sampling)
        self.text = text
        self.completion_tokens = 0
        self.finished: Finished | None = None
        self.is_cancelled = False
        self.is_over = False
        self._started = time.perf_counter()
        self._first_token_seconds = 0.0
        self._events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._report = on_event or self._events.put
        self._wake = wake

    def cancel(self) -> None:
        """Stop writing at the next token and free the place in the batch; a second call does nothing."""
        self.is_cancelled = True
        self._wake()

    def __iter__(self) -> Iterator[str]:
        while True:
            event = self._events.get()
            if isinstance(event, Finished):
                return
            if isinstance(event, Exception):
                raise event
            yield event

    @property
    def adapter_digest(self) -> str:
        return self.adapter.digest if self.adapter is not None else self._model_digest

    def push(self, token: int, end_tokens: frozenset[int]) -> bool:
        """Take the next token; False when it was the last one."""
        if self.completion_tokens == 0:
            self._first_token_seconds = time.perf_counter() - self._started
        self.completion_tokens += 1
        if token in end_tokens:
            self._end("stop")
            return False
        self._give(self.text.push(token))
        if self.text.is_stopped:
            self._end("stop")
            return False
        if self.completion_tokens >= self.max_tokens:
            self._end("length")
            return False
        return True

    def end_cancelled(self) -> None:
        self._finish("cancelled")

    def fail(self, error: Exception) -> None:
        self.is_over = True
        self._report(error)

    def _end(self, reason: str) -> None:
        self._give(self.text.finish())
        self._finish("stop" if self.text.is_stopped else reason)

    def _finish(self, reason: str) -> None:
        self.finished = Finished(
            reason=reason,
            prompt_tokens=len(self.prompt),
            completion_tokens=self.completion_tokens,
            adapter_digest=self.adapter_digest,
            first_token_seconds=self._first_token_seconds,
        )
        self.is_over = True
        self._report(self.finished)

    def _give(self, piece: str) -> None:
        if piece:
            self._report(piece)


class Engine:
    """Base model plus adapters, answering many requests at once. Safe to call from any thread; `close` it."""

    def __init__(
        self,
        base_path: Path,
        *,
        base_model: str = "",
        adapters: AdapterSource | None = None,
        max_loaded_adapters: int = 8,
        max_batch_requests: int = 16,
        max_waiting_requests: int = 64,
        dtype: torch.dtype | None = None,
        device: str | None = None,
        free_bytes: Callable[[], int] | None = None,
        digest: str = "",
    ) -> None:
        self.base_path = base_path
        #: `sha256:…` of a model that a run trained; empty for a base model.
        self.digest = digest
        self.base_id = base_model_id(base_model or str(base_path))
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        self.dtype = dtype or best_dtype(self.device)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(base_path)
        base: Any = AutoModelForCausalLM.from_pretrained(base_path, dtype=self.dtype)
        base.to(self.device).eval()
        self.stats = EngineStats()
        self.model_lock = threading.RLock()
        #: Memory that can be had where the model computes.
        self.free_bytes = free_bytes or partial(free_on, self.device.type)
        self.adapters = Adapters(base, base_path, adapters, max_loaded_adapters, self.model_lock, self.free_bytes)
        self.context_tokens = int(base.config.max_position_embeddings)
        self._end_tokens = _end_tokens(base, self.tokenizer)
        self._pad_token = int(self.tokenizer.pad_token_id or 0)
        self._max_batch_requests = max_batch_requests
        self._max_waiting_requests = max_waiting_requests
        self._tokenizer_lock = threading.Lock()
        self._changed = threading.Condition()
        self._waiting: deque[Generation] = deque()
        self._scorings: deque[Scoring] = deque()
        self._batches: list[Batch[Generation]] = []
        self._under_way = 0
        self._is_stopping = False
        self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
        self._thread.start()

    # ------------------------------------------------------------------------------------------ for callers

    @property
    def model(self) -> Any:
        """The model as it is now: the base model, or PEFT's wrapper of it once an adapter has been loaded."""
        return self.adapters.model

    @property
    def waiting_requests(self) -> int:
        """Requests that have no place in a batch yet."""
        return len(self._waiting)

    @property
    def is_idle(self) -> bool:
        """Is there no request that waits or is being answered?"""
        with self._changed:
            return self._under_way == 0

    def beside(self, model_path: Path, name: str, *, digest: str) -> Engine:
        """Another engine like this one, with a model of its own and without adapters."""
        return Engine(
            model_path, base_model=name, max_batch_requests=self._max_batch_requests,
            max_waiting_requests=self._max_waiting_requests, dtype=self.dtype, device=str(self.device), digest=digest,
        )  # fmt: skip

    def use_adapter(self, name: str | None) -> AbstractContextManager[Any]:
        """The model with this adapter (None: the base model) active, for one caller alone."""
        return self.adapters.activated(name)

    def load_adapter(self, name: str) -> str:
        """Load a published adapter ahead of its first request; returns its digest."""
        adapter = self.adapters.pin(name)
        self.adapters.unpin(adapter)
        return adapter.digest

    def complete(self, messages: ChatMessages, adapter: str | None = None, sampling: Sampling | None = None) -> str:
        """The answer to one prompt, greedy unless `sampling` says otherwise."""
        return "".join(self.submit(messages, adapter, sampling))

    def submit(
        self,
        messages: ChatMessages,
        adapter: str | None = None,
        sampling: Sampling | None = None,
        *,
        on_event: Callable[[Event], None] | None = None,
    ) -> Generation:
        """Queue one request. Iterate the result, or get each event through `on_event` on the engine's thread.

        Loads the adapter first where needed (in the caller's thread). Raises EngineBusy, EngineStopped,
        PromptTooLong and the AdapterErrors.
        """
        with self._changed:
            if len(self._waiting) >= self._max_waiting_requests:
                raise EngineBusy
        generation = self._make(messages, adapter, sampling or Sampling(), on_event)
        try:
            self._queue(generation)
        except EngineStopped:
            self._release(generation)
            raise
        return generation

    def score_choices(self, messages: ChatMessages, texts: Sequence[str], adapter: str | None = None) -> ScoredChoices:
        """How likely each of these answers is, exactly; between two steps of what is being written.

        Raises EngineBusy, EngineStopped, PromptTooLong, GenerationFailed and the AdapterErrors.
        """
        prompt = self.prompt_tokens(messages)
        with self._tokenizer_lock:
            choices = Choices(self.tokenizer, texts)
            tokens = [tuple(self.tokenizer.batch_decode([[token] for token in tail])) for tail in choices.tails]
        self._room_for(prompt, choices.longest)
        loaded = self.adapters.pin(adapter) if adapter is not None else None
        self._count(1)
        scoring = Scoring(prompt=choices.begin(prompt), tails=choices.tails, adapter=loaded)
        try:
            with self._changed:
                if self._is_stopping:
                    raise EngineStopped
                if len(self._scorings) >= self._max_waiting_requests:
                    raise EngineBusy
                self._scorings.append(scoring)
                self._changed.notify_all()
            logprobs = scoring.result.result()
        finally:
            self._count(-1)
            if loaded is not None:
                self.adapters.unpin(loaded)
        scored = [
            ScoredChoice(text=text, tokens=own, logprobs=tuple(values))
            for text, own, values in zip(texts, tokens, logprobs, strict=True)
        ]
        if not all(math.isfinite(one.total) for one in scored):
            raise GenerationFailed
        return ScoredChoices(
            choices=tuple(sorted(scored, key=lambda one: -one.total)), prompt_tokens=len(prompt),
            digest=loaded.digest if loaded is not None else self.digest,
        )  # fmt: skip

    def prompt_tokens(self, messages: ChatMessages) -> list[int]:
        """The prompt as the model sees it, through the base model's chat template."""
        with self._tokenizer_lock:
            encoded = self.tokenizer.apply_chat_template(
                messages, add_generation_prompt=True, return_dict=True, tokenize=True
            )
        return list(encoded["input_ids"])

    def close(self) -> None:
        """Stop the thread; requests under way end in EngineStopped."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()
        self._thread.join()

    # ------------------------------------------------------------------------------------------ the engine's thread

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._is_stopping or self._waiting or self._scorings or self._batches):
                    self._changed.wait()
                if self._is_stopping:
                    break
                scoring = self._scorings.popleft() if self._scorings else None
                admitted = self._take_waiting()
            if scoring is not None:
                self._score(scoring)
            for group in _by_adapter(admitted):
                self._guarded(self._admit, group)
            for batch in list(self._batches):
                self._guarded(self._decode, batch)
            self._batches = [batch for batch in self._batches if batch.rows]
        for generation in [*self._waiting, *(row for batch in self._batches for row in batch.rows)]:
            generation.fail(EngineStopped())
            self._release(generation)
        for scoring in self._scorings:
            scoring.result.set_exception(EngineStopped())

    def _score(self, scoring: Scoring) -> None:
        try:
            with torch.inference_mode(), self.model_lock:
                self.adapters.activate([scoring.adapter])
                scoring.result.set_result(choice_logprobs(self.adapters.model, scoring.prompt, scoring.tails))
        except Exception as exc:
            log.exception("scoring.failed")
            scoring.result.set_exception(exc if isinstance(exc, TrainerError) else GenerationFailed())

    def _take_waiting(self) -> list[Generation]:
        """As many requests, oldest first, as the batch has places for."""
        free = self._max_batch_requests - sum(len(batch.rows) for batch in self._batches)
        admitted: list[Generation] = []
        while self._waiting and len(admitted) < free:
            generation = self._waiting.popleft()
            if generation.is_cancelled:
                generation.end_cancelled()
                self._release(generation)
            else:
                admitted.append(generation)
        return admitted

    def _guarded(self, work: Callable[[Any], None], subject: Any) -> None:
        """A failing forward pass fails its own requests, never the engine."""
        try:
            with torch.inference_mode(), self.model_lock:
                work(subject)
        except Exception as exc:
            log.exception("generation.failed")
            rows = subject.rows if isinstance(subject, Batch) else subject
            error = exc if isinstance(exc, TrainerError) else GenerationFailed()
            for generation in rows:
                if not generation.is_over:
                    generation.fail(error)
                    self._release(generation)
            if isinstance(subject, Batch):
                subject.rows = []

    def _admit(self, group: list[Generation]) -> None:
        """Run new prompts of one adapter through the model, and let them join a running batch."""
        batch = self._prefill(group)
        if not batch.rows:
            return
        running = next((other for other in self._batches if _may_share(other, batch)), None)
        if running is None:
            self._batches.append(batch)
        else:
            running.join(batch)

    def _prefill(self, group: list[Generation]) -> Batch[Generation]:
        ids, mask = left_padded([generation.prompt for generation in group], self._pad_token, self.device)
        cache = DynamicCache()
        output = self.adapters_forward(
            group,
            input_ids=ids,
            attention_mask=mask,
            position_ids=(mask.cumsum(dim=1) - 1).clamp(min=0),
            cache=cache,
            use_cache=True,
            logits_to_keep=1,  # the head is a fifth of the work, and only the last position is needed
        )
        self.stats.prefill_passes += 1
        batch = Batch(group, cache, mask, torch.zeros(len(group), dtype=torch.long, device=self.device))
        self._advance(batch, output.logits[:, -1])
        return batch

    def _decode(self, batch: Batch[Generation]) -> None:
        output = self.adapters_forward(batch.rows, **batch.step_inputs())
        self.stats.decode_passes += 1
        self.stats.decoded_rows += len(batch.rows)
        self._advance(batch, output.logits[:, -1])

    def adapters_forward(self, rows: list[Generation], **inputs: Any) -> Any:
        """One forward pass, each row through its own adapter."""
        extra = self.adapters.activate([row.adapter for row in rows])
        return self.adapters.model(**inputs, **extra)

    def _advance(self, batch: Batch[Generation], logits: torch.Tensor) -> None:
        """Give each row its next token; rows that are through leave the batch. logits: [rows, vocabulary]."""
        tokens, keep = [], []
        best_logits, best_tokens = (found.tolist() for found in logits.max(dim=1))  # one transfer for all rows
        for index, generation in enumerate(batch.rows):
            if generation.is_cancelled:
                generation.end_cancelled()
                self._release(generation)
                continue
            if not math.isfinite(best_logits[index]):  # an adapter that overflows spoils its own row alone
                generation.fail(GenerationFailed())
                self._release(generation)
                continue
            sampler = generation.sampler
            token = best_tokens[index] if sampler.is_greedy else sampler.choose(logits[index])
            self.stats.completion_tokens += 1
            if generation.push(token, self._end_tokens):
                tokens.append(token)
                keep.append(index)
            else:
                self._release(generation)
        batch.keep(keep)
        batch.last_tokens = torch.tensor(tokens, dtype=torch.long, device=self.device)

    # ------------------------------------------------------------------------------------------ small parts

    def _make(
        self,
        messages: ChatMessages,
        adapter: str | None,
        sampling: Sampling,
        on_event: Callable[[Event], None] | None,
    ) -> Generation:
        prompt = self.prompt_tokens(messages)
        max_tokens = self._room_for(prompt, sampling.max_tokens)
        loaded = self.adapters.pin(adapter) if adapter is not None else None
        text = TextStream(self.tokenizer, sampling.stop)
        self._count(1)
        return Generation(prompt, loaded, sampling, max_tokens, text, on_event, self._notify, self.digest)

    def _room_for(self, prompt: list[int], wanted: int | None) -> int:
        room = self.context_tokens - len(prompt)
        if room < 1 or (wanted is not None and wanted > room):
            raise PromptTooLong(
                f"The request has {len(prompt)} tokens and asks for {wanted or 'some'} more, but the model's "
                f"context holds {self.context_tokens}; shorten it or give fewer examples."
            )
        return wanted or min(room, DEFAULT_MAX_TOKENS)

    def _queue(self, generation: Generation) -> None:
        with self._changed:
            if self._is_stopping:
                raise EngineStopped
            self._waiting.append(generation)
            self._changed.notify_all()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _count(self, more: int) -> None:
        with self._changed:
            self._under_way += more

    def _release(self, generation: Generation) -> None:
        self._count(-1)
        if generation.adapter is not None:
            self.adapters.unpin(generation.adapter)


def _by_adapter(admitted: list[Generation]) -> list[list[Generation]]:
    groups: dict[str, list[Generation]] = {}
    for generation in admitted:
        groups.setdefault(generation.adapter.key if generation.adapter else "", []).append(generation)
    return list(groups.values())


def _may_share(running: Batch[Generation], joining: Batch[Generation]) -> bool:
    """Rows of different adapters share a pass, except where one is DoRA, which PEFT cannot mix."""
    rows = [*running.rows, *joining.rows]
    keys = {row.adapter.key if row.adapter else "" for row in rows}
    return len(keys) == 1 or not any(row.adapter and row.adapter.is_dora for row in rows)


def _end_tokens(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer, from the generation config and the tokenizer."""
    configured = model.generation_config.eos_token_id
    found = configured if isinstance(configured, list) else [configured]
    return frozenset(int(token) for token in [*found, tokenizer.eos_token_id] if token is not None)
