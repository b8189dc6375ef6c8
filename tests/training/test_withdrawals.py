"""What is deleted from the store is gone from the model server too, though nobody asks for it again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import openai
import pytest

from config.settings import EMBEDDED_EMBEDDING_MODEL, Settings
from tests.support.serving import running
from tests.support.wait import wait_until
from tests.training.test_engine import Shop
from trainer.artifacts.manifest import MANIFEST
from trainer.artifacts.store import delete_adapter
from trainer.base_models import prepare_embedding_model
from trainer.serving.embedder import Embedder
from trainer.serving.server import build_server

pytestmark = pytest.mark.training

HELLO: Any = [{"role": "user", "content": "hello"}]


def test_what_is_deleted_from_the_store_leaves_memory_and_disk_though_nobody_asks_again(
    tmp_path: Path, embedded_models: Path
) -> None:
    shop = Shop(tmp_path)
    store, cache = str(tmp_path / "store"), tmp_path / "cache"
    settings = Settings(
        _env_file=None, artifact_url=store, base_model="tiny", data_dir=tmp_path, heartbeat_seconds=0.05
    )
    embedder = Embedder(
        prepare_embedding_model(EMBEDDED_EMBEDDING_MODEL, embedded_models), name=EMBEDDED_EMBEDDING_MODEL
    )
    # Of a base model that was let go since, and of a server that was killed while it fetched.
    left = [cache / "full-gone" / "old-v1-full", cache / "adapters" / "tiny" / f".fetching-old-v1-{'0' * 32}"]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / MANIFEST).write_text("{}")
    engine = shop.engine(cache / "adapters" / "tiny", base_model="tiny")
    try:
        with running(build_server(settings, engine, embedder)) as url:
            client = openai.OpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0, timeout=60)
            for name in ("one-v1", "two-v1"):
                client.chat.completions.create(model=name, messages=HELLO, max_tokens=2)
            assert engine.adapters.names() == ["one-v1", "two-v1"]
            delete_adapter(store, "one-v1")
            wait_until(lambda: engine.adapters.names() == ["two-v1"], what="it leaves the memory")
            copies = [cache / "adapters" / "tiny" / "one-v1", *left]
            wait_until(lambda: not any(copy.exists() for copy in copies), what="its copy leaves the disk")
            client.chat.completions.create(model="two-v1", messages=HELLO, max_tokens=2)
            assert (cache / "adapters" / "tiny" / "two-v1").is_dir()
    finally:
        engine.close()
