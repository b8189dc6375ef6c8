"""`python -m trainer.serving` as a process: it says that it loads, serves, and stops with exit code 0 when told to."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from safetensors.numpy import load_file, save_file

from tests.support.tiny_model import make_tiny_model
from tests.support.wait import wait_until

pytestmark = pytest.mark.training

HELLO: Any = [{"role": "user", "content": "hello"}]


@dataclass(slots=True, kw_only=True)
class Served:
    process: subprocess.Popen[bytes]
    url: str

    def status(self) -> str:
        """What /health says; empty before the process listens."""
        try:
            return str(httpx.get(f"{self.url}/health", timeout=5).json()["status"])
        except httpx.TransportError:
            return ""

    def stop(self, number: int) -> tuple[int, float]:
        """Send the signal; exit code, and seconds until the process was gone."""
        started = time.monotonic()
        self.process.send_signal(number)
        return self.process.wait(timeout=30), time.monotonic() - started


@pytest.fixture(scope="module")
def long_winded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that never finds an end, with room for an answer that takes half a minute."""
    folder = make_tiny_model(tmp_path_factory.mktemp("model") / "tiny", context_tokens=1 << 16)
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"][2] = 0  # the end token's logit is 0, and some other one is always above
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@contextmanager
def _serving(model: Path, data_dir: Path) -> Iterator[Served]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    environment = os.environ | {
        "HUISSTIJL_DATA_DIR": str(data_dir),
        "HUISSTIJL_BASE_MODEL": str(model),
        "HUISSTIJL_EMBEDDING_MODEL": str(model),
        "HUISSTIJL_SERVE_PORT": str(port),
        "HF_HUB_OFFLINE": "1",
        "PYTHONPATH": str(Path(__file__).resolve().parents[2]),
    }
    process = subprocess.Popen([sys.executable, "-m", "trainer.serving"], env=environment)
    try:
        yield Served(process=process, url=f"http://127.0.0.1:{port}")
    finally:
        process.kill()
        process.wait()


@pytest.mark.alone
def test_it_answers_while_it_loads_and_ends_well_with_a_stream_under_way(long_winded: Path, tmp_path: Path) -> None:
    with _serving(long_winded, tmp_path) as served:
        first = wait_until(served.status, seconds=30)
        assert first == "loading"
        refused = httpx.post(f"{served.url}/v1/chat/completions", json={"model": "tiny", "messages": HELLO})
        assert refused.status_code == 503
        assert refused.json()["error"]["code"] == "model_loading"
        wait_until(lambda: served.status() == "ready", seconds=60)
        with openai.OpenAI(base_url=f"{served.url}/v1", api_key="none", max_retries=0) as client:
            stream: Any = client.chat.completions.create(
                model="tiny", messages=HELLO, stream=True, max_tokens=60_000, temperature=0
            )
            pieces = iter(stream)
            for _ in range(3):
                next(pieces)
            exit_code, seconds = served.stop(signal.SIGTERM)
            with pytest.raises((openai.APIError, httpx.TransportError)):
                list(pieces)
        assert (exit_code, seconds < 9) == (0, True), seconds


@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_it_ends_at_once_when_it_is_idle_or_still_loading(long_winded: Path, tmp_path: Path, number: int) -> None:
    for awaited in ("loading", "ready"):
        with _serving(long_winded, tmp_path) as served:
            wait_until(lambda found=awaited, served=served: served.status() == found, seconds=60)  # type: ignore[misc]
            exit_code, seconds = served.stop(number)
            assert (exit_code, seconds < 5) == (0, True), (awaited, seconds)
