"""How fast the engine writes beside plain transformers and PEFT: `python -m tests.benchmarks.serving`.

200 tokens in, 64 out, on the embedded SmolLM2-135M. Only the ratios of neighbouring rows mean much.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from tests.support.tiny_model import make_tiny_adapter
from trainer.base_models import prepare_base_model
from trainer.serving.engine import Engine
from trainer.serving.text import Sampling

if TYPE_CHECKING:
    from config.prompts import ChatMessages

PROMPT_TOKENS, NEW_TOKENS = 200, 64


def _prompt(engine: Engine) -> ChatMessages:
    text = "Describe the package."
    while len(engine.prompt_tokens([{"role": "user", "content": text}])) < PROMPT_TOKENS:
        text += " dictionary compiler"
    return [{"role": "user", "content": text}]


def _engine_row(engine: Engine, adapter: str | None, requests: int) -> tuple[float, float]:
    """(tokens per second, seconds to the first token)."""
    engine._end_tokens = frozenset()  # write all 64, whatever the text says
    started = time.perf_counter()
    generations = [engine.submit(_prompt(engine), adapter, Sampling(max_tokens=NEW_TOKENS)) for _ in range(requests)]
    for generation in generations:
        "".join(generation)
    seconds = time.perf_counter() - started
    first = max(generation.finished.first_token_seconds for generation in generations if generation.finished)
    return requests * NEW_TOKENS / seconds, first


def _plain_row(engine: Engine, adapter: str | None, requests: int) -> float:
    ids = torch.tensor([engine.prompt_tokens(_prompt(engine))] * requests)
    with engine.use_adapter(adapter) as model, torch.inference_mode():
        options: dict[str, Any] = {"max_new_tokens": NEW_TOKENS, "min_new_tokens": NEW_TOKENS, "do_sample": False}
        started = time.perf_counter()
        model.generate(input_ids=ids, attention_mask=torch.ones_like(ids), **options)
        return requests * NEW_TOKENS / (time.perf_counter() - started)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        base = prepare_base_model("embedded:smollm2-135m-instruct", Path(sys.argv[1] if len(sys.argv) > 1 else folder))
        engine = Engine(base)
        engine.adapters.load_folder("bench", make_tiny_adapter(Path(folder) / "adapter", base, rank=16))
        _engine_row(engine, "bench", 1)  # warm
        sys.stdout.write("adapter  requests  tok/s  first token ms  transformers tok/s  ratio\n")
        for adapter in (None, "bench"):
            for requests in (1, 8):
                speed, first = _engine_row(engine, adapter, requests)
                plain = _plain_row(engine, adapter, requests)
                sys.stdout.write(
                    f"{adapter or '-':7}  {requests:8}  {speed:5.1f}  {first * 1000:14.0f}  "
                    f"{plain:18.1f}  {speed / plain:5.2f}\n"
                )
        engine.close()


if __name__ == "__main__":
    main()
