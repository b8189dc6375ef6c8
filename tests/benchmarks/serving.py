"""How fast adapters are served, beside plain transformers and PEFT: `python -m tests.benchmarks.serving [folder]`.

The embedded SmolLM2-135M, 200 tokens in, 64 out. All columns of a row are measured in turn on the same model, so
their ratio means something; the absolute figures are those of the machine and of what else ran on it. A folder with
prepared models may be given; otherwise they are prepared first.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openai
import torch

from config.settings import EMBEDDED_BASE_MODEL, EMBEDDED_EMBEDDING_MODEL, Settings
from tests.support.serving import running
from tests.support.tiny_model import make_tiny_adapter
from trainer.adapter_files import publish_adapter
from trainer.artifacts.keys import load_or_create_signing_key
from trainer.artifacts.manifest import AdapterFacts
from trainer.base_models import base_revision, prepare_base_model, prepare_embedding_model
from trainer.serving.adapters import AdapterSource
from trainer.serving.embedder import Embedder
from trainer.serving.engine import Engine
from trainer.serving.server import build_server
from trainer.serving.text import Sampling

PROMPT_TOKENS, NEW_TOKENS = 200, 64
ROUNDS = 2
OLD, NEW = "old-v1", "new-v1"


@dataclass(slots=True, kw_only=True)
class Bench:
    """A served engine, and a store to publish adapters into."""

    engine: Engine
    client: openai.OpenAI
    store_url: str
    keys_dir: Path
    folder: Path
    prompt: Any = field(default_factory=list)

    def publish(self, name: str, trained: Path) -> None:
        facts = AdapterFacts(
            base_model=EMBEDDED_BASE_MODEL,
            base_revision=base_revision(self.engine.base_path),
            style_id="1",
            scope="T1:workspace",
            run_id=f"run-{name}",
            rung="lora",
            created_at=datetime.now(UTC),
        )
        key = load_or_create_signing_key(self.keys_dir)
        publish_adapter(self.store_url, name, trained, facts, key)


@contextmanager
def _bench(folder: Path, models: Path) -> Iterator[Bench]:
    settings = Settings(_env_file=None, data_dir=folder)
    base = prepare_base_model(EMBEDDED_BASE_MODEL, models)
    source = AdapterSource(
        store_url=settings.resolved_artifact_url, cache_dir=folder / "cache", keys_dir=settings.keys_dir
    )
    engine = Engine(base, base_model=EMBEDDED_BASE_MODEL, adapters=source)
    embedder = Embedder(prepare_embedding_model(EMBEDDED_EMBEDDING_MODEL, models), name=EMBEDDED_EMBEDDING_MODEL)
    with (
        running(build_server(settings, engine, embedder)) as url,
        openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=120) as client,
    ):
        bench = Bench(
            engine=engine, client=client, store_url=settings.resolved_artifact_url, keys_dir=settings.keys_dir,
            folder=folder,
        )  # fmt: skip
        bench.prompt = _prompt(engine)
        yield bench
    engine.close()


def _prompt(engine: Engine) -> Any:
    # Long answers, so that all columns write about 64 tokens.
    text = "Tell a long story about these words, with every detail you can think of:"
    while len(engine.prompt_tokens([{"role": "user", "content": text}])) < PROMPT_TOKENS:
        text += " dictionary compiler"
    return [{"role": "user", "content": text}]


# ------------------------------------------------------------------------------------------------ throughput


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    tokens_per_second: float
    #: Of the slowest request.
    first_token_seconds: float = 0.0


def _engine_speed(bench: Bench, adapter: str | None, requests: int) -> Speed:
    started = time.perf_counter()
    sampling = Sampling(max_tokens=NEW_TOKENS)
    generations = [bench.engine.submit(bench.prompt, adapter, sampling) for _ in range(requests)]
    for generation in generations:
        "".join(generation)
    seconds = time.perf_counter() - started
    ends = [generation.finished for generation in generations if generation.finished]
    return Speed(
        tokens_per_second=sum(end.completion_tokens for end in ends) / seconds,
        first_token_seconds=max(end.first_token_seconds for end in ends),
    )


def _http_speed(bench: Bench, adapter: str | None, requests: int) -> Speed:
    model = adapter or bench.engine.base_id
    started = time.perf_counter()
    with ThreadPoolExecutor(requests) as pool:
        answers = list(pool.map(lambda _: _stream(bench, model), range(requests)))
    seconds = time.perf_counter() - started
    return Speed(
        tokens_per_second=sum(tokens for tokens, _ in answers) / seconds,
        first_token_seconds=max(first for _, first in answers),
    )


def _stream(bench: Bench, model: str) -> tuple[int, float]:
    """One streamed answer: tokens, and seconds until its first text."""
    started = time.perf_counter()
    first, tokens = 0.0, 0
    stream: Any = bench.client.chat.completions.create(
        model=model, messages=bench.prompt, max_tokens=NEW_TOKENS, temperature=0, stream=True,
        stream_options={"include_usage": True},
    )  # fmt: skip
    for chunk in stream:
        if not first and chunk.choices and chunk.choices[0].delta.content:
            first = time.perf_counter() - started
        if chunk.usage:
            tokens = chunk.usage.completion_tokens
    return tokens, first


def _plain_speed(bench: Bench, adapter: str | None, requests: int) -> Speed:
    """transformers' own generate, a static batch: the same prompt, the same greedy text, the same end."""
    ids = torch.tensor([bench.engine.prompt_tokens(bench.prompt)] * requests)
    with bench.engine.use_adapter(adapter) as model, torch.inference_mode():
        started = time.perf_counter()
        written = model.generate(
            input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, do_sample=False
        )
        seconds = time.perf_counter() - started
    return Speed(tokens_per_second=(written.shape[1] - ids.shape[1]) * requests / seconds)


def _throughput(bench: Bench) -> None:
    _line("adapter  requests  tok/s  first token ms  over HTTP tok/s  first token ms  transformers tok/s  ratio")
    for adapter in (None, OLD):
        for requests in (1, 8):
            ways: list[Callable[[Bench, str | None, int], Speed]] = [_engine_speed, _http_speed, _plain_speed]
            rounds = [[way(bench, adapter, requests) for way in ways] for _ in range(ROUNDS)]
            engine, http, plain = (max(way, key=lambda s: s.tokens_per_second) for way in zip(*rounds, strict=True))
            _line(
                f"{'-' if adapter is None else 'r 16':7}  {requests:8}  {engine.tokens_per_second:5.1f}  "
                f"{engine.first_token_seconds * 1000:14.0f}  {http.tokens_per_second:15.1f}  "
                f"{http.first_token_seconds * 1000:14.0f}  {plain.tokens_per_second:18.1f}  "
                f"{engine.tokens_per_second / plain.tokens_per_second:5.2f}"
            )


# ------------------------------------------------------------------------------------------------ a new adapter


def _new_adapter(bench: Bench) -> None:
    """Eight loops ask the old adapter without a pause while a new one is published and asked for."""
    trained = make_tiny_adapter(bench.folder / "trained-new", bench.engine.base_path, seed=2, rank=16)
    stop = threading.Event()
    seconds: list[float] = []
    failures: list[Exception] = []

    def ask_old() -> None:
        while not stop.is_set():
            started = time.perf_counter()
            try:
                _stream(bench, OLD)
            except openai.OpenAIError as exc:
                failures.append(exc)
            seconds.append(time.perf_counter() - started)

    threads = [threading.Thread(target=ask_old) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(seconds) < 8:  # all are under way, and the slowest without a change is known
        stop.wait(0.05)
    calm = max(seconds)
    del seconds[:]
    started = time.perf_counter()
    bench.publish(NEW, trained)
    published = time.perf_counter()
    _, first = _stream(bench, NEW)
    served = time.perf_counter()
    stop.set()
    for thread in threads:
        thread.join()
    _line("published s  first token after promotion s  whole answer s  requests meanwhile  failed  slowest s  calm s")
    _line(
        f"{published - started:11.2f}  {published - started + first:29.2f}  {served - published:14.2f}  "
        f"{len(seconds):18}  {len(failures):6}  {max(seconds):9.2f}  {calm:6.2f}"
    )


def _line(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        models = Path(sys.argv[1]) if len(sys.argv) > 1 else folder / "models"
        with _bench(folder, models) as bench:
            bench.publish(OLD, make_tiny_adapter(folder / "trained-old", bench.engine.base_path, rank=16))
            for adapter in (None, OLD):
                _engine_speed(bench, adapter, 2)  # warm
            _throughput(bench)
            _new_adapter(bench)


if __name__ == "__main__":
    main()
